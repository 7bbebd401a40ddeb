const fs = require('fs');
const { DatabaseSync } = require('node:sqlite');

function pause(stage) {
  fs.writeSync(1, `${stage}\n`);
  const byte = Buffer.alloc(1);
  while (fs.readSync(0, byte) === 1 && byte[0] !== 10);
}

const memory = new DatabaseSync(':memory:');
const library = memory.prepare('SELECT sqlite_version() AS v').get().v;
fs.writeSync(1, `version Node ${process.version}, node:sqlite, SQLite ${library}\n`);

const db = new DatabaseSync(process.argv[2]);
db.exec('PRAGMA journal_mode = @MODE@');
db.exec('CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)');
db.prepare('INSERT INTO items(data) VALUES(zeroblob(200000))').run();
db.prepare('SELECT count(*) FROM items').get();
pause('running');
db.prepare("INSERT INTO items(data) VALUES('second')").run();
const other = new DatabaseSync(process.argv[2]);
other.prepare('SELECT count(*) FROM items').get();
other.close();
db.exec('BEGIN IMMEDIATE');
db.prepare("INSERT INTO items(data) VALUES('third')").run();
pause('transaction');
db.exec('COMMIT');
db.exec('DELETE FROM items');
db.exec('VACUUM');
db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
db.close();

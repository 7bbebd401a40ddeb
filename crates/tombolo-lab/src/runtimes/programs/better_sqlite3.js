const fs = require('fs');
const Database = require('better-sqlite3');
const driver = require('better-sqlite3/package.json').version;

function pause(stage) {
  fs.writeSync(1, `${stage}\n`);
  const byte = Buffer.alloc(1);
  while (fs.readSync(0, byte) === 1 && byte[0] !== 10);
}

const memory = new Database(':memory:');
const library = memory.prepare('SELECT sqlite_version() AS v').get().v;
fs.writeSync(1, `version Node ${process.version}, better-sqlite3 ${driver}, SQLite ${library}\n`);

const db = new Database(process.argv[2]);
db.pragma('journal_mode = @MODE@');
db.exec('CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data)');
db.prepare('INSERT INTO items(data) VALUES(zeroblob(200000))').run();
db.prepare('SELECT count(*) FROM items').get();
pause('running');
db.prepare("INSERT INTO items(data) VALUES('second')").run();
const other = new Database(process.argv[2]);
other.prepare('SELECT count(*) FROM items').get();
other.close();
db.exec('BEGIN IMMEDIATE');
db.prepare("INSERT INTO items(data) VALUES('third')").run();
pause('transaction');
db.exec('COMMIT');
db.exec('DELETE FROM items');
db.exec('VACUUM');
db.pragma('wal_checkpoint(TRUNCATE)');
db.close();

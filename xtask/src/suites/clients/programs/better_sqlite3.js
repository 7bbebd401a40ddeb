// What better-sqlite3 offers, on a database in the working directory. Its argument is the module.
// Its SQLite is linked in, so the door is an extension that one connection loads for all.
'use strict';
const Database = require(process.argv[2]);
if (process.env.TOMBOLO_LIBRARY) {
  new Database(':memory:').loadExtension(process.env.TOMBOLO_LIBRARY);
}

async function section(name, body) {
  console.log(`== ${name}`);
  try {
    console.log(JSON.stringify(await body(), (_, v) => (typeof v === 'bigint' ? `${v}n` : v)));
  } catch (error) {
    console.log(`${error.code}: ${error.message}`);
  }
}

async function main() {
  const db = new Database('app.db');
  const count = (one = db) => one.prepare('SELECT count(*) FROM item').pluck().get();
  await section('create', () => {
    db.exec('CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, raw)');
    const insert = db.prepare('INSERT INTO item(name, raw) VALUES (@name, @raw)');
    return [insert.run({ name: 'a', raw: Buffer.from([0, 255]) }),
      insert.run({ name: 'b', raw: null }), insert.run({ name: 'c', raw: 1.5 })];
  });
  await section('rows', () => {
    const all = db.prepare('SELECT * FROM item ORDER BY id');
    return [all.all(), all.get(), all.raw().all(), all.columns(), [...all.pluck(false).iterate()]];
  });
  await section('big integers', () => {
    db.prepare('INSERT INTO item(name, raw) VALUES (?, ?)').run('big', 2n ** 62n);
    return db.prepare("SELECT raw FROM item WHERE name = 'big'").safeIntegers().pluck().get();
  });
  await section('a unique name', () => db.exec("INSERT INTO item(name) VALUES ('a')"));
  await section('a syntax error', () => db.prepare('SELEC 1'));
  await section('transactions', () => {
    const add = db.transaction((names) => {
      for (const name of names) db.prepare('INSERT INTO item(name) VALUES (?)').run(name);
      return count();
    });
    const within = add(['d', 'e']);
    let refused;
    try { add(['f', 'a']); } catch (error) { refused = error.code; }
    const nested = db.transaction(() => {
      add(['g']);
      try { add(['h', 'a']); } catch (error) { refused += ` ${error.code}`; }
      return db.inTransaction;
    }).immediate();
    return [within, refused, nested, db.inTransaction, count()];
  });
  await section('functions', () => {
    db.function('twice', { deterministic: true }, (text) => text + text);
    db.aggregate('joined', { start: '', step: (all, one) => all + one });
    db.table('letters', {
      columns: ['letter'], parameters: ['upto'],
      rows: function* (upto) {
        for (let n = 0; n < upto; n++) yield [String.fromCharCode(97 + n)];
      },
    });
    return [db.prepare('SELECT twice(name) FROM item ORDER BY id').pluck().all(),
      db.prepare('SELECT joined(name) FROM item').pluck().get(),
      db.prepare('SELECT letter FROM letters(3)').pluck().all()];
  });
  await section('two connections', () => {
    const other = new Database('app.db', { timeout: 0 });
    db.exec("BEGIN IMMEDIATE; INSERT INTO item(name) VALUES ('first')");
    const seen = count(other);
    let refused;
    const write = () => other.exec("INSERT INTO item(name) VALUES ('second')");
    try { write(); } catch (error) { refused = error.code; }
    db.exec('COMMIT');
    write();
    const after = count(other);
    other.close();
    return [seen, refused, after, count()];
  });
  await section('read only', () => {
    const reader = new Database('app.db', { readonly: true });
    return [count(reader), reader.readonly, reader.exec('DELETE FROM item')];
  });
  await section('none there', () => new Database('none.db', { fileMustExist: true }));
  await section('many rows', () => {
    db.exec('CREATE TABLE number(n INTEGER PRIMARY KEY, text)');
    const insert = db.prepare('INSERT INTO number VALUES (?, ?)');
    db.transaction(() => {
      for (let n = 0; n < 20000; n++) insert.run(n, String(n).repeat(5));
    })();
    let sum = 0;
    for (const row of db.prepare('SELECT n FROM number').iterate()) sum += row.n;
    return [sum, db.prepare('SELECT count(*), max(text) FROM number').raw().get()];
  });
  await section('backup', async () => {
    let steps = 0;
    await db.backup('copy.db', { progress: () => { steps++; return 50; } });
    const copy = new Database('copy.db');
    const said = [steps > 1, count(copy), copy.pragma('integrity_check', { simple: true })];
    copy.close();
    return said;
  });
  await section('serialized', () => {
    const copy = new Database(db.serialize());
    return [count(copy), copy.pragma('integrity_check', { simple: true })];
  });
  await section('attach', () => {
    db.exec("ATTACH 'other.db' AS other; CREATE TABLE other.copy AS SELECT * FROM item");
    const joined = db.prepare('SELECT count(*) FROM other.copy JOIN item USING (name)');
    const said = joined.pluck().get();
    db.exec('DETACH other');
    return said;
  });
  await section('a journal', () => db.pragma('journal_mode = WAL'));
  await section('synchronous', () => db.pragma('synchronous'));
  await section('in the end', () => {
    db.exec('VACUUM');
    return [db.pragma('integrity_check', { simple: true }), db.close().open];
  });
}

main();

# What people do with SQLite's shell, on a database in the working directory. Each section is a
# separate run of it, and prints what it says.
exec 2>&1

# What the shell says to a script, in a section.
say() {
    echo "== $1"
    shift
    sqlite3 -batch "$@"
}

say create app.db <<'END'
PRAGMA journal_mode=WAL;
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, born INT CHECK(born > 0));
CREATE TABLE visit(person REFERENCES person, day TEXT, note BLOB, PRIMARY KEY(person, day))
    WITHOUT ROWID;
CREATE INDEX visit_by_day ON visit(day);
CREATE VIEW visits AS SELECT name, count(day) AS days FROM person LEFT JOIN visit ON id = person
    GROUP BY id;
CREATE TRIGGER visited AFTER INSERT ON visit BEGIN
    UPDATE person SET born = born + 0 WHERE id = new.person;
END;
INSERT INTO person(name, born) VALUES ('Ann', 1970), ('Bob', 1980), ('Cid', 1990);
INSERT INTO visit VALUES (1, '2020-01-01', x'00ff'), (1, '2020-01-02', NULL);
INSERT INTO visit VALUES (2, '2020-01-01', 'b');
SELECT * FROM visits;
END

say objects app.db <<'END'
.tables
.indexes visit
.schema --indent
.fullschema
.lint fkey-indexes
END
say modes app.db <<'END'
.headers on
.nullvalue NONE
.mode box
SELECT * FROM visits;
.mode csv
SELECT * FROM visit;
.mode json
SELECT * FROM visits;
.mode insert copy
SELECT * FROM person;
.mode markdown
SELECT * FROM visits;
.mode quote
SELECT * FROM visit;
.mode line
SELECT * FROM visits;
.mode html
SELECT * FROM visits;
END
say constraints app.db <<'END'
INSERT INTO person(name, born) VALUES ('Ann', 1);
INSERT INTO person(name, born) VALUES ('Dan', -1);
PRAGMA foreign_keys = ON;
INSERT INTO visit VALUES (77, '2020-01-01', NULL);
.changes on
INSERT OR IGNORE INTO person(name, born) VALUES ('Ann', 1), ('Eve', 2000);
DELETE FROM person WHERE name = 'Eve';
END
say transactions app.db <<'END'
BEGIN;
UPDATE person SET born = 1;
SAVEPOINT one;
DELETE FROM visit;
ROLLBACK TO one;
SELECT count(*) FROM visit;
ROLLBACK;
SELECT group_concat(born) FROM person;
BEGIN IMMEDIATE;
INSERT INTO person(name, born) VALUES ('Fay', 2001);
COMMIT;
SELECT count(*) FROM person;
END

printf 'Gil,1961\nHal,1962\nAnn,1\n' > people.csv
say import app.db <<'END'
.mode csv
.import people.csv fresh
.import --skip 1 people.csv person_csv
CREATE TABLE landed(name, born);
.import people.csv landed
.mode list
SELECT count(*), sum(born) FROM landed;
.schema fresh
END
say many app.db <<'END'
CREATE TABLE numbers(n INTEGER PRIMARY KEY, text TEXT);
WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c WHERE n < 50000)
INSERT INTO numbers SELECT n, hex(n * n) || ' is a number' FROM c;
CREATE INDEX numbers_text ON numbers(text);
SELECT count(*), sum(n), max(text) FROM numbers;
DELETE FROM numbers WHERE n % 3 = 0;
SELECT count(*), sum(n), max(text) FROM numbers INDEXED BY numbers_text;
PRAGMA integrity_check;
END
say dump app.db <<'END'
.dump person visit
.output all.sql
.dump
END
say 'read a dump' again.db <<'END'
.read all.sql
SELECT count(*), sum(n) FROM numbers;
SELECT * FROM visits;
PRAGMA integrity_check;
END
say backup app.db <<'END'
.backup backup.db
.save saved.db
.clone cloned.db
VACUUM INTO 'vacuumed.db';
END
for copy in backup saved cloned vacuumed; do
    say "a copy: $copy" "$copy.db" 'SELECT count(*), sum(n) FROM numbers' 'PRAGMA integrity_check'
done
say restore fresh.db <<'END'
CREATE TABLE gone(a);
.restore backup.db
.tables
SELECT count(*), sum(n) FROM numbers;
PRAGMA integrity_check;
END
say 'restore over' app.db <<'END'
DELETE FROM numbers WHERE n > 100;
SELECT count(*) FROM numbers;
.restore backup.db
SELECT count(*) FROM numbers;
END
say recover app.db <<'END'
.output recovered.sql
.recover
END
say recovered recovered.db <<'END'
.read recovered.sql
SELECT count(*), sum(n) FROM numbers;
SELECT * FROM visits;
END
say sums app.db <<'END'
.sha3sum
.sha3sum person
.selftest --init
.selftest
END
say attach app.db <<'END'
ATTACH 'other.db' AS other;
CREATE TABLE other.copy AS SELECT * FROM person;
BEGIN;
INSERT INTO other.copy(name) VALUES ('both');
INSERT INTO person(name, born) VALUES ('both', 1);
COMMIT;
SELECT count(*) FROM other.copy JOIN person USING (name);
DETACH other;
END
say open <<'END'
.open app.db
SELECT count(*) FROM person;
.open --readonly app.db
DELETE FROM person;
.open --new new.db
CREATE TABLE t(a);
.open app.db
SELECT count(*) FROM person;
END
say 'read only' -readonly app.db 'SELECT count(*) FROM person' 'DELETE FROM person'
say uri 'file:app.db?mode=ro' 'SELECT count(*) FROM person' 'DELETE FROM person'
say 'none there' 'file:none.db?mode=rw' 'SELECT 1 FROM sqlite_schema'
say parameters app.db <<'END'
.parameter init
.parameter set :name "'Ann'"
.parameter list
SELECT born FROM person WHERE name = :name;
.once once.txt
SELECT 'once';
.print printed
.shell cat once.txt
END
say shrink app.db <<'END'
PRAGMA auto_vacuum;
DELETE FROM numbers;
VACUUM;
PRAGMA page_count;
PRAGMA freelist_count;
PRAGMA auto_vacuum = INCREMENTAL;
VACUUM;
PRAGMA auto_vacuum;
INSERT INTO numbers SELECT value, printf('%.*c', 500, 'x') FROM generate_series(1, 2000);
DELETE FROM numbers;
PRAGMA incremental_vacuum;
PRAGMA freelist_count;
PRAGMA integrity_check;
END
say settings app.db <<'END'
PRAGMA user_version = 7;
PRAGMA user_version;
PRAGMA application_id = 77;
PRAGMA application_id;
PRAGMA encoding;
PRAGMA page_size;
PRAGMA foreign_key_check;
PRAGMA quick_check;
PRAGMA optimize;
ANALYZE;
SELECT tbl, idx FROM sqlite_stat1 ORDER BY 1, 2;
REINDEX;
PRAGMA table_xinfo(visit);
EXPLAIN QUERY PLAN SELECT * FROM visit WHERE day = 'x';
END
say search app.db <<'END'
CREATE VIRTUAL TABLE words USING fts5(text);
INSERT INTO words VALUES ('a sandbar ties islands'), ('an island alone');
SELECT text FROM words WHERE words MATCH 'island*' ORDER BY rank;
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
INSERT INTO boxes VALUES (1, 0, 1), (2, 5, 6);
SELECT id FROM boxes WHERE x1 > 4;
SELECT json_group_array(name) FROM person;
END
say alter app.db <<'END'
ALTER TABLE person ADD COLUMN town TEXT DEFAULT 'here';
ALTER TABLE person RENAME COLUMN born TO year;
ALTER TABLE person DROP COLUMN town;
ALTER TABLE landed RENAME TO landing;
DROP TABLE fresh;
.schema person
.schema landing
PRAGMA integrity_check;
END
say 'a journal' app.db <<'END'
PRAGMA journal_mode;
PRAGMA journal_mode = DELETE;
INSERT INTO landing VALUES ('after', 1);
PRAGMA journal_mode = WAL;
END
say header app.db <<'END'
.dbinfo
END
say 'its VFS' app.db <<'END'
.vfsname
END

# A backup is put in the place of a database that was written to just before. A copy needs a backup
# whose log has gone into it, which takes an owner some seconds.
while [ -s backup.db-wal ]; do sleep 0.05; done
cp backup.db back.db
say 'a last write' app.db "INSERT INTO landing VALUES ('last', 1)" 'SELECT count(*) FROM landing'
mv back.db app.db
say 'a backup in its place' app.db 'SELECT count(*), sum(n) FROM numbers' '.tables' \
    'PRAGMA integrity_check' 'CREATE TABLE landing(name, born)'

# One writes; another waits for it, or does not.
sqlite3 -batch app.db <<'END' &
BEGIN IMMEDIATE;
INSERT INTO landing VALUES ('first', 1);
.shell touch began; while [ ! -e tried ]; do sleep 0.05; done
COMMIT;
END
while [ ! -e began ]; do sleep 0.05; done
say 'while one writes' app.db <<'END'
SELECT count(*) FROM landing WHERE name = 'first';
INSERT INTO landing VALUES ('second', 2);
END
touch tried
wait
say 'after it wrote' app.db <<'END'
.timeout 10000
INSERT INTO landing VALUES ('third', 3);
SELECT name FROM landing WHERE name IN ('first', 'second', 'third');
END
echo "== many at once"
for number in 1 2 3 4; do
    for _ in 1 2 3 4 5; do
        sqlite3 -batch -cmd '.timeout 60000' app.db "INSERT INTO landing VALUES ('many', $number)"
    done &
done
wait
say 'all of them' app.db "SELECT born, count(*) FROM landing WHERE name = 'many' GROUP BY born" \
    'PRAGMA integrity_check'

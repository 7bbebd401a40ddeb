SELECT 'version SQLite shell ' || sqlite_version();
.open @DATABASE@
PRAGMA journal_mode=@MODE@;
CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, data);
INSERT INTO items(data) VALUES(zeroblob(200000));
SELECT count(*) FROM items;
.print running
INSERT INTO items(data) VALUES('second');
.connection 1
.open @DATABASE@
SELECT count(*) FROM items;
.connection 0
.connection close 1
BEGIN IMMEDIATE;
INSERT INTO items(data) VALUES('third');
.print transaction
COMMIT;
DELETE FROM items;
VACUUM;
PRAGMA wal_checkpoint(TRUNCATE);

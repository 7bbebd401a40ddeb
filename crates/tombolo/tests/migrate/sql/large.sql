    CREATE TABLE big (id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT, b BLOB, r REAL);
    INSERT INTO big (t, b, r) WITH RECURSIVE n(i) AS
        (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        SELECT CASE i % 100 WHEN 0 THEN CAST(x'ff' AS TEXT) || i ELSE 'row ' || i END,
               randomblob(500), i * 0.37 FROM n;
    CREATE TABLE keyed (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID;
    INSERT INTO keyed SELECT 'k' || id, b FROM big;
    CREATE TABLE small (x INTEGER UNIQUE, y TEXT CHECK (length(y) > 2));
    INSERT INTO small SELECT id, 'abc' || id FROM big WHERE id <= 2000;
    CREATE INDEX by_text ON big (t);
    CREATE INDEX by_real ON big (r DESC) WHERE id > 5;
    CREATE INDEX by_value ON small (y, x);
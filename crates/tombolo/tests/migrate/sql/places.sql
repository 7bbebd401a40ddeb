CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR,
    rev_host LONGVARCHAR, visit_count INTEGER DEFAULT 0, hidden INTEGER DEFAULT 0 NOT NULL,
    frecency INTEGER DEFAULT -1 NOT NULL, last_visit_date INTEGER, guid TEXT,
    url_hash INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE moz_historyvisits (id INTEGER PRIMARY KEY, from_visit INTEGER, place_id INTEGER,
    visit_date INTEGER, visit_type INTEGER, session INTEGER);
CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY, type INTEGER, fk INTEGER DEFAULT NULL,
    parent INTEGER, position INTEGER, title LONGVARCHAR, dateAdded INTEGER, guid TEXT);
CREATE TABLE moz_meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE INDEX moz_places_url_hashindex ON moz_places (url_hash);
CREATE UNIQUE INDEX moz_places_guid_uniqueindex ON moz_places (guid);
CREATE INDEX moz_bookmarks_itemlastmodifiedindex ON moz_bookmarks (fk, dateAdded);
INSERT INTO moz_places WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    SELECT i, 'https://example.org/' || i || '?q=ü%20', CASE i % 3 WHEN 0 THEN NULL ELSE '日本 ' || i END,
    'gro.elpmaxe.', i % 7, 0, i - 5, 1714979289123456 + i, hex(i), 47358327123126 + i FROM n;
INSERT INTO moz_historyvisits SELECT id, 0, id, last_visit_date, 1, 0 FROM moz_places;
INSERT INTO moz_bookmarks VALUES (1, 2, NULL, 0, 0, '', 1, 'root________');
INSERT INTO moz_meta VALUES ('origin_frecency_count', 12), ('places/anno', '{"a":1}'), ('x', 1.5);

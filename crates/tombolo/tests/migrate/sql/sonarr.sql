CREATE TABLE "Series" ("Id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "TvdbId" INTEGER NOT NULL,
    "Title" TEXT NOT NULL, "Monitored" INTEGER NOT NULL, "Runtime" INTEGER NOT NULL DEFAULT 0,
    "LastInfoSync" DATETIME, "Images" TEXT NOT NULL DEFAULT '[]', "Ratings" NUMERIC,
    "Added" DATETIME DEFAULT '0001-01-01 00:00:00Z', "UseSceneNumbering" INTEGER DEFAULT FALSE,
    "Tags" TEXT DEFAULT "none");
CREATE UNIQUE INDEX "IX_Series_TvdbId" ON "Series" ("TvdbId" ASC);
CREATE TABLE "Episodes" ("Id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "SeriesId" INTEGER NOT NULL, "SeasonNumber" INTEGER NOT NULL, "AirDateUtc" DATETIME,
    "Title" TEXT, "Size" BIGINT);
CREATE INDEX "IX_Episodes_SeriesId_Season" ON "Episodes" ("SeriesId" ASC, "SeasonNumber" DESC);
INSERT INTO "Series" ("TvdbId", "Title", "Monitored", "LastInfoSync", "Ratings")
    VALUES (81189, 'It''s "one"', 1, '2024-05-06 07:08:09Z', 8.25), (2, 'two', 0, NULL, 7);
INSERT INTO "Episodes" ("SeriesId", "SeasonNumber", "AirDateUtc", "Title", "Size")
    VALUES (1, 1, '2024-05-06 07:08:09.5Z', NULL, 9000000000), (1, 2, NULL, '', 0);

CREATE TABLE "__EFMigrationsHistory" (
    "MigrationId" TEXT NOT NULL CONSTRAINT "PK___EFMigrationsHistory" PRIMARY KEY,
    "ProductVersion" TEXT NOT NULL);
CREATE TABLE "Users" (
    "Id" TEXT NOT NULL CONSTRAINT "PK_Users" PRIMARY KEY,
    "Username" TEXT COLLATE NOCASE NOT NULL,
    "MustUpdatePassword" INTEGER NOT NULL,
    "LastLoginDate" TEXT NULL,
    "InternalId" INTEGER NOT NULL,
    "RowVersion" INTEGER NOT NULL);
CREATE TABLE "ActivityLogs" (
    "Id" INTEGER NOT NULL CONSTRAINT "PK_ActivityLogs" PRIMARY KEY AUTOINCREMENT,
    "Name" TEXT NOT NULL, "UserId" TEXT NOT NULL, "DateCreated" TEXT NOT NULL,
    "LogSeverity" INTEGER NOT NULL DEFAULT 2, "Overview" TEXT NULL);
CREATE TABLE "Permissions" (
    "Id" INTEGER NOT NULL CONSTRAINT "PK_Permissions" PRIMARY KEY AUTOINCREMENT,
    "UserId" TEXT NULL, "Kind" INTEGER NOT NULL, "Value" INTEGER NOT NULL,
    CONSTRAINT "FK_Permissions_Users_UserId" FOREIGN KEY ("UserId")
        REFERENCES "Users" ("Id") ON DELETE CASCADE);
CREATE INDEX "IX_ActivityLogs_DateCreated" ON "ActivityLogs" ("DateCreated");
CREATE UNIQUE INDEX "IX_Permissions_UserId_Kind" ON "Permissions" ("UserId", "Kind")
    WHERE "UserId" IS NOT NULL;
CREATE UNIQUE INDEX "IX_Users_Username" ON "Users" ("Username");
INSERT INTO "__EFMigrationsHistory" VALUES ('20200514181226_AddActivityLog', '8.0.1');
INSERT INTO "Users" VALUES
    ('6B1E0C1E-0000-4B5B-9C2E-1D5B7E1F2A3C', 'Ädmin', 0, '2024-05-06 07:08:09.1234567', 1, 7),
    ('7B1E0C1E-0000-4B5B-9C2E-1D5B7E1F2A3C', 'guest', 1, NULL, 2, 0);
INSERT INTO "ActivityLogs" ("Name", "UserId", "DateCreated", "Overview")
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    SELECT 'played ' || i, '6B1E0C1E', '2024-05-06 07:08:09.' || i, 'a' || char(9, 10, 13, 92) || i FROM n;
DELETE FROM "ActivityLogs" WHERE "Id" = 500;
INSERT INTO "Permissions" ("UserId", "Kind", "Value")
    VALUES ('6B1E0C1E-0000-4B5B-9C2E-1D5B7E1F2A3C', 0, 1), (NULL, 3, 0);

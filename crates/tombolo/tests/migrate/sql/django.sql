CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL,
    "username" varchar(150) NOT NULL UNIQUE, "date_joined" datetime NOT NULL, "birthday" date NULL);
CREATE TABLE "shop_item" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "price" decimal NOT NULL, "data" text NOT NULL CHECK ((JSON_VALID("data") OR "data" IS NULL)),
    "amount" integer unsigned NOT NULL CHECK ("amount" >= 0), "active" bool NOT NULL,
    "owner_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED,
    "uuid" char(32) NOT NULL, CONSTRAINT "cheap" CHECK ("price" < 1000.5));
CREATE INDEX "shop_item_owner_id" ON "shop_item" ("owner_id");
CREATE UNIQUE INDEX "one_active" ON "shop_item" ("owner_id") WHERE "active";
CREATE INDEX "lower_uuid" ON "shop_item" (lower("uuid"));
CREATE VIEW "cheap_items" AS SELECT "id" FROM "shop_item" WHERE "price" < 5;
CREATE TRIGGER "t" AFTER INSERT ON "shop_item" BEGIN SELECT 1; END;
INSERT INTO auth_user VALUES
    (1, 'pbkdf2', '2024-05-06 07:08:09.123456', 1, 'root', '2024-05-06 07:08:09', '1999-12-31'),
    (2, 'x', NULL, 0, 'Root', '2023-01-01 00:00:00.5', NULL);
INSERT INTO shop_item VALUES (1, 9.99, '{}', 3, 1, 1, 'aB'), (5, 10, '[]', 0, 0, 1, 'c');

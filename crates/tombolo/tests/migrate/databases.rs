//! Schemas as real programs make them.

use super::{Database, Server, assert_same, migrate, not_made};

/// As Entity Framework Core makes them, in the manner of Jellyfin.
pub(crate) const ENTITY_FRAMEWORK: &str = include_str!("sql/entity_framework.sql");

#[test]
fn entity_framework() {
    let server = Server::start();
    let database = Database::new(ENTITY_FRAMEWORK);
    let (_, report) = migrate(&database, &server.address(), &[]);
    assert_same(&report);
    assert_eq!(not_made(&report), ["collation Users.Username"]);
    let ask = |sql: &str| server.ask("app", sql);
    // The sequence goes on where AUTOINCREMENT would: 500 was given out once.
    let insert = "INSERT INTO \"ActivityLogs\" (\"Name\", \"UserId\", \"DateCreated\") \
                  VALUES ('x', 'y', 'z') RETURNING \"Id\", \"LogSeverity\"";
    assert_eq!(ask(insert), "501|2");
    // The unique index does not tell case apart, as NOCASE does not; beyond ASCII it does.
    let clash = "INSERT INTO \"Users\" SELECT 'k' || \"Id\", upper(\"Username\"), 0, NULL, 3, 0 \
                 FROM \"Users\" WHERE \"Username\" = 'guest' ON CONFLICT DO NOTHING RETURNING 1";
    assert_eq!(ask(clash), "");
    assert_eq!(ask("DELETE FROM \"Users\"; SELECT count(*) FROM \"Permissions\""), "1");
    assert_eq!(
        ask("SELECT \"Overview\" = E'a\\t\\n\\r\\\\7' FROM \"ActivityLogs\" WHERE \"Id\" = 7"),
        "t"
    );
}

/// In the manner of Sonarr.
pub(crate) const SONARR: &str = include_str!("sql/sonarr.sql");

#[test]
fn sonarr() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(SONARR), &server.address(), &[]);
    assert_same(&report);
    assert_eq!((code, not_made(&report)), (0, vec![]), "{report:#}");
    let ask = |sql: &str| server.ask("app", sql);
    assert_eq!(ask("SELECT \"Ratings\" FROM \"Series\" ORDER BY 1"), "7\n8.25");
    let insert = "INSERT INTO \"Series\" (\"TvdbId\", \"Title\", \"Monitored\") VALUES (7, 't', 1) \
                  RETURNING \"Id\", \"Runtime\", \"Images\", \"Tags\", \"UseSceneNumbering\", \
                  \"Added\"";
    assert_eq!(ask(insert), "3|0|[]|none|0|0001-01-01 00:00:00+00");
}

/// In the manner of Home Assistant's recorder.
pub(crate) const RECORDER: &str = include_str!("sql/recorder.sql");

#[test]
fn home_assistant() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(RECORDER), &server.address(), &[]);
    assert_same(&report);
    assert_eq!((code, not_made(&report)), (0, vec![]), "{report:#}");
    let ask = |sql: &str| server.ask("app", sql);
    assert_eq!(
        ask("SELECT closed_incorrect, start FROM recorder_runs ORDER BY 1"),
        "f|2024-05-06 07:08:09.123456\nt|2024-05-06 07:08:09"
    );
    assert_eq!(ask("INSERT INTO states DEFAULT VALUES RETURNING state_id"), "2001");
    assert_eq!(ask("SELECT count(*) FROM states WHERE length(context_id_bin) = 16"), "2000");
    // The foreign keys hold.
    assert_eq!(ask("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"), "2");
}

/// As Django makes them.
pub(crate) const DJANGO: &str = include_str!("sql/django.sql");

#[test]
fn django() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(DJANGO), &server.address(), &[]);
    assert_same(&report);
    assert_eq!(code, 1);
    assert_eq!(
        not_made(&report),
        ["check shop_item.shop_item_check", "trigger t", "view cheap_items"]
    );
    let ask = |sql: &str| server.ask("app", sql);
    assert_eq!(ask("SELECT is_superuser, birthday FROM auth_user ORDER BY id"), "t|1999-12-31\nf|");
    assert_eq!(ask("SELECT price FROM shop_item ORDER BY id"), "9.99\n10");
    let types = "SELECT string_agg(data_type, ',' ORDER BY ordinal_position) \
                 FROM information_schema.columns WHERE table_name = 'shop_item'";
    assert_eq!(ask(types), "bigint,numeric,text,bigint,boolean,bigint,character varying");
    let deferred = "SELECT count(*) FROM pg_constraint WHERE condeferred AND contype = 'f'";
    assert_eq!(ask(deferred), "1");
    let checks = "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint \
                  WHERE contype = 'c' AND conrelid <> 0";
    assert_eq!(ask(checks), "cheap,shop_item_check_1");
    let partial = "SELECT indexdef FROM pg_indexes WHERE indexname = 'one_active'";
    assert!(ask(partial).ends_with("(owner_id) WHERE active"), "{}", ask(partial));
}

/// In the manner of Firefox.
pub(crate) const PLACES: &str = include_str!("sql/places.sql");

#[test]
fn firefox_places() {
    let server = Server::start();
    let (code, report) = migrate(&Database::new(PLACES), &server.address(), &[]);
    assert_same(&report);
    assert_eq!((code, not_made(&report)), (1, vec![]), "{report:#}");
    // A column without a type holds values of three: each that is not of the usual one is named.
    assert_eq!(report["columns"].as_array().unwrap().len(), 1);
    let values = report["values"].as_array().unwrap();
    let rows: Vec<_> = values.iter().map(|value| value["rowid"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), report["altered_count"].as_u64()), (2, Some(2)), "{values:#?}");
    assert!(rows.iter().all(|row| ["origin_frecency_count", "places/anno", "x"].contains(row)));
    assert_eq!(
        server.ask("app", "SELECT title FROM moz_places WHERE id = 7"),
        "\u{65e5}\u{672c} 7"
    );
}

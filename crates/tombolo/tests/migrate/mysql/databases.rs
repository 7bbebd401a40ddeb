//! Schemas as real programs make them.

use super::server::Server;
use crate::databases::{DJANGO, ENTITY_FRAMEWORK, PLACES, RECORDER, SONARR};
use crate::{Database, assert_same, migrate, not_made};
use serde_json::Value;

/// Migrates into a database of its own.
fn run(server: &Server, name: &str, sql: &str) -> (i32, Value) {
    server.ask("", &format!("CREATE DATABASE {name}"));
    let (code, report) = migrate(&Database::new(sql), &server.address(name), &[]);
    assert_same(&report);
    (code, report)
}

#[test]
fn real_programs() {
    let server = Server::start();
    entity_framework(&server);
    sonarr(&server);
    home_assistant(&server);
    django(&server);
    firefox_places(&server);
}

fn entity_framework(server: &Server) {
    let (code, report) = run(server, "jellyfin", ENTITY_FRAMEWORK);
    assert_eq!(code, 1);
    assert_eq!(
        not_made(&report),
        ["collation Users.Username", "index IX_Permissions_UserId_Kind", "index IX_Users_Username",]
    );
    let ask = |sql: &str| server.ask("jellyfin", sql);
    // AUTO_INCREMENT goes on where AUTOINCREMENT would: 500 was given out once.
    let insert = "INSERT INTO ActivityLogs (Name, UserId, DateCreated) VALUES ('x', 'y', 'z') \
                  RETURNING Id, LogSeverity";
    assert_eq!(ask(insert), "501\t2");
    assert_eq!(ask("DELETE FROM Users; SELECT count(*) FROM Permissions"), "1");
    let overview = "SELECT Overview = concat('a', char(9, 10, 13), '\\\\7') FROM ActivityLogs \
                    WHERE Id = 7";
    assert_eq!(ask(overview), "1");
}

fn sonarr(server: &Server) {
    let (code, report) = run(server, "sonarr", SONARR);
    assert_eq!((code, not_made(&report)), (0, vec![]), "{report:#}");
    let ask = |sql: &str| server.ask("sonarr", sql);
    assert_eq!(ask("SELECT Ratings FROM Series ORDER BY 1"), "7\n8.25");
    let insert = "INSERT INTO Series (TvdbId, Title, Monitored) VALUES (7, 't', 1) \
                  RETURNING Id, Runtime, Images, Tags, UseSceneNumbering, Added";
    assert_eq!(ask(insert), "3\t0\t[]\tnone\t0\t0001-01-01 00:00:00.000000");
}

fn home_assistant(server: &Server) {
    let (code, report) = run(server, "recorder", RECORDER);
    assert_eq!((code, not_made(&report)), (0, vec![]), "{report:#}");
    let ask = |sql: &str| server.ask("recorder", sql);
    assert_eq!(
        ask("SELECT closed_incorrect, start FROM recorder_runs ORDER BY 1"),
        "0\t2024-05-06 07:08:09.123456\n1\t2024-05-06 07:08:09.000000"
    );
    assert_eq!(ask("INSERT INTO states () VALUES () RETURNING state_id"), "2001");
    assert_eq!(ask("SELECT count(*) FROM states WHERE length(context_id_bin) = 16"), "2000");
    let keys = "SELECT count(*) FROM information_schema.table_constraints \
                WHERE constraint_schema = 'recorder' AND constraint_type = 'FOREIGN KEY'";
    assert_eq!(ask(keys), "2");
}

fn django(server: &Server) {
    let (code, report) = run(server, "django", DJANGO);
    assert_eq!(code, 1);
    assert_eq!(
        not_made(&report),
        [
            "check shop_item.shop_item_check",
            "foreign_key shop_item.shop_item_owner_id_fkey",
            "index lower_uuid",
            "index one_active",
            "trigger t",
            "view cheap_items",
        ]
    );
    let ask = |sql: &str| server.ask("django", sql);
    let users = "SELECT is_superuser, birthday FROM auth_user ORDER BY id";
    assert_eq!(ask(users), "1\t1999-12-31\n0\tNULL");
    assert_eq!(ask("SELECT price FROM shop_item ORDER BY id"), "9.99\n10");
    let types = "SELECT group_concat(column_type ORDER BY ordinal_position) \
                 FROM information_schema.columns \
                 WHERE table_schema = 'django' AND table_name = 'shop_item'";
    assert_eq!(
        ask(types),
        "bigint(20),double,longtext,bigint(20),tinyint(1),bigint(20),varchar(32)"
    );
    // It is there, though not deferred.
    let keys = "SELECT count(*) FROM information_schema.table_constraints \
                WHERE constraint_schema = 'django' AND constraint_type = 'FOREIGN KEY'";
    assert_eq!(ask(keys), "1");
    let checks = "SELECT group_concat(constraint_name ORDER BY 1) \
                  FROM information_schema.check_constraints WHERE constraint_schema = 'django'";
    assert_eq!(ask(checks), "cheap,shop_item_check_1");
}

fn firefox_places(server: &Server) {
    let (code, report) = run(server, "places", PLACES);
    assert_eq!((code, not_made(&report)), (1, vec![]), "{report:#}");
    // A column without a type holds values of three: each that is not of the usual one is named.
    assert_eq!(report["columns"].as_array().unwrap().len(), 1);
    let values = report["values"].as_array().unwrap();
    let rows: Vec<_> = values.iter().map(|value| value["rowid"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), report["altered_count"].as_u64()), (2, Some(2)), "{values:#?}");
    let title = server.ask("places", "SELECT title FROM moz_places WHERE id = 7");
    assert_eq!(title, "\u{65e5}\u{672c} 7");
}

//! Ways to say what is to be done, and what is refused.

use super::server::Server;
use crate::ways::TWO;
use crate::{Database, assert_same, command, errors, migrate};

#[test]
fn a_dry_run_asks_no_server() {
    let database = Database::new(TWO);
    let sql = |scheme: &str| {
        let address = format!("{scheme}://nobody@192.0.2.1/none");
        let (code, report) = migrate(&database, &address, &["--dry-run"]);
        assert_eq!((code, &report["ended"]), (0, &"planned".into()));
        assert!(!report["notes"].as_array().unwrap().is_empty());
        report["tables"][0]["sql"].as_str().unwrap().to_owned()
    };
    assert!(sql("mysql").starts_with("CREATE TABLE `a` (\n  `x` bigint\n) ENGINE=InnoDB"));
    assert!(sql("mysql").ends_with("COLLATE=utf8mb4_0900_bin"));
    assert!(sql("mariadb").ends_with("COLLATE=utf8mb4_nopad_bin"));
}

#[test]
fn what_is_there_is_not_touched_and_what_was_made_is_made_anew_when_told_so() {
    let server = Server::start();
    let address = server.address("app");
    server.ask("app", "CREATE TABLE a (mine int); INSERT INTO a VALUES (7)");
    let (code, report) = migrate(&Database::new(TWO), &address, &[]);
    assert_eq!(code, 1);
    assert_eq!(report["tables"][0]["state"], "refused");
    assert_eq!(report["tables"][1]["state"], "same");
    let again = command(&Database::new(TWO).path(), &address, &[]).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(errors(&again).contains("--replace"), "{}", errors(&again));
    let (code, _) = migrate(&Database::new(TWO), &address, &["--replace"]);
    assert_eq!((code, server.ask("app", "SELECT mine FROM a").as_str()), (1, "7"));
    let (_, report) = migrate(&Database::new(TWO), &address, &["--replace", "--exclude", "A"]);
    assert_same(&report);
    let tables = "SELECT group_concat(table_name ORDER BY 1) FROM information_schema.tables \
                  WHERE table_schema = 'app'";
    assert_eq!(server.ask("app", tables), "a,b,tombolo_migration,tombolo_migration_value");
}

#[test]
fn a_password_is_asked_for_and_neither_it_nor_the_user_is_told() {
    let server = Server::start_on_tcp(&[]);
    server.ask(
        "",
        "CREATE USER secretive IDENTIFIED BY 's3cret word'; GRANT ALL ON app.* TO secretive",
    );
    let address = server.tcp_address().replace("tester", "secretive") + "?ssl-mode=disabled";
    let database = Database::new(TWO);
    let run = |address: &str, password: &str| {
        command(&database.path(), address, &[]).env("MYSQL_PWD", password).output().unwrap()
    };
    let wrong = run(&address, "wrong");
    assert_eq!(wrong.status.code(), Some(2));
    let text = errors(&wrong);
    assert!(text.contains("ER_ACCESS_DENIED_ERROR 1045, SQLSTATE 28000"), "{text}");
    assert!(text.contains("password") && !text.contains("secretive"), "{text}");
    let absent = run(&address.replace("/app", "/absent"), "s3cret word");
    let text = errors(&absent);
    assert!(
        text.contains("ER_DBACCESS_DENIED_ERROR 1044") && !text.contains("secretive"),
        "{text}"
    );
    let right = run(&address, "s3cret word");
    let told = String::from_utf8_lossy(&right.stdout).into_owned() + &errors(&right);
    assert!(told.contains("\"migrated\"") && !told.contains("s3cret"), "{told}");
}

//! PHP loads its modules past a preloaded library (`RTLD_DEEPBIND`): `tombolo trace` and
//! `tombolo run` reach SQLite there all the same.

use crate::exclusive::{self, exclusively};
use crate::trace::{first_failure, mounted, traced};
use std::process::Command;
use tombolo_lab::{Faults, Maps};

/// Writes by PDO; also where the program opens no file of its own after it has loaded its modules.
const PDO: &str = "
$database = new PDO('sqlite:' . $argv[1]);
$database->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
echo $database->query('PRAGMA journal_mode=' . $argv[2])->fetchColumn(), \"\\n\";
$database->exec('CREATE TABLE IF NOT EXISTS t(x)');
$database->exec('INSERT INTO t VALUES (1)');
echo $database->query('SELECT count(*) FROM t')->fetchColumn(), \"\\n\";";

/// The same by the class SQLite3.
const SQLITE3: &str = "
$database = new SQLite3($argv[1]);
$database->enableExceptions(true);
echo $database->querySingle('PRAGMA journal_mode=' . $argv[2]), \"\\n\";
$database->exec('CREATE TABLE IF NOT EXISTS t(x)');
$database->exec('INSERT INTO t VALUES (1)');
echo $database->querySingle('SELECT count(*) FROM t'), \"\\n\";";

#[test]
fn every_call_of_php_is_recorded() {
    for script in [PDO, SQLITE3] {
        mounted(Faults::default(), |database, beside| {
            let name = database.to_str().expect("UTF-8");
            let file = beside.join("app.php");
            std::fs::write(&file, format!("<?php{script}")).expect("written");
            let file = file.to_str().expect("UTF-8");
            for words in [&["php", "-r", script, "--"][..], &["php", file]] {
                let _ = std::fs::remove_file(database);
                let _ = std::fs::remove_file(beside.join("app.trace"));
                let command = [words, &[name, "delete"]].concat();
                let trace = traced(beside, &["--db", name], &command);
                assert_eq!(trace.texts().0, "delete\n1\n", "{:?}", trace.texts());
                assert!(trace.output.status.success(), "{:?}", trace.texts());
                let report = trace.json();
                let calls = report["calls"].as_array().expect("calls");
                let count = |call: &str| calls.iter().filter(|one| one["call"] == call).count();
                for call in ["open", "fcntl", "fdatasync", "unlink", "close"] {
                    assert!(count(call) > 0, "{call}: {:#}", report["files"]);
                }
            }
        });
    }
}

#[test]
fn the_first_failure_of_php_is_named() {
    let faults = Faults { maps: Maps::Refused, ..Faults::default() };
    mounted(faults, |database, beside| {
        let name = database.to_str().expect("UTF-8");
        let trace = traced(beside, &[], &["php", "-r", PDO, "--", name, "wal"]);
        assert!(!trace.output.status.success(), "{:?}", trace.texts());
        let (call, errno, file, cause) = first_failure(&trace.json());
        let expected = ["mmap", "ENODEV", "app.db-shm", "MMAP_REFUSED"];
        assert_eq!([&*call, &*errno, &*file, &*cause], expected);
    });
}

#[test]
fn php_alone_uses_wal_without_shared_maps() {
    for script in [PDO, SQLITE3] {
        exclusive::mounted(|database| {
            let name = database.to_str().expect("UTF-8");
            let words = ["php", "-r", script, "--", name, "wal"];
            let alone = Command::new("php").args(&words[1..]).output().expect("php");
            assert!(!alone.status.success(), "it fails by itself");
            let output = exclusively(database, &words);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(said, "wal\n1\n", "{wrong}");
            assert!(output.status.success(), "{wrong}");
        });
    }
}

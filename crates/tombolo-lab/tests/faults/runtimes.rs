//! One runtime recorded from beginning to end, the one that every machine with the tests has.

use tombolo_lab::runtimes;

#[test]
fn the_shell_is_recorded_under_every_fault() {
    let out = tempfile::tempdir().expect("a directory");
    let (texts, silent) = runtimes::record("sqlite3-shell", out.path()).expect("package sqlite3");
    assert!(texts >= 30, "{texts} texts, {silent} faults without a word");
    let file = out.path().join("sqlite3-shell.toml");
    let text = std::fs::read_to_string(file).expect("written");
    let recording: toml::Table = text.parse().expect("TOML");
    let rows = recording["recorded"].as_array().expect("rows");
    let said = |fault: &str, journal: &str| {
        let is_meant = |row: &&toml::Value| {
            row["fault"].as_str() == Some(fault) && row["journal"].as_str() == Some(journal)
        };
        let row = rows.iter().find(is_meant).expect(fault);
        row["text"].as_str().expect("a text").to_owned()
    };
    assert!(said("map of -shm refused with EINVAL", "WAL").contains("disk I/O error"));
    assert!(said("locks refused with ENOLCK", "DELETE").contains("database is locked"));
    assert!(said("write to -wal refused with ENOSPC", "WAL").contains("database or disk is full"));
    assert!(said("-journal removed under the program", "DELETE").contains("disk I/O error"));
    assert!(said("lock held by another process for ever", "WAL").contains("database is locked"));
}

#[test]
fn a_runtime_that_does_not_exist_is_an_error() {
    let out = tempfile::tempdir().expect("a directory");
    let error = runtimes::record("cobol", out.path()).expect_err("unknown").to_string();
    assert!(error.contains("no runtime cobol"), "{error}");
    assert!(runtimes::names().any(|name| name == "python-sqlite3"));
}

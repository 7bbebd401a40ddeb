//! `tombolo run` with programs of several languages, each with the SQLite of its distribution.

use crate::harness::{Owner, printed};
use std::path::Path;
use std::process::{Command, Stdio};

/// What each prints: rows, and that the owner answers its own PRAGMA.
const SAID: &str = "3\n{\"schema\":\"tombolo.status/1\",";
/// Where Debian puts the JDBC driver.
const JDBC: &str = "/usr/share/java/sqlite-jdbc.jar";

fn goes_to_the_owner(program: &[&str]) {
    let owner = Owner::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/programs");
    let run = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command.arg("run").args(options).arg("--").args(program);
        command.arg(owner.database()).current_dir(&directory).stdin(Stdio::null());
        command.output().expect("it runs")
    };
    assert_eq!(printed(&run(&[])), SAID, "{program:?}");
    let check = "SELECT count(*) FROM t; PRAGMA integrity_check;";
    assert_eq!(printed(&owner.stock(check)), "3\nok", "{program:?}");
    let listed = run(&["--check"]);
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    let last = said.lines().last().expect("a list");
    assert!(last.contains("SQLite 3.") && last.contains(": reached"), "{program:?}: {said}");
    assert_eq!(listed.status.code(), Some(0), "{program:?}");
}

#[test]
fn ruby() {
    goes_to_the_owner(&["ruby", "count.rb"]);
}

#[test]
fn perl() {
    goes_to_the_owner(&["perl", "count.pl"]);
}

#[test]
fn tcl() {
    goes_to_the_owner(&["tclsh", "count.tcl"]);
}

#[test]
fn java() {
    assert!(Path::new(JDBC).is_file(), "libxerial-sqlite-jdbc-java is not installed");
    goes_to_the_owner(&["java", "-cp", JDBC, "Count.java"]);
}

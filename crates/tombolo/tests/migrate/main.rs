//! `tombolo migrate` against real servers: what arrives, what is reported, what a cut leaves.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

#[path = "../common/mod.rs"]
mod common;
mod corners;
mod databases;
mod mysql;
mod resume;
mod server;
mod tls;
mod ways;

use rusqlite::Connection;
use serde_json::Value;
use server::Server;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A database of SQLite in a directory of its own.
struct Database {
    directory: TempDir,
}

impl Database {
    fn new(sql: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database { directory };
        let connection = Connection::open(database.path()).unwrap();
        // As most programs have it: rows may refer to nothing.
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(sql).unwrap();
        database
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }
}

fn command(database: &Path, address: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("migrate").arg(database).args(["--to", address, "--format", "json"]);
    command.args(["--assume-unused"]).args(arguments).stdin(Stdio::null());
    command
}

/// The exit code and the report.
fn migrate(database: &Database, address: &str, arguments: &[&str]) -> (i32, Value) {
    let output = command(&database.path(), address, arguments).output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("{}", errors(&output)));
    (output.status.code().unwrap(), report)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every table arrived with all its rows, and the digests of both sides are the same.
fn assert_same(report: &Value) {
    let tables = report["tables"].as_array().unwrap();
    assert!(!tables.is_empty());
    for table in tables {
        assert_eq!(table["state"], "same", "{table:#}");
        assert_eq!(table["rows"], table["target_rows"], "{table:#}");
        assert_eq!(table["digest"], table["target_digest"], "{table:#}");
        assert_eq!(table["digest"].as_str().unwrap().len(), 64);
    }
}

/// What was not made, as `kind name`.
fn not_made(report: &Value) -> Vec<String> {
    let objects = report["objects"].as_array().unwrap().iter();
    let mut names: Vec<String> = objects
        .filter(|object| object["state"] != "made")
        .map(|object| {
            assert!(object["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
            let text = |key: &str| object[key].as_str().unwrap().to_owned();
            format!("{} {}", text("kind"), text("name"))
        })
        .collect();
    names.sort();
    names
}

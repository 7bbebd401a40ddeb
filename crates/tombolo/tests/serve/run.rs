//! `tombolo run`: unmodified programs at the door.

use crate::harness::{Owner, printed};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Exit code where something went past the door.
const PAST: i32 = 125;

fn run(options: &[&str], program: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .arg("run")
        .args(options)
        .arg("--")
        .args(program)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/programs").join(name)
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_stock_shell_goes_to_the_owner_and_keeps_its_own_exit_code() {
    let owner = Owner::new();
    let database = owner.database();
    let sql = "CREATE TABLE t(a); INSERT INTO t VALUES(1); SELECT a FROM t;";
    let output = run(&[], &["sqlite3", text(&database), sql, ".vfsname"]);
    assert_eq!(printed(&output), "1\ntombolo");
    assert_eq!(printed(&owner.stock("SELECT a FROM t;")), "1");
    let wrong = ["sqlite3", text(&database), "SELECT x;"];
    let stock = Command::new(wrong[0]).args(&wrong[1..]).output().expect("it runs");
    let output = run(&[], &wrong);
    assert_ne!(stock.status.code(), Some(0));
    assert_eq!(output.status.code(), stock.status.code());
    assert_eq!(errors(&output), errors(&stock));
}

#[test]
fn sqlite_can_still_be_configured_before_its_first_use() {
    let owner = Owner::new();
    let database = owner.database();
    // The shell then shuts SQLite down, calls sqlite3_config and initialises it anew.
    let shell = ["sqlite3", "-lookaside", "64", "32", text(&database), ".vfsname"];
    assert_eq!(printed(&run(&[], &shell)), "tombolo");
    let configure = "import ctypes
library = ctypes.CDLL('libsqlite3.so.0')
print(library.sqlite3_config(2))";
    let python = ["/usr/bin/python3", "-c", configure];
    assert_eq!(printed(&run(&[], &python)), "0", "SQLITE_CONFIG_MULTITHREAD is taken");
}

#[test]
fn of_two_databases_the_one_with_an_owner_goes_there() {
    let owner = Owner::new();
    let (database, plain) = (owner.database(), owner.database().with_file_name("plain.db"));
    let script = program("two.py");
    let words = ["/usr/bin/python3", text(&script), text(&database), text(&plain)];
    assert_eq!(printed(&run(&[], &words)), "81 tombolo\n81 80\n83 82\nchild 83\n plain");
    assert_eq!(printed(&owner.stock("SELECT count(*) FROM t; PRAGMA integrity_check;")), "83\nok");
}

#[test]
fn php_goes_to_the_owner_though_it_binds_its_modules_deeply() {
    let owner = Owner::new();
    let (database, plain) = (owner.database(), owner.database().with_file_name("plain.db"));
    let script = program("two.php");
    let words = ["php", text(&script), text(&database), text(&plain)];
    assert_eq!(printed(&run(&[], &words)), "3\n3\nelsewhere\nopen");
    assert_eq!(printed(&owner.stock("SELECT count(*) FROM t;")), "3");
}

#[test]
fn a_database_that_is_named_is_never_opened_past_its_owner() {
    let owner = Owner::new();
    let (database, plain) = (owner.database(), owner.database().with_file_name("plain.db"));
    let pattern = format!("--db={}", database.with_file_name("*.db").display());
    let address = format!("unix:{}-tombolo/owner.sock", database.display());
    let output = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["run", "--db", "app.db", "--", "sqlite3", text(&database), ".vfsname"])
        .env("TOMBOLO_OWNER", address)
        .output()
        .expect("it runs");
    assert_eq!(printed(&output), "tombolo");
    let output = run(&[&pattern], &["sqlite3", text(&plain), "CREATE TABLE t(a);"]);
    assert_eq!(output.status.code(), Some(PAST));
    assert!(errors(&output).contains("unable to open database"), "{}", errors(&output));
    assert!(errors(&output).contains("no database that matches"), "{}", errors(&output));
    assert!(!plain.exists(), "nobody made it");
}

#[test]
fn an_owner_that_is_gone_is_an_error_and_no_way_past_it() {
    let mut owner = Owner::new();
    printed(&owner.door("CREATE TABLE t(a);"));
    owner.kill();
    let database = owner.database();
    let output = run(&[], &["sqlite3", text(&database), "INSERT INTO t VALUES(1);"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(errors(&output).contains("unable to open database"), "{}", errors(&output));
}

#[test]
fn what_is_not_reached_is_said_and_never_passed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let own = std::env::current_exe().expect("a path");
    let bundled = own.ancestors().nth(2).expect("a directory").join("examples/bundled_sqlite");
    assert!(bundled.is_file(), "build it: cargo build -p tombolo --example bundled_sqlite");
    let database = directory.path().join("app.db");
    let linked_in: &[&str] = &[text(&bundled), text(&database), "2"];
    for (words, reason) in [
        (linked_in, "its symbols cannot be looked up"),
        (&["busybox", "true"], "linked statically"),
        (&["true"], "no SQLite was seen"),
    ] {
        let output = run(&[], words);
        assert_eq!(output.status.code(), Some(PAST), "{words:?}: {}", errors(&output));
        assert!(errors(&output).contains(reason), "{words:?}: {}", errors(&output));
    }
    assert!(database.exists(), "it ran, and by itself");
}

#[test]
fn copies_of_sqlite_are_listed_with_the_way_to_each() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    let words = ["sh", "-c", "sqlite3 \"$0\" 'SELECT 5'; exit 4", text(&database)];
    let output = run(&["--check"], &words);
    assert_eq!(output.status.code(), Some(4), "{}", errors(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(lines[0], "5");
    assert!(lines[1].contains("libsqlite3.so.0: SQLite 3."), "{said}");
    assert!(lines[1].contains(": reached"), "{said}");
}

/// The distribution's library, under another name: a copy of SQLite of its own.
fn other_copy(directory: &Path) -> PathBuf {
    let python = "import sqlite3
print(next(line.split()[-1] for line in open('/proc/self/maps') if 'libsqlite3.so' in line))";
    let found = Command::new("/usr/bin/python3").args(["-c", python]).output().expect("it runs");
    let copy = directory.join("libsqlite_apart.so");
    std::fs::copy(printed(&found), &copy).expect("copied");
    copy
}

#[test]
fn each_copy_of_sqlite_is_reached_however_it_is_loaded() {
    let owner = Owner::new();
    let database = owner.database();
    let library = other_copy(database.parent().expect("a directory"));
    let script = program("apart.py");
    for way in ["path", "deep", "apart"] {
        let words = ["/usr/bin/python3", text(&script), way, text(&library), text(&database)];
        assert_eq!(printed(&run(&[], &words)), "elsewhere", "{way}");
    }
    assert_eq!(printed(&owner.stock("SELECT count(*) FROM t;")), "3");
}

#[test]
fn a_library_on_the_programs_own_search_path_is_found_and_told_of() {
    let directory = tempfile::tempdir().expect("a directory");
    let library = other_copy(directory.path());
    let built = directory.path().join("search_path");
    let path = format!("-Wl,-rpath,{}", directory.path().display());
    let status = Command::new("gcc")
        .arg(program("search_path.c"))
        .arg(path)
        .arg("-o")
        .arg(&built)
        .status()
        .expect("gcc is installed");
    assert!(status.success());
    let database = directory.path().join("app.db");
    let preload = crate::harness::library();
    let seen_in_the_end: &[&str] = &[text(&built), text(&database)];
    for words in [seen_in_the_end, &[text(&built), text(&database), text(&preload)]] {
        let output = run(&[], words);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(PAST), "{said}");
        assert!(said.contains(text(&library)) && said.contains("in use before"), "{said}");
        assert!(!said.contains("not found"), "{said}");
    }
}

#[test]
fn the_library_exports_its_entry_points_and_nothing_else() {
    let output = Command::new("nm")
        .args(["--dynamic", "--defined-only", "--format=posix"])
        .arg(crate::harness::library())
        .output()
        .expect("nm is installed");
    let said = printed(&output);
    let mut names: Vec<&str> =
        said.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["dlmopen", "dlopen", "sqlite3_tombolo_init"]);
}

/// Bytes that are loaded, relocations and the look at the modules: the least of several attempts,
/// as anything else that the machine does only adds.
#[test]
fn loading_costs_less_than_five_milliseconds() {
    let library = crate::harness::library();
    let least = |preloaded: bool| {
        let attempts = (0..30).map(|_| {
            let mut command = Command::new("true");
            if preloaded {
                command.env("LD_PRELOAD", &library).env("TOMBOLO_RUN", "");
            }
            let begin = Instant::now();
            assert!(command.status().expect("it runs").success());
            begin.elapsed()
        });
        attempts.min().expect("some")
    };
    let (without, with) = (least(false), least(true));
    let cost = with.saturating_sub(without);
    assert!(cost < Duration::from_millis(5), "{cost:?}");
    assert!(cost > Duration::ZERO, "it was not loaded");
}

#[test]
fn a_file_that_was_open_before_its_owner_came_stays_at_the_stock_vfs() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["run", "--", "/usr/bin/python3"])
        .arg(program("between.py"))
        .arg(&database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = String::new();
    output.read_line(&mut said).expect("it speaks");
    assert_eq!(said, "ready\n");
    let owner = Owner::of(directory);
    drop(child.stdin.take());
    output.read_to_string(&mut said).expect("it ends");
    let ended = child.wait_with_output().expect("waited for");
    assert_eq!(said, "ready\nok\n", "{}", errors(&ended));
    assert!(ended.status.success(), "{}", errors(&ended));
    assert_eq!(printed(&owner.stock("SELECT count(*) FROM t;")), "20");
}

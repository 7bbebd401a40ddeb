//! `tombolo doctor DIRECTORY` as a program is used: databases below it, and mounts below it.
//!
//! Mounts are made in a mount namespace of their own, which goes away with its shell; that needs
//! root, and the tests fail without it.

use rusqlite::Connection;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const DOCTOR: &str = env!("CARGO_BIN_EXE_tombolo");

fn database(path: &Path) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("mkdir");
    let connection = Connection::open(path).expect("opened");
    connection.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES(1);").expect("written");
}

/// A log with a committed frame, whose database is gone.
fn orphan(directory: &Path) {
    let path = directory.join("live.db");
    let connection = Connection::open(&path).expect("opened");
    connection.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(x);").expect("written");
    fs::copy(directory.join("live.db-wal"), directory.join("gone.db-wal")).expect("copied");
    drop(connection);
    fs::remove_file(path).expect("removed");
}

/// A directory with a path free of symbolic links, open to other users.
fn scene() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let path = directory.path().canonicalize().expect("a path");
    (directory, path)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("no report ({}): {error}; {said}", output.status)
    })
}

/// Runs a script in a mount namespace of its own, then the doctor on the directory that the script
/// stands in.
fn in_namespace(directory: &Path, script: &str, timeout_s: &str) -> Output {
    let doctor = format!("exec {DOCTOR} doctor \"$PWD\" --format json --timeout {timeout_s}");
    Command::new("unshare")
        .args(["--mount", "sh", "-c", &format!("set -e; {script}\n{doctor}")])
        .current_dir(directory)
        .output()
        .expect("unshare (util-linux) is needed")
}

fn paths(report: &Value) -> Vec<&str> {
    let databases = report["databases"].as_array().map_or(&[][..], Vec::as_slice);
    databases.iter().filter_map(|database| database["path"].as_str()).collect()
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("findings").iter();
    findings.filter_map(|finding| finding["code"].as_str()).collect()
}

fn missing(report: &Value) -> String {
    report["completeness"]["missing"].to_string()
}

fn listing(directory: &Path) -> Vec<(std::path::PathBuf, u64, std::time::SystemTime)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).expect("readable").map(|entry| entry.expect("an entry")) {
        let meta = entry.metadata().expect("metadata");
        if meta.is_dir() {
            all.extend(listing(&entry.path()));
        }
        all.push((entry.path(), meta.len(), meta.modified().expect("a time")));
    }
    all.sort();
    all
}

#[test]
fn every_database_is_found_once_and_each_finding_names_its_own() {
    let (_guard, root) = scene();
    for index in 0..60 {
        database(&root.join(format!("{}/{index:02}.data", index % 7)));
        fs::write(root.join(format!("{}/{index:02}.db", index % 7)), "no database").expect("text");
    }
    let cut = root.join("0/cut.db");
    database(&cut);
    fs::File::options().write(true).open(&cut).expect("opened").set_len(4096).expect("cut");
    orphan(&root.join("1"));
    symlink(&root, root.join("2/circle")).expect("linked");
    let before = listing(&root);
    let output = Command::new(DOCTOR)
        .args(["doctor", "--no-probes", "--format", "json"])
        .arg(&root)
        .output()
        .expect("the program runs");
    assert!(listing(&root) == before, "a file changed");
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(paths(&report).len(), 61);
    assert_eq!(codes(&report), ["TMB-DB-003", "TMB-DB-007"]);
    let findings = report["findings"].as_array().expect("findings");
    let gone = root.join("1/gone.db");
    for (finding, database) in findings.iter().zip([&cut, &gone]) {
        let database = database.to_str().expect("UTF-8");
        assert!(finding["subject"].as_str().expect("a path").starts_with(database), "{finding}");
        let cited = finding["evidence"].as_array().expect("ids");
        assert!(!cited.is_empty(), "{finding}");
        let evidence = report["evidence"].as_array().expect("evidence").iter();
        for entry in evidence.filter(|entry| cited.contains(&entry["id"])) {
            assert_eq!(entry["values"]["database"], database, "{entry}");
        }
    }
    let troubled = report["databases"].as_array().expect("databases").iter();
    let troubled =
        troubled.filter(|one| one["findings"].as_array().is_some_and(|all| !all.is_empty()));
    assert_eq!(troubled.count(), 1);
    assert!(!missing(&report).contains("further"), "{}", missing(&report));
}

#[test]
fn for_people_the_endangered_come_first_and_the_healthy_are_cut_short() {
    let (_guard, root) = scene();
    for index in 0..30 {
        database(&root.join(format!("{index:02}.db")));
    }
    let cut = root.join("zz-cut.db");
    database(&cut);
    fs::File::options().write(true).open(&cut).expect("opened").set_len(4096).expect("cut");
    let text = |options: &[&str]| {
        let mut command = Command::new(DOCTOR);
        command.args(["doctor", "--no-probes"]).args(options).arg(&root);
        let output = command.output().expect("the program runs");
        assert!(output.stderr.is_empty(), "no progress outside of a terminal");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let short = text(&[]);
    assert!(short.contains("31 databases, 1 with findings"), "{short}");
    let listed = short.split("31 databases").nth(1).expect("the list");
    let first = listed.lines().nth(1).expect("a line");
    assert!(first.contains("zz-cut.db"), "{first}");
    assert!(listed.contains("... and 10 more healthy"), "{listed}");
    let long = text(&["--verbose"]);
    assert!(long.contains("29.db:") && !long.contains("more healthy"), "{long}");
}

#[test]
fn each_other_mount_with_databases_has_a_report_of_its_own_root_needed() {
    let (_guard, root) = scene();
    database(&root.join("own/a.db"));
    database(&root.join("template.db"));
    for name in ["memory", "empty", "again", "circle", "proc", "single"] {
        fs::create_dir(root.join(name)).expect("mkdir");
    }
    fs::write(root.join("single/app.db"), b"").expect("written");
    let output = in_namespace(
        &root,
        "mount -t tmpfs tmpfs memory; mkdir memory/sub; cp template.db memory/sub/b.db
         mount -t tmpfs tmpfs empty; mount -t proc proc proc
         mount --bind own again; mount --bind . circle; mount --bind own/a.db single/app.db",
        "30",
    );
    let report = json(&output);
    let path = |name: &str| root.join(name).to_str().expect("UTF-8").to_owned();
    assert_eq!(paths(&report), [path("own/a.db"), path("template.db")]);
    let nested = report["nested"].as_array().expect("nested reports");
    let targets: Vec<_> = nested.iter().map(|one| one["target"]["path"].clone()).collect();
    assert_eq!(targets, [path("single/app.db"), path("memory")], "the gravest first");
    let [single, memory] = nested.as_slice() else { panic!("two reports") };
    assert!(codes(single).contains(&"TMB-PATH-004"), "{single}");
    assert_eq!(paths(memory), [path("memory/sub/b.db")]);
    assert_eq!(memory["mount"]["filesystem"], "tmpfs");
    assert_eq!(memory["verdicts"].as_array().map(Vec::len), Some(6));
    let scratch = memory["evidence"].as_array().expect("evidence").iter();
    let probes =
        scratch.filter(|one| one["kind"].as_str().unwrap_or_default().starts_with("probe."));
    assert!(probes.count() > 1, "{memory}");
    assert_eq!(output.status.code(), Some(1));
    assert!(report["summary"].as_str().expect("a sentence").starts_with(&path("single/app.db")));
}

/// A FUSE mount whose server never answers, as a dead network mount.
#[test]
fn a_dead_mount_below_does_not_take_the_time_of_the_others_root_needed() {
    let (_guard, root) = scene();
    database(&root.join("own/a.db"));
    database(&root.join("template.db"));
    for name in ["alive", "dead"] {
        fs::create_dir(root.join(name)).expect("mkdir");
    }
    let start = Instant::now();
    let output = in_namespace(
        &root,
        "exec 3<>/dev/fuse
         mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead dead
         mount -t tmpfs tmpfs alive; cp template.db alive/b.db",
        "16",
    );
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    let report = json(&output);
    assert_eq!(paths(&report).len(), 2);
    let nested = report["nested"].as_array().expect("nested reports");
    let of = |name: &str| {
        let path = root.join(name);
        let found = nested.iter().find(|one| one["target"]["path"] == path.to_str().expect("text"));
        found.unwrap_or_else(|| panic!("no report of {name}: {report}"))
    };
    assert_eq!(of("dead")["target"]["kind"], "unreadable");
    assert!(codes(of("dead")).contains(&"TMB-PATH-006"), "{}", of("dead"));
    assert_eq!(paths(of("alive")).len(), 1);
    assert_eq!(output.status.code(), Some(2), "what did not answer was not examined");
}

#[test]
fn what_may_not_be_read_is_counted_and_said_root_needed() {
    let (_guard, root) = scene();
    // The program must be where every user may run it.
    let program = root.join("tombolo");
    fs::copy(DOCTOR, &program).expect("copied");
    let tree = root.join("tree");
    for name in ["open/a.db", "closed/b.db", "c.db"] {
        database(&tree.join(name));
    }
    fs::set_permissions(tree.join("closed"), fs::Permissions::from_mode(0o700)).expect("chmod");
    fs::set_permissions(tree.join("c.db"), fs::Permissions::from_mode(0o600)).expect("chmod");
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["doctor", "--no-probes", "--format", "json"])
        .arg(&tree)
        .output()
        .expect("setpriv (util-linux) is needed");
    let report = json(&output);
    assert_eq!(paths(&report), [tree.join("open/a.db").to_str().expect("UTF-8")]);
    let said = missing(&report);
    assert!(said.contains("2 files or directories"), "{said}");
    assert!(said.contains("tree/closed") && said.contains("EACCES"), "{said}");
    assert_eq!(output.status.code(), Some(2), "nothing was found, and not everything was seen");
}

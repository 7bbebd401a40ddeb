//! `tombolo trace` on mounts with faults: stock programs fail there, and the trace names the first
//! call that failed, with its error.

use crate::exclusive::bundled_sqlite;
use rustix::io::Errno;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tombolo_lab::{Faults, FaultyMount, Locks, Maps, Namespace, Syncs, Writes};

const TO_WAL: &str = "PRAGMA journal_mode=WAL; CREATE TABLE t(x);";
const CREATE: &str = "CREATE TABLE t(x); INSERT INTO t VALUES (1);";

/// Runs one script of SQL, as the shell does.
const PYTHON: &str = "
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";

pub(crate) struct Traced {
    pub(crate) output: Output,
    pub(crate) file: PathBuf,
}

pub(crate) fn tombolo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.stdin(Stdio::null());
    command
}

/// Traces a command, with options before it.
pub(crate) fn traced(directory: &Path, options: &[&str], command: &[&str]) -> Traced {
    let file = directory.join("app.trace");
    let output = tombolo()
        .args(["trace", "--output"])
        .arg(&file)
        .args(options)
        .arg("--")
        .args(command)
        .output()
        .expect("it runs");
    Traced { output, file }
}

impl Traced {
    pub(crate) fn texts(&self) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&self.output.stdout), text(&self.output.stderr))
    }

    pub(crate) fn show(&self, format: &str) -> (Option<i32>, String) {
        let arguments = ["trace", "show", "--format", format];
        let output = tombolo().args(arguments).arg(&self.file).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) fn json(&self) -> Value {
        let (_, text) = self.show("json");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {:?}", self.texts()))
    }
}

/// A mount with faults, and a directory beside it.
pub(crate) fn mounted<T: Send>(faults: Faults, test: impl FnOnce(&Path, &Path) -> T + Send) -> T {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let beside = tempfile::tempdir().expect("a directory");
        test(&mount.path().join("app.db"), beside.path())
    })
}

/// The call, its error, the name of its file, and what `explain` makes of it.
pub(crate) fn first_failure(report: &Value) -> (String, String, String, String) {
    let first = &report["first_failure"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let path = word(&first["path"]);
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    let cause = word(&report["explanation"]["causes"][0]["code"]);
    (word(&first["call"]), word(&first["errno"]["name"]), name, cause)
}

/// What a stock program of each kind fails with on a mount.
fn assert_first_failure(faults: Faults, statements: &str, expected: [&str; 4]) {
    for program in [&["sqlite3"][..], &["python3", "-c", PYTHON]] {
        mounted(faults, |database, beside| {
            let name = database.to_str().expect("UTF-8");
            let command = [program, &[name, statements]].concat();
            let trace = traced(beside, &[], &command);
            assert!(!trace.output.status.success(), "the program fails: {:?}", trace.texts());
            let report = trace.json();
            let (call, errno, file, cause) = first_failure(&report);
            assert_eq!([&*call, &*errno, &*file, &*cause], expected, "{:#}", report["calls"]);
            let (exit, text) = trace.show("text");
            assert_eq!(exit, Some(1));
            assert!(text.contains(&format!("{call}({file}")) && text.contains(&errno), "{text}");
        });
    }
}

#[test]
fn a_refused_map_is_named() {
    let faults = Faults { maps: Maps::Refused, ..Faults::default() };
    assert_first_failure(faults, TO_WAL, ["mmap", "ENODEV", "app.db-shm", "MMAP_REFUSED"]);
}

#[test]
fn a_refused_lock_is_named() {
    let faults = Faults { locks: Locks::Refused(Errno::NOLCK), ..Faults::default() };
    assert_first_failure(faults, CREATE, ["fcntl", "ENOLCK", "app.db", "NFS_LOCK_SERVICE"]);
}

#[test]
fn a_refused_sync_is_named() {
    let faults = Faults { syncs: Syncs::Refused(Errno::IO), ..Faults::default() };
    assert_first_failure(faults, CREATE, ["fdatasync", "EIO", "app.db-journal", "NEEDS_FACTS"]);
}

#[test]
fn a_refused_open_is_named_although_there_is_no_descriptor() {
    let faults = Faults { writes: Writes::RefusedByServer, ..Faults::default() };
    assert_first_failure(faults, CREATE, ["open", "EROFS", "app.db", "NEEDS_FACTS"]);
}

#[test]
fn a_program_whose_sqlite_is_linked_in_is_recorded() {
    let faults = Faults { maps: Maps::Refused, ..Faults::default() };
    mounted(faults, |database, beside| {
        let (program, name) = (bundled_sqlite(), database.to_str().expect("UTF-8"));
        let trace = traced(beside, &["--db", name], &[program.to_str().expect("UTF-8"), name, "9"]);
        assert!(!trace.output.status.success(), "{:?}", trace.texts());
        let (call, errno, file, _) = first_failure(&trace.json());
        assert_eq!([&*call, &*errno, &*file], ["mmap", "ENODEV", "app.db-shm"]);
    });
}

/// Two processes that write, one of them forked, and threads.
const CROWD: &str = "
import os, sqlite3, sys, threading
path = sys.argv[1]
sqlite3.connect(path).executescript('CREATE TABLE t(x)')
def work():
    connection = sqlite3.connect(path, timeout=60)
    for row in range(20):
        with connection: connection.execute('INSERT INTO t VALUES (?)', (row,))
pid = os.fork()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
if pid == 0: os._exit(0)
os.waitpid(pid, 0)
print(sqlite3.connect(path).execute('SELECT count(*) FROM t').fetchone()[0])
sys.stdout.flush()
if len(sys.argv) > 2: os.kill(os.getpid(), 9)
";

/// The statuses of the one database that `CROWD` works on.
pub(crate) fn crowd(report: &Value) -> (usize, usize) {
    let processes = report["processes"].as_array().expect("a list").len();
    let steps = report["locks"].as_array().expect("a list");
    let commits = steps
        .iter()
        .filter(|step| step["rung"] == "EXCLUSIVE" && step["names"][0] == "EXCLUSIVE")
        .filter(|step| step["change"] == "taken");
    (processes, commits.count())
}

/// What Perfetto takes in, by "Trace Event Format": the fields of each kind of event with their
/// types, and slices of one thread that do not overlap, of which it would drop some.
pub(crate) fn assert_perfetto(events: &[Value]) {
    let mut ends: std::collections::BTreeMap<(u64, u64), f64> = std::collections::BTreeMap::new();
    for event in events {
        let number = |name: &str| event[name].as_u64().unwrap_or_else(|| panic!("{name}: {event}"));
        let time = |name: &str| {
            let time = event[name].as_f64().unwrap_or_else(|| panic!("{name}: {event}"));
            assert!(time >= 0.0 && time.is_finite(), "{event}");
            time
        };
        assert!(event["name"].as_str().is_some_and(|name| !name.is_empty()), "{event}");
        assert!(event["args"].is_object() && number("pid") > 0, "{event}");
        match event["ph"].as_str().expect("a kind") {
            "M" => {
                assert_eq!((&event["name"], number("tid")), (&"process_name".into(), 0));
                assert!(event["args"]["name"].is_string(), "{event}");
            }
            "X" => {
                let (start, took) = (time("ts"), time("dur"));
                let end = ends.entry((number("pid"), number("tid"))).or_default();
                // A nanosecond is what rounding can do.
                assert!(start >= *end - 0.001, "it begins before {end}: {event}");
                *end = start + took;
                assert!(event["cat"].is_string(), "{event}");
            }
            "C" => {
                let values = event["args"].as_object().expect("values");
                assert!(time("ts") >= 0.0 && values.values().all(Value::is_number), "{event}");
            }
            "i" => assert!(event["s"] == "t" && number("tid") > 0 && time("ts") >= 0.0, "{event}"),
            other => panic!("{other} is not written"),
        }
    }
}

#[test]
fn every_commit_of_a_crowd_is_on_the_ladder_also_when_it_is_killed() {
    for (arguments, exit) in [(&[][..], 0), (&["die"], 128 + 9)] {
        mounted(Faults::default(), |database, beside| {
            let name = database.to_str().expect("UTF-8");
            let command = [&["python3", "-c", CROWD, name], arguments].concat();
            let trace = traced(beside, &[], &command);
            assert_eq!(trace.output.status.code(), Some(exit), "{:?}", trace.texts());
            assert_eq!(trace.texts().0, "80\n");
            let report = trace.json();
            assert_eq!((&report["lost"], &report["unread"]), (&0.into(), &0.into()));
            assert_eq!(crowd(&report), (2, 81), "{:#}", report["locks"]);
            assert_eq!(report["first_failure"], Value::Null);
            let (shown, chrome) = trace.show("chrome");
            assert_eq!(shown, Some(0));
            let chrome: Value = serde_json::from_str(&chrome).expect("JSON");
            let events = chrome["traceEvents"].as_array().expect("a list");
            assert_perfetto(events);
            let slices = events.iter().filter(|event| event["ph"] == "X").count();
            assert_eq!(slices, report["calls"].as_array().expect("a list").len());
        });
    }
}

#[test]
fn sqlites_own_log_is_recorded_where_its_library_can_be_asked() {
    mounted(Faults::default(), |database, beside| {
        let name = database.to_str().expect("UTF-8");
        let file = beside.join("app.trace");
        let output = tombolo()
            .env("LD_PRELOAD", "libsqlite3.so.0")
            .args(["trace", "--output"])
            .arg(&file)
            .args(["--", "python3", "-c", PYTHON, name, "CREATE TABLE t(x); SELECT * FROM missing"])
            .output()
            .expect("it runs");
        let report = Traced { output, file }.json();
        let message = report["messages"][0]["text"].as_str().unwrap_or_default();
        assert!(message.contains("no such table: missing"), "{:#}", report["messages"]);
    });
}

#[test]
fn a_program_that_alone_has_its_database_can_be_traced_as_well() {
    let faults = Faults { maps: Maps::Refused, ..Faults::default() };
    mounted(faults, |database, beside| {
        std::fs::write(database, b"").expect("an empty database");
        let name = database.to_str().expect("UTF-8");
        let own = env!("CARGO_BIN_EXE_tombolo");
        let inner = [own, "run", "--exclusive", "--assume-unused", "--db", name, "--"];
        let command = [&inner[..], &["python3", "-c", PYTHON, name, TO_WAL]].concat();
        let trace = traced(beside, &[], &command);
        assert!(trace.output.status.success(), "{:?}", trace.texts());
        let report = trace.json();
        assert_eq!(report["first_failure"], Value::Null);
        let calls = report["calls"].as_array().expect("a list");
        let maps = calls.iter().filter(|call| call["call"] == "mmap");
        let paths: Vec<&str> = maps.filter_map(|call| call["path"].as_str()).collect();
        assert!(!paths.is_empty(), "the map in memory is recorded");
        assert!(paths.iter().all(|path| *path == format!("{name}-shm")), "{paths:?}");
    });
}

#[test]
fn what_was_not_reached_is_said() {
    let faults = Faults { maps: Maps::Refused, ..Faults::default() };
    mounted(faults, |database, beside| {
        let name = database.to_str().expect("UTF-8");
        let trace = traced(beside, &[], &["busybox", "true"]);
        assert_eq!(trace.output.status.code(), Some(2));
        let said = trace.texts().1;
        assert!(said.contains("linked statically") && said.contains("--syscalls"), "{said}");
        assert!(!trace.file.exists(), "nothing is left behind");
        let trace = traced(beside, &[], &["true"]);
        assert_eq!(trace.output.status.code(), Some(125));
        assert!(trace.texts().1.contains("no call on a SQLite file"), "{:?}", trace.texts());
        assert_eq!(trace.show("text").0, Some(2));
        let trace = traced(beside, &[], &["true"]);
        assert_eq!(trace.output.status.code(), Some(2), "no trace is overwritten");
        std::fs::remove_file(&trace.file).expect("removed");
        let other = beside.join("other.db");
        let command = ["sqlite3", other.to_str().expect("UTF-8"), "CREATE TABLE t(x)"];
        let trace = traced(beside, &["--db", name], &command);
        assert_eq!(trace.output.status.code(), Some(125));
        assert!(trace.texts().1.contains("app.db was recorded"), "{:?}", trace.texts());
        let here = traced(database.parent().expect("a directory"), &[], &["true"]);
        assert_eq!(here.output.status.code(), Some(2));
        assert!(here.texts().1.contains("cannot be mapped"), "{:?}", here.texts());
        assert!(!here.file.exists(), "nothing is left behind");
    });
}

#[test]
fn a_full_trace_stops_and_counts_and_the_program_goes_on() {
    mounted(Faults::default(), |database, beside| {
        let name = database.to_str().expect("UTF-8");
        let many = "import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('CREATE TABLE t(x)')
for _ in range(9000): connection.execute('SELECT * FROM t').fetchall()
print('done')";
        let trace = traced(beside, &["--limit-mib", "1"], &["python3", "-c", many, name]);
        assert_eq!(trace.texts().0, "done\n");
        assert!(trace.texts().1.contains("more found no room"), "{:?}", trace.texts());
        let length = trace.file.metadata().expect("there").len();
        assert!(length <= (1 << 20) + 4096, "{length}");
        assert!(trace.json()["lost"].as_u64() > Some(1000));
    });
}

//! `tombolo trace --syscalls`: a program that is linked statically is recorded, and otherwise is as
//! it would be by itself.

use crate::trace::{Traced, crowd, first_failure, mounted, tombolo, traced};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tombolo_lab::{Faults, Maps};

/// `programs/crowd.c`, linked statically with the distribution's SQLite.
fn crowd_program(directory: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mounts/programs/crowd.c");
    let program = directory.join("crowd");
    let output = Command::new("cc")
        .args(["-static", "-O1", "-o"])
        .arg(&program)
        .arg(source)
        // Loading of extensions, which is not called, warns of a static program.
        .args(["-lsqlite3", "-lpthread", "-lm", "-ldl"])
        .output()
        .expect("a C compiler");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "needs libsqlite3-dev: {said}");
    program
}

/// Traces the program by its calls.
fn crowd_traced(database: &Path, beside: &Path, arguments: &[&str]) -> Traced {
    let program = crowd_program(beside);
    let name = database.to_str().expect("UTF-8");
    let command = [&[program.to_str().expect("UTF-8"), name], arguments].concat();
    traced(beside, &["--syscalls"], &command)
}

/// What the program said after its own number.
fn said(trace: &Traced) -> String {
    trace.texts().0.lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_static_program_is_recorded_with_its_threads_and_forks() {
    for (way, exit) in [(&[][..], 0), (&["killed"], 128 + 9), (&["signal"], 7)] {
        mounted(Faults::default(), |database, beside| {
            let arguments = [&["DELETE", "20"], way].concat();
            let trace = crowd_traced(database, beside, &arguments);
            assert_eq!(trace.output.status.code(), Some(exit), "{:?}", trace.texts());
            assert_eq!(said(&trace), "60");
            let report = trace.json();
            assert_eq!((&report["lost"], &report["unread"]), (&0.into(), &0.into()));
            // One more makes the table.
            assert_eq!(crowd(&report), (2, 61), "{:#}", report["locks"]);
            let calls = report["calls"].as_array().expect("a list");
            let threads = calls.iter().map(|call| call["thread"].as_u64());
            let threads: std::collections::BTreeSet<_> = threads.collect();
            assert_eq!(threads.len(), 4, "the forked process, two threads and the first");
        });
    }
}

#[test]
fn the_first_failure_is_named() {
    let faults = Faults { maps: Maps::Refused, ..Faults::default() };
    mounted(faults, |database, beside| {
        let trace = crowd_traced(database, beside, &["WAL", "1"]);
        assert_eq!(trace.output.status.code(), Some(1), "{:?}", trace.texts());
        let (call, errno, file, cause) = first_failure(&trace.json());
        let expected = ["mmap", "ENODEV", "app.db-shm", "MMAP_REFUSED"];
        assert_eq!([&*call, &*errno, &*file, &*cause], expected);
    });
}

#[test]
fn both_ways_record_the_same_calls() {
    let script = "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1);";
    let calls = |options: &[&str]| {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("app.db");
        let command = ["sqlite3", database.to_str().expect("UTF-8"), script];
        let trace = traced(directory.path(), options, &command);
        assert!(trace.output.status.success(), "{:?}", trace.texts());
        let report = trace.json();
        let calls = report["calls"].as_array().expect("a list").iter();
        let told = |call: &serde_json::Value| {
            let path = call["path"].as_str().unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            (call["call"].to_string(), name, call["arguments"].to_string(), call["errno"].clone())
        };
        // SQLite calls lstat before it opens a database, which is not one of the wrapped functions.
        calls.filter(|call| call["call"] != "stat").map(told).collect::<Vec<_>>()
    };
    assert_eq!(calls(&[]), calls(&["--syscalls"]));
}

/// A program that works while something is done to it.
struct Working {
    tracer: std::process::Child,
    program: i32,
    output: BufReader<std::process::ChildStdout>,
}

impl Working {
    fn start(database: &Path, beside: &Path) -> Self {
        let mut tracer = tombolo()
            .args(["trace", "--syscalls", "--output"])
            .arg(beside.join("app.trace"))
            .arg("--")
            .arg(crowd_program(beside))
            .arg(database)
            .args(["WAL", "150"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut output = BufReader::new(tracer.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its number");
        Working { tracer, program: line.trim().parse().expect("a number"), output }
    }

    fn signal(pid: i32, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(pid).expect("a number");
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// The letter of its state (proc_pid_stat(5), field 3).
    fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.program)).ok()?;
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    }

    fn await_state(&self, is_it: impl Fn(Option<char>) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_it(self.state()) {
            assert!(Instant::now() < deadline, "the state is {:?}", self.state());
            std::thread::yield_now();
        }
    }

    /// What it says at its end.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("its end");
        rest
    }
}

#[test]
fn a_tracer_that_is_killed_leaves_the_program_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    let mut working = Working::start(&database, directory.path());
    let wal = directory.path().join("app.db-wal");
    // In the middle of its work.
    let deadline = Instant::now() + Duration::from_secs(20);
    while wal.metadata().map_or(0, |status| status.len()) < 100_000 {
        assert!(Instant::now() < deadline, "it works");
        std::thread::yield_now();
    }
    working.tracer.kill().expect("killed");
    working.tracer.wait().expect("waited");
    assert_eq!(working.rest(), "450\n");
    let file = directory.path().join("app.trace");
    let output = tombolo().args(["trace", "show"]).arg(&file).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "what was seen is in the trace");
}

#[test]
fn a_program_stops_and_goes_on_as_its_terminal_asks() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut working = Working::start(&directory.path().join("app.db"), directory.path());
    Working::signal(working.program, rustix::process::Signal::TSTP);
    // Watched by ptrace, a stopped process is in the state `t` (proc_pid_stat(5)).
    working.await_state(|state| matches!(state, Some('t' | 'T')));
    Working::signal(working.program, rustix::process::Signal::CONT);
    assert_eq!(working.rest(), "450\n");
    assert!(working.tracer.wait().expect("waited").success());
}

#[test]
fn a_wish_to_stop_is_passed_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut working = Working::start(&directory.path().join("app.db"), directory.path());
    let tracer = i32::try_from(working.tracer.id()).expect("small");
    Working::signal(tracer, rustix::process::Signal::TERM);
    let status = working.tracer.wait().expect("waited");
    assert_eq!(status.code(), Some(128 + 15));
    working.await_state(|state| matches!(state, None | Some('Z' | 'X')));
}

#[test]
fn what_goes_on_after_the_program_is_let_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "sqlite3 app.db 'CREATE TABLE t(x)'; mkfifo line; (read x < line; sqlite3 app.db \
                  'INSERT INTO t VALUES (7)'; sqlite3 app.db 'SELECT x FROM t' > out; \
                  mv out done) < /dev/null > /dev/null 2>&1 & exit 3";
    let output = tombolo()
        .args(["trace", "--syscalls", "--output", "app.trace", "--", "sh", "-c", script])
        .current_dir(directory.path())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("1 processes go on"), "{said}");
    std::fs::write(directory.path().join("line"), "x\n").expect("read by it");
    let done = directory.path().join("done");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done.exists() {
        assert!(Instant::now() < deadline, "it works on");
        std::thread::yield_now();
    }
    assert_eq!(std::fs::read_to_string(done).expect("its output"), "7\n");
}

#[test]
fn what_may_not_be_watched_is_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("app.trace");
    let own = env!("CARGO_BIN_EXE_tombolo");
    // Who is watched by another already cannot be watched by us.
    let output = Command::new("strace")
        .args(["-f", "-o", "/dev/null", own, "trace", "--syscalls", "--output"])
        .arg(&trace)
        .args(["--", "true"])
        .output()
        .expect("strace");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("ptrace: EPERM"), "{said}");
    assert!(!trace.exists(), "nothing is left behind");
    let privileged = directory.path().join("privileged");
    std::fs::copy("/bin/busybox", &privileged).expect("busybox");
    let mode = std::fs::Permissions::from_mode(0o4755);
    std::fs::set_permissions(&privileged, mode).expect("root");
    let name = privileged.to_str().expect("UTF-8");
    for options in [&[][..], &["--syscalls"]] {
        let trace = traced(directory.path(), options, &[name, "true"]);
        assert_eq!(trace.output.status.code(), Some(2));
        assert!(trace.texts().1.contains("another user's rights"), "{:?}", trace.texts());
    }
    let trace = traced(directory.path(), &["--syscalls"], &["/nonexistent/program"]);
    assert_eq!(trace.output.status.code(), Some(2), "{:?}", trace.texts());
    assert!(!trace.file.exists(), "nothing is left behind");
}

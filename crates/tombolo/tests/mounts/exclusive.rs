//! `tombolo run --exclusive` on a mount that refuses shared maps: unmodified programs use WAL mode
//! there, and nobody else gets in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tombolo_lab::{Faults, FaultyMount, Maps, Namespace, sqlite};

/// Threads that write, each with a connection of its own; then two other processes that try.
const PROGRAM: &str = "
import sqlite3, subprocess, sys, threading, os
path = sys.argv[1]
first = sqlite3.connect(path, timeout=60)
assert first.execute('PRAGMA journal_mode=WAL').fetchone() == ('wal',)
first.execute('CREATE TABLE IF NOT EXISTS t(x)')
def work():
    connection = sqlite3.connect(path, timeout=60)
    for row in range(50):
        with connection:
            connection.execute('INSERT INTO t VALUES (?)', (row,))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(first.execute('SELECT count(*) FROM t').fetchone()[0])
def other(environment):
    command = ['sqlite3', path, 'SELECT count(*) FROM t']
    return subprocess.run(command, env=environment, capture_output=True, text=True)
print('ours:', other(os.environ).stderr.splitlines()[0])
print('stock:', other({'PATH': os.environ['PATH']}).stderr.strip())
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    try:
        sqlite3.connect(path).execute('SELECT count(*) FROM t')
        print('forked: opened')
    except sqlite3.OperationalError as error:
        print('forked:', error)
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
if len(sys.argv) > 2: os.kill(os.getpid(), 9)
";

pub(crate) fn mounted<T: Send>(test: impl FnOnce(&Path) -> T + Send) -> T {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let made = sqlite(&mount.path().join("app.db"), "CREATE TABLE made(x); SELECT 1;");
        assert_eq!(made, "1\n");
        test(&mount.path().join("app.db"))
    })
}

pub(crate) fn exclusively(database: &Path, command: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["run", "--exclusive", "--assume-unused", "--db"])
        .arg(database)
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// What other programs of this machine are told.
const KEPT_OUT: &str = "200
ours: tombolo: DB: another process has it open
stock: Error: in prepare, database is locked (5)
forked: unable to open database file
";

#[test]
fn a_program_with_threads_works_and_others_are_kept_out() {
    mounted(|database| {
        let name = database.to_str().expect("UTF-8");
        let alone = sqlite(database, "PRAGMA journal_mode=WAL; CREATE TABLE t(x);");
        assert!(alone.contains("disk I/O error"), "{alone}");
        let wal_index = database.with_extension("db-shm");
        std::fs::remove_file(&wal_index).expect("left by the program that failed");
        let output = exclusively(database, &["python3", "-c", PROGRAM, name]);
        let (said, wrong) = texts(&output);
        assert_eq!(said, KEPT_OUT.replace("DB", name), "{wrong}");
        assert_eq!(output.status.code(), Some(0), "{wrong}");
        assert!(wrong.contains("not opened in a forked process"), "{wrong}");
        assert!(!wal_index.exists(), "it is in memory alone");
    });
}

#[test]
fn a_program_that_is_killed_loses_no_commit() {
    mounted(|database| {
        let name = database.to_str().expect("UTF-8");
        let output = exclusively(database, &["python3", "-c", PROGRAM, name, "die"]);
        assert_eq!(output.status.code(), Some(128 + 9), "{:?}", texts(&output));
        let count = "import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM t').fetchone()[0])";
        let output = exclusively(database, &["python3", "-c", count, name]);
        assert_eq!(texts(&output).0, "200\n", "{:?}", texts(&output));
    });
}

/// The example of this crate, which Cargo builds with the tests.
pub(crate) fn bundled_sqlite() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    let built = own.ancestors().nth(2).expect("a directory").join("examples/bundled_sqlite");
    assert!(built.is_file(), "build it: cargo build -p tombolo --example bundled_sqlite");
    built
}

#[test]
fn a_program_whose_sqlite_is_linked_in_works() {
    mounted(|database| {
        let (program, name) = (bundled_sqlite(), database.to_str().expect("UTF-8"));
        let alone = Command::new(&program).args([name, "200"]).output().expect("it runs");
        assert!(!alone.status.success(), "it fails by itself");
        let output = exclusively(database, &[program.to_str().expect("UTF-8"), name, "200"]);
        assert_eq!(texts(&output).0, "200\n", "{:?}", texts(&output));
        assert!(output.status.success());
    });
}

#[test]
fn what_cannot_be_reached_is_said_and_never_passed_over() {
    mounted(|database| {
        let output = exclusively(database, &["busybox", "true"]);
        let (_, wrong) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(wrong.contains("linked statically"), "{wrong}");
        let output = exclusively(database, &["true"]);
        let (_, wrong) = texts(&output);
        assert_eq!(output.status.code(), Some(125), "{wrong}");
        assert!(wrong.contains("was not opened through this door"), "{wrong}");
    });
}

#[test]
fn a_database_that_is_open_elsewhere_is_refused() {
    mounted(|database| {
        let mut other = tombolo_lab::Shell::new(database);
        assert_eq!(other.ask("SELECT count(*) FROM made;"), "0");
        let output = exclusively(database, &["true"]);
        let (_, wrong) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        assert!(wrong.contains("sqlite3 (process"), "{wrong}");
    });
}

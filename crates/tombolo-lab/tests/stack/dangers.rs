//! What the ways out do not protect from: a second kernel.
//!
//! The schedules are made step by step, so that nothing here is left to chance. The host is the
//! second kernel: a backup, a file server or a program of the user's that opens the same file.

use crate::besides::Besides;
use crate::common::{Connection as _, GuestSession, PATIENCE, wait_until};
use crate::container::{Container, IN_CONTAINER};
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST, Stack};
use crate::storage::Storage;
use std::path::{Path, PathBuf};
use tombolo_lab::{
    Answer, Charge, Increments, Integrity, LabError, Session, TABLES, Verdict, judge, sqlite,
};

/// A fresh database in the shared directory, with the tables for increments.
pub(crate) fn database(stack: &Stack, name: &str, journal_mode: &str) -> PathBuf {
    let path = stack.directory.join(name);
    let made = sqlite(&path, &format!("PRAGMA journal_mode={journal_mode};{TABLES}"));
    assert_eq!(made, format!("{journal_mode}\n"));
    path
}

/// What stock SQLite says, where these increments were acknowledged.
pub(crate) fn verdict(path: &Path, acknowledged: &[&str]) -> Verdict {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let lines: String = acknowledged.iter().flat_map(|line| [*line, "\n"]).collect();
    std::fs::write(log.path(), lines).expect("written");
    judge(path, &Charge::of_increments(vec![log.path().to_owned()])).expect("judged")
}

pub(crate) fn host(path: &Path) -> Session {
    Session::new(path).expect("started")
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn two_kernels_lose_acknowledged_transactions_in_delete_mode() {
    Stack::run(Storage::Zfs, Besides::Nothing, |stack| {
        stack.mount(DEFAULT_OPTIONS);
        let container = stack.container(IN_GUEST);
        both_hold_the_exclusive_lock(stack, &container);
        let path = database(stack, "interleaved.db", "delete");
        let of_guest = container.session("interleaved.db", None);
        both_write_what_they_have_read(&path, of_guest);
        a_hot_journal_is_rolled_back(stack, &container);
    });
}

/// The host is in a transaction under the exclusive lock. The guest is granted the same lock.
fn both_hold_the_exclusive_lock(stack: &Stack, container: &Container<'_>) {
    let path = database(stack, "exclusive.db", "delete");
    let (mut of_host, mut of_guest) = (host(&path), container.session("exclusive.db", None));
    let insert = "INSERT INTO entry(client, number) VALUES('host', 0)";
    assert_eq!(of_host.run_all(&["BEGIN EXCLUSIVE", insert]), "ok");
    assert_eq!(of_guest.run("BEGIN EXCLUSIVE").outcome(), "ok");
    assert_eq!(of_guest.increment("guest", 0), "ok");
    // The host is told of a failure, and has destroyed what the guest was promised.
    assert_eq!(of_host.run("COMMIT").outcome(), "SQLITE_IOERR_DELETE_NOENT");
    assert_lost_in_silence(&verdict(&path, &["guest 0"]), "guest 0");
}

/// The same with more than fits into the host's cache: a part of its transaction stands in the file
/// already, and its journal is hot. The guest takes it for one of a crash and rolls it back.
fn a_hot_journal_is_rolled_back(stack: &Stack, container: &Container<'_>) {
    let path = database(stack, "hot.db", "delete");
    let journal = path.with_file_name("hot.db-journal");
    let (mut of_host, mut of_guest) = (host(&path), container.session("hot.db", None));
    let insert = "INSERT INTO entry VALUES('host', 0, randomblob(99000))";
    assert_eq!(of_host.run_all(&["PRAGMA cache_size=2", "BEGIN EXCLUSIVE", insert]), "ok");
    assert!(journal.exists());
    assert_eq!(of_guest.run("BEGIN EXCLUSIVE").outcome(), "ok");
    assert!(!journal.exists());
    assert_eq!(of_guest.increment("guest", 0), "ok");
    assert_eq!(of_host.run("COMMIT").outcome(), "SQLITE_IOERR_DELETE_NOENT");
    let verdict = verdict(&path, &["guest 0"]);
    assert!(matches!(verdict.integrity, Integrity::Damaged(_)), "{verdict:?}");
}

/// The guest reads; the host changes the same and is done; the guest goes on from what it has read.
fn both_write_what_they_have_read(path: &Path, mut of_guest: GuestSession) {
    let mut of_host = host(path);
    assert_eq!(of_guest.run("BEGIN").outcome(), "ok");
    let read = "SELECT n, (SELECT count(*) FROM entry) FROM counter";
    assert_eq!(of_guest.run(read).value(), Some("0"));
    assert_eq!(of_host.run("BEGIN EXCLUSIVE").outcome(), "ok");
    assert_eq!(of_host.increment("host", 0), "ok");
    assert_eq!(of_guest.increment("guest", 0), "ok");
    assert_lost_in_silence(&verdict(path, &["guest 0", "host 0"]), "host 0");
}

/// An acknowledged row is gone, and the check of the file finds nothing.
pub(crate) fn assert_lost_in_silence(verdict: &Verdict, row: &str) {
    assert_eq!((&verdict.missing, &verdict.integrity), (&vec![row.to_owned()], &Integrity::Sound));
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn cache_loose_opens_the_database_and_loses_updates_of_two_kernels_in_silence() {
    Stack::run(Storage::Zfs, Besides::Nothing, |stack| {
        stack.mount(&format!("{DEFAULT_OPTIONS},cache=loose"));
        let container = stack.container(IN_GUEST);
        // What makes it tempting.
        let items = stack.app_on_host("library.db", &["--add", "1"]);
        let more = container.working_app("library.db", &["--add", "1"]);
        assert_eq!((items.len(), more.len()), (1, 1));

        let path = database(stack, "interleaved.db", "wal");
        both_write_what_they_have_read(&path, container.session("interleaved.db", None));

        // Nobody waits for anybody here: one after the other, each transaction whole.
        let path = database(stack, "turns.db", "wal");
        let (mut of_host, mut of_guest) = (host(&path), container.session("turns.db", None));
        let mut acknowledged = Vec::new();
        for number in 0..4 {
            assert_eq!(of_guest.run("BEGIN IMMEDIATE").outcome(), "ok");
            assert_eq!(of_guest.increment("guest", number), "ok");
            assert_eq!(of_host.run("BEGIN IMMEDIATE").outcome(), "ok");
            assert_eq!(of_host.increment("host", number), "ok");
            acknowledged.extend([format!("guest {number}"), format!("host {number}")]);
        }
        let acknowledged: Vec<&str> = acknowledged.iter().map(String::as_str).collect();
        let verdict = verdict(&path, &acknowledged);
        assert_eq!((verdict.acknowledged, &verdict.integrity), (8, &Integrity::Sound));
        assert!(!verdict.missing.is_empty(), "{verdict:?}");
    });
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn what_makes_wal_mode_work_for_one_kernel_loses_updates_of_two() {
    Stack::run(Storage::Zfs, Besides::VirtiofsAndDisk, |stack| {
        stack.mount(DEFAULT_OPTIONS);
        let place = "/srv/virtiofs";
        stack.shell(&format!("mkdir {place}; mount -t virtiofs media-virtiofs {place}"));
        for (name, directory, vfs) in
            [("excl.db", IN_GUEST, Some("unix-excl")), ("virtiofs.db", place, None)]
        {
            let container = stack.container(directory);
            let path = database(stack, name, "wal");
            both_write_what_they_have_read(&path, container.session(name, vfs));
            container.delete();
        }
        stack.unmount();
        stack.mount(&format!("{DEFAULT_OPTIONS},cache=mmap"));
        let container = stack.container(IN_GUEST);
        let path = database(stack, "mmap.db", "wal");
        both_write_what_they_have_read(&path, container.session("mmap.db", None));
    });
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_guest_that_only_tries_to_open_kills_the_program_of_the_host() {
    Stack::run(Storage::Zfs, Besides::Nothing, |stack| {
        stack.mount(DEFAULT_OPTIONS);
        let container = stack.container(IN_GUEST);
        a_slow_open_kills_who_reads(stack, &container);
        // A race: other errors of the host's program may end a round as well.
        let killed = (0..5).any(|round| opens_kill_who_writes(stack, &container, round));
        assert!(killed);
    });
}

/// Between the call that cuts `-shm` and the one that makes it long again, a reader of the host
/// touches its map. A debugger holds the guest's program there, so that the moment lasts.
fn a_slow_open_kills_who_reads(stack: &Stack, container: &Container<'_>) {
    let path = database(stack, "slow.db", "wal");
    let wal_index = path.with_file_name("slow.db-shm");
    let mut of_host = host(&path);
    assert_eq!(of_host.run("BEGIN IMMEDIATE").outcome(), "ok");
    assert_eq!(of_host.increment("host", 0), "ok");
    assert_eq!(wal_index.metadata().expect("there").len(), 32768);
    let open =
        format!("import sqlite3; sqlite3.connect('{IN_CONTAINER}/slow.db').execute({READ:?})");
    let hold =
        ["strace", "-f", "-e", "trace=ftruncate", "-e", "inject=ftruncate:delay_exit=60000000"];
    let argv: Vec<&str> = hold.into_iter().chain(["/usr/bin/python3", "-I", "-c", &open]).collect();
    let held = container.spawn(&argv);
    wait_until("-shm is cut", || wal_index.metadata().is_ok_and(|status| status.len() == 3));
    assert_eq!(of_host.run(READ), Answer::Died);
    drop(held);
    // What was committed is in the -wal: the next program finds it.
    let verdict = verdict(&path, &["host 0"]);
    assert!(verdict.is_clean(), "{verdict:?}");
}

const READ: &str = "SELECT n FROM counter";

/// The same at full speed: no more than a program that tries again whenever it has failed. Whether
/// the host's died of SIGBUS.
fn opens_kill_who_writes(stack: &Stack, container: &Container<'_>, round: u32) -> bool {
    let name = format!("busy-{round}.db");
    let path = database(stack, &name, "wal");
    let acknowledgements = tempfile::NamedTempFile::new().expect("a file");
    let increments = Increments {
        database: path.clone(),
        client: "host".to_owned(),
        count: 1_000_000,
        acknowledgements: acknowledgements.path().to_owned(),
        seed: 0,
        vfs: None,
        setup: Vec::new(),
        forget_every: None,
    };
    let written = || acknowledgements.path().metadata().expect("there").len() > 0;
    let running = increments.start().expect("started");
    wait_until("the host's program writes", written);
    let script = format!(
        "import sqlite3\n\
         for number in range(100_000):\n\
         \x20   connection = sqlite3.connect('{IN_CONTAINER}/{name}')\n\
         \x20   try: connection.execute({READ:?})\n\
         \x20   except sqlite3.OperationalError as error: print(error, flush=True)\n\
         \x20   connection.close()\n"
    );
    let opening = container.spawn(&["/usr/bin/python3", "-I", "-c", &script]);
    opening.wait_for_text("disk I/O error", PATIENCE).expect("it fails");
    matches!(running.end(), Err(LabError::Program { output, .. }) if output.contains("SIGBUS"))
}

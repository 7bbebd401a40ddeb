use super::actor::{Action, Answer, Hand, Wait};
use super::*;
use std::process::Command;
use std::time::Duration;
use tombolo_core::errno::Errno;
use tombolo_core::report::Value;
use tombolo_core::sqlite::lock_bytes;
use tombolo_os::lock::{self, Family, Range, Strength};
use tombolo_os::worker;

type Session = fn(&Path) -> Observation;

const SESSIONS: [(EvidenceKind, Session); 5] = [
    (EvidenceKind::SessionWal, wal),
    (EvidenceKind::SessionWalExclusive, wal_exclusive),
    (EvidenceKind::SessionUnixExcl, unix_excl),
    (EvidenceKind::SessionRollback, rollback),
    (EvidenceKind::SessionWalExisting, wal_existing),
];

/// Runs a session as the doctor does: in a child, because SQLite must be new to its process.
fn run(session: Session, directory: &Path) -> Observation {
    let _alone = crate::SQLITE_HERE.write();
    let mut received = None;
    let end = worker::run(
        Instant::now() + Duration::from_secs(60),
        |outbox| {
            let message = serde_json::to_vec(&session(directory)).expect("JSON");
            outbox.send(&message);
        },
        &mut |message| received = serde_json::from_slice(message).ok(),
    );
    received.unwrap_or_else(|| panic!("no result: {end:?}"))
}

fn text(observation: &Observation, name: &str) -> String {
    match observation.values.get(name) {
        Some(Value::Text(text)) => text.clone(),
        other => panic!("{name} is {other:?} in {observation:?}"),
    }
}

#[test]
fn every_session_holds_on_a_local_disk_and_in_shared_memory() {
    let disk = tempfile::tempdir().expect("a directory");
    let memory = tempfile::tempdir_in("/dev/shm").expect("a directory");
    for directory in [disk, memory] {
        for (_, session) in SESSIONS {
            let observation = run(session, directory.path());
            assert_eq!(observation.outcome, Outcome::Holds, "{observation:?}");
            assert_eq!(text(&observation, "sqlite_version"), rusqlite::version());
            assert!(matches!(observation.values["transactions"], Value::Integer(4..)));
        }
    }
}

#[test]
fn only_wal_mode_proper_needs_the_shared_memory_file() {
    let directory = tempfile::tempdir().expect("a directory");
    for (kind, _) in SESSIONS {
        let name = format!("{}.db-shm", kind.as_str());
        let link = directory.path().join(name);
        std::os::unix::fs::symlink("nowhere", link).expect("a link, which SQLite does not follow");
    }
    for (kind, session) in SESSIONS {
        let observation = run(session, directory.path());
        if !matches!(kind, EvidenceKind::SessionWal | EvidenceKind::SessionWalExisting) {
            assert_eq!(observation.outcome, Outcome::Holds, "{observation:?}");
            continue;
        }
        assert_eq!(observation.outcome, Outcome::Refused, "{observation:?}");
        assert_eq!(text(&observation, "code_name"), "SQLITE_CANTOPEN");
        assert_eq!(text(&observation, "step"), "first write");
        assert_eq!(observation.errno, Some(Errno::ELOOP));
    }
}

/// A process that holds SQLite's lock bytes of the database, as another kernel's program would
/// where locks cross.
#[test]
fn a_lock_that_somebody_holds_is_busy_with_its_errno() {
    // A database that is to be there already is made by the session itself.
    let sessions = SESSIONS.iter().filter(|(kind, _)| *kind != EvidenceKind::SessionWalExisting);
    for (kind, session) in sessions {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(format!("{}.db", kind.as_str()));
        let file = tombolo_os::scratch::create(&path).expect("a file");
        let start = lock_bytes::SHARED_FIRST.cast_signed();
        let range = Range { start, length: lock_bytes::SHARED_BYTES.cast_signed() };
        lock::set(&file, Family::Posix, Strength::Exclusive, range).expect("a lock");
        let observation = run(*session, directory.path());
        assert_eq!(observation.outcome, Outcome::Refused, "{observation:?}");
        assert_eq!(text(&observation, "code_name"), "SQLITE_BUSY");
        assert_eq!(observation.errno, Some(Errno::EAGAIN), "{observation:?}");
    }
}

/// A tmpfs of its own, unmounted when dropped. Needs root.
struct SmallMount(tempfile::TempDir);

impl SmallMount {
    fn new(size: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(directory.path());
        let status = mount.status().expect("mount can be run");
        assert!(status.success(), "a tmpfs could not be mounted (root is needed): {status}");
        SmallMount(directory)
    }
}

impl Drop for SmallMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_file_system_is_no_verdict_on_a_mode() {
    for size in ["4k", "16k", "32k"] {
        for (_, session) in SESSIONS {
            let mount = SmallMount::new(size);
            let observation = run(session, mount.0.path());
            assert_eq!(observation.outcome, Outcome::NotRun, "{size} {observation:?}");
            assert_eq!(observation.errno, Some(Errno::ENOSPC), "{size} {observation:?}");
        }
    }
}

#[test]
fn a_path_too_long_for_sqlite_is_not_blamed_on_the_mount() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut deep = directory.path().to_owned();
    while deep.as_os_str().len() < 490 {
        deep.push("d".repeat(20));
    }
    std::fs::create_dir_all(&deep).expect("created");
    for (_, session) in SESSIONS {
        assert_eq!(run(session, &deep).outcome, Outcome::NotRun);
    }
}

/// A user whose n-th action of one kind is acknowledged and not done.
struct Liar<'a> {
    honest: &'a mut Actor,
    skips: Skips,
    left: &'a std::cell::Cell<usize>,
}

impl Hand for Liar<'_> {
    fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
        if (self.skips)(action) {
            self.left.set(self.left.get().wrapping_sub(1));
            if self.left.get() == 0 {
                return Ok(Answer::Done);
            }
        }
        self.honest.ask(action, wait)
    }
}

type Script = fn(&mut Course, &mut dyn Hand, &mut dyn Hand) -> Result<(), Stop>;

type Skips = fn(Action) -> bool;

fn play_wal(course: &mut Course, first: &mut dyn Hand, second: &mut dyn Hand) -> Result<(), Stop> {
    let (first_manner, second_manner) = (Manner::Wal, Manner::Plain);
    course.wal(Pair { first, second, first_manner, second_manner })
}

fn play_rollback(
    course: &mut Course,
    first: &mut dyn Hand,
    second: &mut dyn Hand,
) -> Result<(), Stop> {
    let (first_manner, second_manner) = (Manner::Rollback, Manner::Plain);
    course.rollback(Pair { first, second, first_manner, second_manner })
}

/// Plays a session within this process, with one lie in it.
fn play_with_a_lie(script: Script, skips: Skips, nth: usize) -> (Result<(), Stop>, usize) {
    let _here = crate::SQLITE_HERE.read();
    let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
    let path = directory.path().join("lies.db");
    let left = std::cell::Cell::new(nth);
    let (mut one, mut two) = (Actor::new(&path), Actor::new(&path));
    let mut first = Liar { honest: &mut one, skips, left: &left };
    let mut second = Liar { honest: &mut two, skips, left: &left };
    let mut course = Course::new(&path);
    let result = script(&mut course, &mut first, &mut second);
    (result, course.ledger.len())
}

#[test]
fn whatever_is_acknowledged_and_not_done_is_found() {
    let all: &[Script] = &[play_wal, play_rollback, Course::one_connection];
    // In rollback mode the reader would be told BUSY for ever, which is no lie.
    let wal: &[Script] = &[play_wal];
    let kinds: [(&str, &[Script], Skips); 5] = [
        ("write", all, |action| matches!(action, Action::Write(_))),
        ("add", all, |action| matches!(action, Action::Add(_))),
        ("commit", wal, |action| action == Action::Commit),
        ("checkpoint", all, |action| action == Action::Checkpoint),
        ("leave WAL", all, |action| action == Action::LeaveWal),
    ];
    for (name, scripts, skips) in kinds {
        let mut found = 0;
        for script in scripts {
            for nth in 1.. {
                let (result, committed) = play_with_a_lie(*script, skips, nth);
                let Err(stop) = result else { break };
                assert_eq!(stop.outcome(committed), Outcome::Violated, "{name} {nth}: {stop}");
                found += 1;
            }
        }
        assert!(found > 0, "no {name} was left out");
    }
}

/// The users of one database believe that they have it alone: one of them sees no locks, as a
/// program of another kernel where locks do not cross.
#[test]
fn a_second_writer_that_sees_no_locks_is_found() {
    struct Blind<'a>(&'a mut Actor);
    impl Hand for Blind<'_> {
        fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
            if !matches!(action, Action::Open(_)) {
                return self.0.ask(action, wait);
            }
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
            let opened =
                rusqlite::Connection::open_with_flags_and_vfs(&self.0.path, flags, c"unix-none");
            self.0.connection = Some(opened.expect("opened"));
            Ok(Answer::Done)
        }
    }
    let _here = crate::SQLITE_HERE.read();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("blind.db");
    let mut course = Course::new(&path);
    let stop = course.rollback(Pair {
        first: &mut Actor::new(&path),
        second: &mut Blind(&mut Actor::new(&path)),
        first_manner: Manner::Rollback,
        second_manner: Manner::Plain,
    });
    let stop = stop.expect_err("two writers at once");
    assert_eq!(stop.cause, Cause::Lied(judge::Lie::LetIn));
    let committed = course.ledger.len();
    let observation = observe(EvidenceKind::SessionRollback, Err(stop), End::Finished, committed);
    assert_eq!(observation.outcome, Outcome::Violated);
    assert!(observation.summary.contains("second writer beside the first"), "{observation:?}");
}

#[test]
fn a_second_process_that_is_killed_is_a_violation_and_one_that_ends_is_not() {
    let gone = || Err(Stop { step: "checkpoint", cause: Cause::Failed(Failure::Gone) });
    let killed = observe(EvidenceKind::SessionWal, gone(), End::Signalled(7), 3);
    assert_eq!(killed.outcome, Outcome::Violated);
    assert!(killed.summary.contains("at the checkpoint"), "{killed:?}");
    let ended = observe(EvidenceKind::SessionWal, gone(), End::Finished, 3);
    assert_eq!(ended.outcome, Outcome::NotRun);
}

/// A second process that still sees the file as it was before the first write.
#[test]
fn a_reader_that_sees_an_old_file_names_what_it_misses() {
    struct Stale<'a>(&'a mut Actor);
    impl Hand for Stale<'_> {
        fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
            if matches!(action, Action::Open(_)) {
                std::fs::write(&self.0.path, []).expect("an empty file");
            }
            self.0.ask(action, wait)
        }
    }
    let _here = crate::SQLITE_HERE.read();
    let directory = tempfile::tempdir().expect("a directory");
    let mut course = Course::new(&directory.path().join("new.db"));
    let stop = course.rollback(Pair {
        first: &mut Actor::new(&directory.path().join("new.db")),
        second: &mut Stale(&mut Actor::new(&directory.path().join("old.db"))),
        first_manner: Manner::Rollback,
        second_manner: Manner::Plain,
    });
    let stop = stop.expect_err("the table is not there");
    assert_eq!(stop.outcome(course.ledger.len()), Outcome::Violated);
    assert!(stop.to_string().contains("no such table: counter"), "{stop}");
}

#[test]
fn a_database_is_made_in_wal_mode_without_a_step_into_it() {
    let _here = crate::SQLITE_HERE.read();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("made.db");
    assert_eq!(ready_made::in_wal_mode(&path), Ok(()));
    let connection = rusqlite::Connection::open(&path).expect("opened");
    let mode: String =
        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).expect("answered");
    assert_eq!(mode, "wal");
    let again = ready_made::in_wal_mode(&path).expect_err("what is there is not overwritten");
    assert_eq!(again.outcome(0), Outcome::NotRun);
}

/// A file system that forgets the journal, as one that shows names late.
#[test]
fn what_a_crash_has_left_is_played_back_and_an_overlooked_journal_is_a_violation() {
    let _here = crate::SQLITE_HERE.read();
    for overlooked in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("crashed.db");
        let journal = directory.path().join("crashed.db-journal");
        let ledger = ready_made::crashed(&path).expect("made");
        if overlooked {
            std::fs::remove_file(&journal).expect("removed");
        }
        let mut course = Course::of(&path, ledger);
        let recovered = course.recover(&mut Actor::new(&path));
        assert!(!journal.exists(), "played back and deleted");
        match recovered {
            Ok(()) => assert!(!overlooked, "the pages are torn"),
            Err(stop) => {
                assert!(overlooked, "{stop}");
                assert_eq!(stop.outcome(course.ledger.len()), Outcome::Violated, "{stop}");
            }
        }
    }
}

/// Another that holds RESERVED keeps readers out, where a server knows locks of whole files only.
#[test]
fn readers_that_have_to_wait_beside_a_writer_fail_wal_mode_alone() {
    struct Waits<'a>(&'a mut Actor, &'a std::cell::Cell<bool>, bool);
    impl Hand for Waits<'_> {
        fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
            let Waits(actor, writes, holds) = self;
            if action == Action::Read && writes.get() && !*holds {
                return Err(Failure::Sqlite { code: 5, words: None, errno: Some(Errno::EAGAIN) });
            }
            let done = actor.ask(action, wait);
            if done.is_ok() && matches!(action, Action::Begin | Action::Commit) {
                *holds = action == Action::Begin;
                writes.set(*holds);
            }
            done
        }
    }
    let _here = crate::SQLITE_HERE.read();
    let scripts: [(Script, bool); 2] = [(play_rollback, true), (play_wal, false)];
    for (script, served) in scripts {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("waits.db");
        let writes = std::cell::Cell::new(false);
        let (mut one, mut two) = (Actor::new(&path), Actor::new(&path));
        let mut first = Waits(&mut one, &writes, false);
        let mut second = Waits(&mut two, &writes, false);
        let mut course = Course::new(&path);
        let result = script(&mut course, &mut first, &mut second);
        assert_eq!((result.is_ok(), course.readers_wait), (served, served), "{result:?}");
    }
}

/// A second program that is refused and has cut the `-wal` of the first: to the first nothing
/// happens until it is opened again.
#[test]
fn harm_done_by_one_that_was_refused_is_found() {
    struct Harms<'a>(&'a mut Actor, bool);
    impl Hand for Harms<'_> {
        fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
            if action != Action::Read || self.1 {
                return self.0.ask(action, wait);
            }
            self.1 = true;
            let mut log = self.0.path.clone().into_os_string();
            log.push("-wal");
            let log = std::fs::File::options().write(true).open(log).expect("there is one");
            log.set_len(0).expect("cut");
            Err(Failure::Sqlite { code: 15, words: None, errno: None })
        }
    }
    struct Refused<'a>(&'a mut Actor, bool);
    impl Hand for Refused<'_> {
        fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
            if action == Action::Read && !std::mem::replace(&mut self.1, true) {
                return Err(Failure::Sqlite { code: 15, words: None, errno: None });
            }
            self.0.ask(action, wait)
        }
    }
    let _here = crate::SQLITE_HERE.read();
    for (harms, outcome) in [(true, Outcome::Violated), (false, Outcome::Refused)] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("harmed.db");
        let (mut one, mut two) = (Actor::new(&path), Actor::new(&path));
        let (mut harmful, mut harmless);
        let second: &mut dyn Hand = if harms {
            harmful = Harms(&mut two, false);
            &mut harmful
        } else {
            harmless = Refused(&mut two, false);
            &mut harmless
        };
        let mut course = Course::new(&path);
        let stop = play_wal(&mut course, &mut one, second).expect_err("refused");
        assert_eq!(stop.outcome(course.ledger.len()), outcome, "{stop}");
    }
}

//! Does `F_GETLK` tell the truth?
//!
//! *What SQLite needs.* It asks `F_GETLK` about RESERVED before it plays a hot journal back
//! (`unixCheckReservedLock`), about the dead man's switch (byte 128 of `-shm`) before it truncates
//! the wal-index (`unixLockSharedMemory`), about the read marks (`unixFcntlExternalReader`), and
//! about the switch while it holds it itself (`unixIsSharingShmNode`). It believes the word
//! "nobody" and the kind of the lock, not the process number, which is only noted here.
//!
//! *How it is tried.* Questions about free bytes, about bytes that a second process holds shared or
//! exclusive, about their neighbours, about one's own lock, and after a release.
//!
//! *What the outcomes mean.* Violated: "held" for a free byte leaves hot journals unplayed and ends
//! WAL in "locking protocol"; "free" for a held byte plays back a live journal or cuts a live
//! `-shm`. Refused: SQLITE_IOERR_LOCK, or without an errno a shared lock that is said to be
//! exclusive, which keeps a second program out of WAL mode (SQLITE_BUSY, SQLITE_PROTOCOL). Not run:
//! nothing can be locked, which `probe.posix-locks` and `probe.wal-locks` tell. What is asked about
//! a database and about a `-shm` are two experiments, as no mode but WAL has a `-shm`.
//!
//! *Sources.* `os_unix.c` as named; fcntl(2); `v9fs_file_lock` in `fs/9p/vfs_file.c` of Linux,
//! which answers every question with "held" without 9p2000.L.

use super::lock_script::{
    ALL, Bytes, Call, DMS, Expect, PENDING, Purpose, RESERVED, SHARED, Step, WAL_ALL, WAL_READ_3,
    WAL_READERS, WAL_WRITE, Who, play,
};
use super::trouble::settle;
use std::path::Path;
use tombolo_core::report::{EvidenceKind, Observation};
use tombolo_os::lock::{Family, Strength};

const SOUND: &str = "F_GETLK names a lock of another process exactly where there is one";

pub(super) fn query(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbeLockQuery;
    settle(kind, play(kind, &directory.join("probe.query"), &of_database(), SOUND))
}

pub(super) fn wal(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbeWalLockQuery;
    settle(kind, play(kind, &directory.join("probe.wal-query"), &of_wal(), SOUND))
}

fn set(who: Who, strength: Strength, bytes: Bytes, when: &'static str) -> Step {
    let call = Call::Set(Family::Posix, strength, bytes);
    Step { who, call, expect: Expect::Granted, purpose: Purpose::Preparation, when }
}

fn ask(bytes: Bytes, expect: Expect, when: &'static str) -> Step {
    Step { who: Who::First, call: Call::Query(bytes), expect, purpose: Purpose::Trial, when }
}

fn of_database() -> Vec<Step> {
    use Expect::{Holds, Nobody};
    use Strength::{Exclusive, None, Shared};
    use Who::{First, Second};
    vec![
        ask(RESERVED, Nobody, "while nothing is locked"),
        set(Second, Exclusive, RESERVED, "while nobody holds it"),
        ask(RESERVED, Holds(Exclusive), "while the second holds it"),
        ask(PENDING, Nobody, "while the second holds only RESERVED"),
        ask(SHARED, Nobody, "while the second holds only RESERVED"),
        set(Second, None, ALL, "which has locks"),
        ask(RESERVED, Nobody, "after the second let go"),
        // A reader that finds a journal holds SHARED itself.
        set(First, Shared, SHARED, "while nobody holds it"),
        ask(RESERVED, Nobody, "while only the first itself reads"),
    ]
}

fn of_wal() -> Vec<Step> {
    use Expect::{Holds, Nobody};
    use Strength::{Exclusive, None, Shared};
    use Who::{First, Second};
    vec![
        ask(DMS, Nobody, "while nothing is locked"),
        set(Second, Exclusive, DMS, "while nobody holds it"),
        ask(DMS, Holds(Exclusive), "while the second holds it exclusive"),
        ask(WAL_ALL, Nobody, "while the second holds only DMS"),
        set(Second, Shared, DMS, "over its own exclusive lock"),
        ask(DMS, Holds(Shared), "while the second holds it shared"),
        set(First, Shared, DMS, "while the second holds it shared"),
        ask(DMS, Holds(Shared), "while both hold it shared"),
        set(Second, None, ALL, "which has locks"),
        ask(DMS, Nobody, "while only the first itself holds it"),
        set(Second, Shared, WAL_READ_3, "while nobody holds it"),
        ask(WAL_READERS, Holds(Shared), "while the second holds WAL_READ(3)"),
        ask(WAL_WRITE, Nobody, "while the second holds WAL_READ(3)"),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::lock_script::model::{Fault, Model};
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::errno::Errno;
    use tombolo_core::report::{Outcome, Value};

    #[test]
    fn it_holds_on_disk_and_in_memory_and_names_the_process() {
        for probe in [query, wal] {
            for seen in on_disk_and_in_memory(Outcome::Holds, probe) {
                assert_eq!(seen.values.get("names_holder"), Some(&Value::Flag(true)));
            }
            not_run_without_a_directory(probe);
        }
    }

    #[test]
    fn false_words_are_violations() {
        let (holds, refused, violated) = (Outcome::Holds, Outcome::Refused, Outcome::Violated);
        for (fault, database, wal) in [
            (Fault::Nothing, holds, holds),
            (Fault::GrantsAll, violated, violated),
            (Fault::QueryBlind, violated, violated),
            (Fault::QueryWholeFile, violated, violated),
            (Fault::QueryOwn, holds, violated),
            (Fault::QueryExclusive, holds, refused),
            (Fault::NeverReleases, violated, violated),
            (Fault::Fails(Errno::EINVAL), refused, refused),
        ] {
            let seen = Model::judges(fault, EvidenceKind::ProbeLockQuery, &of_database());
            assert_eq!(seen.outcome, database, "{fault:?}: {seen:?}");
            let seen = Model::judges(fault, EvidenceKind::ProbeWalLockQuery, &of_wal());
            assert_eq!(seen.outcome, wal, "{fault:?}: {seen:?}");
        }
    }

    #[test]
    fn where_nothing_can_be_locked_the_question_was_not_put() {
        let mut locks_refused = |_: usize, step: &Step| {
            Ok(match step.call {
                Call::Query(_) => super::super::lock_script::Answer::Nobody,
                _ => super::super::lock_script::Answer::Failed(Errno::ENOLCK),
            })
        };
        let kind = EvidenceKind::ProbeLockQuery;
        let seen = super::super::lock_script::follow(kind, &of_database(), "", &mut locks_refused)
            .expect("an answer");
        assert_eq!((seen.outcome, seen.errno), (Outcome::NotRun, Some(Errno::ENOLCK)));
    }
}

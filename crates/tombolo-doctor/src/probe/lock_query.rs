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
//! nothing can be locked, which `probe.posix-locks` tells.
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

const KIND: EvidenceKind = EvidenceKind::ProbeLockQuery;

pub(super) fn query(directory: &Path) -> Observation {
    let sound = "F_GETLK names a lock of another process exactly where there is one";
    settle(KIND, play(KIND, &directory.join("probe.query"), &script(), sound))
}

fn script() -> Vec<Step> {
    use Expect::{Granted, Holds, Nobody};
    use Strength::{Exclusive, None, Shared};
    use Who::{First, Second};
    let set = |who, strength, bytes: Bytes, when| Step {
        who,
        call: Call::Set(Family::Posix, strength, bytes),
        expect: Granted,
        purpose: Purpose::Preparation,
        when,
    };
    let ask = |bytes: Bytes, expect, when| Step {
        who: First,
        call: Call::Query(bytes),
        expect,
        purpose: Purpose::Trial,
        when,
    };
    vec![
        ask(RESERVED, Nobody, "while nothing is locked"),
        ask(DMS, Nobody, "while nothing is locked"),
        set(Second, Exclusive, RESERVED, "while nobody holds it"),
        ask(RESERVED, Holds(Exclusive), "while the second holds it"),
        ask(PENDING, Nobody, "while the second holds only RESERVED"),
        ask(SHARED, Nobody, "while the second holds only RESERVED"),
        ask(DMS, Nobody, "while the second holds only RESERVED"),
        set(Second, Exclusive, DMS, "while nobody holds it"),
        ask(DMS, Holds(Exclusive), "while the second holds it exclusive"),
        ask(WAL_ALL, Nobody, "while the second holds only DMS"),
        set(Second, Shared, DMS, "over its own exclusive lock"),
        ask(DMS, Holds(Shared), "while the second holds it shared"),
        set(First, Shared, DMS, "while the second holds it shared"),
        ask(DMS, Holds(Shared), "while both hold it shared"),
        set(Second, None, ALL, "which has locks"),
        ask(DMS, Nobody, "while only the first itself holds it"),
        ask(RESERVED, Nobody, "after the second let go"),
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
        for seen in on_disk_and_in_memory(Outcome::Holds, query) {
            assert_eq!(seen.values.get("names_holder"), Some(&Value::Flag(true)));
        }
        not_run_without_a_directory(query);
    }

    #[test]
    fn false_words_are_violations() {
        for (fault, outcome) in [
            (Fault::Nothing, Outcome::Holds),
            (Fault::GrantsAll, Outcome::Violated),
            (Fault::QueryBlind, Outcome::Violated),
            (Fault::QueryWholeFile, Outcome::Violated),
            (Fault::QueryOwn, Outcome::Violated),
            (Fault::QueryExclusive, Outcome::Refused),
            (Fault::NeverReleases, Outcome::Violated),
            (Fault::Fails(Errno::EINVAL), Outcome::Refused),
        ] {
            let seen = Model::judges(fault, KIND, &script());
            assert_eq!(seen.outcome, outcome, "{fault:?}: {seen:?}");
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
        let seen = super::super::lock_script::follow(KIND, &script(), "", &mut locks_refused)
            .expect("an answer");
        assert_eq!((seen.outcome, seen.errno), (Outcome::NotRun, Some(Errno::ENOLCK)));
    }
}

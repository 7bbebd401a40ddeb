//! Do SQLite's byte-range locks exclude a second process?
//!
//! *What SQLite needs.* `fcntl(F_SETLK)` on single bytes and ranges, granted to one process and
//! refused to the other: PENDING at 1 GiB, RESERVED behind it, 510 SHARED bytes (`os.h`) in the
//! database; 120 to 128 in the `-shm` (`wal.c`, `os_unix.c`). The ranges lie beyond the end of the
//! file, and one byte must not be locked with its neighbour.
//!
//! *How it is tried.* Each range is locked in one process and asked for in another, in both
//! directions and again after its release, because POSIX locks never conflict within one process.
//! The same is done with open-file-description locks, which SQLite does not use.
//!
//! *What the outcomes mean.* Holds: writers take turns. Refused: SQLite cannot lock; with ENOLCK it
//! says "database is locked" for the lack of a lock service, with most others SQLITE_IOERR_LOCK.
//! Violated: two processes were granted one lock, and write at the same time. Not run: no scratch
//! file could be made, or a process was late.
//!
//! *Sources.* `os.h`, `unixLock` and `unixShmSystemLock` in SQLite; fcntl(2); `v9fs_file_lock` in
//! `fs/9p/vfs_file.c` of Linux, which grants everything without 9p2000.L.

use super::lock_script::{
    Bytes, Call, DMS, Expect, PENDING, Purpose, RESERVED, SHARED, Step, WAL_ALL, WAL_CHECKPOINT,
    WAL_WRITE, Who, play,
};
use super::trouble::settle;
use std::path::Path;
use tombolo_core::report::{EvidenceKind, Observation};
use tombolo_os::lock::{Family, Strength};

const RANGES: &[Bytes] = &[PENDING, RESERVED, SHARED, WAL_ALL, DMS];

pub(super) fn posix(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbePosixLocks;
    let sound = "POSIX locks on all of SQLite's byte ranges exclude a second process";
    settle(kind, play(kind, &directory.join("probe.locks"), &script(Family::Posix), sound))
}

pub(super) fn open_file(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbeOfdLocks;
    let sound = "open-file-description locks on the same ranges exclude a second process";
    settle(kind, play(kind, &directory.join("probe.ofd-locks"), &script(Family::OpenFile), sound))
}

fn script(family: Family) -> Vec<Step> {
    use Expect::{Excluded, Granted};
    use Strength::{Exclusive, None, Shared};
    use Who::{First, Second};
    let step = |who, strength, bytes, expect, when| Step {
        who,
        call: Call::Set(family, strength, bytes),
        expect,
        purpose: Purpose::Trial,
        when,
    };
    let mut steps = Vec::new();
    for bytes in RANGES.iter().copied() {
        steps.extend([
            step(First, Exclusive, bytes, Granted, "while nobody holds it"),
            step(Second, Exclusive, bytes, Excluded, "while the first holds it"),
            step(First, None, bytes, Granted, "which holds it"),
            step(Second, Exclusive, bytes, Granted, "after the first let go"),
            step(First, Exclusive, bytes, Excluded, "while the second holds it"),
            step(Second, None, bytes, Granted, "which holds it"),
        ]);
    }
    steps.extend([
        step(First, Shared, SHARED, Granted, "while nobody holds it"),
        step(Second, Shared, SHARED, Granted, "while the first reads"),
        step(First, None, SHARED, Granted, "which reads"),
        step(First, Exclusive, SHARED, Excluded, "while the second reads"),
        step(Second, None, SHARED, Granted, "which reads"),
        step(First, Exclusive, SHARED, Granted, "after the second let go"),
        step(Second, Shared, SHARED, Excluded, "while the first holds it"),
        step(First, None, SHARED, Granted, "which holds it"),
        step(First, Exclusive, WAL_WRITE, Granted, "while nobody holds it"),
        step(Second, Exclusive, WAL_CHECKPOINT, Granted, "while the first holds only byte 120"),
    ]);
    steps
}

#[cfg(test)]
mod tests {
    use super::super::lock_script::model::{Fault, Model};
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::errno::Errno;
    use tombolo_core::report::Outcome;

    #[test]
    fn posix_locks_hold_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, posix);
        not_run_without_a_directory(posix);
    }

    #[test]
    fn open_file_locks_hold_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, open_file);
        not_run_without_a_directory(open_file);
    }

    #[test]
    fn lies_are_violations_and_refusals_keep_their_errno() {
        for (fault, outcome, errno) in [
            (Fault::Nothing, Outcome::Holds, None),
            (Fault::GrantsAll, Outcome::Violated, None),
            (Fault::Blind, Outcome::Violated, None),
            (Fault::Fails(Errno::ENOLCK), Outcome::Refused, Some(Errno::ENOLCK)),
            (Fault::Fails(Errno::ENOSYS), Outcome::Refused, Some(Errno::ENOSYS)),
            (Fault::WholeFile, Outcome::Refused, Some(Errno::EAGAIN)),
            (Fault::NeverReleases, Outcome::Refused, Some(Errno::EAGAIN)),
            (Fault::NoUpgrade, Outcome::Holds, None),
        ] {
            for family in [Family::Posix, Family::OpenFile] {
                let kind = EvidenceKind::ProbePosixLocks;
                let seen = Model::judges(fault, kind, &script(family));
                assert_eq!((seen.outcome, seen.errno), (outcome, errno), "{fault:?}: {seen:?}");
            }
        }
    }
}

//! Do SQLite's byte-range locks exclude a second process?
//!
//! *What SQLite needs.* `fcntl(F_SETLK)` on single bytes and ranges, granted to one process and
//! refused to the other: PENDING at 1 GiB, RESERVED behind it, 510 SHARED bytes (`os.h`) in the
//! database; 120 to 128 in the `-shm` (`wal.c`, `os_unix.c`). The ranges lie beyond the end of the
//! file, and one byte must not be locked with its neighbour.
//!
//! *How it is tried.* Each range is locked in one process and asked for in another, in both
//! directions and again after its release, because POSIX locks never conflict within one process.
//! What is locked in a database and what in a `-shm` are two experiments: a server that makes one
//! lock of the whole file serves the one and not the other. The same is done with
//! open-file-description locks, which SQLite does not use.
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

pub(super) fn posix(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbePosixLocks;
    let sound = "POSIX locks on SQLite's bytes of a database exclude a second process";
    settle(kind, play(kind, &directory.join("probe.locks"), &of_database(Family::Posix), sound))
}

pub(super) fn wal(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbeWalLocks;
    let sound = "POSIX locks on SQLite's bytes of a -shm exclude a second process";
    settle(kind, play(kind, &directory.join("probe.wal-locks"), &of_wal(Family::Posix), sound))
}

pub(super) fn open_file(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbeOfdLocks;
    let sound = "open-file-description locks on all of SQLite's bytes exclude a second process";
    let script = [of_database(Family::OpenFile), of_wal(Family::OpenFile)].concat();
    settle(kind, play(kind, &directory.join("probe.ofd-locks"), &script, sound))
}

fn step(family: Family) -> impl Fn(Who, Strength, Bytes, Expect, &'static str) -> Step {
    move |who, strength, bytes, expect, when| Step {
        who,
        call: Call::Set(family, strength, bytes),
        expect,
        purpose: Purpose::Trial,
        when,
    }
}

/// Each range in both directions, and again after its release.
fn each_way(family: Family, ranges: &[Bytes]) -> Vec<Step> {
    use Expect::{Excluded, Granted};
    use Strength::{Exclusive, None};
    use Who::{First, Second};
    let step = step(family);
    let mut steps = Vec::new();
    for bytes in ranges.iter().copied() {
        steps.extend([
            step(First, Exclusive, bytes, Granted, "while nobody holds it"),
            step(Second, Exclusive, bytes, Excluded, "while the first holds it"),
            step(First, None, bytes, Granted, "which holds it"),
            step(Second, Exclusive, bytes, Granted, "after the first let go"),
            step(First, Exclusive, bytes, Excluded, "while the second holds it"),
            step(Second, None, bytes, Granted, "which holds it"),
        ]);
    }
    steps
}

fn of_database(family: Family) -> Vec<Step> {
    use Expect::{Excluded, Granted};
    use Strength::{Exclusive, None, Shared};
    use Who::{First, Second};
    let step = step(family);
    let mut steps = each_way(family, &[PENDING, RESERVED, SHARED]);
    steps.extend([
        step(First, Shared, SHARED, Granted, "while nobody holds it"),
        step(Second, Shared, SHARED, Granted, "while the first reads"),
        step(First, None, SHARED, Granted, "which reads"),
        step(First, Exclusive, SHARED, Excluded, "while the second reads"),
        step(Second, None, SHARED, Granted, "which reads"),
        step(First, Exclusive, SHARED, Granted, "after the second let go"),
        step(Second, Shared, SHARED, Excluded, "while the first holds it"),
        step(First, None, SHARED, Granted, "which holds it"),
    ]);
    steps
}

fn of_wal(family: Family) -> Vec<Step> {
    use Expect::Granted;
    use Strength::Exclusive;
    use Who::{First, Second};
    let step = step(family);
    let mut steps = each_way(family, &[WAL_ALL, DMS]);
    steps.extend([
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
        for probe in [posix, wal] {
            on_disk_and_in_memory(Outcome::Holds, probe);
            not_run_without_a_directory(probe);
        }
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
            (Fault::NeverReleases, Outcome::Refused, Some(Errno::EAGAIN)),
            (Fault::NoUpgrade, Outcome::Holds, None),
        ] {
            for family in [Family::Posix, Family::OpenFile] {
                for script in [of_database(family), of_wal(family)] {
                    let kind = EvidenceKind::ProbePosixLocks;
                    let seen = Model::judges(fault, kind, &script);
                    assert_eq!((seen.outcome, seen.errno), (outcome, errno), "{fault:?}: {seen:?}");
                }
            }
        }
    }

    /// As diod does: one lock of each file is enough for a rollback journal, not for WAL mode.
    #[test]
    fn a_lock_of_the_whole_file_fails_wal_mode_alone() {
        let seen = |script: &[Step]| {
            Model::judges(Fault::WholeFile, EvidenceKind::ProbeWalLocks, script).outcome
        };
        assert_eq!(seen(&of_database(Family::Posix)), Outcome::Holds);
        assert_eq!(seen(&of_wal(Family::Posix)), Outcome::Refused);
    }
}

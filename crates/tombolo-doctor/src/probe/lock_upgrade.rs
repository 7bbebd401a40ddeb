//! Can a reader become a writer in place, and only when it is alone?
//!
//! *What SQLite needs.* The ladder of `unixLock`: SHARED is a read lock on PENDING, then on the 510
//! SHARED bytes, after which PENDING is given back; RESERVED is a write lock on one byte; EXCLUSIVE
//! is PENDING for writing (where RESERVED is held) and then a write lock *over the process's own
//! read lock* on the SHARED bytes. `posixUnlock` steps down to a read lock in place. Every commit
//! with a rollback journal goes this way, and so do the switch to WAL and the last close of WAL.
//!
//! *How it is tried.* Alone first: up and down once. Then beside a second process that reads: a
//! second RESERVED, a new reader under PENDING and the EXCLUSIVE itself must be refused, and the
//! refusal must leave the read lock as it was. When the reader is gone, EXCLUSIVE must be granted.
//!
//! *What the outcomes mean.* Refused: a lone program hears "database is locked", as on SMB, whose
//! client refuses a write lock over its own read lock with EACCES. Violated: a writer beside a
//! reader, torn reads. Not run: the ranges cannot even be read-locked, which `probe.posix-locks`
//! tells, or no scratch file could be made.
//!
//! *Sources.* `unixLock` and `posixUnlock` in `os_unix.c`; lockingv3.html;
//! `cifs_find_fid_lock_conflict` in `fs/smb/client/file.c` of Linux.

use super::lock_script::{
    ALL, Bytes, Call, Expect, PENDING, PENDING_RESERVED, Purpose, RESERVED, SHARED, Step, Who, play,
};
use super::trouble::settle;
use std::path::Path;
use tombolo_core::report::{EvidenceKind, Observation};
use tombolo_os::lock::{Family, Strength};

const KIND: EvidenceKind = EvidenceKind::ProbeLockUpgrade;

pub(super) fn upgrade(directory: &Path) -> Observation {
    let sound = "SHARED becomes EXCLUSIVE in place when alone, and never beside a reader";
    settle(KIND, play(KIND, &directory.join("probe.upgrade"), &script(), sound))
}

fn step(
    who: Who,
    strength: Strength,
    bytes: Bytes,
    expect: Expect,
    purpose: Purpose,
    when: &'static str,
) -> Step {
    Step { who, call: Call::Set(Family::Posix, strength, bytes), expect, purpose, when }
}

/// SHARED, as `unixLock` takes it.
fn reader(who: Who, when: &'static str) -> [Step; 3] {
    use Expect::Granted;
    use Purpose::Preparation;
    [
        step(who, Strength::Shared, PENDING, Granted, Preparation, when),
        step(who, Strength::Shared, SHARED, Granted, Preparation, when),
        step(who, Strength::None, PENDING, Granted, Preparation, when),
    ]
}

fn script() -> Vec<Step> {
    use Expect::{Excluded, Granted};
    use Purpose::{Preparation, Trial};
    use Strength::{Exclusive, None, Shared};
    use Who::{First, Second};
    let mut steps = Vec::from(reader(First, "alone"));
    steps.extend([
        step(Second, Exclusive, SHARED, Excluded, Preparation, "while the first reads"),
        step(First, Exclusive, SHARED, Granted, Trial, "alone, over its own read lock"),
        step(Second, Shared, SHARED, Excluded, Trial, "while the first is EXCLUSIVE"),
        step(First, Shared, SHARED, Granted, Trial, "back to a reader after a commit"),
        step(First, None, PENDING_RESERVED, Granted, Trial, "back to a reader after a commit"),
    ]);
    steps.extend(reader(Second, "beside another reader"));
    steps.extend([
        step(First, Exclusive, RESERVED, Granted, Preparation, "beside a reader"),
        step(Second, Exclusive, RESERVED, Excluded, Preparation, "while the first means to write"),
        step(First, Exclusive, PENDING, Granted, Preparation, "beside a reader"),
        step(First, Exclusive, SHARED, Excluded, Trial, "while the second reads"),
        step(Second, Shared, PENDING, Excluded, Trial, "a new reader while a writer waits"),
        step(Second, Exclusive, SHARED, Excluded, Trial, "while the writer waits and still reads"),
        step(Second, None, ALL, Granted, Trial, "which has read"),
        step(First, Exclusive, SHARED, Granted, Trial, "after the reader let go"),
        step(Second, Shared, PENDING, Excluded, Trial, "a new reader under EXCLUSIVE"),
        step(Second, Shared, SHARED, Excluded, Trial, "a new reader under EXCLUSIVE"),
        step(First, None, ALL, Granted, Trial, "which has written"),
    ]);
    steps.extend(reader(Second, "after the writer let go"));
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
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, upgrade);
        not_run_without_a_directory(upgrade);
    }

    #[test]
    fn lies_are_violations_and_a_refused_step_is_told_from_refused_locks() {
        for (fault, outcome, errno) in [
            (Fault::Nothing, Outcome::Holds, None),
            (Fault::NoUpgrade, Outcome::Refused, Some(Errno::EACCES)),
            (Fault::GrantsAll, Outcome::Violated, None),
            (Fault::Blind, Outcome::Violated, None),
            (Fault::UpgradeDrops, Outcome::Violated, None),
            (Fault::UnlockDropsAll, Outcome::Violated, None),
            (Fault::NeverReleases, Outcome::NotRun, Some(Errno::EAGAIN)),
            (Fault::Fails(Errno::ENOLCK), Outcome::NotRun, Some(Errno::ENOLCK)),
        ] {
            let seen = Model::judges(fault, KIND, &script());
            assert_eq!((seen.outcome, seen.errno), (outcome, errno), "{fault:?}: {seen:?}");
        }
    }
}

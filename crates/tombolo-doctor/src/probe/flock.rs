//! Does `flock` exclude a second process?
//!
//! *What SQLite needs.* Nothing: only builds with the VFS `unix-flock` use it. Other programs lock
//! with it, and people test a mount with flock(1) and conclude too much.
//!
//! *What the outcomes mean.* Holds, refused and violated tell of `flock` alone. It is another lock
//! than the byte ranges and is kept elsewhere on many mounts: 9p without 9p2000.L grants every
//! `fcntl` lock while its `flock` is sound; NFS makes a byte-range lock of it.
//!
//! *Sources.* flock(2), section NFS; `os_unix.c`, `flockLock`.

use super::lock_script::{Call, Expect, Purpose, Step, Who, play};
use super::trouble::settle;
use std::path::Path;
use tombolo_core::report::{EvidenceKind, Observation};
use tombolo_os::lock::Strength;

const KIND: EvidenceKind = EvidenceKind::ProbeFlock;

pub(super) fn flock(directory: &Path) -> Observation {
    let sound = "flock excludes a second process";
    settle(KIND, play(KIND, &directory.join("probe.flock"), &script(), sound))
}

fn script() -> Vec<Step> {
    use Expect::{Excluded, Granted};
    use Strength::{Exclusive, None, Shared};
    use Who::{First, Second};
    let step = |who, strength, expect, when| Step {
        who,
        call: Call::Whole(strength),
        expect,
        purpose: Purpose::Trial,
        when,
    };
    vec![
        step(First, Exclusive, Granted, "while nobody holds it"),
        step(Second, Exclusive, Excluded, "while the first holds it"),
        step(Second, Shared, Excluded, "while the first holds it"),
        step(First, None, Granted, "which holds it"),
        step(Second, Shared, Granted, "after the first let go"),
        step(First, Shared, Granted, "while the second reads"),
        step(First, None, Granted, "which reads"),
        step(First, Exclusive, Excluded, "while the second reads"),
        step(Second, None, Granted, "which reads"),
    ]
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
        on_disk_and_in_memory(Outcome::Holds, flock);
        not_run_without_a_directory(flock);
    }

    #[test]
    fn a_lie_is_told_from_a_refusal() {
        for (fault, outcome) in [
            (Fault::Nothing, Outcome::Holds),
            (Fault::Blind, Outcome::Violated),
            (Fault::GrantsAll, Outcome::Violated),
            (Fault::Fails(Errno::EOPNOTSUPP), Outcome::Refused),
        ] {
            assert_eq!(Model::judges(fault, KIND, &script()).outcome, outcome, "{fault:?}");
        }
    }
}

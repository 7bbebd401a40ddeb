//! Nothing is wrong.
//!
//! Said only of a place that suits SQLite, one kernel's local file system (a block device over the
//! network with one mounter is local), where the text says that it works or asks for a verdict,
//! complains of nothing, and has no passage that is not understood. An error that nobody recognised
//! is still an error.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let sane = facts.on_class(FileSystem::is_local) && !facts.several();
    let positive = facts.tone.praises || facts.tone.asks;
    if !sane || !positive || failing(facts) {
        return;
    }
    if facts.tone.strays {
        // Never more than a thought beside the question what the rest means.
        case.speaks(16, "nothing in the text complains, but not all of it is understood");
        return;
    }
    case.speaks(40, format!("{} with one kernel is what SQLite wants", facts.place()));
    if facts.tone.praises {
        case.speaks(45, "the text names no failure and says that it works");
    } else {
        case.speaks(30, "the text names no failure and asks whether the set-up is sound");
    }
    if facts.on(FileSystem::NetworkBlock) {
        case.speaks(15, "a block device with a local file system counts as local");
    }
}

fn failing(facts: &Facts) -> bool {
    facts.trouble()
        || facts.tone.complains
        || facts.says_any(&[
            Sign::Slow,
            Sign::StorageStall,
            Sign::EmptyDatabase,
            Sign::FailsAfterWhile,
            Sign::WorksOnlyOutside,
            Sign::PermissionDenied,
            Sign::OwnerMismatch,
            Sign::WrongPath,
            Sign::SqlError,
            Sign::DiskFull,
            Sign::SingleFileMount,
            Sign::SidecarsGone,
            Sign::LocksRefused,
            Sign::MapFailed,
            Sign::KernelBug,
            Sign::DamagedBefore,
            Sign::MountNotTold,
        ])
}

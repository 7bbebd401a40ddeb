//! Nothing is wrong.
//!
//! Said only of a place that suits SQLite, one kernel's local file system (a block device over the
//! network with one mounter is local), where the text says that it works or asks for a verdict,
//! complains of nothing, and has no passage that is not understood. An error that nobody recognised
//! is still an error. Three things stand in for praise: words that clear the case (a false alarm,
//! only a warning), a check by SQLite itself that passed where another program's check did not, and
//! a set-up that is told in full and of which nothing is said to be wrong.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::openers::Kernels;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let sane = facts.on_class(FileSystem::is_local) && !facts.several();
    // The 9p of a sandbox looks like a share, and is one kernel's own.
    let sandbox = facts.on(FileSystem::GvisorGofer) && facts.kernels == Kernels::One;
    if (sane || sandbox) && cleared(facts) {
        case.speaks(60, "the text itself says that it was no failure, and tells of no harm");
        case.speaks(40, format!("{} with one kernel is what SQLite wants", facts.place()));
        return;
    }
    let untold = facts.file_system.is_none() && facts.kernels == Kernels::One;
    if untold && cleared(facts) && !facts.says(Sign::PlaceInDoubt) {
        case.speaks(58, "one kernel opens the file, and the text itself says that nothing failed");
        return;
    }
    if sane && sound(facts) {
        case.speaks(80, "SQLite's own check finds the file sound, and the program goes on");
        return;
    }
    let one = sane && facts.kernels == Kernels::One;
    if (one || sandbox) && facts.says(Sign::DoubtOnly) && !ailing(facts) {
        case.speaks(60, "somebody doubts the set-up, and no failure is told");
        case.speaks(30, format!("{} with one kernel is what SQLite wants", facts.place()));
        return;
    }
    let share = facts.on_class(FileSystem::is_remote) && facts.kernels == Kernels::One;
    let silenced = facts.says_any(&[Sign::NoLock, Sign::NoByteRangeLocks, Sign::LocalLocks]);
    if share && facts.rollback() && facts.says(Sign::NoErrorNow) && !silenced && !ailing(facts) {
        case.speaks(52, "one client with a rollback journal, and no failure is told");
        return;
    }
    let told = facts.kernels == Kernels::One && facts.tone.describes;
    let positive = facts.tone.praises || facts.tone.asks || told;
    if !sane || !positive || failing(facts) {
        return;
    }
    if facts.tone.strays {
        // Never more than a thought beside the question what the rest means.
        case.speaks(16, "nothing in the text complains, but not all of it is understood");
        return;
    }
    case.speaks(40, format!("{} with one kernel is what SQLite wants", facts.place()));
    if told && !facts.tone.praises && !facts.tone.asks {
        case.speaks(12, "the set-up is told in full, and nothing is said to be wrong with it");
    } else if facts.tone.praises {
        case.speaks(45, "the text names no failure and says that it works");
    } else {
        case.speaks(30, "the text names no failure and asks whether the set-up is sound");
    }
    if facts.on(FileSystem::NetworkBlock) {
        case.speaks(15, "a block device with a local file system counts as local");
    }
}

/// The text clears the case, and names neither an error of SQLite nor harm.
fn cleared(facts: &Facts) -> bool {
    facts.says(Sign::Cleared) && facts.codes.is_empty() && facts.calls.is_empty() && !harmed(facts)
}

/// Another program calls the file malformed, and SQLite does not.
fn sound(facts: &Facts) -> bool {
    use tombolo_core::sqlite::result_code::ResultCode;
    let only = facts.codes.iter().all(|code| code.primary() == ResultCode::CORRUPT);
    let lost = [Sign::LostData, Sign::StaleContent, Sign::DamagedBefore, Sign::Restored];
    facts.says(Sign::FoundSound)
        && facts.corrupt()
        && only
        && facts.calls.is_empty()
        && !facts.says_any(&lost)
}

fn harmed(facts: &Facts) -> bool {
    facts.says_any(&[
        Sign::Corrupt,
        Sign::LostData,
        Sign::StaleContent,
        Sign::Hang,
        Sign::Slow,
        Sign::StorageStall,
        Sign::EmptyDatabase,
        Sign::FailsAfterWhile,
        Sign::SqlError,
        Sign::DiskFull,
        Sign::MappedPageFault,
        Sign::Stale,
    ])
}

fn failing(facts: &Facts) -> bool {
    facts.tone.complains || ailing(facts)
}

/// As [`failing`], but for words that can belong to a warning.
fn ailing(facts: &Facts) -> bool {
    facts.trouble()
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

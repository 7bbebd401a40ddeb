//! Two or more kernels open one file.
//!
//! Most shares do not carry locks from one kernel to another, none carries the shared memory of
//! WAL. The commonest signs are corruption, rows that vanish and reads of old content, with no
//! error before. Two errors give it away: SQLITE_IOERR_DELETE_NOENT (somebody deleted the journal
//! of a running transaction) and SQLITE_IOERR_SHORT_READ of the WAL (somebody truncated it).

use super::Case;
use crate::explain::calls::Call;
use crate::explain::facts::Facts;
use crate::explain::openers::Kernels;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    match facts.kernels {
        Kernels::Several => case.speaks(65, "programs of two or more kernels open the file"),
        Kernels::Maybe => case.speaks(22, "programs of other kernels may open the file too"),
        Kernels::One => case.against(25),
        Kernels::NotTold => {}
    }
    if facts.number(5898) {
        case.speaks(60, "somebody else deleted the journal of a running transaction");
    }
    let shared = facts.file_system.is_some_and(|kind| !kind.is_local());
    if facts.number(522) && shared {
        case.speaks(30, "somebody else shortened the WAL while it was read");
    }
    let truncate = facts.failed(Call::Truncate).is_some() || facts.number(4618);
    if truncate && facts.on(FileSystem::WindowsDriveInWsl) {
        case.speaks(30, "truncating -shm is refused when a Windows program has it mapped");
    }
    if facts.on(FileSystem::SyncedFolder) && !facts.several() {
        case.speaks(25, "every machine of the folder may open its own copy");
    }
    if facts.kernels == Kernels::NotTold || facts.kernels == Kernels::One {
        return;
    }
    damage(facts, case);
    let masks = [Sign::NoLock, Sign::NoByteRangeLocks, Sign::LocalLocks, Sign::LocksIgnored];
    if facts.says_any(&masks) {
        // Then the option is what lets them in.
        case.against(18);
    }
    if facts.bare_io_error() && facts.wal() && facts.on(FileSystem::Nfs) {
        case.against(18);
    }
    let harmed = facts.corrupt() || facts.says_any(&[Sign::LostData, Sign::StaleContent]);
    if facts.on(FileSystem::Nfs) && facts.says(Sign::Hang) && facts.codes.is_empty() && !harmed {
        // Whoever waits for another client's lock is let in when that client is done.
        case.against(30);
    }
    let redirected = facts.on(FileSystem::WslFromWindows) && !facts.corrupt();
    if facts.says(Sign::LockService) || redirected {
        case.against(30);
    }
    if facts.on_class(FileSystem::is_local) && !facts.on(FileSystem::NetworkBlock) {
        case.against(50);
    }
}

fn damage(facts: &Facts, case: &mut Case) {
    if facts.corrupt() {
        case.speaks(
            18,
            "the file was damaged, as it is when writers do not see each other's locks",
        );
    }
    if facts.says(Sign::LostData) {
        case.speaks(25, "committed data vanished without an error");
    }
    if facts.says(Sign::Stale) && facts.on(FileSystem::ObjectStore) {
        case.speaks(25, "a second writer replaced the whole object under the open handle");
    }
    if facts.says(Sign::StaleContent) {
        case.speaks(15, "one side read content that the other had already replaced");
    }
}

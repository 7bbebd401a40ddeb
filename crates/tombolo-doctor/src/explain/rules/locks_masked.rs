//! Locks are switched off or kept local: the error is gone, and so is the exclusion.
//!
//! `nolock` (NFSv3) and `nobrl` (SMB) keep locks inside one client; SQLite's `nolock=1` and VFS
//! `unix-none` take none. Write-behind translators and bucket mounts acknowledge writes against
//! the locks of others. All is quiet until a second client writes.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::openers::Kernels;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let harmed = facts.corrupt() || facts.says_any(&[Sign::LostData, Sign::StaleContent]);
    let shared = matches!(facts.kernels, Kernels::Several | Kernels::Maybe);
    let version_4_only = facts.says(Sign::NfsVersion4) && !facts.says(Sign::NfsVersion3);
    if facts.says(Sign::NoLock) && facts.on(FileSystem::Nfs) && !version_4_only {
        case.speaks(62, "`nolock` keeps locks inside one client of NFSv3");
        exposed(harmed, shared, case);
    }
    if facts.says(Sign::NoByteRangeLocks) && facts.on(FileSystem::Smb) {
        case.speaks(45, "`nobrl` stops the client from sending locks to the server");
        exposed(harmed, shared, case);
    }
    if facts.says(Sign::LocalLocks) && facts.on_class(FileSystem::is_remote) && (harmed || shared) {
        case.speaks(50, "locks are kept inside one client");
        exposed(harmed, shared, case);
    }
    let by_sqlite = facts.says(Sign::NoLockUri) || !facts.on(FileSystem::Nfs);
    if facts.says(Sign::NoLock) && by_sqlite {
        let points = match facts.file_system {
            _ if harmed => 56,
            Some(kind) if !kind.is_local() => 12,
            _ => 58,
        };
        case.speaks(points, "SQLite was told to take no locks");
        exposed(harmed, shared, case);
    }
    let refused = facts.busy() || facts.cannot_open() || facts.readonly();
    if facts.says(Sign::Immutable) && (harmed || !refused) {
        case.speaks(62, "with `immutable=1` SQLite takes no locks and looks for no changes");
        if facts.says(Sign::ManyProcesses) {
            case.speaks(70, "and another program writes to the file");
        }
        exposed(harmed, shared, case);
    }
    if facts.says(Sign::LocksIgnored) {
        case.speaks(92, "lock requests are answered with success, and nothing is locked");
        exposed(harmed, shared, case);
    }
    if facts.says(Sign::WriteBehind) && !facts.on(FileSystem::ObjectStore) {
        case.speaks(82, "writes are acknowledged against locks that others hold");
        exposed(harmed, shared, case);
    }
    let masks = [Sign::NoLock, Sign::NoByteRangeLocks, Sign::LocalLocks];
    let quiet = facts.says_any(&masks) && facts.says(Sign::NoErrorNow) && !version_4_only;
    if quiet && facts.on_class(FileSystem::is_remote) {
        case.speaks(60, "the option is in place and the error is gone, as is the exclusion");
    }
    let cure = facts.says_any(&[Sign::CuredWithoutLocks, Sign::WithoutLocksWanted]);
    if cure && !harmed && !shared && !quiet {
        // The option is the cure of this report: what it cured is the cause.
        case.against(45);
    }
    let from_locks_to_bucket = facts.file_systems.contains(&FileSystem::ObjectStore)
        && facts.file_systems.contains(&FileSystem::Smb);
    if facts.says_any(&[Sign::PlatformChanged, Sign::KernelBug]) && facts.kernels == Kernels::One {
        // One kernel needs no lock of the server's, and something else changed.
        case.against(60);
    }
    if from_locks_to_bucket && shared {
        case.speaks(75, "the move from SMB to a bucket mount only silenced the lock error");
    }
}

fn exposed(harmed: bool, shared: bool, case: &mut Case) {
    if harmed {
        case.speaks(30, "and data were harmed");
    }
    if shared {
        case.speaks(25, "and programs of other kernels open the file");
    }
}

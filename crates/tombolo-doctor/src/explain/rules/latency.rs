//! Locks and syncs work, but take too long.
//!
//! Slow or saturated disks, copy-on-write file systems under many small syncs, or a `soft` NFS
//! mount that turns a slow answer into an I/O error. Time-outs, not lock bugs.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};

/// Nothing but slowness is told.
fn slow_only(facts: &Facts) -> bool {
    const OTHERS: &[Sign] = &[
        Sign::NoLock,
        Sign::Corrupt,
        Sign::LostData,
        Sign::Hang,
        Sign::StaleContent,
        Sign::Stale,
        Sign::MappedPageFault,
        Sign::EmptyDatabase,
        Sign::ConnectionPool,
        Sign::BusyAtWal,
    ];
    facts.codes.is_empty() && facts.calls.is_empty() && !facts.says_any(OTHERS)
}

/// The storage answers, only late: the load, the distance and what cures it tell.
fn late(facts: &Facts, case: &mut Case) {
    let fits = !facts.corrupt() && !facts.says_any(&[Sign::LostData, Sign::StaleContent]);
    if !fits {
        return;
    }
    let felt = facts.busy() || facts.says_any(&[Sign::Slow, Sign::WorksSlowly]);
    let remote = facts.on_class(FileSystem::is_remote);
    if facts.says(Sign::Loaded) && felt {
        let points = if remote { 58 } else { 48 };
        case.speaks(points, "storage or network is under load, or rebuilds itself");
    }
    let quiet = facts.codes.is_empty() && facts.calls.is_empty() && !facts.says(Sign::Hang);
    if facts.says(Sign::FarServer) && remote && (felt || quiet) {
        case.speaks(55, "the server is far, and every lock is a round trip");
    }
    if facts.says(Sign::CuredByPatience) && felt {
        case.speaks(45, "who waits longer gets the lock");
    }
    if facts.says(Sign::CuredByQuiet) && felt {
        case.speaks(45, "it goes away when the load does");
    }
    let cause = [Sign::StorageStall, Sign::Loaded, Sign::FarServer];
    if facts.says_any(&cause) && remote && facts.busy() && !facts.wal() {
        case.speaks(28, "and whoever waits for the lock meanwhile is told that it is locked");
    }
}

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let local = facts.file_system.is_none_or(FileSystem::is_local);
    if facts.says(Sign::StorageStall) && local {
        case.speaks(68, "syncs or the storage as a whole stall");
    } else if facts.says(Sign::StorageStall) {
        case.speaks(40, "the storage stalls");
    }
    if facts.says(Sign::StorageStall) && local && facts.busy() {
        case.speaks(30, "and whoever waits for the lock meanwhile is told that it is locked");
    }
    late(facts, case);
    if facts.says(Sign::SlowStorage) && local {
        let several = facts.says(Sign::ManyProcesses) && !facts.says(Sign::StorageStall);
        case.speaks(if several { 14 } else { 38 }, "the storage is of a slow kind");
        if facts.busy() {
            case.speaks(
                if several { 10 } else { 30 },
                "and slow commits hold the lock past the busy time-out",
            );
        }
    }
    if facts.on(FileSystem::CopyOnWrite) && (facts.busy() || facts.says(Sign::Slow)) {
        case.speaks(
            if facts.says(Sign::ManyProcesses) { 35 } else { 44 },
            "copy-on-write file systems make small syncs expensive",
        );
    }
    if facts.says(Sign::Slow)
        && (local || facts.on_class(FileSystem::is_vm_share))
        && !facts.corrupt()
    {
        case.speaks(38, "the complaint is slowness or a time-out");
    } else if facts.says(Sign::Slow) && slow_only(facts) {
        case.speaks(58, "slowness is the only complaint: every lock and sync crosses the network");
    } else if facts.says(Sign::Slow) {
        let quick = facts.wal() && !facts.on(FileSystem::UnnamedShare);
        case.speaks(if quick { 12 } else { 30 }, "something is slow");
    }
    if facts.says(Sign::WorksSlowly) && facts.codes.is_empty() && facts.calls.is_empty() {
        case.speaks(60, "it works in the end: each request takes long, and none is refused");
    }
    let soft = facts.says(Sign::SoftMount) && facts.on(FileSystem::Nfs);
    if soft && facts.family(tombolo_core::sqlite::result_code::ResultCode::IOERR) && !facts.wal() {
        case.speaks(82, "a `soft` NFS mount turns a slow answer of the server into an I/O error");
    } else if soft {
        case.speaks(15, "a `soft` NFS mount gives up when the server is slow");
    }
    if facts.number(1034) && facts.on_class(FileSystem::is_remote) && !facts.wal() {
        case.speaks(45, "SQLITE_IOERR_FSYNC: the server did not take the data in time");
    }
    if facts.corrupt() || facts.several() {
        case.against(25);
    }
    if facts.on(FileSystem::ObjectStore) {
        // A bucket is slow because it writes whole objects.
        case.against(60);
    }
}

//! The lock service of NFS is missing, stale or unreachable.
//!
//! NFSv3 needs lockd and statd on both sides, NFSv4 a server that keeps its lock state. Without
//! them `fcntl` answers ENOLCK, which SQLite maps to "database is locked", or waits: each
//! statement takes 12 to 60 seconds, or a process hangs in state D and prints nothing.

use super::Case;
use crate::explain::calls::Call;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::errno::Errno;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let nfs = facts.on(FileSystem::Nfs);
    if facts.calls.iter().any(|failed| failed.errno == Errno::ENOLCK) {
        case.speaks(95, "the kernel answered ENOLCK: no lock service");
    } else if facts.says(Sign::LockService) && (nfs || facts.file_system.is_none()) {
        case.speaks(70, "the text names the lock service of NFS");
    } else if facts.says(Sign::LockService) {
        case.speaks(35, "the text says that no locks are available");
    }
    let served = nfs || facts.on_any(&[FileSystem::Cluster, FileSystem::Gluster]);
    if served && facts.says(Sign::OrphanLock) && facts.busy() {
        case.speaks(85, "nobody has the file open, and a copy is free: the server kept a lock");
    }
    if !nfs {
        return;
    }
    waiting(facts, case);
    if !facts.wal() && !facts.rollback() && (facts.busy() || facts.bare_io_error()) {
        let points = if facts.bare_io_error() { 30 } else { 24 };
        case.speaks(
            points,
            "without WAL, which the text does not tell, it would be a lock request",
        );
    }
    refused_alone(facts, case);
    if facts.says(Sign::EmptyDatabase) {
        let points = if facts.busy() || facts.bare_io_error() { 50 } else { 42 };
        case.speaks(points, "a new file stays at zero bytes: its first lock was never granted");
    }
    if facts.says(Sign::SameElsewhere) && facts.busy() {
        case.speaks(24, "every program and every copy is refused, so nobody holds the lock");
    }
    if facts.says(Sign::ReadOnlyOpen) && facts.busy() && !facts.wal() {
        case.speaks(24, "readers do not exclude one another, so the lock service refuses");
    }
    if facts.says(Sign::RebootCures) {
        case.speaks(55, "the lock state of the client is lost only when it is rebooted");
    }
    if facts.says(Sign::SinceReboot) && !facts.wal() && !facts.corrupt() {
        case.speaks(36, "it began with a reboot, after which the lock service may not be back");
    }
    if facts.says(Sign::CuredWithoutLocks) {
        case.speaks(40, "an option that keeps locks from the server made it go away");
    }
    if facts.rollback() && (facts.busy() || facts.bare_io_error()) {
        case.speaks(50, "lock requests fail, and WAL is not in play");
    }
    if facts.says(Sign::LocalLocks) {
        case.speaks(48, "locks are kept local or have to be, so the server's service is not used");
    }
    if facts.says(Sign::UserSpaceNfsServer) {
        case.speaks(48, "NFS servers outside the kernel often have no lock manager");
    }
    if facts.says(Sign::LocksRefused) {
        let points = if facts.wal() { 34 } else { 58 };
        case.speaks(points, "a lock request was refused though nobody holds the lock");
    }
    if facts.says(Sign::NfsVersion3) && facts.family_of_locks() {
        case.speaks(15, "NFSv3 needs a lock service of its own beside it");
    }
    if facts.says(Sign::NfsVersion4) && !facts.says(Sign::LockService) {
        // Version 4 has locks of its own (RFC 8881) and needs no service beside it.
        case.against(10);
    }
    against(facts, case);
}

/// What the service does not explain.
fn against(facts: &Facts, case: &mut Case) {
    if facts.lock_requests_silenced() {
        // What was refused is not asked for any more.
        case.against(95);
    }
    if facts.says(Sign::Stale) {
        // The kernel says what is lost: the file, and not a lock.
        case.against(60);
    }
    if facts.says(Sign::FailsAfterWhile) && facts.bare_io_error() {
        // It had its locks, and lost the file.
        case.against(40);
    }
    if facts.several() || facts.corrupt() {
        case.against(20);
    }
    if facts.says_any(&[Sign::StorageStall, Sign::Loaded, Sign::FarServer, Sign::CuredByQuiet]) {
        // Then locks are granted, only late.
        case.against(30);
    }
    if facts.says(Sign::SoftMount) {
        case.against(if facts.bare_io_error() { 45 } else { 10 });
    }
}

/// Nobody else is there who could hold the lock.
fn refused_alone(facts: &Facts, case: &mut Case) {
    let unexplained = facts.busy() && !facts.wal() && !facts.corrupt() && !facts.several();
    if !unexplained {
        return;
    }
    if facts.says(Sign::FailsAtOnce) {
        case.speaks(26, "even the first lock on a new file is refused");
    }
    if facts.says(Sign::LoneProcess) {
        case.speaks(22, "a single process cannot wait for another");
    }
    if facts.works_on(FileSystem::Smb) {
        case.speaks(26, "the same files work over SMB, which has locks of its own");
    }
    if facts.says(Sign::WithoutLocksWanted) {
        case.speaks(26, "an option that keeps locks from the server is asked for");
    }
}

fn waiting(facts: &Facts, case: &mut Case) {
    let several = facts.says_any(&[Sign::ManyProcesses]) && facts.wal();
    if facts.says(Sign::ConstantWait) {
        case.speaks(40, "each request waits equally long, as for a service that does not answer");
    }
    let ends = facts.says(Sign::WorksSlowly) && facts.codes.is_empty();
    if facts.says(Sign::Hang) && ends {
        case.speaks(18, "the program waits for long, as it does on a lost lock request");
    } else if facts.says(Sign::Hang) && !several {
        let points = if facts.wal() { 44 } else { 60 };
        case.speaks(points, "the program hangs or waits for long, as on a lost lock request");
    } else if facts.says(Sign::Slow) && facts.failed(Call::Lock).is_some() {
        case.speaks(30, "lock requests take long");
    }
    if facts.failed(Call::Lock) == Some(Errno::EIO) {
        case.speaks(60, "a lock call failed with EIO: the server did not answer it");
    }
    if facts.failed(Call::Sync) == Some(Errno::EIO) {
        case.speaks(15, "a sync failed with EIO");
    }
}

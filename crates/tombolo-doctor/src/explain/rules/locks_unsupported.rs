//! Byte-range locks are not supported.
//!
//! Lustre without `-o flock`, the document portal, vmhgfs, OrangeFS, FUSE servers without a lock
//! operation that set one up wrongly, and WSL's files seen from Windows answer ENOSYS, ENOTSUP or
//! EINVAL to `F_SETLK`. SQLite says SQLITE_IOERR_LOCK, or "database is locked" where no one holds
//! a lock.

use super::Case;
use crate::explain::calls::Call;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::result_code::ResultCode;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    if [3850, 3594, 2058, 2314].into_iter().any(|number| facts.number(number)) {
        case.speaks(78, "SQLITE_IOERR_LOCK: the lock call failed, it was not refused");
    }
    let unsupported = [Errno::ENOSYS, Errno::EOPNOTSUPP, Errno::EINVAL, Errno::ENOTTY];
    if let Some(errno) = facts.failed(Call::Lock).filter(|errno| unsupported.contains(errno)) {
        case.speaks(92, format!("the lock call failed with {errno}"));
    }
    if facts.says(Sign::FlockOff) {
        case.speaks(45, "locks are switched off at the mount");
    }
    let local = facts.file_system.is_none_or(FileSystem::is_local);
    if facts.says(Sign::OldKernel) && local && facts.bare_io_error() {
        case.speaks(62, "kernels before 3.15 lack the locks that some SQLite drivers ask for");
    }
    place(facts, case);
    if facts.says(Sign::PlatformChanged) {
        // Another version has them.
        case.against(if facts.says(Sign::KernelBug) { 80 } else { 25 });
    }
    if facts.says(Sign::Intermittent) {
        // Locks that are not there are missing each time.
        case.against(22);
    }
    if facts.says(Sign::OrphanLock) {
        // Another file of the same place is free: there are locks.
        case.against(50);
    }
    if facts.says(Sign::LockFileNotMade) {
        // No lock was asked for yet.
        case.against(40);
    }
    let io = facts.bare_io_error() && !facts.corrupt();
    if facts.on(FileSystem::GvisorGofer) && (io || facts.says(Sign::LocksRefused)) {
        case.speaks(58, "sandbox kernels have lacked lock commands that SQLite and drivers use");
    }
    let odd = facts.on_any(&[FileSystem::Jffs2, FileSystem::Vboxsf, FileSystem::Fat])
        || facts.says(Sign::RawFlash);
    if odd && facts.bare_io_error() && facts.says(Sign::InvalidArgument) {
        case.speaks(52, "some drivers ask for open-file-description locks, which may give EINVAL");
    }
    if facts.says(Sign::LocksRefused) && facts.says(Sign::PoolPathTold) && !facts.corrupt() {
        case.speaks(35, "the pool's FUSE layer stands between the program and the disk's locks");
    }
    if facts.says(Sign::LocksRefused) && !facts.on_any(&[FileSystem::Nfs, FileSystem::Smb]) {
        case.speaks(30, "the text says that a lock call fails");
    }
}

fn place(facts: &Facts, case: &mut Case) {
    let lock_like = facts.busy() || facts.bare_io_error() || facts.family_of_locks();
    if facts.on(FileSystem::Lustre) {
        case.speaks(45, "Lustre has no locks unless it is mounted with `flock`");
        let of_wal = facts.wal() && facts.family(ResultCode::PROTOCOL);
        if lock_like && !facts.several() && !of_wal {
            case.speaks(20, "the failure is one of locks or I/O");
        }
    }
    if facts.on(FileSystem::WslFromWindows) {
        let path = facts.says(Sign::WrongPath) && !lock_like;
        let points = match () {
            () if path => 40,
            () if facts.several() && facts.corrupt() => 66,
            () => 95,
        };
        case.speaks(points, "the redirector between Windows and WSL does not carry SQLite's locks");
    }
    if facts.on(FileSystem::WslOwnFiles) && facts.family(ResultCode::PROTOCOL) {
        case.speaks(75, "the locks of version 1 of WSL are not those that WAL's lock bytes need");
    } else if facts.on(FileSystem::WslOwnFiles) && facts.family_of_locks() {
        case.speaks(50, "if a Windows program opens it, the redirector carries no locks");
    }
    if facts.on(FileSystem::WindowsDriveInWsl) && facts.family_of_locks() && !facts.several() {
        case.speaks(35, "locks between WSL and Windows are incomplete");
    }
    if facts.on(FileSystem::DocumentPortal) {
        case.speaks(60, "the document portal implements no locks");
    }
    if facts.on(FileSystem::Vmhgfs) {
        case.speaks(50, "VMware shared folders have weak locks");
    }
    let ails = facts.trouble() || facts.tone.complains;
    if facts.on(FileSystem::Fat)
        && ails
        && !facts.says(Sign::MappedStore)
        && !facts.readonly()
        && !facts.corrupt()
    {
        let points = if facts.bare_io_error() && facts.wal() { 30 } else { 55 };
        case.speaks(points, "exFAT and FAT, mostly behind another layer, lack POSIX features");
    }
    if facts.on(FileSystem::Cluster) && lock_like && !facts.several() {
        case.speaks(35, "some cluster file systems are mounted without locks");
    }
    if facts.on(FileSystem::Jffs2) && facts.busy() {
        case.speaks(30, "locks on flash file systems are incomplete");
    }
}

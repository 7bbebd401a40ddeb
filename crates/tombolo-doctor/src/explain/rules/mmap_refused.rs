//! Writable shared maps are refused.
//!
//! WAL needs `mmap(MAP_SHARED)` of `-shm` (`unixShmMap` in os_unix.c). 9p with `cache=none`, FUSE
//! with direct I/O (mergerfs `cache.files=off`, virtiofs `cache=never`), ntfs3, vboxsf and JFFS2
//! refuse it with EINVAL, ENODEV or EOPNOTSUPP. SQLite then says SQLITE_IOERR_SHMMAP, most often
//! printed as a bare "disk I/O error", at the first access after `PRAGMA journal_mode=WAL` has
//! answered `wal`. Nothing is damaged.

use super::Case;
use crate::explain::calls::Call;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::errno::Errno;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    errors(facts, case);
    if facts.rollback() {
        case.against(45);
    }
    let vague = facts.bare_io_error() || facts.says(Sign::PragmaLied);
    if vague && facts.on_class(FileSystem::often_refuses_maps) {
        let because = format!("{} refuses shared maps in its usual settings", facts.place());
        case.speaks(62, because);
    } else if vague && facts.on_class(FileSystem::is_vm_share) {
        case.speaks(46, format!("{} may refuse shared maps", facts.place()));
    } else if facts.bare_io_error() && facts.on(FileSystem::OtherFuse) {
        case.speaks(35, "FUSE file systems with direct I/O refuse shared maps");
    }
    let locks = facts.failed(Call::Lock).is_some() || facts.failed(Call::Truncate).is_some();
    if facts.on(FileSystem::NineP) && facts.says(Sign::InvalidArgument) && !locks {
        case.speaks(72, "9p without a cache answers EINVAL to shared maps, of any database");
    }
    let few = facts.on_any(&[FileSystem::Vboxsf, FileSystem::Ntfs3, FileSystem::OtherFuse]);
    if few && facts.says(Sign::InvalidArgument) && !locks && facts.codes.is_empty() {
        case.speaks(70, format!("{} answers EINVAL to shared maps", facts.place()));
    }
    if facts.says(Sign::CuredByPageCache) && !facts.corrupt() {
        case.speaks(60, "a page cache for the mount made it go away");
    }
    stores(facts, case);
    let fails = facts.says(Sign::DoesNotWork);
    if facts.on(FileSystem::Vboxsf) && facts.says(Sign::Wal) && fails && facts.codes.is_empty() {
        case.speaks(72, "WAL fails on a VirtualBox shared folder, which refuses shared maps");
    }
    if facts.on(FileSystem::Fat) && facts.bare_io_error() && facts.wal() {
        case.speaks(58, "exFAT and FAT behind FUSE or another layer often have no shared maps");
    }
    let silent = facts.codes.is_empty() && facts.calls.is_empty() && !facts.says(Sign::Hang);
    let share = facts.on_class(FileSystem::is_vm_share) || facts.on(FileSystem::HypervisorShare);
    if share && facts.wal() && silent && facts.says(Sign::DatabaseTrouble) && !facts.corrupt() {
        case.speaks(36, "WAL maps -shm at its first access, which such shares may refuse");
    }
    if facts.says(Sign::NoPageCache) {
        case.speaks(40, "the mount has no page cache, and without one there are no shared maps");
    }
    let elsewhere = facts.file_system.is_none_or(|kind| !kind.is_local());
    if facts.says(Sign::IoErrorAtWal) && elsewhere && !facts.rollback() {
        case.speaks(30, "the switch to WAL is the first thing that maps -shm, and it failed");
    }
    if facts.says(Sign::PragmaLied) {
        case.speaks(30, "the pragma answered `wal`, and the next access failed");
    }
    if facts.corrupt() && !facts.bare_io_error() {
        case.against(35);
    }
    if facts.says(Sign::Intermittent) {
        // A map that is refused is refused each time.
        case.against(22);
    }
    if facts.several() {
        case.against(15);
    }
}

/// Stores that map their file, and programs that were switched to what maps one.
fn stores(facts: &Facts, case: &mut Case) {
    let refuses = facts.on_class(FileSystem::often_refuses_maps)
        || facts.on_class(FileSystem::is_vm_share)
        || facts.on_any(&[
            FileSystem::OtherFuse,
            FileSystem::Shfs,
            FileSystem::Sshfs,
            FileSystem::Fat,
            FileSystem::NtfsFuse,
            FileSystem::GvisorGofer,
        ]);
    let locks = facts.failed(Call::Lock).is_some() || facts.says(Sign::LocksRefused);
    if facts.says(Sign::MappedStore) && refuses && !locks && !facts.corrupt() {
        case.speaks(76, format!("the store maps its file, and {} refuses that", facts.place()));
    }
    if facts.says(Sign::WalSinceVersion) && refuses && facts.bare_io_error() {
        case.speaks(35, "it fails since WAL is on, and only WAL maps -shm");
    }
}

fn errors(facts: &Facts, case: &mut Case) {
    if facts.number(5386) {
        case.speaks(95, "SQLITE_IOERR_SHMMAP: the map of -shm was refused");
    }
    let sidecar = facts.number(4618) || facts.number(4874) || facts.number(5130);
    if sidecar && !facts.says(Sign::DiskFull) {
        case.speaks(72, "the -shm file could not be opened, sized or locked");
    }
    if facts.number(6154) {
        case.speaks(50, "SQLITE_IOERR_MMAP: the map of the database was refused");
    }
    match facts.failed(Call::Map) {
        Some(Errno::EACCES | Errno::EPERM | Errno::ENOMEM) => case.speaks(30, "mmap failed"),
        Some(errno) => case.speaks(95, format!("mmap failed with {errno}")),
        None if facts.says(Sign::MapFailed) => {
            case.speaks(70, "the text says that a shared map failed");
        }
        None => {}
    }
}

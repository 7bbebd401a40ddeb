//! Shared maps are accepted, but do not agree with read and write.
//!
//! On virtiofs, the file sharing of container VMs, sshfs and 9p with a cache the pages of a map
//! and those of `pread` can differ, even with one kernel; SQLite then builds its wal-index from one
//! and the WAL from the other. The sign is "malformed" within minutes, with one opener, while the
//! same load on a volume inside the VM is clean. A page that cannot be fetched any more raises
//! SIGBUS (Windows: EXCEPTION_IN_PAGE_ERROR).

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let shared = facts.on_class(FileSystem::is_vm_share) || facts.on(FileSystem::Sshfs);
    let foreign = facts.file_system.is_none_or(|kind| !kind.is_local());
    if facts.says(Sign::MappedPageFault) || facts.number(8714) {
        let leaves = foreign || facts.says(Sign::RemovableDisk);
        let points = if leaves { 82 } else { 30 };
        case.speaks(points, "a page of a memory map could not be fetched");
    }
    if facts.says(Sign::MmapSize) && foreign && !facts.on(FileSystem::Nfs) {
        case.speaks(25, "PRAGMA mmap_size makes SQLite read the database itself through a map");
    }
    if facts.corrupt() && shared && !facts.several() {
        let because = format!("corruption on {} with its openers in one kernel", facts.place());
        case.speaks(68, because);
    }
    if facts.says(Sign::StaleContent) && shared && !facts.several() {
        let maps = facts.says(Sign::MapsSpokenOf) && !facts.says(Sign::MapFailed);
        let points = if maps { 75 } else { 45 };
        case.speaks(points, "old sizes or old bytes are read on the share");
    }
    if facts.corrupt() && facts.on(FileSystem::OtherFuse) && !facts.several() {
        case.speaks(36, "many FUSE file systems do not keep maps and reads in step");
    }
    if facts.says(Sign::PoolPathTold) && facts.wal() && facts.corrupt() && !facts.several() {
        case.speaks(50, "WAL's map of -shm goes through the pool's FUSE layer");
    }
    let unspecific =
        (facts.trouble() || facts.wal()) && facts.codes.is_empty() && !facts.says(Sign::Slow);
    if unspecific && facts.on_any(&[FileSystem::Virtiofs, FileSystem::DesktopShare]) {
        case.speaks(40, format!("unexplained trouble on {}", facts.place()));
    }
    if facts.several() {
        case.against(40);
    }
    if facts.rollback() && !facts.says(Sign::MmapSize) {
        case.against(15);
    }
    if facts.says(Sign::PlatformChanged) {
        case.against(15);
    }
    if facts.number(5386) {
        case.against(50);
    }
}

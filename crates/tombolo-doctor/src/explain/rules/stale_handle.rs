//! An open handle has outlived its mount or file.
//!
//! ESTALE after a server or a rename took the file away, a bind mount in a container that still
//! shows the old mount, a share whose connection died: the same path works elsewhere and after a
//! restart.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::errno::Errno;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let stale = |failed: &crate::explain::calls::FailedCall| {
        matches!(failed.errno, Errno::ESTALE | Errno::ENOTCONN)
    };
    if facts.says(Sign::Stale) || facts.calls.iter().any(stale) {
        case.speaks(92, "the kernel says that the handle or the mount is stale");
        if facts.on(FileSystem::ObjectStore) && facts.several() {
            case.against(25);
        }
    }
    if facts.number(1032) && !facts.says(Sign::InodeChanged) {
        case.speaks(
            62,
            "SQLITE_READONLY_DBMOVED: the file was moved, replaced or deleted under an open handle",
        );
    }
    if facts.says(Sign::ReplacedWhileOpen) {
        let points = if facts.wal() && facts.corrupt() { 35 } else { 82 };
        case.speaks(
            points,
            "the file was exchanged under a connection that still holds the old one",
        );
        if facts.readonly() {
            case.speaks(45, "and SQLite does not write to a file that has no name any more");
        }
    }
    let outlives = facts.on_class(FileSystem::is_remote) || facts.on(FileSystem::DesktopShare);
    if facts.says(Sign::WorksOnlyOutside) {
        let points = if outlives { 70 } else { 25 };
        case.speaks(points, "the file can be read on the host and not in the container");
    }
    if facts.says(Sign::RebootCures) && !facts.on(FileSystem::Nfs) {
        case.speaks(40, "it works again after a reboot");
    }
    if facts.says(Sign::FailsAfterWhile) {
        let served = facts.on_class(FileSystem::is_remote) && !facts.busy() && !facts.corrupt();
        case.speaks(
            if served { 58 } else { 45 },
            "it works again after a restart, or fails since the server restarted",
        );
    }
    if facts.says(Sign::RemovableDisk) && facts.bare_io_error() && !facts.says(Sign::FailsAtOnce) {
        case.speaks(40, "a disk that goes away takes the files with it that are open on it");
    }
    if facts.cannot_open() && facts.on_any(&[FileSystem::DesktopShare]) {
        case.speaks(42, "a file of a container VM's share cannot be opened any more");
    }
    if facts.number(1802) || facts.number(266) {
        case.speaks(20, "a stat or read of an open file failed");
    }
}

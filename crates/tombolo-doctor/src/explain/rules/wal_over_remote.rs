//! A WAL database on a file system whose server is elsewhere, one client at a time.
//!
//! WAL wants one kernel's memory (sqlite.org/wal.html, section 1; sqlite.org/useovernet.html). On
//! NFS, SMB and cluster file systems it gives "database is locked", "locking protocol", I/O errors,
//! and after a kill or a fail-over a malformed file. Good lock options do not help.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::sqlite::result_code::ResultCode;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let remote = facts.on_class(FileSystem::is_remote);
    if facts.family(ResultCode::PROTOCOL) {
        let points = if facts.on_class(FileSystem::is_local) { 10 } else { 42 };
        case.speaks(points, "\"locking protocol\": the locks in -shm never settle");
    }
    if !remote {
        return;
    }
    let clear = !facts.on_any(&[FileSystem::UnnamedShare, FileSystem::Lustre]);
    // Whatever the protocol of a share is, it is not WAL's.
    let share = facts.on(FileSystem::UnnamedShare) && facts.wal() && !facts.says(Sign::BusyAtWal);
    let points = if clear || share { 48 } else { 22 };
    if facts.wal() {
        case.speaks(points, format!("WAL mode on {}", facts.place()));
    } else if !facts.rollback() {
        case.speaks(
            points - 14,
            format!("SQLite on {}, where WAL cannot be trusted", facts.place()),
        );
    } else {
        let points = match () {
            () if facts.on(FileSystem::Nfs) && facts.trouble() && !facts.corrupt() => 14,
            () if facts.says(Sign::NoErrorNow) && !facts.trouble() => 10,
            () => 26,
        };
        case.speaks(points, format!("SQLite on {}", facts.place()));
    }
    if facts.wal() && facts.cannot_open() && facts.says(Sign::RightsAreRight) {
        case.speaks(35, "owner and mode are right, and what cannot be made is -shm");
    }
    smb(facts, case);
    if facts.wal() && (facts.corrupt() || facts.bare_io_error()) && !facts.several() {
        case.speaks(12, "the failure is of the kind that a broken wal-index gives");
    }
    if facts.several() {
        case.against(if facts.bare_io_error() && facts.wal() { 0 } else { 30 });
    }
}

fn smb(facts: &Facts, case: &mut Case) {
    if !facts.on(FileSystem::Smb) {
        return;
    }
    let wanted = facts.says(Sign::Wal) && facts.says(Sign::PremadeWal);
    if wanted {
        case.speaks(45, "a file that came as WAL dodges the refused lock and keeps the danger");
    }
    if facts.wal() && facts.bare_io_error() {
        case.speaks(20, "the map of -shm fails on SMB");
    }
}

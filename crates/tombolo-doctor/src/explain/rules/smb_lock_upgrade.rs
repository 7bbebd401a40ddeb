//! SMB refuses the step from SHARED to EXCLUSIVE.
//!
//! On CIFS the client sends byte-range locks to the server, where they are mandatory and bound to
//! the handle: SQLite's EXCLUSIVE lock overlaps the range that it holds SHARED, and is refused. A
//! single process gets "database is locked" at its first commit, often beside a file of 0 bytes.

use super::Case;
use crate::explain::calls::Call;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::errno::Errno;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let smb = facts.on(FileSystem::Smb);
    let masked = facts.says(Sign::NoByteRangeLocks);
    if smb && facts.busy() {
        case.speaks(78, "\"database is locked\" on SMB needs no second process");
    }
    if smb && facts.says(Sign::CuredWithoutLocks) && !facts.corrupt() {
        case.speaks(60, "an option that keeps locks from the server made it go away");
    }
    if smb && !facts.wal() && facts.codes.is_empty() && facts.says(Sign::DatabaseTrouble) {
        case.speaks(25, "writes fail on SMB without a code of SQLite");
    }
    let other = facts.says_any(&[Sign::Kubernetes, Sign::LockService]);
    let told_wal = facts.wal() && !facts.says(Sign::BusyAtWal);
    let unwritable = facts.says_any(&[Sign::NotWritable, Sign::DatabaseTrouble]);
    if smb && facts.says(Sign::RightsAreRight) && unwritable && facts.codes.is_empty() {
        case.speaks(50, "files can be made on the share, and only the database cannot be written");
    } else if smb && facts.says(Sign::NotWritable) {
        case.speaks(25, "programs call a database read-only to which SMB refuses the lock");
    }
    if facts.on(FileSystem::UnnamedShare) && facts.busy() && !other && !told_wal {
        let points = if facts.says(Sign::MountNotTold) { 16 } else { 30 };
        case.speaks(points, "many shares that are not named are SMB, which refuses lock upgrades");
    }
    let unnamed = facts.on(FileSystem::UnnamedShare);
    if (smb || unnamed) && facts.busy() && facts.says(Sign::BusyAtWal) && !facts.several() {
        case.speaks(20, "the switch to WAL takes the very lock that SMB refuses");
    }
    if smb && facts.says(Sign::BusyAtWal) && !facts.busy() && !facts.several() {
        case.speaks(45, "the switch to WAL fails, and its lock is the very one that SMB refuses");
    }
    drives_of_windows(facts, case);
    if smb && facts.says(Sign::EmptyDatabase) {
        case.speaks(45, "a new file stays at zero bytes: the first commit never got its lock");
    }
    if smb && facts.says_any(&[Sign::Hang, Sign::LocksRefused]) && !masked {
        case.speaks(22, "lock requests fail on SMB");
    }
    let refused = facts.says(Sign::LocksRefused) && !facts.busy() && !facts.wal();
    if smb && refused && !facts.corrupt() && !masked {
        case.speaks(30, "a lock could not be had, and the mount sends locks to the server");
    }
    if smb && facts.says(Sign::WithoutLocksWanted) && !facts.corrupt() {
        case.speaks(50, "an option that keeps locks from the server is asked for");
    }
    let unsupported = [Errno::EOPNOTSUPP, Errno::ENOSYS];
    if facts.failed(Call::Lock).is_some_and(|errno| unsupported.contains(&errno)) {
        // Then no lock is refused: there are none.
        case.against(60);
    }
    if facts.lock_requests_silenced() {
        // What was refused is not asked for any more.
        case.against(95);
    }
    if facts.says(Sign::Intermittent) {
        // The server refuses that step each time.
        case.against(22);
    }
    if facts.says(Sign::PremadeWal) && facts.says(Sign::Wal) {
        case.against(45);
    }
    if facts.several() {
        case.against(25);
    }
    let about = facts.says_any(&[Sign::CuredWithoutLocks, Sign::WithoutLocksWanted]);
    if masked && !facts.busy() && !about {
        case.against(40);
    }
}

/// Docker Desktop for Windows shared drives by SMB until its release 2.2 (docs.docker.com, release
/// notes of Docker Desktop for Windows 2.2.0.0).
fn drives_of_windows(facts: &Facts, case: &mut Case) {
    let drives = facts.on(FileSystem::DesktopShare) && facts.says(Sign::WindowsHost);
    if drives && facts.busy() && !facts.several() && !facts.corrupt() {
        case.speaks(36, "Docker on Windows has shown the drives of its host by SMB");
    }
}

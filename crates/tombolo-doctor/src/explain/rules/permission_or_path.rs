//! An owner, a mode or a path is wrong.
//!
//! SQLite needs to create files in the *directory* of the database. A wrong owner, a mount that
//! fixes ownership (NTFS, exFAT, SMB), `root_squash` or a path that does not exist in the
//! container gives "unable to open database file" or "attempt to write a readonly database".

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::errno::Errno;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let refused = facts.readonly() || facts.cannot_open() || facts.says(Sign::PermissionDenied);
    let io = facts.bare_io_error() || facts.codes.is_empty();
    let elsewhere = !refused && !io || facts.busy() || facts.corrupt() && !refused;
    if facts.says(Sign::NotWritable) && !facts.says(Sign::RightsAreRight) {
        case.speaks(35, "the program says that its database cannot be written");
    }
    if facts.says(Sign::OwnerMismatch) {
        // A lock is refused whoever owns the file.
        let points = if elsewhere { 20 } else { 48 };
        case.speaks(points, "the text names an owner or a mode that does not fit");
    }
    let cured = facts.says(Sign::CuredByOwner) && !facts.lock_or_map_failed();
    if cured {
        case.speaks(72, "another owner, mode or user made it go away");
    }
    if facts.says(Sign::LostWithContainer) && !facts.corrupt() {
        case.speaks(70, "the data went with the container: the file lay in its own layer");
    }
    wrong_path(facts, case);
    if facts.says(Sign::LockFileNotMade) && !facts.on(FileSystem::Nfs) {
        case.speaks(52, "a file that stands for a lock could not be made where it has to be");
    }
    if facts.says(Sign::PermissionDenied) {
        case.speaks(if elsewhere { 12 } else { 45 }, "the kernel denied permission");
    }
    if facts.says(Sign::RightsAreRight) && !facts.says(Sign::CuredByOwner) {
        case.against(40);
    }
    if facts.calls.iter().any(|failed| matches!(failed.errno, Errno::EACCES | Errno::EPERM)) {
        case.speaks(25, "a system call failed for lack of permission");
    }
    let ownerless = facts.on_any(&[FileSystem::NtfsFuse, FileSystem::Fat, FileSystem::Ntfs3]);
    if facts.readonly() {
        case.speaks(28, "SQLite may not write the file or its directory");
        if facts.file_system.is_none() && !facts.says(Sign::SandboxPolicy) {
            case.speaks(20, "and no share is named: mostly the owner or the mode is wrong");
        }
        if ownerless {
            case.speaks(25, format!("ownership cannot be changed on {}", facts.place()));
        }
    }
    if facts.number(1032) || facts.says(Sign::ReplacedWhileOpen) && !facts.says(Sign::CuredByOwner)
    {
        // The file is another one, whoever owns it.
        case.against(40);
    }
    if facts.number(1544) {
        case.speaks(30, "SQLITE_READONLY_DIRECTORY: the directory is not writable");
    }
    if facts.cannot_open() {
        // Both errors are one sign: the directory or the file refuses.
        let points = if facts.readonly() { 12 } else { 34 };
        case.speaks(points, "the file or its directory could not be opened");
        if facts.on(FileSystem::Nfs) {
            case.against(18);
        }
        if facts.on(FileSystem::Smb) {
            case.speaks(12, "SMB mounts fix owner and mode for all files at once");
        }
        let nowhere = facts.file_system.is_none() && !facts.says(Sign::SandboxPolicy);
        if nowhere && !facts.readonly() {
            case.speaks(20, "and no share is named: mostly it is missing or belongs to another");
        }
    }
    against(facts, cured, case);
}

fn wrong_path(facts: &Facts, case: &mut Case) {
    if facts.says(Sign::WrongPath) && !facts.says(Sign::FileWentAway) {
        case.speaks(55, "the text names a path that may be wrong");
    }
    if facts.says(Sign::DirectoryForFile) && facts.cannot_open() {
        case.speaks(80, "a directory stands where the file is expected");
    }
    if facts.says(Sign::RelativeUrl) && facts.cannot_open() {
        case.speaks(50, "with three slashes the path of the URL is relative");
    }
}

/// What an owner, a mode or a path does not explain.
fn against(facts: &Facts, cured: bool, case: &mut Case) {
    if facts.says(Sign::FailsAfterWhile) && !facts.says(Sign::CuredByOwner) {
        // A restart changes no owner.
        case.against(25);
    }
    if facts.says(Sign::Intermittent) {
        // An owner, a mode or a path is wrong each time.
        case.against(22);
    }
    if facts.says(Sign::DiskFull) {
        // Nothing can be made where nothing fits.
        case.against(60);
    }
    if facts.says(Sign::SandboxPolicy) {
        case.against(20);
    }
    let kept_from_writing = facts.says_any(&[Sign::ReadOnlyOpen, Sign::ReadOnlyPlace]);
    if kept_from_writing && facts.rollback() && facts.readonly() {
        case.speaks(20, "the place is read-only, and WAL is not in play");
    } else if kept_from_writing && facts.readonly() && facts.says(Sign::MayOnlyRead) {
        case.speaks(24, "a program writes to what it may only read");
    } else if kept_from_writing && (facts.readonly() || facts.cannot_open()) {
        case.against(25);
    }
    if facts.wal() && facts.says(Sign::ReadOnlyOpen) && facts.says(Sign::OwnerMismatch) {
        // The mode is as meant; a reader of a WAL database has to write.
        case.against(30);
    }
    let journal = facts.rollback() || facts.says(Sign::DirectoryForFile);
    if facts.says_any(&[Sign::SingleFileMount, Sign::SidecarsGone]) && !journal {
        case.against(30);
    }
    if (facts.family_of_locks() || facts.corrupt()) && !cured {
        case.against(25);
    }
}

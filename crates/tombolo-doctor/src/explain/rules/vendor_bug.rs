//! A bug inside one file system or kernel.
//!
//! Rare, and never the first guess: it takes a kernel that is not Linux, Windows or macOS, or words
//! about a bug, an oops or a version of the kernel with which it began.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::sqlite::result_code::ResultCode;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    if facts.on(FileSystem::Unikernel) {
        case.speaks(70, "the kernel or run-time brings a file layer of its own");
    }
    if facts.says(Sign::ForeignDriver) && !facts.several() {
        case.speaks(62, "the driver is neither the kernel's nor of the maker of the server");
    }
    if facts.says(Sign::KernelBug) {
        case.speaks(66, "the text names a bug or a version of a kernel or file system");
    }
    let harmed = facts.corrupt() || facts.bare_io_error() || facts.failing_write();
    if facts.on(FileSystem::WslOwnFiles) && harmed && !facts.family(ResultCode::PROTOCOL) {
        case.speaks(58, "version 1 of WSL imitates Linux, and its shared maps and locks have bugs");
    }
    let ails = facts.trouble() || facts.says(Sign::Slow) || facts.tone.complains;
    let product = facts.on_any(&[FileSystem::Sshfs, FileSystem::OtherFuse, FileSystem::Unikernel]);
    if facts.says(Sign::PlatformChanged) && (ails || product) {
        case.speaks(62, "it came or went with a version of what provides the file system");
    }
    let elsewhere = facts.file_system.is_some_and(|kind| !kind.is_local());
    if facts.says(Sign::PlatformChanged) && facts.trouble() && elsewhere {
        case.speaks(40, "and the file system's own client or server was the only thing to change");
    }
    let served = facts.file_system.is_some_and(|kind| !kind.is_local());
    if facts.says(Sign::SyncRefused) && served {
        case.speaks(66, "the file system does not have the sync that programs rely on");
    }
    if facts.says(Sign::LockService) && facts.on(FileSystem::Nfs) {
        // A service that did not come up again is no bug.
        case.against(60);
    }
    if facts.says(Sign::WalSinceVersion) {
        // Then the program is what changed.
        case.against(60);
    }
    if facts.number(1032) && elsewhere {
        case.speaks(36, "SQLITE_READONLY_DBMOVED: an open file got another inode");
    }
    let harmed = facts.corrupt() || facts.says_any(&[Sign::LostData, Sign::StaleContent]);
    if facts.says(Sign::OtherLocalClean) && facts.on_class(FileSystem::is_local) && harmed {
        case.speaks(66, "another file system of the same machine does well under the same load");
    }
    let writes_alone = !facts.several() && (!facts.wal() || facts.says(Sign::ComparedElsewhere));
    if facts.says(Sign::ReadsBackWrong) && writes_alone {
        let points = if facts.on_class(FileSystem::is_vm_share) { 40 } else { 58 };
        case.speaks(points, "one program reads back other bytes than it wrote");
    }
    if facts.says(Sign::ComparedElsewhere) && writes_alone {
        case.speaks(45, "the same program was compared on two file systems, and one is wrong");
    }
    if facts.says(Sign::InodeChanged) && !facts.on_class(FileSystem::is_local) {
        case.speaks(44, "a file system has to keep the inode of an open file");
    }
    let wrong = facts.corrupt() || facts.says_any(&[Sign::LostData, Sign::StaleContent]);
    if facts.on(FileSystem::OtherFuse) && wrong && !facts.several() {
        case.speaks(58, "a FUSE file system with one opener has damaged the file");
    }
    let local = facts.file_system.is_none_or(FileSystem::is_local);
    if facts.number(522) && local {
        case.speaks(35, "a short read of a local file with one kernel should not happen");
    }
}

//! The application, a sandbox, an old SQLite, a missing directory for temporary files.
//!
//! On a local file system with one kernel locks and maps are real: "database is locked" is then
//! contention, and a failing open a policy. The guard against blaming the file system too often.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::sqlite::result_code::ResultCode;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    let local = facts.on_class(FileSystem::is_local);
    let nowhere = facts.file_system.is_none();
    if local && facts.busy() {
        case.speaks(52, "on a local file system \"database is locked\" means contention");
    } else if local && facts.trouble() {
        case.speaks(48, "the database lies on a local file system that one kernel opens");
    }
    if nowhere && facts.busy() {
        case.speaks(24, "where no share is involved, a lock means that another connection works");
    }
    if facts.readonly() && !facts.says(Sign::SandboxPolicy) {
        case.against(20);
    }
    if nowhere && facts.share_denied() {
        case.speaks(40, "the text says that no share is involved");
    }
    if facts.says(Sign::ExclusiveMode) && (facts.busy() || local) {
        case.speaks(35, "the owner keeps an EXCLUSIVE lock by design");
    }
    let own = local || nowhere;
    if facts.says(Sign::SandboxPolicy) && own {
        case.speaks(50, "a sandbox or scanner stands between the program and its files");
    }
    if facts.says(Sign::ProgramDefect) && own {
        let points = if nowhere && (facts.busy() || facts.says(Sign::Slow)) { 52 } else { 42 };
        case.speaks(points, "the text points at the way the program uses SQLite");
    }
    if facts.says(Sign::SqlError) && facts.codes.iter().all(|code| code.number() == 19) {
        case.speaks(75, "the error is about a statement, not about a file");
    }
    if facts.says(Sign::SinceUpgrade) && local {
        case.speaks(12, "it began with a new version of the program");
    }
    if facts.says(Sign::CheckPassed) && own && facts.trouble() {
        case.speaks(20, "a check of the database passed");
    }
    if facts.says(Sign::ManyProcesses) && own && facts.busy() {
        let points = if local { 20 } else { 52 };
        case.speaks(points, "several processes or threads of one program contend for the lock");
    }
    if facts.says(Sign::ManyProcesses) && nowhere && !facts.busy() && facts.says(Sign::Hang) {
        case.speaks(35, "several programs wait for one another");
    }
    if facts.number(6410) || facts.number(270) || facts.says(Sign::NoTemporaryDirectory) {
        case.speaks(75, "a directory for temporary files is missing");
    }
    if facts.family(ResultCode::FULL) || facts.says(Sign::DiskFull) {
        case.speaks(60, "the disk or a quota is full");
    }
    let damaged = facts.corrupt() || facts.bare_io_error();
    if facts.says(Sign::DamagedBefore) && own && damaged {
        case.speaks(52, "a power cut or bad hardware damages files on any mount");
    }
    if facts.says(Sign::Restored) && own && facts.corrupt() {
        case.speaks(25, "the damage may have come with a restored copy");
    }
    if local && facts.says(Sign::MappedPageFault) {
        case.speaks(
            40,
            "on a local disk a mapped page goes away when a program truncates the file",
        );
    }
    if facts.family(ResultCode::LOCKED) {
        case.speaks(60, "SQLITE_LOCKED is a conflict inside one program");
    }
    if facts.says_any(&[Sign::SingleFileMount, Sign::SidecarsGone, Sign::OwnerMismatch]) {
        case.against(30);
    }
}

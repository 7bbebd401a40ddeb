//! The application, a sandbox, an old SQLite, a missing directory for temporary files.
//!
//! On a local file system with one kernel locks and maps are real: "database is locked" is then
//! contention, and a failing open a policy. The guard against blaming the file system too often.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::sqlite::result_code::ResultCode;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    contention(facts, case);
    program(facts, case);
    resources(facts, case);
    damage(facts, case);
    if facts.says(Sign::SlowStorage) && facts.busy() {
        case.against(20);
    }
    if facts.says(Sign::NoLock) {
        case.against(30);
    }
    if facts.reads_a_live_file() {
        // Without locks the writer's part is not the program's fault.
        case.against(40);
    }
    if facts.says_any(&[Sign::KernelBug, Sign::PlatformChanged]) && !facts.busy() {
        // What turned it lies below the program.
        case.against(30);
    }
    if facts.readonly() && !facts.says(Sign::SandboxPolicy) {
        case.against(20);
    }
    let others =
        [Sign::SingleFileMount, Sign::SidecarsGone, Sign::OwnerMismatch, Sign::ReplacedWhileOpen];
    if facts.says_any(&others) {
        case.against(30);
    }
}

fn local(facts: &Facts) -> bool {
    facts.on_class(FileSystem::is_local)
}

fn nowhere(facts: &Facts) -> bool {
    facts.file_system.is_none()
}

/// No other machine serves the files.
fn own(facts: &Facts) -> bool {
    local(facts) || nowhere(facts) || facts.on(FileSystem::SyncedFolder)
}

fn contention(facts: &Facts, case: &mut Case) {
    if local(facts) && facts.busy() {
        let points = match () {
            () if facts.says(Sign::StorageStall) => 22,
            () if facts.on(FileSystem::CopyOnWrite) => 34,
            () => 52,
        };
        case.speaks(points, "on a local file system \"database is locked\" means contention");
        if facts.says(Sign::SameElsewhere) {
            case.speaks(15, "and whoever holds it locks out every other program");
        }
    } else if local(facts) && facts.trouble() {
        let points = if super::needs_facts::unexplained_damage(facts) { 36 } else { 48 };
        case.speaks(points, "the database lies on a local file system that one kernel opens");
    }
    if nowhere(facts) && facts.busy() {
        case.speaks(24, "where no share is involved, a lock means that another connection works");
    }
    if facts.on_any(&[FileSystem::WslOwnFiles, FileSystem::SyncedFolder]) && facts.busy() {
        case.speaks(40, format!("{} has real locks: another program holds them", facts.place()));
    }
    if nowhere(facts) && facts.share_denied() {
        case.speaks(40, "the text says that no share is involved");
    }
    if facts.says(Sign::OtherProgramHolds) && own(facts) && facts.busy() {
        case.speaks(40, "it goes away with another program of the same machine");
    } else if facts.says(Sign::OtherProgramHolds) && local(facts) && facts.trouble() {
        case.speaks(30, "another program of the same machine has it open");
    }
    if facts.says(Sign::ExclusiveMode) && (facts.busy() || local(facts)) {
        case.speaks(35, "the owner keeps an EXCLUSIVE lock by design");
    }
    if facts.says(Sign::ManyProcesses) && own(facts) && facts.busy() {
        let points = match (local(facts), facts.says(Sign::MountNotTold)) {
            (true, _) => 20,
            (false, true) => 38,
            (false, false) => 52,
        };
        case.speaks(points, "several processes or threads of one program contend for the lock");
    }
    let measured = facts.says(Sign::StorageStall) || facts.on(FileSystem::CopyOnWrite);
    if facts.says(Sign::ConnectionPool) && own(facts) && facts.busy() && !measured {
        case.speaks(44, "the connections of a pool wait for one another");
    }
    if facts.says(Sign::ManyProcesses) && nowhere(facts) && !facts.busy() && facts.says(Sign::Hang)
    {
        case.speaks(35, "several programs wait for one another");
    }
    if facts.family(ResultCode::LOCKED) {
        case.speaks(60, "SQLITE_LOCKED is a conflict inside one program");
    }
}

fn program(facts: &Facts, case: &mut Case) {
    let foreign = facts.on_any(&[FileSystem::NtfsFuse, FileSystem::Ntfs3, FileSystem::Fat]);
    if facts.says(Sign::SandboxPolicy) && (own(facts) || foreign) {
        case.speaks(50, "a sandbox or scanner stands between the program and its files");
    }
    if facts.says(Sign::ProgramDefect) && own(facts) {
        let felt = facts.busy() || facts.says(Sign::Slow);
        let points = if nowhere(facts) && felt { 52 } else { 42 };
        case.speaks(points, "the text points at the way the program uses SQLite");
        if facts.says(Sign::ManyProcesses) && nowhere(facts) {
            case.speaks(15, "several of its threads or processes use the database");
        }
        if facts.says(Sign::Slow) && local(facts) {
            case.speaks(30, "and a slow statement is slow on any disk");
        }
    }
    if facts.says(Sign::DriverChanged) && !facts.says(Sign::OldKernel) && facts.trouble() {
        case.speaks(54, "it came or went with a version of the SQLite library or its driver");
    }
    turns(facts, case);
    if facts.says(Sign::SchemaNotParsed) {
        case.speaks(90, "a newer SQLite made the schema than the one that reads it");
    }
    if facts.says(Sign::FailsLocallyToo) && facts.trouble() {
        case.speaks(62, "the same error comes on a local disk");
    }
    if facts.says(Sign::OldLibrary) {
        case.speaks(50, "the SQLite that is used is older than WAL");
    }
    if facts.statement_error() {
        // A table can be missing because it is still in a -wal that was left behind.
        let points = if facts.says(Sign::SidecarsGone) { 45 } else { 75 };
        case.speaks(points, "the error is about a statement, not about a file");
    }
    // An extended code that no map or lock gives, where nothing but the program has changed.
    let odd = facts.number(522) || facts.number(266) || facts.number(778);
    if facts.says(Sign::SinceUpgrade) && odd && !facts.says(Sign::PlatformChanged) {
        case.speaks(62, "it began with a new version of the program, and no map or lock failed");
    }
    if facts.says(Sign::SinceUpgrade) && local(facts) {
        case.speaks(12, "it began with a new version of the program");
    }
}

/// What made it come or go is the program.
fn turns(facts: &Facts, case: &mut Case) {
    let ails = facts.trouble() || facts.says(Sign::Slow) || facts.tone.complains;
    let platform = facts.says_any(&[Sign::PlatformChanged, Sign::WalSinceVersion]);
    if facts.says(Sign::ProgramVersion) && ails && !platform {
        let points = if own(facts) { 48 } else { 52 };
        case.speaks(points, "it came or went with a version of the program");
    }
    if facts.says(Sign::SettingDecides) && ails {
        let points = if own(facts) { 40 } else { 24 };
        case.speaks(points, "a setting of the program decides whether it fails");
    }
    if facts.says(Sign::RawAccess) && ails {
        case.speaks(62, "the program closes its file beside SQLite, which drops SQLite's locks");
    }
    if facts.says(Sign::BuildsDiffer) && ails {
        case.speaks(74, "two builds that do not agree use one file");
    }
    if facts.says(Sign::ProgramPart) {
        case.speaks(60, "a module or library of the program is missing or does not fit");
    }
}

fn resources(facts: &Facts, case: &mut Case) {
    if facts.number(6410) || facts.number(270) || facts.says(Sign::NoTemporaryDirectory) {
        case.speaks(95, "a directory for temporary files is missing");
    }
    if facts.family(ResultCode::FULL) || facts.says(Sign::DiskFull) {
        let points = if facts.on_class(FileSystem::is_remote) { 60 } else { 75 };
        case.speaks(points, "the disk or a quota is full");
    }
}

fn damage(facts: &Facts, case: &mut Case) {
    let damaged = facts.corrupt() || facts.bare_io_error();
    if facts.says(Sign::DamagedBefore) && !facts.on_class(FileSystem::is_remote) && damaged {
        case.speaks(52, "a power cut or bad hardware damages files on any mount");
    }
    if facts.says(Sign::Restored) && own(facts) && facts.corrupt() {
        case.speaks(25, "the damage may have come with a restored copy");
    }
    if facts.says(Sign::CheckPassed) && own(facts) && facts.trouble() {
        case.speaks(20, "a check of the database passed");
    }
    if facts.number(267) {
        case.speaks(40, "SQLITE_CORRUPT_VTAB: the index of a virtual table is wrong");
    }
    if local(facts) && facts.says(Sign::MappedPageFault) && !facts.says(Sign::RemovableDisk) {
        case.speaks(40, "a mapped page of a local file goes away when a program truncates it");
    }
}

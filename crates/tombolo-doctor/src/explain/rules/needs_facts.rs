//! The text lacks the facts on which an answer turns.
//!
//! Better a question than a wrong remedy: when the mount is not named, when two user-space file
//! systems are stacked, or when the sign of trouble fits too many causes.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::openers::Kernels;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::sqlite::result_code::ResultCode;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    case.speaks(18, "a short text seldom tells all");
    if facts.file_system.is_none() && facts.trouble() {
        case.speaks(30, "the text does not say on which file system the database lies");
    }
    if facts.says(Sign::MountNotTold) {
        case.speaks(28, "the mount is not named");
    }
    if facts.says(Sign::OpenersNotTold) {
        case.speaks(40, "who opens the file is not known");
    }
    if facts.says(Sign::OpenersNotTold) && facts.says(Sign::MountNotTold) {
        case.speaks(22, "neither the place nor who opens the file is told");
    }
    if facts.says(Sign::PlaceInDoubt) {
        case.speaks(86, "the text itself does not know which of two places it is");
    }
    if facts.says(Sign::FactsAskedFor) {
        case.speaks(24, "facts were asked for, and the answer is not in the text");
    }
    let local = facts.file_system.is_some_and(FileSystem::is_local);
    let told = facts.codes.len() > 1 || facts.says_any(EXPLAIN_LOCAL_ERRORS);
    if local && unexplained_damage(facts) {
        case.speaks(26, "the file was damaged on a local disk, and nothing tells by what");
    }
    if local && facts.bare_io_error() && !told {
        case.speaks(
            38,
            "a local disk gives I/O errors for many reasons, which the kernel's log tells",
        );
    }
    if facts.on(FileSystem::SandboxRoot) && facts.bare_io_error() {
        case.speaks(30, "what a platform puts under its containers is not told");
    }
    explained(facts, case);
    if unexplained(facts) {
        case.speaks(46, "the text has no error, no options and no journal mode");
    }
    if facts.on(FileSystem::UnnamedShare) {
        case.speaks(14, "the text speaks of a share, but not of which kind");
    }
    if facts.on(FileSystem::HypervisorShare) && facts.trouble() {
        case.speaks(34, "the shared folder's protocol and options are not named");
    }
    if facts.on(FileSystem::GvisorGofer) && facts.trouble() && !facts.several() {
        let telling =
            [Sign::DriverChanged, Sign::PlatformChanged, Sign::LocksRefused, Sign::SinceUpgrade];
        let points = match facts.says_any(&telling) || facts.bare_io_error() {
            true => 30,
            false => 62,
        };
        case.speaks(
            points,
            "the 9p of a gVisor sandbox proves nothing: who else mounts the volume?",
        );
    }
    let pool = facts.on(FileSystem::Shfs) && !facts.says(Sign::PoolPathTold);
    if pool && facts.trouble() && !facts.says(Sign::OwnerMismatch) {
        case.speaks(45, "the path of the pool (user share or disk) decides, and is not given");
    }
    stacked(facts, case);
    if facts.on(FileSystem::Vboxsf) && facts.codes.is_empty() && !facts.says(Sign::Wal) {
        case.speaks(40, "the text has no code of SQLite, only a program's own words");
    }
    // There is always this answer.
    case.at_least(16);
}

/// A damaged file, and nothing that damages files.
pub(super) fn unexplained_damage(facts: &Facts) -> bool {
    const DAMAGE: &[Sign] = &[
        Sign::Restored,
        Sign::SinceUpgrade,
        Sign::RawAccess,
        Sign::BuildsDiffer,
        Sign::ReplacedWhileOpen,
        Sign::OtherLocalClean,
        Sign::CheckPassed,
        Sign::FoundSound,
        Sign::LostData,
        Sign::Intermittent,
        Sign::ReadsBackWrong,
        Sign::ComparedElsewhere,
        Sign::SchemaNotParsed,
    ];
    facts.corrupt()
        && !facts.busy()
        && !facts.bare_io_error()
        && !facts.several()
        && !facts.number(267)
        && !facts.says_any(DAMAGE)
        && !facts.says_any(EXPLAIN_LOCAL_ERRORS)
}

/// What tells why a local disk gave an I/O error.
const EXPLAIN_LOCAL_ERRORS: &[Sign] = &[
    Sign::DamagedBefore,
    Sign::DiskFull,
    Sign::RemovableDisk,
    Sign::SandboxPolicy,
    Sign::KernelBug,
    Sign::PlatformChanged,
    Sign::DriverChanged,
    Sign::ProgramVersion,
    Sign::SettingDecides,
    Sign::OldKernel,
    Sign::SidecarsGone,
    Sign::SingleFileMount,
    Sign::OwnerMismatch,
    Sign::CuredByOwner,
    Sign::NoTemporaryDirectory,
    Sign::StorageStall,
    Sign::MapFailed,
    Sign::InvalidArgument,
    Sign::LocksRefused,
    Sign::PermissionDenied,
    Sign::ManyProcesses,
    Sign::FileWentAway,
    Sign::OtherProgramHolds,
];

/// What explains the trouble on any file system, so that the mount matters less.
fn explained(facts: &Facts, case: &mut Case) {
    if facts.statement_error() {
        case.against(30);
    }
    if facts.refused_only() && facts.file_system.is_none() {
        // An owner, a mode or a path explains these on any file system.
        case.against(32);
    }
    let contended = facts.busy() && facts.kernels == Kernels::One;
    let many = [Sign::ManyProcesses, Sign::OtherProgramHolds, Sign::ConnectionPool];
    if contended && facts.says_any(&many) {
        // Several programs of one kernel explain it on any file system.
        case.against(35);
    }
    if facts.says(Sign::DiskFull) || facts.family(ResultCode::FULL) {
        case.against(30);
    }
    if facts.family(ResultCode::LOCKED) {
        // A conflict inside one program, wherever its file lies.
        case.against(35);
    }
    let told = [
        Sign::SandboxPolicy,
        Sign::DamagedBefore,
        Sign::DriverChanged,
        Sign::ExclusiveMode,
        Sign::NoTemporaryDirectory,
        Sign::OldLibrary,
        Sign::PlatformChanged,
        Sign::KernelBug,
        Sign::ProgramVersion,
        Sign::SettingDecides,
        Sign::RawAccess,
        Sign::BuildsDiffer,
        Sign::ProgramPart,
    ];
    if facts.says_any(&told) && facts.file_system.is_none() {
        // These explain it on any file system.
        case.against(25);
    }
    let untold = facts.says(Sign::MountNotTold);
    if facts.on(FileSystem::UnnamedShare) && facts.wal() && facts.trouble() {
        // Whatever its protocol, a share is no place for WAL.
        case.against(if untold { 22 } else { 30 });
    }
    if facts.says(Sign::LostWithContainer) {
        case.against(30);
    }
    if facts.several() || facts.says(Sign::NoLock) {
        // Then the kind of mount matters less.
        case.against(30);
    }
}

/// Something does not work on a share, and that is all.
fn unexplained(facts: &Facts) -> bool {
    const TELLING: &[Sign] = &[
        Sign::Corrupt,
        Sign::LostData,
        Sign::StaleContent,
        Sign::EmptyDatabase,
        Sign::Hang,
        Sign::Slow,
        Sign::WorksSlowly,
        Sign::StorageStall,
        Sign::MappedPageFault,
        Sign::Stale,
        Sign::FailsAfterWhile,
        Sign::RebootCures,
        Sign::LockService,
        Sign::LocksRefused,
        Sign::MapFailed,
        Sign::InvalidArgument,
        Sign::LocalLocks,
        Sign::NoByteRangeLocks,
        Sign::CuredWithoutLocks,
        Sign::CuredByOwner,
        Sign::PermissionDenied,
        Sign::OwnerMismatch,
        Sign::WrongPath,
        Sign::PlatformChanged,
        Sign::SoftMount,
        Sign::UserSpaceNfsServer,
        Sign::FlockOff,
        Sign::NfsVersion3,
        Sign::NfsVersion4,
        Sign::ErrorNamed,
        Sign::NotWritable,
        Sign::RightsAreRight,
        Sign::SinceReboot,
        Sign::MappedStore,
        Sign::ReplacedWhileOpen,
    ];
    // A write that fails is the sign of SMB.
    let writes = facts.on(FileSystem::Smb) && facts.says(Sign::DatabaseTrouble);
    facts.on_class(FileSystem::is_remote)
        && !facts.on(FileSystem::Lustre)
        && !writes
        && facts.bare()
        && !facts.several()
        && !facts.tone.praises
        && !facts.tone.asks
        && !facts.says_any(TELLING)
}

fn stacked(facts: &Facts, case: &mut Case) {
    let layers =
        [FileSystem::Mergerfs, FileSystem::Gluster, FileSystem::Sshfs, FileSystem::ObjectStore];
    let stacked = layers.iter().filter(|kind| facts.file_systems.contains(kind)).count() > 1;
    if stacked && !facts.bare_io_error() {
        case.speaks(55, "two user-space file systems are stacked: which one refuses?");
    }
}

//! Which ways out fit a set of findings on this machine, and in which order.

use super::Situation;
use super::fill::Fill;
use crate::knowledge::{self, MountFacts};
use tombolo_core::finding::Code;
use tombolo_core::report::{ContainerRuntime, HeaderMode, KernelCount, Machine, Reach, RemedyId};

/// The ways out for these findings, best first.
///
/// 1. Each finding names its ways; those that cannot work on this machine are left out, and so is
///    what is safe for one kernel only when several are known to open the database.
/// 2. What saves data that is in danger comes first, then what mends the cause itself (a full
///    disk, a wrong owner, a silent lock service).
/// 3. Then what is safe for several kernels, and after it what is safe for one kernel only. When
///    one kernel alone opens the database, both are equally safe.
/// 4. Among equally safe ones the least effort comes first, then the order of the findings.
#[must_use]
pub fn for_codes(codes: &[Code], situation: &Situation) -> Vec<RemedyId> {
    let mut found: Vec<RemedyId> = Vec::new();
    for id in codes.iter().flat_map(|code| ways(*code)) {
        if !found.contains(id) && applies(*id, situation) && !seen_to_fail(*id, codes) {
            found.push(*id);
        }
    }
    let several = Fill::new(situation).maybe_several();
    found.sort_by_key(|id| (tier(*id, situation, several), effort(*id)));
    found
}

/// Shared maps are refused: WAL mode cannot open.
const NO_SHARED_MEMORY: &[RemedyId] = &[
    RemedyId::NinePCacheMmap,
    RemedyId::MergerfsCacheFiles,
    RemedyId::BranchPath,
    RemedyId::NamedVolume,
    RemedyId::OneProcessWal,
    RemedyId::LeaveWal,
    RemedyId::MoveLocal,
    RemedyId::SplitDatabaseFromMedia,
    RemedyId::OneKernel,
    RemedyId::OtherProtocol,
    RemedyId::BlockVolume,
    RemedyId::ServerDatabase,
];

/// Shared maps show wrong bytes.
const UNTRUE_SHARED_MEMORY: &[RemedyId] = &[
    RemedyId::NamedVolume,
    RemedyId::MoveLocal,
    RemedyId::OneProcessWal,
    RemedyId::LeaveWal,
    RemedyId::MmapOff,
    RemedyId::BlockVolume,
    RemedyId::ReportToVendor,
];

/// Locks are refused.
const NO_LOCKS: &[RemedyId] = &[
    RemedyId::LustreFlock,
    RemedyId::NamedVolume,
    RemedyId::MoveLocal,
    RemedyId::SplitDatabaseFromMedia,
    RemedyId::RunWhereFileLives,
    RemedyId::BlockVolume,
];

/// The step from SHARED to EXCLUSIVE is refused, as on SMB.
const NO_UPGRADE: &[RemedyId] = &[
    RemedyId::NamedVolume,
    RemedyId::MoveLocal,
    RemedyId::SplitDatabaseFromMedia,
    RemedyId::BlockVolume,
    RemedyId::ServerDatabase,
    RemedyId::LocalPlusBackup,
];

/// Other kernels reach the path.
const OTHER_KERNELS: &[RemedyId] = &[
    RemedyId::OneKernel,
    RemedyId::RunWhereFileLives,
    RemedyId::Serve,
    RemedyId::NamedVolume,
    RemedyId::MoveLocal,
    RemedyId::DatabasePerKernel,
    RemedyId::ServerDatabase,
];

/// The ways out of one finding, the likeliest first.
fn ways(code: Code) -> &'static [RemedyId] {
    use RemedyId as R;
    match code {
        Code::SharedMapRefused | Code::SessionWalFails | Code::WalDatabaseStuck => NO_SHARED_MEMORY,
        Code::SharedMapIncoherent => UNTRUE_SHARED_MEMORY,
        Code::LocksUnsupported => NO_LOCKS,
        Code::LockServiceMissing => {
            &[R::NfsLockService, R::MoveLocal, R::SplitDatabaseFromMedia, R::BlockVolume]
        }
        Code::LockUpgradeRefused => NO_UPGRADE,
        Code::LocksNotExclusive | Code::LockQueryUntrue => {
            &[R::DropMaskingOption, R::MoveLocal, R::NamedVolume, R::BlockVolume, R::ReportToVendor]
        }
        Code::LocksMasked => &[R::DropMaskingOption, R::OneKernel, R::MoveLocal, R::ServerDatabase],
        Code::LocksStayLocal
        | Code::SeveralKernels
        | Code::PeerLocksApart
        | Code::PeerDataStale
        | Code::PeerMapsApart
        | Code::PeerCommitsLost
        | Code::PeerLocksFail
        | Code::PeerNamesLate
        | Code::PeerNotExclusive => OTHER_KERNELS,
        Code::PeerOneKernel | Code::PeerNotFenced => &[],
        Code::ExclusiveCreateNotAtomic
        | Code::RenameNotAtomic
        | Code::UnlinkedFileLost
        | Code::FileSizeStale => {
            &[R::MoveLocal, R::NamedVolume, R::OtherProtocol, R::ReportToVendor]
        }
        Code::HardLinkRefused | Code::DirectorySyncFails => &[],
        Code::FileSyncFails => &[R::RescueCopy, R::Remount, R::MoveLocal, R::ReportToVendor],
        Code::FileSyncTooFast => &[R::ReportToVendor],
        Code::SlowStorage => &[R::BusyTimeout, R::TuneStorage, R::MoveLocal],
        Code::ReadOnly => &[R::SnapshotCopy, R::FixOwnership],
        Code::NotWritable | Code::SidecarOwnerDiffers => &[R::FixOwnership],
        Code::PathMissing => &[R::FixPath],
        Code::SingleFileMount => &[R::MountDirectory],
        Code::NoSpace => &[R::FreeSpace],
        Code::MountHung | Code::StaleHandle => &[R::Remount, R::MoveLocal],
        Code::MountDeleted => &[R::SnapshotCopy, R::Remount],
        Code::LookRefused | Code::DecoyDirectory => &[R::CollectFacts],
        Code::SessionWalExclusiveFails | Code::SessionUnixExclFails => {
            &[R::MoveLocal, R::NamedVolume, R::DetailedLogging]
        }
        Code::SessionRollbackFails => {
            &[R::MoveLocal, R::NamedVolume, R::SplitDatabaseFromMedia, R::DetailedLogging]
        }
        Code::SessionCorrupts => &[R::RescueCopy, R::MoveLocal, R::NamedVolume, R::ReportToVendor],
        Code::HeaderDamaged | Code::SizeMismatch | Code::WalDamaged | Code::SuperJournalMissing => {
            &[R::RescueCopy]
        }
        Code::WalIndexInconsistent | Code::JournalHot => &[R::OneKernel, R::RescueCopy],
        Code::SidecarOrphaned | Code::SidecarDeletedOpen => &[R::KeepSidecars, R::RescueCopy],
        Code::WalLarge => &[R::LookAtApplication, R::TuneStorage],
        Code::WalResetBug => &[R::UpgradeSqlite],
        Code::KnownRisk => &[R::NamedVolume, R::MoveLocal, R::OneKernel, R::LocalPlusBackup],
    }
}

/// Whether probes or sessions showed that a way does not work here.
fn seen_to_fail(id: RemedyId, codes: &[Code]) -> bool {
    let has = |code| codes.contains(&code);
    match id {
        RemedyId::OneProcessWal => {
            has(Code::SessionWalExclusiveFails) && has(Code::SessionUnixExclFails)
        }
        // It leaves WAL mode by way of EXCLUSIVE, and a rollback journal needs locks.
        RemedyId::LeaveWal => [
            Code::SessionRollbackFails,
            Code::SessionWalExclusiveFails,
            Code::LockUpgradeRefused,
            Code::LocksUnsupported,
            Code::LockServiceMissing,
        ]
        .into_iter()
        .any(has),
        _ => false,
    }
}

/// Whether a way can work here at all. What is not known speaks for it, except that a way for one
/// file system needs that file system.
fn applies(id: RemedyId, situation: &Situation) -> bool {
    let several = situation.several_kernels_open == Some(true);
    if several && reach(id) == Reach::OneKernel {
        return false;
    }
    let filesystem = situation.filesystem.as_deref().unwrap_or_default();
    let row = situation.knowledge.as_deref().unwrap_or_default();
    match id {
        RemedyId::NinePCacheMmap => {
            let foreign = ["9p-gvisor", "9p-wsl2-drvfs", "9p-legacy"].contains(&row)
                || matches!(
                    situation.machine,
                    Some(Machine::Gvisor | Machine::Wsl1 | Machine::Wsl2)
                );
            let maps = situation
                .options
                .iter()
                .any(|option| knowledge::option_holds("cache=mmap|loose|fscache|&0x4", option));
            filesystem == "9p" && !foreign && !maps
        }
        RemedyId::MergerfsCacheFiles => filesystem == "fuse.mergerfs",
        RemedyId::BranchPath => matches!(filesystem, "fuse.mergerfs" | "fuse.shfs"),
        RemedyId::LustreFlock => filesystem == "lustre",
        RemedyId::NfsLockService => matches!(filesystem, "nfs" | "nfs4"),
        RemedyId::LeaveWal => may_be_in_wal_mode(situation),
        // With a rollback journal, locks that reach all kernels do.
        RemedyId::Serve => may_be_in_wal_mode(situation) && Fill::new(situation).maybe_several(),
        RemedyId::OneProcessWal => situation.one_process != Some(false),
        RemedyId::NamedVolume => has_volumes(situation),
        RemedyId::DropMaskingOption => {
            let options = &situation.options;
            let facts = MountFacts { filesystem, options, ..MountFacts::default() };
            !knowledge::masking_options(&facts).is_empty()
        }
        RemedyId::BlockVolume | RemedyId::OtherProtocol | RemedyId::RunWhereFileLives => {
            situation.reach != Some(KernelCount::One)
        }
        _ => true,
    }
}

fn may_be_in_wal_mode(situation: &Situation) -> bool {
    !matches!(
        situation.journal_mode,
        Some(HeaderMode::Rollback | HeaderMode::Empty | HeaderMode::Unreadable)
    )
}

/// Named volumes help where a container tool runs, in the VM or on the host.
fn has_volumes(situation: &Situation) -> bool {
    let tool = matches!(
        situation.container,
        Some(
            ContainerRuntime::Docker
                | ContainerRuntime::Podman
                | ContainerRuntime::Containerd
                | ContainerRuntime::Kubernetes
        )
    );
    tool || situation.machine == Some(Machine::DockerDesktop)
}

/// For how many kernels a way is safe, as its page says.
fn reach(id: RemedyId) -> Reach {
    super::build(id, &Situation::default()).reach
}

fn tier(id: RemedyId, situation: &Situation, several: bool) -> u8 {
    use RemedyId as R;
    let filesystem = situation.filesystem.as_deref();
    match id {
        // Without nobrl no rollback journal works on SMB: the option goes after the database went.
        R::DropMaskingOption if matches!(filesystem, Some("cifs" | "smb3")) => 3,
        R::SnapshotCopy | R::KeepSidecars | R::RescueCopy => 0,
        R::FreeSpace
        | R::FixPath
        | R::FixOwnership
        | R::MountDirectory
        | R::Remount
        | R::LustreFlock
        | R::NfsLockService
        | R::DropMaskingOption
        | R::UpgradeSqlite => 1,
        R::ReportToVendor | R::DetailedLogging | R::CollectFacts => 4,
        other if several && reach(other) == Reach::OneKernel => 3,
        _ => 2,
    }
}

/// How much work a way is: 1 a setting, 2 a mount, 3 moving files, 4 another service.
fn effort(id: RemedyId) -> u8 {
    use RemedyId as R;
    match id {
        R::NinePCacheMmap | R::MergerfsCacheFiles | R::MmapOff | R::BusyTimeout => 1,
        R::OneProcessWal | R::LeaveWal | R::BranchPath | R::SnapshotCopy | R::KeepSidecars => 2,
        R::NamedVolume | R::MoveLocal | R::SplitDatabaseFromMedia | R::OneKernel => 3,
        R::RunWhereFileLives | R::Serve | R::DatabasePerKernel | R::LocalPlusBackup => 4,
        R::TuneStorage | R::OtherProtocol | R::BlockVolume => 5,
        R::ServerDatabase => 6,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(filesystem: &str) -> Situation {
        Situation {
            filesystem: Some(filesystem.to_owned()),
            reach: Some(KernelCount::Several),
            ..Situation::default()
        }
    }

    fn names(codes: &[Code], situation: &Situation) -> Vec<&'static str> {
        for_codes(codes, situation).into_iter().map(RemedyId::as_str).collect()
    }

    #[test]
    fn every_danger_and_fault_has_a_way_out() {
        let quiet = [
            Code::HardLinkRefused,
            Code::DirectorySyncFails,
            Code::PeerOneKernel,
            Code::PeerNotFenced,
        ];
        for code in Code::ALL.iter().filter(|code| !quiet.contains(code)) {
            let masked = *code == Code::LocksMasked;
            let mut situation = on(if masked { "nfs" } else { "ext4" });
            situation.options = vec!["nolock".to_owned()];
            assert!(!for_codes(&[*code], &situation).is_empty(), "{code}");
        }
    }

    #[test]
    fn several_openers_get_nothing_that_needs_one_kernel() {
        let mut situation = on("9p");
        situation.several_kernels_open = Some(true);
        for id in for_codes(Code::ALL, &situation) {
            assert_eq!(reach(id), Reach::SeveralKernels, "{}", id.as_str());
        }
    }

    #[test]
    fn what_is_safe_for_several_kernels_comes_first_until_one_is_known_to_open() {
        let mut situation = on("9p");
        let codes = [Code::SharedMapRefused];
        assert_eq!(names(&codes, &situation)[0], "MOVE_LOCAL");
        situation.several_kernels_open = Some(false);
        assert_eq!(
            names(&codes, &situation)[..3],
            ["9P_CACHE_MMAP", "ONE_PROCESS_WAL", "LEAVE_WAL"]
        );
        situation.options = vec!["cache=0x5".to_owned()];
        assert!(!names(&codes, &situation).contains(&"9P_CACHE_MMAP"));
    }

    #[test]
    fn a_way_for_one_file_system_is_offered_there_only() {
        for id in [
            RemedyId::NinePCacheMmap,
            RemedyId::MergerfsCacheFiles,
            RemedyId::LustreFlock,
            RemedyId::NfsLockService,
        ] {
            assert!(!for_codes(Code::ALL, &on("ext4")).contains(&id), "{}", id.as_str());
        }
        let mut gvisor = on("9p");
        gvisor.machine = Some(Machine::Gvisor);
        assert!(!for_codes(Code::ALL, &gvisor).contains(&RemedyId::NinePCacheMmap));
        assert!(for_codes(&[Code::LockServiceMissing], &on("nfs"))[0] == RemedyId::NfsLockService);
    }

    #[test]
    fn nobrl_goes_after_the_database_went_and_nolock_at_once() {
        for (filesystem, option, first) in
            [("cifs", "nobrl", "MOVE_LOCAL"), ("nfs", "nolock", "DROP_MASKING_OPTION")]
        {
            let mut situation = on(filesystem);
            situation.options = vec![option.to_owned()];
            let names = names(&[Code::LocksMasked], &situation);
            let at = |name: &str| names.iter().position(|one| *one == name);
            assert!(at("DROP_MASKING_OPTION").is_some());
            let before = at(first).min(at("DROP_MASKING_OPTION"));
            assert_eq!(at(first), before, "{names:?}");
        }
    }

    #[test]
    fn endangered_data_comes_before_everything() {
        let codes = [Code::SharedMapRefused, Code::SidecarDeletedOpen, Code::NotWritable];
        let names = names(&codes, &on("fuse.mergerfs"));
        // Stopping the programs, as a rescue does first, would lose what is in the deleted files.
        assert_eq!(names[..3], ["KEEP_SIDECARS", "RESCUE_COPY", "FIX_OWNERSHIP"]);
    }

    #[test]
    fn an_owner_is_offered_where_several_kernels_share_a_database_in_wal_mode() {
        let mut situation = on("9p");
        situation.journal_mode = Some(HeaderMode::Wal);
        situation.several_kernels_open = Some(true);
        for code in [Code::SeveralKernels, Code::PeerCommitsLost, Code::LocksStayLocal] {
            let names = names(&[code], &situation);
            let at = |name: &str| names.iter().position(|one| *one == name).unwrap_or(usize::MAX);
            assert!(at("SERVE") < at("DATABASE_PER_KERNEL").min(at("SERVER_DB")), "{names:?}");
            assert!(at("ONE_KERNEL") < at("SERVE"), "{names:?}");
        }
        situation.several_kernels_open = Some(false);
        assert!(!names(&[Code::SeveralKernels], &situation).contains(&"SERVE"));
        situation.several_kernels_open = Some(true);
        situation.journal_mode = Some(HeaderMode::Rollback);
        assert!(!names(&[Code::SeveralKernels], &situation).contains(&"SERVE"));
    }

    #[test]
    fn a_database_that_is_not_in_wal_mode_need_not_leave_it() {
        let mut situation = on("9p");
        situation.journal_mode = Some(HeaderMode::Rollback);
        assert!(!for_codes(&[Code::SessionWalFails], &situation).contains(&RemedyId::LeaveWal));
    }

    #[test]
    fn a_way_that_was_seen_to_fail_is_not_recommended() {
        let names = |codes: &[Code]| names(codes, &on("9p"));
        let mut codes = vec![Code::SessionWalFails, Code::SessionWalExclusiveFails];
        assert!(names(&codes).contains(&"ONE_PROCESS_WAL"));
        assert!(!names(&codes).contains(&"LEAVE_WAL"));
        codes.push(Code::SessionUnixExclFails);
        assert!(!names(&codes).contains(&"ONE_PROCESS_WAL"));
        let codes = [Code::SessionWalFails, Code::SessionRollbackFails];
        assert!(names(&codes).contains(&"ONE_PROCESS_WAL"));
        assert!(!names(&codes).contains(&"LEAVE_WAL"));
        let refused = [Code::SessionWalFails, Code::LockUpgradeRefused];
        assert!(!names(&refused).contains(&"LEAVE_WAL"));
    }
}

//! Which ways out fit the causes, and which advice to warn against.

use super::Cause;
use super::cause::CauseCode;
use super::facts::{Facts, Journal};
use super::openers::Kernels;
use super::sign::{FileSystem, Sign};
use crate::remedy::{self, Situation};
use tombolo_core::report::{
    ContainerRuntime, HeaderMode, KernelCount, Machine, Remedy, RemedyId, Warning,
};

/// Ways out named at most.
const REMEDIES_NAMED: usize = 6;

/// The ways out for the likely causes, best first. The second cause has its say when it is near.
pub(super) fn choose(facts: &Facts, causes: &[Cause]) -> Vec<Remedy> {
    if causes.first().is_some_and(|cause| cause.code == CauseCode::Healthy) {
        return Vec::new();
    }
    let leader = causes.first().map_or(0.0, |cause| cause.confidence);
    let near = causes.iter().take(2).filter(|cause| cause.confidence * 3.0 >= leader);
    let mut ids: Vec<RemedyId> = Vec::new();
    for id in near.flat_map(|cause| ways_out(cause.code, facts)) {
        if !ids.contains(&id) && ids.len() < REMEDIES_NAMED {
            ids.push(id);
        }
    }
    let situation = situation(facts);
    ids.into_iter().map(|id| remedy::build(id, &situation)).collect()
}

/// The ways out of one cause. What is safe for one kernel only is not offered where several open
/// the file.
fn ways_out(code: CauseCode, facts: &Facts) -> Vec<RemedyId> {
    use RemedyId::*;
    let one = !matches!(facts.kernels, Kernels::Several | Kernels::Maybe);
    let mut ids = match code {
        CauseCode::WalOverRemote => {
            vec![
                MoveLocal,
                SplitDatabaseFromMedia,
                BlockVolume,
                OneProcessWal,
                LeaveWal,
                ServerDatabase,
            ]
        }
        CauseCode::MmapRefused => refused_map(facts),
        CauseCode::MultiKernel => {
            vec![OneKernel, DatabasePerKernel, RunWhereFileLives, Serve, ServerDatabase]
        }
        CauseCode::SmbLockUpgrade => {
            vec![MoveLocal, SplitDatabaseFromMedia, NamedVolume, BlockVolume, ServerDatabase]
        }
        CauseCode::LocksUnsupported => match facts.file_system {
            Some(FileSystem::Lustre) => vec![LustreFlock, MoveLocal, SplitDatabaseFromMedia],
            Some(FileSystem::WslFromWindows) => vec![RunWhereFileLives, SnapshotCopy],
            _ => vec![MoveLocal, NamedVolume, SplitDatabaseFromMedia],
        },
        CauseCode::NfsLockService => vec![NfsLockService, MoveLocal, SplitDatabaseFromMedia],
        CauseCode::MmapIncoherent => vec![NamedVolume, MoveLocal, MmapOff, OneProcessWal, LeaveWal],
        CauseCode::NotFilesystem => not_filesystem(facts),
        CauseCode::Latency if facts.says(Sign::SoftMount) => {
            vec![DropMaskingOption, MoveLocal, SplitDatabaseFromMedia]
        }
        CauseCode::Latency => vec![TuneStorage, BusyTimeout],
        CauseCode::NeedsFacts => vec![CollectFacts, DetailedLogging],
        CauseCode::SidecarSplit if facts.says(Sign::SingleFileMount) => vec![MountDirectory],
        CauseCode::SidecarSplit => vec![KeepSidecars],
        CauseCode::PermissionOrPath => vec![FixOwnership, FixPath],
        CauseCode::LocksMasked => {
            vec![OneKernel, MoveLocal, BlockVolume, DropMaskingOption, ServerDatabase]
        }
        CauseCode::ObjectStore => vec![LocalPlusBackup, MoveLocal, ServerDatabase],
        CauseCode::StaleHandle => vec![Remount, MoveLocal, NamedVolume],
        CauseCode::ReadOnlyWal => vec![SnapshotCopy, FixOwnership],
        CauseCode::Healthy => vec![],
        CauseCode::VendorBug => vec![ReportToVendor, MoveLocal, DetailedLogging],
    };
    if !one {
        ids.retain(|id| {
            !matches!(id, OneProcessWal | LeaveWal | NinePCacheMmap | DropMaskingOption)
        });
    }
    if facts.corrupt() && code != CauseCode::Healthy {
        ids.insert(0, RescueCopy);
    }
    ids
}

fn refused_map(facts: &Facts) -> Vec<RemedyId> {
    use RemedyId::*;
    let mut ids = Vec::new();
    match facts.file_system {
        Some(FileSystem::NineP) => ids.push(NinePCacheMmap),
        Some(FileSystem::Mergerfs) => ids.extend([MergerfsCacheFiles, BranchPath]),
        Some(FileSystem::Virtiofs | FileSystem::DesktopShare) => ids.push(NamedVolume),
        _ => {}
    }
    ids.extend([OneProcessWal, LeaveWal, MoveLocal, SplitDatabaseFromMedia]);
    ids
}

fn not_filesystem(facts: &Facts) -> Vec<RemedyId> {
    use RemedyId::*;
    if facts.says(Sign::DiskFull) {
        return vec![FreeSpace];
    }
    let mut ids = vec![LookAtApplication];
    if facts.busy() {
        ids.push(BusyTimeout);
    }
    ids.push(DetailedLogging);
    ids
}

fn situation(facts: &Facts) -> Situation {
    let line = facts
        .mounts
        .lines
        .iter()
        .find(|line| Some(line.kind) == facts.file_system)
        .or(facts.mounts.lines.first());
    let filled = |text: &String| (!text.is_empty()).then(|| text.clone());
    Situation {
        database: facts.database.clone(),
        filesystem: line
            .map(|line| line.fstype.clone())
            .or_else(|| facts.file_system.and_then(fstype).map(str::to_owned)),
        mount_point: line.and_then(|line| filled(&line.mount_point)),
        source: line.and_then(|line| filled(&line.source)),
        options: line.map(|line| line.options.clone()).unwrap_or_default(),
        reach: facts.file_system.map(|kind| match kind.is_local() {
            true => KernelCount::One,
            false => KernelCount::Several,
        }),
        several_kernels_open: match facts.kernels {
            Kernels::Several => Some(true),
            Kernels::One => Some(false),
            Kernels::Maybe | Kernels::NotTold => None,
        },
        machine: facts.file_system.and_then(machine),
        container: container(facts),
        application: facts.application.clone(),
        one_process: facts.says(Sign::OneProcess).then_some(true),
        journal_mode: match facts.journal {
            Journal::Wal => Some(HeaderMode::Wal),
            Journal::Rollback => Some(HeaderMode::Rollback),
            Journal::NotTold => None,
        },
        ..Situation::default()
    }
}

/// The commonest type of this kind, as it stands in mountinfo.
fn fstype(kind: FileSystem) -> Option<&'static str> {
    Some(match kind {
        FileSystem::Nfs => "nfs",
        FileSystem::Smb => "cifs",
        FileSystem::NineP | FileSystem::GvisorGofer | FileSystem::WindowsDriveInWsl => "9p",
        FileSystem::Virtiofs => "virtiofs",
        FileSystem::DesktopShare => "fakeowner",
        FileSystem::Sshfs => "fuse.sshfs",
        FileSystem::Mergerfs => "fuse.mergerfs",
        FileSystem::Shfs => "fuse.shfs",
        FileSystem::Vboxsf => "vboxsf",
        FileSystem::Vmhgfs => "fuse.vmhgfs-fuse",
        FileSystem::Lustre => "lustre",
        FileSystem::Gluster => "fuse.glusterfs",
        FileSystem::CephFs => "ceph",
        FileSystem::Ntfs3 => "ntfs3",
        FileSystem::NtfsFuse => "fuseblk",
        FileSystem::Fat => "exfat",
        FileSystem::Jffs2 => "jffs2",
        _ => return None,
    })
}

fn machine(kind: FileSystem) -> Option<Machine> {
    match kind {
        FileSystem::DesktopShare => Some(Machine::DockerDesktop),
        FileSystem::WindowsDriveInWsl => Some(Machine::Wsl2),
        FileSystem::GvisorGofer => Some(Machine::Gvisor),
        FileSystem::Vboxsf => Some(Machine::VirtualBox),
        _ => None,
    }
}

fn container(facts: &Facts) -> Option<ContainerRuntime> {
    let told = [
        (Sign::Kubernetes, ContainerRuntime::Kubernetes),
        (Sign::Podman, ContainerRuntime::Podman),
        (Sign::Container, ContainerRuntime::Docker),
    ];
    told.into_iter().find(|(sign, _)| facts.says(*sign)).map(|(_, runtime)| runtime)
}

/// Advice to warn against; none where the file system is not in question.
pub(super) fn warnings(facts: &Facts, best: CauseCode) -> Vec<Warning> {
    let elsewhere = best == CauseCode::NotFilesystem && facts.file_system.is_none();
    if best == CauseCode::Healthy || elsewhere {
        return Vec::new();
    }
    remedy::warnings(&situation(facts))
}

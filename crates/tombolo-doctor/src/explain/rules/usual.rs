//! What a place and a symptom usually mean, counted over collected reports.
//!
//! The other rules read signs. Most reports have few, and then the base rates decide, above all
//! which cause is named second. The points are small: one clear sign outweighs them.

use super::Case;
use crate::explain::cause::CauseCode;
use crate::explain::facts::Facts;
use crate::explain::openers::Kernels;
use crate::explain::sign::{FileSystem, Sign};
use tombolo_core::sqlite::result_code::ResultCode;

type Asks = fn(&Facts) -> bool;

/// Where, what goes wrong, what it usually is, how many points, and why.
type Row = (Asks, Asks, CauseCode, i32, &'static str);

fn nfs(facts: &Facts) -> bool {
    facts.on(FileSystem::Nfs)
}

fn smb(facts: &Facts) -> bool {
    facts.on(FileSystem::Smb)
}

fn remote(facts: &Facts) -> bool {
    facts.on_class(FileSystem::is_remote)
}

fn vm_share(facts: &Facts) -> bool {
    facts.on_class(FileSystem::is_vm_share) || facts.on(FileSystem::Sshfs)
}

fn local(facts: &Facts) -> bool {
    facts.on_class(FileSystem::is_local)
}

fn desktop(facts: &Facts) -> bool {
    facts.on_any(&[FileSystem::DesktopShare, FileSystem::Virtiofs])
}

fn gofer(facts: &Facts) -> bool {
    facts.on(FileSystem::GvisorGofer)
}

fn bucket(facts: &Facts) -> bool {
    facts.on(FileSystem::ObjectStore)
}

fn slow(facts: &Facts) -> bool {
    facts.says_any(&[Sign::Slow, Sign::WorksSlowly])
}

fn fuse(facts: &Facts) -> bool {
    facts.on(FileSystem::OtherFuse)
}

fn pool(facts: &Facts) -> bool {
    facts.on(FileSystem::Shfs)
}

fn synced(facts: &Facts) -> bool {
    facts.on(FileSystem::SyncedFolder)
}

fn copied(facts: &Facts) -> bool {
    facts.on(FileSystem::CopyOnWrite)
}

/// NTFS under Linux: one kernel, real locks.
fn windows(facts: &Facts) -> bool {
    facts.on_any(&[FileSystem::Ntfs3, FileSystem::NtfsFuse])
}

fn union(facts: &Facts) -> bool {
    facts.on(FileSystem::Mergerfs)
}

fn platform(facts: &Facts) -> bool {
    facts.on(FileSystem::SandboxRoot)
}

fn flash(facts: &Facts) -> bool {
    facts.on(FileSystem::Jffs2)
}

fn redirected(facts: &Facts) -> bool {
    facts.on(FileSystem::WslFromWindows)
}

fn nowhere(facts: &Facts) -> bool {
    facts.file_system.is_none()
}

fn parallel(facts: &Facts) -> bool {
    !facts.says(Sign::MountNotTold)
        && facts.on_any(&[FileSystem::Cluster, FileSystem::Gluster, FileSystem::CephFs])
}

/// No file system is named, and nothing that could be mounted either.
fn unmounted(facts: &Facts) -> bool {
    nowhere(facts) && !facts.says_any(&[Sign::Container, Sign::Kubernetes, Sign::MountNotTold])
}

fn one_kernel(facts: &Facts) -> bool {
    facts.kernels == Kernels::One && !facts.refused_only()
}

fn shared_use(facts: &Facts) -> bool {
    facts.says(Sign::ManyProcesses) && !facts.trouble()
}

fn fails(facts: &Facts) -> bool {
    facts.trouble() || facts.says(Sign::Slow)
}

fn harmed(facts: &Facts) -> bool {
    facts.corrupt() || facts.says_any(&[Sign::LostData, Sign::StaleContent])
}

/// With one opener, or none told of: the second cause is a second one.
fn harmed_alone(facts: &Facts) -> bool {
    harmed(facts) && matches!(facts.kernels, Kernels::One | Kernels::NotTold)
}

fn fails_alone(facts: &Facts) -> bool {
    fails(facts) && !facts.several()
}

/// WAL is in play, or may be.
fn fails_in_wal(facts: &Facts) -> bool {
    fails(facts) && (!facts.rollback() || facts.corrupt()) && !facts.refused_only()
}

fn fails_in_rollback(facts: &Facts) -> bool {
    fails(facts) && facts.rollback() && !facts.corrupt() && !facts.several() && !refused(facts)
}

fn harmed_wal(facts: &Facts) -> bool {
    harmed(facts) && facts.wal()
}

fn unexplained(facts: &Facts) -> bool {
    !facts.trouble() && !facts.tone.praises && !facts.tone.asks && !facts.says(Sign::DoubtOnly)
}

fn busy(facts: &Facts) -> bool {
    facts.busy()
}

fn io_error(facts: &Facts) -> bool {
    facts.bare_io_error()
}

fn io_error_in_rollback(facts: &Facts) -> bool {
    facts.bare_io_error() && facts.rollback()
}

fn protocol(facts: &Facts) -> bool {
    facts.family(ResultCode::PROTOCOL)
}

fn invalid(facts: &Facts) -> bool {
    facts.says(Sign::InvalidArgument) && !facts.rollback()
}

fn hangs(facts: &Facts) -> bool {
    facts.says(Sign::Hang)
}

fn lost(facts: &Facts) -> bool {
    facts.says(Sign::LostData) && !facts.corrupt()
}

fn lost_in_wal(facts: &Facts) -> bool {
    lost(facts) && facts.wal()
}

fn refused(facts: &Facts) -> bool {
    facts.readonly() || facts.cannot_open()
}

fn refused_rightly(facts: &Facts) -> bool {
    refused(facts) && facts.says(Sign::RightsAreRight)
}

fn refused_wal(facts: &Facts) -> bool {
    refused(facts) && facts.wal()
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (nfs, fails_in_wal, CauseCode::WalOverRemote, 14, "most reports about SQLite on NFS end there"),
    (nfs, fails, CauseCode::NfsLockService, 16, "the other usual cause on NFS is its lock service"),
    (nfs, fails_in_rollback, CauseCode::NfsLockService, 24, "WAL is not in play, locks are"),
    (nfs, harmed_alone, CauseCode::MultiKernel, 22, "a second client often did the damage"),
    (smb, fails_alone, CauseCode::SmbLockUpgrade, 20, "on SMB most failures are refused locks"),
    (smb, harmed_alone, CauseCode::MultiKernel, 22, "a second client often did the damage"),
    (smb, io_error, CauseCode::MmapRefused, 22, "the map of -shm may be refused on SMB"),
    (smb, refused, CauseCode::PermissionOrPath, 15, "SMB fixes owner and mode at the mount"),
    (smb, fails_in_rollback, CauseCode::SmbLockUpgrade, 16, "WAL is not in play, locks are"),
    (remote, harmed_alone, CauseCode::MultiKernel, 14, "other machines may open it too"),
    (remote, refused, CauseCode::PermissionOrPath, 6, "servers map users and modes"),
    (parallel, fails_alone, CauseCode::LocksUnsupported, 20, "locks are optional there"),
    (vm_share, harmed_alone, CauseCode::MultiKernel, 24, "the host may open the file too"),
    (vm_share, harmed, CauseCode::MmapIncoherent, 10, "maps and reads differ on such shares"),
    (vm_share, io_error, CauseCode::MmapIncoherent, 20, "such shares lose mapped pages"),
    (desktop, busy, CauseCode::NotFilesystem, 24, "locks work there within one VM"),
    (vm_share, busy, CauseCode::LocksUnsupported, 20, "locks of such shares are incomplete"),
    (vm_share, io_error_in_rollback, CauseCode::LocksUnsupported, 24, "WAL's map is not in play"),
    (vm_share, protocol, CauseCode::LocksUnsupported, 24, "locks of such shares are incomplete"),
    (vm_share, invalid, CauseCode::MmapRefused, 24, "a refused map answers so"),
    (vm_share, hangs, CauseCode::LocksUnsupported, 18, "a lock request may never be answered"),
    (gofer, busy, CauseCode::LocksUnsupported, 22, "sandbox kernels have lacked lock commands"),
    (gofer, harmed, CauseCode::MultiKernel, 22, "another sandbox may mount the volume"),
    (vm_share, refused_rightly, CauseCode::VendorBug, 22, "owner and mode are right"),
    (windows, busy, CauseCode::NotFilesystem, 24, "one kernel with real locks: a program holds it"),
    (windows, harmed, CauseCode::NotFilesystem, 22, "files are damaged by programs and disks too"),
    (windows, io_error, CauseCode::NotFilesystem, 20, "a full or failing disk gives it too"),
    (union, busy, CauseCode::NotFilesystem, 24, "locks of a pool are those of the one kernel"),
    (union, harmed, CauseCode::MmapRefused, 20, "programs call a refused map corruption"),
    (platform, busy, CauseCode::NotFilesystem, 22, "most locks are held by a program"),
    (platform, harmed, CauseCode::NotFilesystem, 18, "files are damaged by programs too"),
    (flash, harmed, CauseCode::NotFilesystem, 20, "flash chips wear out and lose power"),
    (pool, harmed, CauseCode::VendorBug, 16, "the pool's own layer may be at fault"),
    (redirected, harmed, CauseCode::MultiKernel, 22, "the other side may open the file too"),
    (local, lost, CauseCode::NotFilesystem, 22, "mostly the program did not write them"),
    (local, lost_in_wal, CauseCode::SidecarSplit, 24, "in WAL mode the newest are in -wal"),
    (nowhere, hangs, CauseCode::NotFilesystem, 20, "mostly a program waits for another"),
    (gofer, io_error, CauseCode::MmapRefused, 24, "sandboxes have refused shared maps"),
    (bucket, busy, CauseCode::LocksUnsupported, 22, "buckets have no locks"),
    (bucket, slow, CauseCode::Latency, 20, "each commit uploads whole objects"),
    (fuse, fails_in_rollback, CauseCode::LocksUnsupported, 22, "many FUSE servers have no locks"),
    (fuse, busy, CauseCode::LocksUnsupported, 22, "many FUSE servers have no locks"),
    (fuse, fails, CauseCode::VendorBug, 15, "each FUSE server is a file system of its own"),
    (pool, io_error, CauseCode::MmapRefused, 24, "user-space pools often refuse shared maps"),
    (pool, harmed, CauseCode::MmapIncoherent, 22, "maps and reads can differ on such pools"),
    (pool, busy, CauseCode::Latency, 22, "disks of a pool sleep, and parity is slow"),
    (synced, fails, CauseCode::NotFilesystem, 22, "the program that copies holds files open"),
    (copied, harmed, CauseCode::VendorBug, 19, "copy-on-write file systems had bugs of their own"),
    (local, busy, CauseCode::Latency, 20, "a slow disk keeps locks for long"),
    (local, harmed_wal, CauseCode::SidecarSplit, 24, "in WAL mode the file is only a part"),
    (local, refused, CauseCode::PermissionOrPath, 14, "mostly the owner or the path is wrong"),
    (local, refused_wal, CauseCode::SidecarSplit, 10, "in WAL mode the file is only a part"),
    (local, refused_wal, CauseCode::ReadOnlyWal, 19, "a reader of a WAL database has to write"),
    (local, unexplained, CauseCode::NotFilesystem, 17, "on a local disk it is mostly the program"),
    (unmounted, busy, CauseCode::NotFilesystem, 10, "the text speaks of no mount at all"),
    (unmounted, shared_use, CauseCode::NotFilesystem, 20, "several programs use one database"),
    (nowhere, one_kernel, CauseCode::NotFilesystem, 22, "one kernel opens it, on whatever it lies"),
    (nowhere, busy, CauseCode::NotFilesystem, 12, "most locks are held by a program"),
    (nowhere, io_error, CauseCode::MmapRefused, 22, "a bare I/O error is often a refused map"),
    (nowhere, io_error, CauseCode::NotFilesystem, 19, "a full or failing disk gives it too"),
    (nowhere, harmed, CauseCode::NotFilesystem, 19, "files are damaged by programs and disks too"),
    (nowhere, harmed_wal, CauseCode::SidecarSplit, 24, "in WAL mode the file is only a part"),
    (nowhere, refused_wal, CauseCode::SidecarSplit, 20, "in WAL mode the file is only a part"),
    (nowhere, refused_wal, CauseCode::ReadOnlyWal, 24, "a reader of a WAL database has to write"),
];

/// Adds what the base rates say for one cause.
pub(super) fn weigh(facts: &Facts, code: CauseCode, case: &mut Case) {
    for (place, symptom, cause, points, because) in ROWS {
        if *cause == code && place(facts) && symptom(facts) {
            case.speaks(*points, *because);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_rates_are_weaker_than_any_clear_sign() {
        assert!(ROWS.iter().all(|(_, _, _, points, _)| (1..=24).contains(points)));
    }
}

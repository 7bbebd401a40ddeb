//! The ways out themselves, one function each.

mod care;
mod journal;
mod kernels;
mod mounts;
mod paths;
mod place;

use super::fill::Fill;
use tombolo_core::report::{Reach, Remedy, RemedyId, Step};

/// What every way out says besides its steps.
struct Words {
    title: &'static str,
    why: &'static str,
    cost: &'static str,
    risk: &'static str,
    undo: &'static str,
    reach: Reach,
}

impl Words {
    fn steps(self, id: RemedyId, steps: Vec<Step>) -> Remedy {
        let Words { title, why, cost, risk, undo, reach } = self;
        Remedy {
            id,
            title: title.to_owned(),
            why: why.to_owned(),
            steps,
            cost: cost.to_owned(),
            risk: risk.to_owned(),
            undo: undo.to_owned(),
            reach,
        }
    }
}

pub(super) fn build(id: RemedyId, fill: &Fill<'_>) -> Remedy {
    match id {
        RemedyId::MoveLocal => place::move_local(fill),
        RemedyId::NamedVolume => place::named_volume(fill),
        RemedyId::BlockVolume => place::block_volume(fill),
        RemedyId::SplitDatabaseFromMedia => place::split_database_from_media(fill),
        RemedyId::LocalPlusBackup => place::local_plus_backup(fill),
        RemedyId::OneProcessWal => journal::one_process_wal(fill),
        RemedyId::LeaveWal => journal::leave_wal(fill),
        RemedyId::MmapOff => journal::mmap_off(fill),
        RemedyId::BusyTimeout => journal::busy_timeout(fill),
        RemedyId::OneKernel => kernels::one_kernel(fill),
        RemedyId::DatabasePerKernel => kernels::database_per_kernel(fill),
        RemedyId::RunWhereFileLives => kernels::run_where_file_lives(fill),
        RemedyId::Serve => kernels::serve(fill),
        RemedyId::ServerDatabase => kernels::server_database(fill),
        RemedyId::NinePCacheMmap => mounts::nine_p_cache_mmap(fill),
        RemedyId::MergerfsCacheFiles => mounts::mergerfs_cache_files(fill),
        RemedyId::BranchPath => mounts::branch_path(fill),
        RemedyId::LustreFlock => mounts::lustre_flock(fill),
        RemedyId::NfsLockService => mounts::nfs_lock_service(fill),
        RemedyId::DropMaskingOption => mounts::drop_masking_option(fill),
        RemedyId::OtherProtocol => mounts::other_protocol(fill),
        RemedyId::Remount => mounts::remount(fill),
        RemedyId::MountDirectory => paths::mount_directory(fill),
        RemedyId::FixOwnership => paths::fix_ownership(fill),
        RemedyId::FixPath => paths::fix_path(fill),
        RemedyId::FreeSpace => paths::free_space(fill),
        RemedyId::SnapshotCopy => care::snapshot_copy(fill),
        RemedyId::RescueCopy => care::rescue_copy(fill),
        RemedyId::KeepSidecars => care::keep_sidecars(fill),
        RemedyId::TuneStorage => care::tune_storage(fill),
        RemedyId::UpgradeSqlite => care::upgrade_sqlite(fill),
        RemedyId::DetailedLogging => care::detailed_logging(fill),
        RemedyId::CollectFacts => care::collect_facts(fill),
        RemedyId::LookAtApplication => care::look_at_application(fill),
        RemedyId::ReportToVendor => care::report_to_vendor(fill),
    }
}

//! Can a fresh file be mapped shared and writable?
//!
//! *What SQLite needs.* It maps its `-shm` in regions of 32 KiB (`walIndexPage` in `wal.c`), after
//! it has written one byte into each page (`unixShmMap`), so that the map has room on the disk.
//!
//! *What the outcomes mean.* Refused: WAL ends in SQLITE_IOERR_SHMMAP (5386), "disk I/O error". 9p
//! without a cache says EINVAL, FUSE with direct I/O says ENODEV. Nothing is damaged by that; a map
//! that is granted and does not follow is worse, see `map_coherence`.
//!
//! *Sources.* `unixShmMap` in `os_unix.c`; `v9fs_file_mmap` and `fuse_file_mmap` in Linux.

use super::trouble::{NotRun, refused, settle};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::map::SharedMap;
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeSharedMap;

/// One region of the wal-index.
pub(super) const REGION_BYTES: usize = 32 * 1024;

pub(super) fn shared_map(directory: &Path) -> Observation {
    let judged = mapped(&directory.join("probe.map")).map(|(_, map)| judge(map.map(drop)));
    settle(KIND, judged)
}

fn judge(mapped: Result<(), Errno>) -> Observation {
    let what = "mmap(MAP_SHARED) of a fresh file of 32 KiB";
    match mapped {
        Ok(()) => Observation::new(KIND, Outcome::Holds, format!("{what} was granted")),
        Err(errno) => refused(KIND, what, errno),
    }
}

/// A fresh file of one region, and its map.
///
/// All its bytes are written first: a page without room on the disk would end the process with
/// SIGBUS, and a full disk is no lie of the file system.
pub(super) fn mapped(path: &Path) -> Result<(File, Result<SharedMap, Errno>), NotRun> {
    let file = scratch::create(path)?;
    let written = file.write_all_at(&[0; REGION_BYTES], 0);
    written.map_err(|error| NotRun::failed("pwrite", errno_of(&error)))?;
    let map = SharedMap::new(&file, REGION_BYTES);
    Ok((file, map))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, shared_map);
        not_run_without_a_directory(shared_map);
    }

    #[test]
    fn a_refusal_keeps_its_errno_and_want_of_memory_is_none() {
        for (errno, outcome) in [
            (Errno::EINVAL, Outcome::Refused),
            (Errno::ENODEV, Outcome::Refused),
            (Errno::ENOMEM, Outcome::NotRun),
        ] {
            let seen = judge(Err(errno));
            assert_eq!((seen.outcome, seen.errno), (outcome, Some(errno)));
        }
    }
}

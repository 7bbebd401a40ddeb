//! Does `fsync` of a file work, and can it have meant it?
//!
//! *What SQLite needs.* `fdatasync` of the journal, the WAL and the database orders what reaches
//! the disk; a commit that survives a power loss rests on it.
//!
//! *How it is tried.* A page is appended and the file is synced by `fsync`, a few times; once a
//! page is overwritten and synced by `fdatasync`. An append changes data, size and allocation, so
//! that a file system with a journal has to write at least twice, one after the other.
//!
//! *What the outcomes mean.* Holds says that the calls succeed, no more: whether the bytes survive
//! a power loss is not seen from here. Refused: SQLITE_IOERR_FSYNC, and what was written before may
//! be lost. `too_fast` marks a median under [`TOO_FAST_US`]: two round trips to a device take
//! longer than that even with storage-class memory behind an NVMe queue (about 10 us each), so that
//! nothing was waited for: a FUSE server without the call, overlayfs with `volatile`. File systems
//! that live in memory are exempt: they promise nothing.
//!
//! *Sources.* `full_fsync` in `os_unix.c`; `fuse_fsync` in `fs/fuse/file.c` and `ovl_fsync` in
//! `fs/overlayfs/file.c` of Linux; statfs(2).

use super::timing::{Limits, median_us, rounds, timed};
use super::trouble::{NotRun, refused, settle};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::medium::{self, Medium};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeFileSync;

/// See the module's text.
const TOO_FAST_US: i64 = 20;

const LIMITS: Limits =
    Limits { rounds: 5, time: Duration::from_millis(60), time_max: Duration::from_secs(1) };

const PAGE_BYTES: usize = 4096;

pub(super) fn file_sync(directory: &Path) -> Observation {
    settle(KIND, measure(&directory.join("probe.sync")))
}

fn measure(path: &Path) -> Result<Observation, NotRun> {
    let file = scratch::create(path)?;
    let mut failed_call = "pwrite";
    let times = rounds(LIMITS, |number| {
        failed_call = "pwrite";
        write(&file, number, b's')?;
        failed_call = "fsync";
        timed(|| file.sync_all()).map_err(|error| errno_of(&error))
    });
    let times = match times {
        Err(errno) if failed_call == "pwrite" => return Err(NotRun::failed(failed_call, errno)),
        times => times,
    };
    write(&file, 0, b'd').map_err(|errno| NotRun::failed("pwrite", errno))?;
    let data = file.sync_data().map_err(|error| errno_of(&error));
    Ok(judge(times, data, medium::of(&file).unwrap_or(Medium::Other)))
}

fn write(file: &File, page: usize, byte: u8) -> Result<(), Errno> {
    let written = file.write_all_at(&[byte; PAGE_BYTES], (page * PAGE_BYTES) as u64);
    written.map_err(|error| errno_of(&error))
}

fn judge(
    times: Result<Vec<Duration>, Errno>,
    data: Result<(), Errno>,
    medium: Medium,
) -> Observation {
    let times = match (times, data) {
        (Err(errno), _) => return refused(KIND, "fsync of a file", errno),
        (_, Err(errno)) => return refused(KIND, "fdatasync of a file", errno),
        (Ok(times), Ok(())) => times,
    };
    let median_us = median_us(&times);
    let fast = median_us < TOO_FAST_US;
    let summary = format!("fsync and fdatasync succeed, fsync in {median_us} us (median)");
    Observation::new(KIND, Outcome::Holds, summary)
        .value("median_us", median_us)
        .value("rounds", times.len() as u64)
        .value("too_fast", fast && medium != Medium::Memory)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::report::Value;

    #[test]
    fn it_holds_on_disk_and_in_memory_and_memory_is_not_too_fast() {
        let [_, memory] = on_disk_and_in_memory(Outcome::Holds, file_sync);
        assert_eq!(memory.values.get("too_fast"), Some(&Value::Flag(false)));
        not_run_without_a_directory(file_sync);
    }

    #[test]
    fn only_what_no_device_can_do_is_too_fast() {
        for (time_us, medium, too_fast) in [
            (19, Medium::Other, true),
            (20, Medium::Other, false),
            (0, Medium::Memory, false),
            (4000, Medium::Other, false),
        ] {
            let seen = judge(Ok(vec![Duration::from_micros(time_us); 5]), Ok(()), medium);
            assert_eq!(seen.outcome, Outcome::Holds);
            assert_eq!(seen.values.get("too_fast"), Some(&Value::Flag(too_fast)), "{time_us}");
        }
    }

    #[test]
    fn a_failed_sync_keeps_its_errno_and_a_full_disk_is_not_called_broken() {
        for (errno, outcome) in [
            (Errno::EIO, Outcome::Refused),
            (Errno::EINVAL, Outcome::Refused),
            (Errno::ENOSPC, Outcome::NotRun),
        ] {
            for (times, data) in [(Err(errno), Ok(())), (Ok(Vec::new()), Err(errno))] {
                let seen = judge(times, data, Medium::Other);
                assert_eq!((seen.outcome, seen.errno), (outcome, Some(errno)));
            }
        }
    }
}

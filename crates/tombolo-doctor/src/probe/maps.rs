//! Can a fresh file be mapped shared and writable, and does the map show what is written?
//!
//! SQLite maps its `-shm` in regions of 32 KiB (`walIndexPage` in `wal.c`). 9p without a cache says
//! EINVAL, FUSE with direct I/O says ENODEV. A map that is granted and does not follow `pwrite` is
//! worse than one that is refused.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::map::SharedMap;
use tombolo_os::scratch;

/// One region of the wal-index.
const REGION_BYTES: usize = 32 * 1024;

pub(super) fn shared_map(directory: &Path) -> Observation {
    mapped(EvidenceKind::ProbeSharedMap, directory, "map", |_, _| {
        let summary = "mmap(MAP_SHARED) of a fresh file of 32 KiB was granted";
        Observation::new(EvidenceKind::ProbeSharedMap, Outcome::Holds, summary)
    })
}

pub(super) fn coherence(directory: &Path) -> Observation {
    let kind = EvidenceKind::ProbeMapCoherence;
    mapped(kind, directory, "coherence", |file, map| {
        let mut seen = [0_u8];
        map.write(100, b'm');
        let read = file.read_exact_at(&mut seen, 100);
        let by_read = read.is_ok() && seen == *b"m";
        let by_map = file.write_all_at(b"w", 200).is_ok() && map.read(200) == Some(b'w');
        if by_read && by_map {
            let summary = "a map and pread/pwrite show each other's bytes at once";
            return Observation::new(kind, Outcome::Holds, summary);
        }
        let summary = format!(
            "pread {} what the map wrote, the map {} what pwrite wrote",
            if by_read { "shows" } else { "does not show" },
            if by_map { "shows" } else { "does not show" },
        );
        Observation::new(kind, Outcome::Violated, summary)
    })
}

fn mapped(
    kind: EvidenceKind,
    directory: &Path,
    name: &str,
    then: impl FnOnce(&std::fs::File, &SharedMap) -> Observation,
) -> Observation {
    let file = match scratch::create(&directory.join(name)) {
        Ok(file) => file,
        Err(error) => {
            let errno = error.errno;
            return Observation::new(kind, Outcome::NotRun, error.to_string()).errno(errno);
        }
    };
    if let Err(error) = file.write_all_at(&[0], REGION_BYTES as u64 - 1) {
        return Observation::new(kind, Outcome::NotRun, format!("pwrite: {error}"));
    }
    match SharedMap::new(&file, REGION_BYTES) {
        Ok(map) => then(&file, &map),
        Err(errno) if kind == EvidenceKind::ProbeSharedMap => {
            let summary = format!("mmap(MAP_SHARED) of a fresh file of 32 KiB: {errno}");
            Observation::new(kind, Outcome::Refused, summary).errno(errno)
        }
        Err(errno) => {
            let summary = "not measured, because shared maps are refused";
            Observation::new(kind, Outcome::NotRun, summary).errno(errno)
        }
    }
}

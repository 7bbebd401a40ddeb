//! Can a directory be synced?
//!
//! *What SQLite needs.* It syncs the directory after it created a `-journal` or `-wal`, and ignores
//! the error; with `synchronous=EXTRA`, and in commits over attached databases, it also does so
//! after it deleted one, and there the error ends the transaction.
//!
//! *What the outcomes mean.* Refused: SQLITE_IOERR_DIR_FSYNC in those two cases; EINVAL is typical
//! of shared folders of hypervisors. Not run: the directory cannot be opened or nothing can be
//! created.
//!
//! *Sources.* `unixSync`, `unixDelete` and `openDirectory` in `os_unix.c`; fsync(2).

use super::trouble::{NotRun, refused, settle};
use std::fs::File;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeDirectorySync;

pub(super) fn directory_sync(directory: &Path) -> Observation {
    settle(KIND, measure(directory))
}

fn measure(directory: &Path) -> Result<Observation, NotRun> {
    // A name that is new, so that there is something to store.
    scratch::create(&directory.join("probe.directory-sync"))?;
    let opened = File::open(directory);
    let opened = opened.map_err(|error| NotRun::failed("open of a directory", errno_of(&error)))?;
    Ok(judge(opened.sync_all().map_err(|error| errno_of(&error))))
}

fn judge(synced: Result<(), Errno>) -> Observation {
    match synced {
        Ok(()) => Observation::new(KIND, Outcome::Holds, "fsync of a directory succeeds"),
        Err(errno) => refused(KIND, "fsync of a directory", errno),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, directory_sync);
        not_run_without_a_directory(directory_sync);
    }

    #[test]
    fn a_refusal_keeps_its_errno() {
        let seen = judge(Err(Errno::EINVAL));
        assert_eq!((seen.outcome, seen.errno), (Outcome::Refused, Some(Errno::EINVAL)));
        assert_eq!(judge(Err(Errno::ENOSPC)).outcome, Outcome::NotRun);
    }
}

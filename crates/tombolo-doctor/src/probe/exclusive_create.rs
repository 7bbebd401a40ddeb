//! Does `O_CREAT|O_EXCL` have exactly one winner?
//!
//! *What SQLite needs.* Names of temporary files and super-journals are made this way, and so are
//! the lock files of many other programs.
//!
//! *What the outcomes mean.* Violated: both processes were told that they made one file. Refused:
//! neither got a fresh name, as when a request is sent twice and the second answer counts. Not run:
//! no room, read-only, or a process was late.
//!
//! *Sources.* open(2), `O_EXCL`; `unixOpen` and `unixGetTempname` in `os_unix.c`.

use super::race::race;
use super::trouble::settle;
use std::fs::File;
use std::path::Path;
use tombolo_core::report::{EvidenceKind, Observation};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeExclusiveCreate;

pub(super) fn exclusive_create(directory: &Path) -> Observation {
    let prepared = scratch::create(&directory.join("probe.exclusive"));
    let raced = prepared.map_err(Into::into).and_then(|_| {
        race(KIND, "open(O_CREAT|O_EXCL)", |_, round| {
            let created = File::create_new(directory.join(format!("probe.exclusive-{round}")));
            created.map(drop).map_err(|error| errno_of(&error))
        })
    });
    settle(KIND, raced)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::report::Outcome;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, exclusive_create);
        not_run_without_a_directory(exclusive_create);
    }
}

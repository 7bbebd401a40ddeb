//! Does `link` work, and does it have exactly one winner?
//!
//! *What SQLite needs.* Nothing. Lock files of other programs and backup tools use it, as the way
//! to an exclusive name where `O_EXCL` is not trusted.
//!
//! *What the outcomes mean.* Refused: no hard links here, typical of FAT, vmhgfs and some FUSE
//! servers (EPERM, EOPNOTSUPP, ENOSYS). Violated: both processes got one name, or a link that was
//! granted is no second name of its file.
//!
//! *Sources.* link(2); open(2), the note on `O_EXCL` and NFS.

use super::race::{Racer, race};
use super::trouble::{NotRun, refused, settle};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeHardLink;

pub(super) fn hard_link(directory: &Path) -> Observation {
    settle(KIND, measure(directory))
}

fn measure(directory: &Path) -> Result<Observation, NotRun> {
    let (first, second) = (directory.join("probe.link-first"), directory.join("probe.link-second"));
    scratch::create(&first)?;
    scratch::create(&second)?;
    let name = directory.join("probe.link");
    let linked = link(&first, &name);
    let numbers = [&first, &name].map(|path| std::fs::metadata(path).map(|file| file.ino()).ok());
    if let Some(observation) = judge(linked, numbers) {
        return Ok(observation);
    }
    race(KIND, "link", |racer, round| {
        let source = if racer == Racer::First { &first } else { &second };
        link(source, &directory.join(format!("probe.link-{round}")))
    })
}

fn link(source: &Path, name: &Path) -> Result<(), Errno> {
    std::fs::hard_link(source, name).map_err(|error| errno_of(&error))
}

/// What a single link already shows; `numbers` are the inodes of the file and of its new name.
fn judge(linked: Result<(), Errno>, numbers: [Option<u64>; 2]) -> Option<Observation> {
    match (linked, numbers) {
        (Err(errno), _) => Some(refused(KIND, "link", errno)),
        (Ok(()), [Some(file), Some(name)]) if file == name => None,
        (Ok(()), [_, None]) => {
            let summary = "link was granted, and the new name is not there";
            Some(Observation::new(KIND, Outcome::Violated, summary))
        }
        (Ok(()), _) => {
            let summary = "link was granted, and the new name is another file";
            Some(Observation::new(KIND, Outcome::Violated, summary))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, hard_link);
        not_run_without_a_directory(hard_link);
    }

    #[test]
    fn a_refusal_is_told_from_a_link_that_is_none() {
        let outcome = |linked, numbers| judge(linked, numbers).map(|seen| seen.outcome);
        assert_eq!(outcome(Err(Errno::EPERM), [Some(1), None]), Some(Outcome::Refused));
        assert_eq!(outcome(Err(Errno::EDQUOT), [Some(1), None]), Some(Outcome::NotRun));
        assert_eq!(outcome(Ok(()), [Some(1), Some(1)]), None);
        assert_eq!(outcome(Ok(()), [Some(1), Some(2)]), Some(Outcome::Violated));
        assert_eq!(outcome(Ok(()), [Some(1), None]), Some(Outcome::Violated));
    }
}

//! Does an open file live on when its name is unlinked?
//!
//! *What SQLite needs.* Temporary files are unlinked as soon as they are open; with
//! `journal_mode=DELETE` a journal is unlinked while another process may look at it, and the last
//! close of WAL unlinks `-wal` and `-shm`. What was written before and after must be read back, and
//! size, truncation and `fsync` must work.
//!
//! *How it is tried.* Once by the process that unlinked, once by another one that holds the file.
//!
//! *What the outcomes mean.* Violated: `unlink` was granted and the holder then lost its file
//! (ESTALE, ENOENT, other bytes), or the name is still there. Refused: `unlink` of an open file is
//! not allowed (EBUSY, EACCES), as on some shares, or its bytes are there and it cannot be cut any
//! more, as on QEMU's 9p (ENOENT). Not run: no room.
//!
//! *Sources.* unlink(2); `SQLITE_OPEN_DELETEONCLOSE` in `unixOpen`; tempfiles.html; microsoft/WSL
//! 40262, where `ftruncate` of an unlinked file fails.

use super::peer::beside;
use super::trouble::{NotRun, lost, refused, settle};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeUnlinkOpen;

const BEFORE: &[u8] = b"written before";
const AFTER: &[u8] = b"written after";

/// What a holder met when it used its file after the unlink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
enum Use {
    Sound,
    /// A call failed.
    Failed(String, Errno),
    /// A call succeeded with a wrong result.
    Wrong(String),
}

pub(super) fn unlink_open(directory: &Path) -> Observation {
    let measured = own(&directory.join("probe.unlink")).and_then(|observation| {
        if observation.outcome == Outcome::Holds {
            return others(&directory.join("probe.unlink-held"));
        }
        Ok(observation)
    });
    settle(KIND, measured)
}

/// The process that unlinks is the holder, as with temporary files.
fn own(path: &Path) -> Result<Observation, NotRun> {
    let file = prepared(path)?;
    let unlinked = std::fs::remove_file(path).map_err(|error| errno_of(&error));
    Ok(judge(unlinked, is_there(path), use_file(&file)))
}

/// Another process is the holder, as with journals.
fn others(path: &Path) -> Result<Observation, NotRun> {
    let file = prepared(path)?;
    beside(
        |()| use_file(&file),
        |peer| {
            let unlinked = std::fs::remove_file(path).map_err(|error| errno_of(&error));
            Ok(judge(unlinked, is_there(path), peer.ask(())?))
        },
    )
}

fn prepared(path: &Path) -> Result<File, NotRun> {
    let file = scratch::create(path)?;
    let written = file.write_all_at(BEFORE, 0);
    written.map_err(|error| NotRun::failed("pwrite", errno_of(&error)))?;
    // Where `fsync` fails anyway, a failure after the unlink tells nothing.
    file.sync_all().map_err(|error| NotRun::failed("fsync", errno_of(&error)))?;
    Ok(file)
}

fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Reads, writes, asks for the size, truncates and syncs.
fn use_file(file: &File) -> Use {
    let failed = |call: &str, error: &std::io::Error| Use::Failed(call.to_owned(), errno_of(error));
    let after_at = BEFORE.len() as u64;
    let mut seen = vec![0; BEFORE.len() + AFTER.len()];
    if let Err(error) = file.read_exact_at(&mut seen[..BEFORE.len()], 0) {
        return failed("pread", &error);
    }
    if let Err(error) = file.write_all_at(AFTER, after_at) {
        return failed("pwrite", &error);
    }
    if let Err(error) = file.sync_all() {
        return failed("fsync", &error);
    }
    if let Err(error) = file.read_exact_at(&mut seen, 0) {
        return failed("pread", &error);
    }
    if seen != [BEFORE, AFTER].concat() {
        return Use::Wrong("pread shows other bytes than were written".to_owned());
    }
    if let Err(error) = file.set_len(after_at) {
        return failed("ftruncate", &error);
    }
    match file.metadata() {
        Err(error) => failed("fstat", &error),
        Ok(status) if status.len() != after_at => Use::Wrong(format!(
            "fstat says {} bytes after a truncation to {after_at}",
            status.len()
        )),
        Ok(_) => Use::Sound,
    }
}

fn judge(unlinked: Result<(), Errno>, name_is_there: bool, used: Use) -> Observation {
    if let Err(errno) = unlinked {
        return refused(KIND, "unlink of an open file", errno);
    }
    match used {
        // The bytes were read back before: the file lives, and only this call needs its name.
        Use::Failed(call, errno) if matches!(call.as_str(), "ftruncate" | "fstat") => {
            refused(KIND, &format!("the file lives on, but {call} after unlink"), errno)
        }
        Use::Failed(call, errno) => lost(KIND, &format!("{call} after unlink"), errno),
        Use::Wrong(what) => {
            Observation::new(KIND, Outcome::Violated, format!("after unlink, {what}"))
        }
        Use::Sound if name_is_there => {
            let summary = "unlink of an open file was granted, and the name is still there";
            Observation::new(KIND, Outcome::Violated, summary)
        }
        Use::Sound => {
            let summary = "an unlinked file can be read, written, cut and synced by its holders";
            Observation::new(KIND, Outcome::Holds, summary)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, unlink_open);
        not_run_without_a_directory(unlink_open);
    }

    #[test]
    fn a_lost_file_is_a_violation_and_a_refused_unlink_is_none() {
        let failed = |errno| Use::Failed("pread".to_owned(), errno);
        for (unlinked, there, used, outcome) in [
            (Ok(()), false, Use::Sound, Outcome::Holds),
            (Ok(()), true, Use::Sound, Outcome::Violated),
            (Ok(()), false, failed(Errno::ESTALE), Outcome::Violated),
            (Ok(()), false, failed(Errno::ENOSPC), Outcome::NotRun),
            (Ok(()), false, Use::Wrong("other bytes".to_owned()), Outcome::Violated),
            (Err(Errno::EBUSY), true, Use::Sound, Outcome::Refused),
            (Err(Errno::EROFS), true, Use::Sound, Outcome::NotRun),
        ] {
            let seen = judge(unlinked, there, used);
            assert_eq!(seen.outcome, outcome, "{seen:?}");
        }
        assert_eq!(judge(Ok(()), false, failed(Errno::ESTALE)).errno, Some(Errno::ESTALE));
        let uncut = Use::Failed("ftruncate".to_owned(), Errno::ENOENT);
        assert_eq!(judge(Ok(()), false, uncut).outcome, Outcome::Refused, "9p of QEMU");
    }

    #[test]
    fn using_a_file_finds_what_is_wrong_with_it() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let read_only = File::open(file.path()).expect("opened");
        file.as_file().write_all_at(BEFORE, 0).expect("written");
        assert!(matches!(use_file(&read_only), Use::Failed(call, _) if call == "pwrite"));
        assert_eq!(use_file(file.as_file()), Use::Sound);
        file.as_file().write_all_at(b"other", 0).expect("written");
        assert!(matches!(use_file(file.as_file()), Use::Wrong(_)));
    }
}

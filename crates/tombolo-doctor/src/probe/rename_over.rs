//! After a rename over an open file: does the holder keep its old file, and has the name the new
//! one?
//!
//! *What SQLite needs.* It renames nothing, but databases are replaced under it: a restore, `mv`, a
//! synchroniser. A process that has the old file open must go on with the old file alone; mixed
//! pages of two files are a damaged database.
//!
//! *How it is tried.* Both processes hold a file open; another is renamed over it. Then each holder
//! asks `fstat`, reads and writes through its descriptor, and the name is opened afresh. Last, one
//! process opens the name again and again while the other renames over it.
//!
//! *What the outcomes mean.* Violated: the holder sees the new file, an error or another inode, its
//! write reached the new file, or the name still shows the old bytes. Refused: rename over an open
//! file is not allowed, as on some shares of Windows. Two things are only noted: what `stat` says
//! of the name's inode (`name_has_new_inode`), by which SQLite finds replaced files; and whether
//! the name was missing for a moment (`name_was_missing`), which libfuse's hiding of open files
//! does, and which is found by luck.
//!
//! *Sources.* rename(2); `verifyDbFile` and `fileHasMoved` in `os_unix.c`; howtocorrupt.html,
//! section 2.5; `hide_node` in libfuse's `lib/fuse.c`. gocryptfs answers ENOENT to a holder whose
//! file was renamed over.

use super::lock_script::open_again;
use super::peer::beside;
use super::trouble::{NotRun, lost, refused, settle};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeRenameOver;

const OLD: u8 = b'o';
const NEW: u8 = b'n';
const WRITTEN: u8 = b'w';

/// Where a holder writes after the rename, beside the byte that tells the files apart.
const WRITTEN_AT: u64 = 1;

/// Renames while the other process looks for the name, and the time for it.
const RENAMES: u32 = 32;
const TIME: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Ask {
    Before,
    After,
    /// Renames over the name until enough was done.
    Replace,
}

/// What one look through a descriptor or at the name showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Look {
    inode: u64,
    byte: u8,
}

type Looked = Result<Look, Errno>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    NotSeen,
    Seen,
}

/// What a holder saw.
#[derive(Clone, Copy, Debug)]
struct Holder {
    before: Look,
    after: Looked,
    /// The answer to its write after the rename; part of `after` if it cannot even be read.
    wrote: Result<(), Errno>,
}

/// Everything that was seen.
#[derive(Clone, Debug)]
struct Seen {
    renamed: Result<(), Errno>,
    holders: Vec<Holder>,
    new_inode: u64,
    /// Through the name, opened afresh after the holders wrote.
    name: Looked,
    /// What stands where the holders wrote.
    name_written: Result<u8, Errno>,
    stat_inode: Option<u64>,
    /// Whether the name was missing at a moment while it was renamed over.
    gap: Gap,
}

pub(super) fn rename_over(directory: &Path) -> Observation {
    settle(KIND, measure(directory))
}

fn measure(directory: &Path) -> Result<Observation, NotRun> {
    let name = directory.join("probe.rename");
    let held = created(&name, OLD)?;
    let second = |ask: Ask| match ask {
        Ask::Before => (look(&held), Ok(())),
        Ask::After => (look(&held), write(&held)),
        Ask::Replace => (look(&held), replace(directory, &name)),
    };
    let begun = Instant::now();
    beside(second, |peer| {
        let own = open_again(&name)?;
        let first_before = look(&own).map_err(|errno| NotRun::failed("pread", errno))?;
        let second_before: Looked = peer.ask(Ask::Before)?.0;
        let second_before = second_before.map_err(|errno| NotRun::failed("pread", errno))?;
        let fresh = directory.join("probe.rename-new");
        let new_inode = inode(&created(&fresh, NEW)?)?;
        let renamed = std::fs::rename(&fresh, &name).map_err(|error| errno_of(&error));
        let (after, wrote) = peer.ask(Ask::After)?;
        let second = Holder { before: second_before, after, wrote };
        let first = Holder { before: first_before, after: look(&own), wrote: write(&own) };
        let opened = File::open(&name).map_err(|error| errno_of(&error));
        let mut written = [0];
        let name_written = opened.as_ref().map_err(|errno| *errno).and_then(|file| {
            file.read_exact_at(&mut written, WRITTEN_AT).map_err(|error| errno_of(&error))?;
            Ok(written[0])
        });
        let mut seen = Seen {
            renamed,
            holders: vec![first, second],
            new_inode,
            name: opened.and_then(|file| look(&file)),
            name_written,
            stat_inode: std::fs::metadata(&name).map(|file| file.ino()).ok(),
            gap: Gap::NotSeen,
        };
        // A far server would take seconds for a look that decides nothing.
        if seen.renamed.is_ok() && begun.elapsed() < TIME {
            peer.tell(Ask::Replace)?;
            seen.gap = gap(&name);
            // How far it came is no matter: the first rename was judged already.
            let _ = peer.hear()?;
        }
        Ok(judge(&seen))
    })
}

fn created(path: &Path, byte: u8) -> Result<File, NotRun> {
    let file = scratch::create(path)?;
    let written = file.write_all_at(&[byte, byte], 0);
    written.map_err(|error| NotRun::failed("pwrite", errno_of(&error)))?;
    // Where `fsync` fails anyway, a failure after the rename tells nothing.
    file.sync_all().map_err(|error| NotRun::failed("fsync", errno_of(&error)))?;
    Ok(file)
}

fn inode(file: &File) -> Result<u64, NotRun> {
    let status = file.metadata().map_err(|error| NotRun::failed("fstat", errno_of(&error)))?;
    Ok(status.ino())
}

fn look(file: &File) -> Looked {
    let mut byte = [0];
    let inode = file.metadata().map_err(|error| errno_of(&error))?.ino();
    file.read_exact_at(&mut byte, 0).map_err(|error| errno_of(&error))?;
    Ok(Look { inode, byte: byte[0] })
}

/// Writes through, because a cache can take what the server will refuse.
fn write(file: &File) -> Result<(), Errno> {
    let written = file.write_all_at(&[WRITTEN], WRITTEN_AT).and_then(|()| file.sync_all());
    written.map_err(|error| errno_of(&error))
}

/// Renames fresh files over the name for a while. What fails here was judged before.
fn replace(directory: &Path, name: &Path) -> Result<(), Errno> {
    let begun = Instant::now();
    for number in 0..RENAMES {
        let fresh = directory.join(format!("probe.rename-{number}"));
        // Empty ones: ext4 and others start to write the content out when it replaces a file.
        File::create_new(&fresh).map_err(|error| errno_of(&error))?;
        std::fs::rename(&fresh, name).map_err(|error| errno_of(&error))?;
        if begun.elapsed() > TIME {
            break;
        }
    }
    File::create_new(directory.join("probe.rename-end")).map(drop).map_err(|error| errno_of(&error))
}

/// Opens the name until the other process has done. ESTALE and the like are no gap: the kernel
/// gives up after one more look where a name changes faster than a server answers.
fn gap(name: &Path) -> Gap {
    let end = name.with_file_name("rename-end");
    let begun = Instant::now();
    while begun.elapsed() < TIME + TIME && !end.exists() {
        if File::open(name).is_err_and(|error| errno_of(&error) == Errno::ENOENT) {
            return Gap::Seen;
        }
    }
    Gap::NotSeen
}

fn judge(seen: &Seen) -> Observation {
    if let Err(errno) = seen.renamed {
        return refused(KIND, "rename over an open file", errno);
    }
    let violated = |summary: &str| Observation::new(KIND, Outcome::Violated, summary);
    for holder in &seen.holders {
        match (holder.after, holder.wrote) {
            (Err(errno), _) => return lost(KIND, "reading the old file after the rename", errno),
            (_, Err(errno)) => return lost(KIND, "writing the old file after the rename", errno),
            (Ok(after), _) if after.byte != holder.before.byte => {
                return violated("a holder of the old file reads other bytes after the rename");
            }
            (Ok(after), _) if after.inode != holder.before.inode => {
                return violated("a holder's descriptor shows another inode after the rename");
            }
            (Ok(_), Ok(())) => {}
        }
    }
    match (seen.name, seen.name_written) {
        (Err(errno), _) | (_, Err(errno)) => {
            return lost(KIND, "opening the name after the rename", errno);
        }
        (Ok(Look { byte: NEW, .. }), Ok(NEW)) => {}
        (Ok(Look { byte: NEW, .. }), Ok(_)) => {
            return violated("what a holder wrote to the old file stands in the new one");
        }
        (Ok(_), _) => {
            return violated("the name still shows the old file's bytes when opened anew");
        }
    }
    let summary = "after a rename over an open file its holders keep the old file and the name has \
                   the new one";
    Observation::new(KIND, Outcome::Holds, summary)
        .value("name_has_new_inode", seen.stat_inode == Some(seen.new_inode))
        .value("name_was_missing", seen.gap == Gap::Seen)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::report::Value;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        for seen in on_disk_and_in_memory(Outcome::Holds, rename_over) {
            assert_eq!(seen.values.get("name_has_new_inode"), Some(&Value::Flag(true)));
        }
        not_run_without_a_directory(rename_over);
    }

    fn sound() -> Seen {
        let old = Look { inode: 1, byte: OLD };
        let holder = Holder { before: old, after: Ok(old), wrote: Ok(()) };
        Seen {
            renamed: Ok(()),
            holders: vec![holder, holder],
            new_inode: 2,
            name: Ok(Look { inode: 2, byte: NEW }),
            name_written: Ok(NEW),
            stat_inode: Some(2),
            gap: Gap::NotSeen,
        }
    }

    type Spoil = fn(&mut Seen);

    #[test]
    fn each_lie_is_a_violation() {
        assert_eq!(judge(&sound()).outcome, Outcome::Holds);
        let spoils: [(&str, Spoil); 7] = [
            ("new bytes", |seen| seen.holders[1].after = Ok(Look { inode: 1, byte: NEW })),
            ("new inode", |seen| seen.holders[0].after = Ok(Look { inode: 2, byte: OLD })),
            ("unreadable", |seen| seen.holders[1].after = Err(Errno::ESTALE)),
            ("unwritable", |seen| seen.holders[1].wrote = Err(Errno::ENOENT)),
            ("mixed", |seen| seen.name_written = Ok(WRITTEN)),
            ("old name", |seen| seen.name = Ok(Look { inode: 1, byte: OLD })),
            ("no name", |seen| seen.name = Err(Errno::ENOENT)),
        ];
        for (lie, spoil) in spoils {
            let mut seen = sound();
            spoil(&mut seen);
            assert_eq!(judge(&seen).outcome, Outcome::Violated, "{lie}");
        }
    }

    #[test]
    fn a_refused_rename_keeps_its_errno_and_a_full_disk_is_none() {
        for (errno, outcome) in
            [(Errno::EACCES, Outcome::Refused), (Errno::ENOSPC, Outcome::NotRun)]
        {
            let seen = judge(&Seen { renamed: Err(errno), ..sound() });
            assert_eq!((seen.outcome, seen.errno), (outcome, Some(errno)));
        }
    }

    #[test]
    fn what_harms_no_holder_is_noted() {
        let seen = judge(&Seen { stat_inode: Some(1), gap: Gap::Seen, ..sound() });
        assert_eq!(seen.outcome, Outcome::Holds);
        assert_eq!(seen.values.get("name_has_new_inode"), Some(&Value::Flag(false)));
        assert_eq!(seen.values.get("name_was_missing"), Some(&Value::Flag(true)));
    }
}

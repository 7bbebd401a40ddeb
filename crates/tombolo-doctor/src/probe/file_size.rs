//! Does a second process see a new size and new bytes at once?
//!
//! *What SQLite needs.* It looks at the size of the database, the journal and the WAL to decide
//! what is in them, and fills what a short read lacks with zeros. A process that has the file open
//! must see what another one appended, overwrote or cut as soon as that call has returned.
//!
//! *How it is tried.* Two processes hold one file open. One changes it, the other looks at the size
//! and at every byte through its own descriptor; then the roles change. Blocks are of 1 KiB, so
//! that changes begin and end inside memory pages, and what is cut and grown again must be zeros.
//!
//! *What the outcomes mean.* Violated: a second process of this very kernel sees an old size or old
//! bytes, which SQLite takes for "malformed" or "file is not a database". Refused: a call failed.
//! Not run: no room, or a process was late.
//!
//! *Sources.* `readDbPage` in `pager.c`, `unixRead` in `os_unix.c`; howtocorrupt.html, section 2;
//! nfs(5), data and metadata coherence.

use super::lock_script::open_again;
use super::peer::beside;
use super::trouble::{NotRun, refused, settle};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeFileSize;

const BLOCK_BYTES: usize = 1024;

/// How often each process changes the file in each way.
const ROUNDS: u8 = 3;

/// After this time there is no further round: a far server would take seconds for each.
const TIME: Duration = Duration::from_millis(300);

/// A change, in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
enum Change {
    /// Appends so many blocks of this byte.
    Append(usize, u8),
    /// Fills one block with this byte.
    Overwrite(usize, u8),
    /// Cuts or grows the file to so many blocks.
    Resize(usize),
}

impl std::fmt::Display for Change {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Change::Append(count, _) => write!(formatter, "appending {count} KiB"),
            Change::Overwrite(index, _) => write!(formatter, "overwriting KiB {index}"),
            Change::Resize(count) => write!(formatter, "ftruncate to {count} KiB"),
        }
    }
}

const CHANGES: &[Change] = &[
    Change::Append(5, b'a'),
    Change::Overwrite(1, b'b'),
    Change::Resize(3),
    Change::Resize(6),
    Change::Resize(0),
];

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Step {
    Make(Change),
    Look,
}

/// A file's size and its blocks, each by the byte that fills it; `None` for a mixed one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Content {
    size_bytes: u64,
    blocks: Vec<Option<u8>>,
}

type Answer = Result<Content, Errno>;

pub(super) fn file_size(directory: &Path) -> Observation {
    settle(KIND, measure(&directory.join("probe.size")))
}

fn measure(path: &Path) -> Result<Observation, NotRun> {
    let file = scratch::create(path)?;
    let second = |step: Step| perform(&file, step);
    beside(second, |peer| {
        let file = open_again(path)?;
        follow(&mut |who, step| match who {
            Who::First => Ok(perform(&file, step)),
            Who::Second => peer.ask(step),
        })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    First,
    Second,
}

/// Has the processes change and look in turn, and compares what they see with what was written.
fn follow(
    perform: &mut dyn FnMut(Who, Step) -> Result<Answer, NotRun>,
) -> Result<Observation, NotRun> {
    let begun = Instant::now();
    let mut expected = Vec::new();
    for round in 0..ROUNDS {
        for (writer, reader) in [(Who::First, Who::Second), (Who::Second, Who::First)] {
            for change in CHANGES {
                let change = varied(*change, round);
                apply(&mut expected, change);
                if let Err(errno) = perform(writer, Step::Make(change))? {
                    return Ok(refused(KIND, &format!("{change} by one process"), errno));
                }
                if let Some(observation) = judge(change, &expected, perform(reader, Step::Look)?) {
                    return Ok(observation);
                }
            }
        }
        if begun.elapsed() > TIME {
            break;
        }
    }
    let summary = "a second process sees growth, truncation and new bytes at once";
    Ok(Observation::new(KIND, Outcome::Holds, summary))
}

/// Other bytes in each round, so that a stale block of an earlier one is not taken for a fresh one.
fn varied(change: Change, round: u8) -> Change {
    match change {
        Change::Append(count, byte) => Change::Append(count, byte + 8 * round),
        Change::Overwrite(index, byte) => Change::Overwrite(index, byte + 8 * round),
        Change::Resize(count) => Change::Resize(count),
    }
}

fn apply(blocks: &mut Vec<Option<u8>>, change: Change) {
    match change {
        Change::Append(count, byte) => blocks.resize(blocks.len() + count, Some(byte)),
        Change::Overwrite(index, byte) => {
            if let Some(block) = blocks.get_mut(index) {
                *block = Some(byte);
            }
        }
        Change::Resize(count) => blocks.resize(count, Some(0)),
    }
}

fn judge(change: Change, expected: &[Option<u8>], seen: Answer) -> Option<Observation> {
    let content = match seen {
        Ok(content) => content,
        Err(errno) => return Some(refused(KIND, "pread by a second process", errno)),
    };
    let size_bytes = (expected.len() * BLOCK_BYTES) as u64;
    let what = if content.size_bytes != size_bytes {
        format!("{} bytes instead of {size_bytes}", content.size_bytes)
    } else if content.blocks.len() != expected.len() {
        format!("{} of {} blocks", content.blocks.len(), expected.len())
    } else if let Some(index) =
        (0..expected.len()).find(|index| content.blocks.get(*index) != expected.get(*index))
    {
        format!("other bytes in block {index} than were written")
    } else {
        return None;
    };
    let summary = format!("after {change}, a second process sees {what}");
    Some(Observation::new(KIND, Outcome::Violated, summary))
}

fn perform(file: &File, step: Step) -> Answer {
    let done = match step {
        Step::Look => return look(file).map_err(|error| errno_of(&error)),
        Step::Make(Change::Append(count, byte)) => file
            .metadata()
            .and_then(|status| file.write_all_at(&vec![byte; count * BLOCK_BYTES], status.len())),
        Step::Make(Change::Overwrite(index, byte)) => {
            file.write_all_at(&[byte; BLOCK_BYTES], (index * BLOCK_BYTES) as u64)
        }
        Step::Make(Change::Resize(count)) => file.set_len((count * BLOCK_BYTES) as u64),
    };
    done.map(|()| Content { size_bytes: 0, blocks: Vec::new() }).map_err(|error| errno_of(&error))
}

/// Reads up to the end that `pread` shows, which need not be the one that `fstat` tells.
fn look(file: &File) -> std::io::Result<Content> {
    let size_bytes = file.metadata()?.len();
    let mut bytes = vec![0; 16 * BLOCK_BYTES];
    let mut filled = 0;
    loop {
        match file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    let blocks = bytes[..filled].chunks(BLOCK_BYTES).map(|block| {
        let first = *block.first()?;
        (block.len() == BLOCK_BYTES && block.iter().all(|byte| *byte == first)).then_some(first)
    });
    Ok(Content { size_bytes, blocks: blocks.collect() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, file_size);
        not_run_without_a_directory(file_size);
    }

    /// A file of which one process sees an older state in one respect.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Fault {
        Nothing,
        /// The size is the one before the last change.
        OldSize,
        /// The bytes are those before the last change.
        OldBytes,
        /// What was cut off comes back when the file grows.
        OldTail,
        /// Reads stop at the old end.
        ShortRead,
        Unreadable(Errno),
    }

    fn seen_with(fault: Fault) -> Observation {
        let (mut blocks, mut before, mut tail) = (Vec::new(), Vec::new(), Vec::new());
        follow(&mut |who, step| {
            match step {
                Step::Make(change) => {
                    before = blocks.clone();
                    apply(&mut blocks, change);
                    if before.len() > blocks.len() {
                        tail = before.clone();
                    }
                }
                Step::Look if who == Who::Second => {
                    let mut seen = blocks.clone();
                    let mut size = blocks.len();
                    match fault {
                        Fault::Nothing => {}
                        Fault::OldSize => size = before.len(),
                        Fault::OldBytes if before.len() == blocks.len() => seen = before.clone(),
                        Fault::OldBytes => {}
                        Fault::OldTail => {
                            let zeros = seen.iter_mut().enumerate();
                            for (index, block) in zeros.filter(|(_, block)| **block == Some(0)) {
                                *block = tail.get(index).copied().unwrap_or(*block);
                            }
                        }
                        Fault::ShortRead => seen.truncate(before.len()),
                        Fault::Unreadable(errno) => return Ok(Err(errno)),
                    }
                    let size_bytes = (size * BLOCK_BYTES) as u64;
                    return Ok(Ok(Content { size_bytes, blocks: seen }));
                }
                Step::Look => {}
            }
            let size_bytes = (blocks.len() * BLOCK_BYTES) as u64;
            Ok(Ok(Content { size_bytes, blocks: blocks.clone() }))
        })
        .expect("a model always answers")
    }

    #[test]
    fn every_stale_view_is_a_violation() {
        for (fault, outcome) in [
            (Fault::Nothing, Outcome::Holds),
            (Fault::OldSize, Outcome::Violated),
            (Fault::OldBytes, Outcome::Violated),
            (Fault::OldTail, Outcome::Violated),
            (Fault::ShortRead, Outcome::Violated),
            (Fault::Unreadable(Errno::ESTALE), Outcome::Refused),
            (Fault::Unreadable(Errno::ENOMEM), Outcome::NotRun),
        ] {
            let seen = seen_with(fault);
            assert_eq!(seen.outcome, outcome, "{fault:?}: {seen:?}");
        }
    }
}

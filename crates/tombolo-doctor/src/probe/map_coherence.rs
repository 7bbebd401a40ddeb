//! Do a map, `pread` and `pwrite` show the same bytes, in this process and in a second one?
//!
//! *What SQLite needs.* The wal-index lies in a shared map of `-shm`: one process writes it with
//! plain stores, the others read it with plain loads (`walTryBeginRead`, `walIndexTryHdr`), without
//! a call that could refresh a cache. With `PRAGMA mmap_size` the database itself is read by a map
//! and written by `pwrite`.
//!
//! *How it is tried.* Two processes map one file. Each writes by its map or by `pwrite`, and both
//! look by their map and by `pread`, several times at two places in different pages, so that a view
//! that was right only once, before it was cached, is found out. One process alone would prove
//! little: its page cache is its own witness. At last each stores what its map wrote (`msync`), and
//! `pread` must show it: pages of a map are dropped when memory is short, and read again.
//!
//! *What the outcomes mean.* Violated: maps disagree, or do not reach the file: rows vanish and
//! pages mix without an error. A process that is killed by SIGBUS in its map counts as that. Holds
//! with `maps_agree_with_reads` false: maps of two processes agree, which is all that the wal-index
//! needs, but a map and `pread` do not, so that `mmap_size` shows old pages; 9p with `cache=mmap`
//! was measured to be so. Not run: maps are refused, which `probe.shared-map` tells, or there was
//! no room.
//!
//! *Sources.* walformat.html, section 2; `unixShmMap` in `os_unix.c`; `fs/9p/vfs_addr.c` of Linux;
//! IBM Storage Scale, considerations for the mmap usage.

use super::lock_script::open_again;
use super::maps::{REGION_BYTES, mapped};
use super::peer::beside;
use super::trouble::{NotRun, refused, settle};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::error::errno_of;
use tombolo_os::map::SharedMap;
use tombolo_os::signal::SIGBUS;

const KIND: EvidenceKind = EvidenceKind::ProbeMapCoherence;

/// One in the first page, one in another.
const PLACES: [usize; 2] = [100, 5 * 4096 + 200];

/// In each, every place is written four times.
const ROUNDS: u8 = 2;

/// Whether a map and `pread` show the same, as `mmap_size` needs.
pub(crate) const MAPS_AGREE_WITH_READS: &str = "maps_agree_with_reads";

/// How a byte is written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
enum Way {
    Map,
    Call,
}

const WAYS: [Way; 2] = [Way::Map, Way::Call];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
enum Step {
    Write(Way, usize, u8),
    Read(Way, usize),
    /// Bring what the map wrote to the file.
    Store,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    First,
    Second,
}

/// The byte that was read or written.
type Answer = Result<u8, Errno>;

pub(super) fn coherence(directory: &Path) -> Observation {
    settle(KIND, with_signal(measure(&directory.join("probe.coherence"))))
}

/// A map that kills its reader was granted and does not hold. Any other signal came from elsewhere.
fn with_signal(measured: Result<Observation, NotRun>) -> Result<Observation, NotRun> {
    match measured {
        Err(NotRun { signal: Some(SIGBUS), .. }) => {
            let summary = "touching a map that was granted killed a process by SIGBUS";
            Ok(Observation::new(KIND, Outcome::Violated, summary))
        }
        other => other,
    }
}

fn measure(path: &Path) -> Result<Observation, NotRun> {
    let unmapped = |errno| NotRun {
        errno: Some(errno),
        ..NotRun::new("not measured, because shared maps are refused")
    };
    let (file, map) = mapped(path)?;
    let map = map.map_err(unmapped)?;
    let second = |step: Step| perform(&file, &map, step);
    beside(second, |peer| {
        let file = open_again(path)?;
        let map = SharedMap::new(&file, REGION_BYTES).map_err(unmapped)?;
        follow(&mut |who, step| match who {
            Who::First => Ok(perform(&file, &map, step)),
            Who::Second => peer.ask(step),
        })
    })
}

fn perform(file: &File, map: &SharedMap, step: Step) -> Answer {
    match step {
        Step::Write(Way::Map, place, byte) => {
            map.write(place, byte);
            Ok(byte)
        }
        Step::Write(Way::Call, place, byte) => {
            let written = file.write_all_at(&[byte], place as u64);
            written.map(|()| byte).map_err(|error| errno_of(&error))
        }
        Step::Read(Way::Map, place) => map.read(place).ok_or(Errno::EFAULT),
        Step::Read(Way::Call, place) => {
            let mut byte = [0];
            let read = file.read_exact_at(&mut byte, place as u64);
            read.map(|()| byte[0]).map_err(|error| errno_of(&error))
        }
        Step::Store => map.store().map(|()| 0),
    }
}

type Perform<'a> = dyn FnMut(Who, Step) -> Result<Answer, NotRun> + 'a;

fn follow(perform: &mut Perform<'_>) -> Result<Observation, NotRun> {
    let views = compare_views(perform)?;
    if views.outcome != Outcome::Holds {
        return Ok(views);
    }
    Ok(compare_stored(perform)?.unwrap_or(views))
}

/// What a map wrote and stored must stand in the file.
fn compare_stored(perform: &mut Perform<'_>) -> Result<Option<Observation>, NotRun> {
    for (writer, byte) in [(Who::First, b'A'), (Who::Second, b'B')] {
        for place in PLACES {
            let write = perform(writer, Step::Write(Way::Map, place, byte))?;
            if let Err(errno) = write.and(perform(writer, Step::Store)?) {
                return Ok(Some(refused(KIND, "msync of a map", errno)));
            }
            for reader in [Who::First, Who::Second] {
                if perform(reader, Step::Read(Way::Call, place))? != Ok(byte) {
                    let summary = "what a map wrote and stored (msync) is not in the file: it is \
                                   lost when the page leaves memory";
                    return Ok(Some(Observation::new(KIND, Outcome::Violated, summary)));
                }
            }
        }
    }
    Ok(None)
}

/// Each process writes in each way; after each write both look in each way.
fn compare_views(perform: &mut Perform<'_>) -> Result<Observation, NotRun> {
    let mut apart: Option<String> = None;
    let mut byte = 0;
    for _ in 0..ROUNDS {
        for writer in [Who::First, Who::Second] {
            for way in WAYS {
                for place in PLACES {
                    byte += 1;
                    if let Err(errno) = perform(writer, Step::Write(way, place, byte))? {
                        return Ok(refused(KIND, "pwrite beside a map", errno));
                    }
                    for reader in [Who::First, Who::Second] {
                        for look in WAYS {
                            let seen = perform(reader, Step::Read(look, place))?;
                            let judged = judge((writer, way), (reader, look), byte, seen);
                            match judged {
                                None => {}
                                Some(worse) if by_maps(way, look) || worse.errno.is_some() => {
                                    return Ok(worse);
                                }
                                Some(worse) => apart = apart.or(Some(worse.summary)),
                            }
                        }
                    }
                }
            }
        }
    }
    let agree = apart.is_none();
    let summary = apart.map_or_else(
        || "maps and pread/pwrite of two processes show each other's bytes at once".to_owned(),
        |apart| format!("maps of two processes agree, as WAL mode needs, but {apart}"),
    );
    Ok(Observation::new(KIND, Outcome::Holds, summary).value(MAPS_AGREE_WITH_READS, agree))
}

/// Whether a disagreement harms the wal-index. With a call on either side it harms `mmap_size`; so
/// does one between calls, since a page of the map that is written back late takes a `pwrite` away.
/// `probe.file-size` tries calls without a map.
fn by_maps(wrote: Way, look: Way) -> bool {
    (wrote, look) == (Way::Map, Way::Map)
}

fn judge(
    (writer, wrote): (Who, Way),
    (reader, look): (Who, Way),
    byte: u8,
    seen: Answer,
) -> Option<Observation> {
    let whose = if writer == reader { "the same" } else { "another" };
    let how = match wrote {
        Way::Map => "a map",
        Way::Call => "pwrite",
    };
    let shows = match look {
        Way::Map => "the map",
        Way::Call => "pread",
    };
    match seen {
        Ok(seen) if seen == byte => None,
        Ok(_) => {
            let summary =
                format!("{shows} of {whose} process does not show what {how} wrote before");
            Some(Observation::new(KIND, Outcome::Violated, summary))
        }
        Err(errno) => Some(refused(KIND, "pread beside a map", errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::report::Value;

    #[test]
    fn it_holds_on_disk_and_in_memory() {
        on_disk_and_in_memory(Outcome::Holds, coherence);
        not_run_without_a_directory(coherence);
    }

    /// Whether what a map stores stands in the file.
    #[derive(Clone, Copy)]
    enum Stored {
        Kept,
        Lost,
    }

    /// What keeps a view of its own: it shows what it wrote, and of others' writes only the first.
    fn seen_where(split: impl Fn(Who, Way) -> usize) -> Observation {
        seen_and_stored(Stored::Kept, split)
    }

    fn seen_and_stored(stored: Stored, split: impl Fn(Who, Way) -> usize) -> Observation {
        let mut views = [[0_u8; REGION_BYTES]; 4];
        let mut fresh = [true; 4];
        follow(&mut |who, step| match step {
            Step::Write(way, place, byte) => {
                let own = split(who, way);
                for (index, view) in views.iter_mut().enumerate() {
                    if index == own || fresh[index] {
                        view[place] = byte;
                    }
                }
                Ok(Ok(byte))
            }
            Step::Read(way, place) => {
                fresh[split(who, way)] = false;
                Ok(Ok(views[split(who, way)][place]))
            }
            Step::Store => {
                if matches!(stored, Stored::Kept) {
                    let map = views[split(who, Way::Map)];
                    views = [map; 4];
                }
                Ok(Ok(0))
            }
        })
        .expect("a model always answers")
    }

    #[test]
    fn a_view_of_ones_own_is_a_violation_wherever_it_is() {
        let one = seen_where(|_, _| 0);
        assert_eq!(one.outcome, Outcome::Holds, "{one:?}");
        let by_process = seen_where(|who, _| usize::from(who == Who::First));
        assert_eq!(by_process.outcome, Outcome::Violated);
        assert!(by_process.summary.contains("another process"), "{by_process:?}");
        let by_way = seen_where(|_, way| usize::from(way == Way::Map));
        assert_eq!(by_way.outcome, Outcome::Holds, "9p with cache=mmap: {by_way:?}");
        assert_eq!(by_way.values.get(MAPS_AGREE_WITH_READS), Some(&Value::Flag(false)));
        assert!(by_way.summary.contains("does not show what"), "{by_way:?}");
        let lost = seen_and_stored(Stored::Lost, |_, way| usize::from(way == Way::Map));
        assert_eq!(lost.outcome, Outcome::Violated);
        assert!(lost.summary.contains("leaves memory"), "{lost:?}");
        let one_map = seen_where(|who, way| usize::from((who, way) == (Who::Second, Way::Map)));
        assert_eq!(one_map.outcome, Outcome::Violated);
        assert!(one_map.summary.contains("the map of another process"), "{one_map:?}");
    }

    #[test]
    fn a_map_that_kills_is_a_violation_and_a_process_that_was_killed_is_none() {
        let killed = with_signal(Err(NotRun::killed(SIGBUS))).map(|seen| seen.outcome);
        assert_eq!(killed, Ok(Outcome::Violated));
        assert!(with_signal(Err(NotRun::killed(9))).is_err());
    }

    #[test]
    fn an_error_is_a_refusal_and_no_lie() {
        let seen = follow(&mut |_, step| {
            Ok(match step {
                Step::Write(_, _, byte) => Ok(byte),
                Step::Read(..) | Step::Store => Err(Errno::EIO),
            })
        });
        let seen = seen.expect("measured");
        assert_eq!((seen.outcome, seen.errno), (Outcome::Refused, Some(Errno::EIO)));
    }
}

//! Do SQLite's byte-range locks exclude a second process?
//!
//! The bytes are those of SQLite's file-locking (`os.h`: PENDING_BYTE at 1 GiB, RESERVED behind it,
//! 510 SHARED bytes) and of the `-shm` (`wal.c`: 120 to 128). The probe asks with a second process,
//! because POSIX locks never conflict within one.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_core::sqlite::lock_bytes;
use tombolo_os::error::errno_of;
use tombolo_os::lock::{self, Family, Range, Strength};
use tombolo_os::{scratch, worker};

const KIND: EvidenceKind = EvidenceKind::ProbePosixLocks;

const RANGES: &[(&str, Range)] = &[
    ("PENDING", range(lock_bytes::PENDING, 1)),
    ("RESERVED", range(lock_bytes::RESERVED, 1)),
    ("SHARED", range(lock_bytes::SHARED_FIRST, lock_bytes::SHARED_BYTES)),
    ("WAL 120-127", range(lock_bytes::WAL_WRITE, 8)),
    ("DMS 128", range(lock_bytes::DEAD_MAN_SWITCH, 1)),
];

const fn range(start: u64, length: u64) -> Range {
    Range { start: start.cast_signed(), length: length.cast_signed() }
}

/// A peer that needs longer than this for one call is taken to hang.
const PEER_TIME: Duration = Duration::from_secs(5);

pub(super) fn posix(directory: &Path) -> Observation {
    let path = directory.join("locks");
    let file = match scratch::create(&path) {
        Ok(file) => file,
        Err(error) => {
            let errno = error.errno;
            return Observation::new(KIND, Outcome::NotRun, error.to_string()).errno(errno);
        }
    };
    for (name, range) in RANGES {
        if let Err(errno) = lock::set(&file, Family::Posix, Strength::Exclusive, *range) {
            let summary = format!("fcntl(F_SETLK) on {name}: {errno}");
            return Observation::new(KIND, Outcome::Refused, summary).errno(errno);
        }
        match peer_tries(&path, *range) {
            Peer::Excluded => {}
            Peer::Granted => {
                let summary = format!("a second process was granted {name} while we held it");
                return Observation::new(KIND, Outcome::Violated, summary);
            }
            Peer::Failed(errno) => {
                let summary = format!("a second process asking for {name}: {errno}");
                return Observation::new(KIND, Outcome::Refused, summary).errno(errno);
            }
            Peer::Silent => {
                let summary = format!("the second process gave no answer on {name}");
                return Observation::new(KIND, Outcome::NotRun, summary);
            }
        }
    }
    let summary = "POSIX locks on all of SQLite's byte ranges exclude a second process";
    Observation::new(KIND, Outcome::Holds, summary)
}

enum Peer {
    Excluded,
    Granted,
    Failed(Errno),
    Silent,
}

fn peer_tries(path: &Path, range: Range) -> Peer {
    let mut answer = Peer::Silent;
    let ran = worker::run(
        Instant::now() + PEER_TIME,
        |outbox| {
            let opened = File::options().read(true).write(true).open(path);
            let result = match opened {
                Ok(file) => lock::set(&file, Family::Posix, Strength::Exclusive, range),
                Err(error) => Err(errno_of(&error)),
            };
            outbox.send(result.map_or_else(Errno::raw, |()| 0).to_string().as_bytes());
        },
        &mut |message| {
            let number = std::str::from_utf8(message).ok().and_then(|text| text.parse().ok());
            answer = match number.map(Errno::from_raw) {
                Some(errno) if errno.raw() == 0 => Peer::Granted,
                Some(Errno::EAGAIN | Errno::EACCES) => Peer::Excluded,
                Some(errno) => Peer::Failed(errno),
                None => Peer::Silent,
            };
        },
    );
    if ran.is_err() { Peer::Silent } else { answer }
}

//! Locks between two processes, as a table of steps.
//!
//! Each step is one call, by one of the two, with what the kernel must answer. The first answer
//! that differs ends the script: a call that was refused is a *refusal*, unless it only prepares; a
//! lock that was granted twice, or a false word about a holder, is a *violation*. Both processes
//! wait for each other, so that there is nothing to lose a race against.
//!
//! Where a release may take a moment to reach a server, as with locks that are given back
//! asynchronously, a grant that must come is asked for again until [`PATIENCE`] is over.

use super::peer::beside;
use super::trouble::{NotRun, refused};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_core::sqlite::lock_bytes;
use tombolo_os::lock::{self, Family, Held, Holder, Range, Strength};
use tombolo_os::{error::errno_of, scratch};

const PATIENCE: Duration = Duration::from_millis(250);

/// Between two questions of the same kind.
const PAUSE: Duration = Duration::from_millis(2);

/// One of the two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    First,
    Second,
}

/// A range that SQLite locks, with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) name: &'static str,
    pub(super) range: Range,
}

impl Bytes {
    const fn new(name: &'static str, start: u64, length: u64) -> Self {
        let range = Range { start: start.cast_signed(), length: length.cast_signed() };
        Bytes { name, range }
    }
}

pub(super) const PENDING: Bytes = Bytes::new("PENDING", lock_bytes::PENDING, 1);
pub(super) const RESERVED: Bytes = Bytes::new("RESERVED", lock_bytes::RESERVED, 1);
/// What `posixUnlock` gives back in one call when a writer becomes a reader.
pub(super) const PENDING_RESERVED: Bytes =
    Bytes::new("PENDING and RESERVED", lock_bytes::PENDING, 2);
pub(super) const SHARED: Bytes =
    Bytes::new("SHARED", lock_bytes::SHARED_FIRST, lock_bytes::SHARED_BYTES);
pub(super) const WAL_WRITE: Bytes = Bytes::new("WAL_WRITE (120)", lock_bytes::WAL_WRITE, 1);
pub(super) const WAL_CHECKPOINT: Bytes =
    Bytes::new("WAL_CKPT (121)", lock_bytes::WAL_CHECKPOINT, 1);
pub(super) const WAL_ALL: Bytes = Bytes::new("the WAL locks (120-127)", lock_bytes::WAL_WRITE, 8);
pub(super) const WAL_READ_3: Bytes =
    Bytes::new("WAL_READ(3) (126)", lock_bytes::WAL_READ_FIRST + 3, 1);
/// What `unixFcntlExternalReader` asks about.
pub(super) const WAL_READERS: Bytes =
    Bytes::new("WAL_READ (123-127)", lock_bytes::WAL_READ_FIRST, 5);
pub(super) const DMS: Bytes = Bytes::new("DMS (128)", lock_bytes::DEAD_MAN_SWITCH, 1);
/// What `posixUnlock` gives back at the end.
pub(super) const ALL: Bytes = Bytes::new("the whole file", 0, 0);

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Set(Family, Strength, Bytes),
    /// `flock`.
    Whole(Strength),
    /// `F_GETLK` for an exclusive lock.
    Query(Bytes),
}

/// What the kernel must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    Granted,
    Excluded,
    Nobody,
    Holds(Strength),
}

/// Whether a refusal of the step is what the experiment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Preparation,
    Trial,
}

/// One call of a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) who: Who,
    pub(super) call: Call,
    pub(super) expect: Expect,
    pub(super) purpose: Purpose,
    /// The situation, as the end of a sentence.
    pub(super) when: &'static str,
}

/// What the kernel answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Answer {
    Done,
    Failed(Errno),
    Nobody,
    SharedBy(i32),
    ExclusiveBy(i32),
}

/// Plays a script on a fresh file; `sound` is what is said when every answer was right.
pub(super) fn play(
    kind: EvidenceKind,
    path: &Path,
    script: &[Step],
    sound: &str,
) -> Result<Observation, NotRun> {
    let file = scratch::create(path)?;
    let second = |index: usize| {
        script.get(index).map_or(Answer::Failed(Errno::EINVAL), |step| perform(&file, step))
    };
    beside(second, |peer| {
        let file = open_again(path)?;
        let peer_id = i32::try_from(std::os::unix::process::parent_id()).unwrap_or(0);
        let mut names_holder = None;
        let mut step_done = |index: usize, step: &Step| {
            let answer = match step.who {
                Who::First => perform(&file, step),
                Who::Second => peer.ask(index)?,
            };
            if let Answer::SharedBy(pid) | Answer::ExclusiveBy(pid) = answer {
                names_holder = Some(names_holder.unwrap_or(true) && pid == peer_id);
            }
            Ok(answer)
        };
        let observation = follow(kind, script, sound, &mut step_done)?;
        Ok(match names_holder {
            Some(names) => observation.value("names_holder", names),
            None => observation,
        })
    })
}

/// A second description of a file that was just created.
pub(super) fn open_again(path: &Path) -> Result<File, NotRun> {
    let opened = File::options().read(true).write(true).open(path);
    opened.map_err(|error| NotRun::failed("open", errno_of(&error)))
}

/// Goes through a script, up to the first answer that is wrong.
pub(super) fn follow(
    kind: EvidenceKind,
    script: &[Step],
    sound: &str,
    perform: &mut dyn FnMut(usize, &Step) -> Result<Answer, NotRun>,
) -> Result<Observation, NotRun> {
    for (index, step) in script.iter().enumerate() {
        if let Some(deviation) = judge(kind, step, perform(index, step)?) {
            return Ok(deviation);
        }
    }
    Ok(Observation::new(kind, Outcome::Holds, sound))
}

fn judge(kind: EvidenceKind, step: &Step, answer: Answer) -> Option<Observation> {
    let violated = |how: &str| {
        Some(Observation::new(kind, Outcome::Violated, format!("{}: {how}", describe(step))))
    };
    match (step.expect, answer) {
        (Expect::Granted, Answer::Done)
        | (Expect::Nobody, Answer::Nobody)
        | (Expect::Holds(Strength::Shared), Answer::SharedBy(_))
        | (Expect::Holds(Strength::Exclusive), Answer::ExclusiveBy(_)) => None,
        (Expect::Excluded, Answer::Failed(errno)) if excludes(errno) => None,
        (_, Answer::Failed(errno)) => {
            let observation = refused(kind, &describe(step), errno);
            Some(match step.purpose {
                Purpose::Trial => observation,
                Purpose::Preparation => Observation { outcome: Outcome::NotRun, ..observation },
            })
        }
        (Expect::Excluded, _) => violated("it was granted"),
        (Expect::Nobody, _) => violated("a lock is named, and there is none"),
        (Expect::Holds(_), Answer::Nobody) => violated("no lock is named, and there is one"),
        // SQLite waits for nobody then: it is told "busy" where it could have read. SMB answers so
        // after an exclusive lock was made shared in place.
        (Expect::Holds(Strength::Shared), _) => {
            let how = "the lock is shared and said to be exclusive";
            let summary = format!("{}: {how}", describe(step));
            Some(Observation::new(kind, Outcome::Refused, summary))
        }
        (Expect::Holds(_) | Expect::Granted, _) => {
            violated("the lock is exclusive and said not to be")
        }
    }
}

/// fcntl(2) allows the first two; SQLite takes the third for the same
/// (`sqliteErrorFromPosixError`).
pub(super) fn excludes(errno: Errno) -> bool {
    matches!(errno, Errno::EAGAIN | Errno::EACCES | Errno::EBUSY)
}

fn describe(step: &Step) -> String {
    let who = match step.who {
        Who::First => "the first process",
        Who::Second => "a second process",
    };
    let word = |strength| match strength {
        Strength::Shared => "F_RDLCK",
        Strength::Exclusive => "F_WRLCK",
        Strength::None => "F_UNLCK",
    };
    let call = match step.call {
        Call::Set(Family::Posix, strength, bytes) => {
            format!("fcntl(F_SETLK, {}) on {}", word(strength), bytes.name)
        }
        Call::Set(Family::OpenFile, strength, bytes) => {
            format!("fcntl(F_OFD_SETLK, {}) on {}", word(strength), bytes.name)
        }
        Call::Whole(Strength::Shared) => "flock(LOCK_SH)".to_owned(),
        Call::Whole(Strength::Exclusive) => "flock(LOCK_EX)".to_owned(),
        Call::Whole(Strength::None) => "flock(LOCK_UN)".to_owned(),
        Call::Query(bytes) => format!("fcntl(F_GETLK) on {}", bytes.name),
    };
    format!("{call} by {who}, {}", step.when)
}

/// Makes the call, again for a while where a lock that was given back is still in the way.
pub(super) fn perform(file: &File, step: &Step) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = call(file, step.call);
        let held_up = match step.expect {
            Expect::Granted => matches!(answer, Answer::Failed(errno) if excludes(errno)),
            Expect::Nobody => matches!(answer, Answer::SharedBy(_) | Answer::ExclusiveBy(_)),
            Expect::Excluded | Expect::Holds(_) => false,
        };
        if !held_up || begun.elapsed() > PATIENCE {
            return answer;
        }
        std::thread::park_timeout(PAUSE);
    }
}

fn call(file: &File, call: Call) -> Answer {
    let set = |result: Result<(), Errno>| result.map_or_else(Answer::Failed, |()| Answer::Done);
    match call {
        Call::Set(family, strength, bytes) => set(lock::set(file, family, strength, bytes.range)),
        Call::Whole(strength) => set(lock::set_whole(file, strength)),
        Call::Query(bytes) => match lock::query(file, bytes.range) {
            Err(errno) => Answer::Failed(errno),
            Ok(Holder::Nobody) => Answer::Nobody,
            Ok(Holder::Process(Held { pid, strength: Strength::Shared })) => Answer::SharedBy(pid),
            Ok(Holder::Process(Held { pid, .. })) => Answer::ExclusiveBy(pid),
        },
    }
}

#[cfg(test)]
pub(super) mod model;

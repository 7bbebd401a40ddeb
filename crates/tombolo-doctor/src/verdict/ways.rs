//! What each way of using SQLite rests on, and what the measurements say of it.
//!
//! A way is judged by the locks and calls that SQLite makes in it, and by its own trial session.

use crate::findings::Case;
use tombolo_core::report::{Evidence, EvidenceId, EvidenceKind, Mode, Outcome};

/// One way to use a mode. A mode works where one of its ways does.
pub(super) struct Way {
    /// What a program has to do, where that is not the only way.
    pub(super) name: &'static str,
    /// What it rests on; the session comes last, as it shows the whole.
    pub(super) needs: &'static [EvidenceKind],
    /// The session after which this way is not tried, as that one has shown more.
    instead_of: Option<EvidenceKind>,
}

/// The step into WAL mode takes EXCLUSIVE on the database and has a rollback journal; the first
/// opener of the `-shm` asks by F_GETLK for others (`unixLockSharedMemory` in `os_unix.c`).
const WAL: Way = Way {
    name: "a database that is put into WAL mode here",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeLockUpgrade,
        EvidenceKind::ProbeLockQuery,
        EvidenceKind::ProbeWalLocks,
        EvidenceKind::ProbeWalLockQuery,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::ProbeSharedMap,
        EvidenceKind::ProbeMapCoherence,
        EvidenceKind::SessionWal,
    ],
    instead_of: None,
};

/// Never takes EXCLUSIVE until the last close, which goes on without it (`sqlite3WalClose`).
const WAL_EXISTING: Way = Way {
    name: "a database that is in WAL mode already",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeWalLocks,
        EvidenceKind::ProbeWalLockQuery,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::ProbeSharedMap,
        EvidenceKind::ProbeMapCoherence,
        EvidenceKind::SessionWalExisting,
    ],
    instead_of: Some(EvidenceKind::SessionWal),
};

/// Locks the database once, for as long as it is open, and for writing from the start: no upgrade
/// and no query (`bProcessLock` in `os_unix.c`).
const UNIX_EXCL: Way = Way {
    name: "the VFS unix-excl",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::SessionUnixExcl,
    ],
    instead_of: None,
};

/// Goes from SHARED to EXCLUSIVE and stays there (`sqlite3PagerOpenWal`).
const EXCLUSIVE: Way = Way {
    name: "locking_mode=EXCLUSIVE before anything else",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeLockUpgrade,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::SessionWalExclusive,
    ],
    instead_of: None,
};

/// A reader asks by F_GETLK whether a journal is hot (`unixCheckReservedLock`).
const ROLLBACK: Way = Way {
    name: "any number of processes",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeLockUpgrade,
        EvidenceKind::ProbeLockQuery,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::SessionRollback,
    ],
    instead_of: None,
};

/// The ways of a mode that are to be judged.
pub(super) fn ways(case: &Case<'_>, mode: Mode) -> Vec<&'static Way> {
    let all: &[&Way] = match mode {
        Mode::Wal => &[&WAL, &WAL_EXISTING],
        Mode::WalOneProcess => &[&UNIX_EXCL, &EXCLUSIVE],
        Mode::Rollback => &[&ROLLBACK],
    };
    let is_tried = |way: &&&Way| match way.instead_of {
        None => true,
        Some(other) => worst(case, other).is_some_and(|entry| entry.outcome != Outcome::Holds),
    };
    all.iter().filter(is_tried).copied().collect()
}

/// Why a way is not proven, what was measured of it, and what would prove it.
pub(super) struct Gap {
    pub(super) because: String,
    pub(super) cited: Vec<EvidenceId>,
    pub(super) proof: &'static str,
}

/// What the measurements say of one way.
pub(super) enum State<'a> {
    Works(Vec<EvidenceId>),
    /// The first thing that was refused, and the session where it failed as well.
    Fails(Vec<&'a Evidence>),
    Open(Gap),
}

const EVERY_PROBE: &str = "a run of the doctor in which every probe can work: a writable directory \
                           with free space on this mount, as the user that runs the program";

pub(super) const OWN_LOAD: &str =
    "a long run of the program's own load on a copy, judged on a local disk";

pub(super) fn state<'a>(case: &Case<'a>, way: &Way) -> State<'a> {
    let evidence: Vec<&Evidence> = way.needs.iter().filter_map(|kind| worst(case, *kind)).collect();
    let cited = evidence.iter().map(|entry| entry.id).collect();
    let session = way.needs.last().and_then(|kind| worst(case, *kind));
    let is_refused = |entry: &&Evidence| entry.outcome == Outcome::Refused;
    if let Some(first) = evidence.iter().copied().find(is_refused) {
        // The whole worked, though one of its parts was refused: not every program may be so lucky.
        if session.is_some_and(|session| session.outcome == Outcome::Holds) {
            let because = format!("stock SQLite worked in a short trial, but {}", first.summary);
            return State::Open(Gap { because, cited, proof: OWN_LOAD });
        }
        let session = session.filter(is_refused).filter(|session| session.id != first.id);
        return State::Fails(std::iter::once(first).chain(session).collect());
    }
    let missing = way.needs.iter().find_map(|kind| match worst(case, *kind) {
        Some(entry) if entry.outcome == Outcome::Holds => None,
        Some(entry) => Some(entry.summary.clone()),
        None => Some(format!("{} was not measured", kind.as_str())),
    });
    match missing {
        Some(because) => State::Open(Gap { because, cited, proof: EVERY_PROBE }),
        None => State::Works(cited),
    }
}

/// Why a mode works, and what shows it; `None` if no way of it is known to work. Where only some
/// ways do, it says which, and what became of the others.
pub(super) fn working(states: &[(&Way, State<'_>)]) -> Option<(String, Vec<EvidenceId>)> {
    let mut cited: Vec<EvidenceId> = Vec::new();
    let (mut good, mut rest) = (Vec::new(), Vec::new());
    for (way, state) in states {
        let more = match state {
            State::Works(evidence) => {
                good.push(way.name);
                evidence.clone()
            }
            State::Fails(entries) => {
                let why = entries.first().map_or("", |entry| entry.summary.as_str());
                rest.push(format!("{} fails ({why})", way.name));
                entries.iter().map(|entry| entry.id).collect()
            }
            State::Open(gap) => {
                rest.push(format!("{} is not proven ({})", way.name, gap.because));
                Vec::new()
            }
        };
        cited.extend(more);
    }
    if good.is_empty() {
        return None;
    }
    cited.sort_unstable();
    cited.dedup();
    if rest.is_empty() {
        return Some(("everything it needs was seen to hold".to_owned(), cited));
    }
    let because = format!(
        "everything it needs was seen to hold by {}, but {}",
        good.join(" and "),
        rest.join(" and ")
    );
    Some((because, cited))
}

/// The worst result of an experiment: a promise broken once is broken.
pub(super) fn worst<'a>(case: &Case<'a>, kind: EvidenceKind) -> Option<&'a Evidence> {
    case.log.of_kind(kind).max_by_key(|entry| match entry.outcome {
        Outcome::Violated => 5,
        Outcome::Refused => 4,
        Outcome::TimedOut => 3,
        Outcome::NotRun => 2,
        Outcome::Holds => 1,
        Outcome::Noted => 0,
    })
}

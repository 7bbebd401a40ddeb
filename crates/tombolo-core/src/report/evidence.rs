//! Evidence: what was measured, observed or taken from the knowledge base.

use crate::errno::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{collections::BTreeMap, fmt};

/// Names one piece of evidence within one report: `E1`, `E2`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EvidenceId(pub u32);

impl fmt::Display for EvidenceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "E{}", self.0)
    }
}

impl Serialize for EvidenceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Where a piece of evidence comes from: the experiment or the observation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EvidenceKind { $($(#[$doc])* $variant,)* }

        impl EvidenceKind {
            /// Every kind, in the order in which the doctor works.
            pub const ALL: &'static [EvidenceKind] = &[$(EvidenceKind::$variant,)*];

            /// The stable name, as it stands in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(EvidenceKind::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// Which kernels reach the path.
    Topology = "topology",
    /// The line of the mount table.
    Mount = "mount",
    /// A fact about this file system that was not measured here.
    Knowledge = "knowledge",
    /// Path, type, owner and mode of the target.
    Path = "path",
    /// The search for databases below a directory.
    DatabaseScan = "database.scan",
    /// The database's header.
    DatabaseHeader = "database.header",
    /// The `-wal` file.
    DatabaseWal = "database.wal",
    /// The `-shm` file.
    DatabaseWalIndex = "database.wal-index",
    /// The `-journal` file.
    DatabaseJournal = "database.journal",
    /// Programs of this kernel that have the database open.
    Openers = "database.openers",
    /// A scratch directory beside the database.
    ProbeScratch = "probe.scratch",
    /// A writable shared map of a fresh file.
    ProbeSharedMap = "probe.shared-map",
    /// Shared map against `pread` and `pwrite`.
    ProbeMapCoherence = "probe.map-coherence",
    /// POSIX locks on SQLite's bytes of a database, from a second process.
    ProbePosixLocks = "probe.posix-locks",
    /// POSIX locks on SQLite's bytes of a `-shm`, from a second process.
    ProbeWalLocks = "probe.wal-locks",
    /// Open-file-description locks on all of these bytes.
    ProbeOfdLocks = "probe.ofd-locks",
    /// The step from SHARED to EXCLUSIVE on one range.
    ProbeLockUpgrade = "probe.lock-upgrade",
    /// Whether `F_GETLK` tells the truth of a database.
    ProbeLockQuery = "probe.lock-query",
    /// Whether `F_GETLK` tells the truth of a `-shm`.
    ProbeWalLockQuery = "probe.wal-lock-query",
    /// Whether locks vanish when another descriptor of the file is closed (POSIX says so).
    ProbeLockClose = "probe.lock-close",
    /// `flock`.
    ProbeFlock = "probe.flock",
    /// `O_CREAT|O_EXCL` raced by two processes.
    ProbeExclusiveCreate = "probe.exclusive-create",
    /// `link` raced by two processes.
    ProbeHardLink = "probe.hard-link",
    /// Rename over an open file.
    ProbeRenameOver = "probe.rename-over",
    /// Unlink of an open file.
    ProbeUnlinkOpen = "probe.unlink-open",
    /// Truncation and size seen by a second process.
    ProbeFileSize = "probe.file-size",
    /// `fsync` of a file.
    ProbeFileSync = "probe.file-sync",
    /// `fsync` of a directory.
    ProbeDirectorySync = "probe.directory-sync",
    /// Latency of writes, locks and `fsync`.
    ProbeLatency = "probe.latency",
    /// Stock SQLite in WAL mode, on a database that it puts into this mode.
    SessionWal = "session.wal",
    /// Stock SQLite on a database that is in WAL mode already.
    SessionWalExisting = "session.wal-existing",
    /// Stock SQLite in WAL mode with `locking_mode=EXCLUSIVE`.
    SessionWalExclusive = "session.wal-exclusive",
    /// Stock SQLite in WAL mode through the VFS `unix-excl`.
    SessionUnixExcl = "session.unix-excl",
    /// Stock SQLite with a rollback journal.
    SessionRollback = "session.rollback",
    /// Which kernels the sides of a two-sided run are under.
    PeerKernels = "peer.kernels",
    /// Whether two sides see one file.
    PeerSameFile = "peer.same-file",
    /// POSIX locks on SQLite's byte ranges, between two sides.
    PeerPosixLocks = "peer.posix-locks",
    /// The step from SHARED to EXCLUSIVE, with a reader on the other side.
    PeerLockUpgrade = "peer.lock-upgrade",
    /// Whether `F_GETLK` names a holder on the other side.
    PeerLockQuery = "peer.lock-query",
    /// Open-file-description locks, between two sides.
    PeerOfdLocks = "peer.ofd-locks",
    /// `flock`, between two sides.
    PeerFlock = "peer.flock",
    /// What one side writes, read by the other: by an open descriptor, under a lock, opened anew.
    PeerContent = "peer.content",
    /// Growth and truncation, seen by the other side.
    PeerFileSize = "peer.file-size",
    /// New, removed and replaced names, seen by the other side.
    PeerNames = "peer.names",
    /// Shared maps of one file on two sides.
    PeerMapCoherence = "peer.map-coherence",
    /// `O_CREAT|O_EXCL` raced by two sides.
    PeerExclusiveCreate = "peer.exclusive-create",
    /// `mkdir` raced by two sides.
    PeerDirectoryCreate = "peer.directory-create",
    /// `link` raced by two sides.
    PeerHardLink = "peer.hard-link",
    /// Whether a rename over a file parts it from a holder on the other side.
    PeerFencing = "peer.fencing",
    /// Times of calls on each side, and of a message there and back.
    PeerLatency = "peer.latency",
    /// Stock SQLite with a rollback journal on all sides at once.
    PeerSqliteRollback = "peer.sqlite-rollback",
    /// Stock SQLite in WAL mode on all sides at once.
    PeerSqliteWal = "peer.sqlite-wal",
    /// Stock SQLite through the VFS `unix-dotfile` on all sides at once.
    PeerSqliteDotfile = "peer.sqlite-dotfile",
}

impl EvidenceKind {
    /// The kind with this stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

impl EvidenceKind {
    /// Whether it is a session of stock SQLite.
    #[must_use]
    pub fn is_session(self) -> bool {
        matches!(self.as_str().split_once('.'), Some(("session", _)))
    }

    /// Whether it was tried together with a doctor on another side.
    #[must_use]
    pub fn is_of_peers(self) -> bool {
        matches!(self.as_str().split_once('.'), Some(("peer", _)))
    }

    /// Whether it was tried on scratch files, by this side alone: a probe or a session.
    #[must_use]
    pub fn is_experiment(self) -> bool {
        matches!(self.as_str().split_once('.'), Some(("probe" | "session", _)))
    }
}

impl Serialize for EvidenceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EvidenceKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(format!("no kind {name:?}")))
    }
}

/// How an experiment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What SQLite needs was seen to hold.
    Holds,
    /// The kernel refused the call; the errno says how. Nothing is damaged by a refusal.
    Refused,
    /// The call answered success and did not do what it must. This is what loses data.
    Violated,
    /// The experiment did not come to an end in time.
    TimedOut,
    /// The experiment did not run; the summary says why.
    NotRun,
    /// A fact that is neither good nor bad in itself.
    Noted,
}

/// One result of one experiment or observation.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Its name within the report.
    pub id: EvidenceId,
    /// The experiment.
    pub kind: EvidenceKind,
    /// How it ended.
    pub outcome: Outcome,
    /// One sentence, with the call and its answer.
    pub summary: String,
    /// The error number of the call that decided, if one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<Errno>,
    /// Figures and facts by stable names; units stand last in the name (`fsync_median_us`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
}

/// A figure or fact inside a piece of evidence.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A count, size or time; the name says the unit.
    Integer(i64),
    /// Text, already free of control characters.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// A result without a name yet: what a probe returns and an [`EvidenceLog`] numbers. It crosses the
/// pipe from the child process that found it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Observation {
    /// See [`Evidence::kind`].
    pub kind: EvidenceKind,
    /// See [`Evidence::outcome`].
    pub outcome: Outcome,
    /// See [`Evidence::summary`].
    pub summary: String,
    /// See [`Evidence::errno`].
    pub errno: Option<Errno>,
    /// See [`Evidence::values`].
    pub values: BTreeMap<String, Value>,
}

impl Observation {
    /// A result with a sentence and nothing else yet.
    #[must_use]
    pub fn new(kind: EvidenceKind, outcome: Outcome, summary: impl Into<String>) -> Self {
        Observation { kind, outcome, summary: summary.into(), errno: None, values: BTreeMap::new() }
    }

    /// Adds the error number of the deciding call.
    #[must_use]
    pub fn errno(mut self, errno: Errno) -> Self {
        self.errno = Some(errno);
        self
    }

    /// Adds a figure or fact.
    #[must_use]
    pub fn value(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(name.to_owned(), value.into());
        self
    }
}

macro_rules! value_from {
    ($($source:ty => $variant:ident,)*) => {
        $(impl From<$source> for Value {
            fn from(value: $source) -> Self { Value::$variant(value.into()) }
        })*
    };
}
value_from! { bool => Flag, i64 => Integer, i32 => Integer, u32 => Integer, u16 => Integer,
String => Text, &str => Text, Vec<String> => List, }

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// The evidence of one report, numbered in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct EvidenceLog {
    entries: Vec<Evidence>,
}

impl EvidenceLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Numbers a result and keeps it.
    pub fn record(&mut self, observation: Observation) -> EvidenceId {
        let id = EvidenceId(u32::try_from(self.entries.len() + 1).unwrap_or(u32::MAX));
        let Observation { kind, outcome, summary, errno, values } = observation;
        self.entries.push(Evidence { id, kind, outcome, summary, errno, values });
        id
    }

    /// The results of one experiment, oldest first.
    pub fn of_kind(&self, kind: EvidenceKind) -> impl Iterator<Item = &Evidence> {
        self.entries.iter().filter(move |evidence| evidence.kind == kind)
    }

    /// The last result of one experiment.
    #[must_use]
    pub fn last(&self, kind: EvidenceKind) -> Option<&Evidence> {
        self.entries.iter().rev().find(|evidence| evidence.kind == kind)
    }

    /// Everything recorded.
    #[must_use]
    pub fn entries(&self) -> &[Evidence] {
        &self.entries
    }

    /// Gives the entries away, for the report.
    #[must_use]
    pub fn into_entries(self) -> Vec<Evidence> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kinds_are_unique_and_found_again() {
        for kind in EvidenceKind::ALL {
            assert_eq!(EvidenceKind::from_name(kind.as_str()), Some(*kind));
        }
    }

    #[test]
    fn an_observation_survives_its_way_through_a_pipe() {
        let sent = Observation::new(EvidenceKind::ProbeSharedMap, Outcome::Refused, "mmap")
            .errno(Errno::EINVAL)
            .value("size_bytes", 32768)
            .value("names", vec!["a".to_owned()])
            .value("whole", true);
        let text = serde_json::to_string(&sent).expect("JSON");
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<Observation>(&text).expect("JSON"), sent);
    }

    #[test]
    fn evidence_is_numbered_from_one() {
        let mut log = EvidenceLog::new();
        let first = log.record(Observation::new(EvidenceKind::Mount, Outcome::Noted, "ext4"));
        let second = log.record(
            Observation::new(EvidenceKind::ProbeSharedMap, Outcome::Refused, "mmap")
                .errno(Errno::EINVAL)
                .value("size_bytes", 32768),
        );
        assert_eq!((first.to_string(), second.to_string()), ("E1".into(), "E2".into()));
        assert_eq!(log.last(EvidenceKind::ProbeSharedMap).map(|e| e.id), Some(second));
    }
}

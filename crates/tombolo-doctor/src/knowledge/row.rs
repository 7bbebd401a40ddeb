//! A row of the knowledge base, as it stands in `data/*.toml`.

use super::matching::{self, KernelVersion, MountFacts};
use crate::topology::Crossing;
use serde::{Deserialize, Serialize};
use tombolo_core::report::{Machine, Mode, Openers};

/// One kind of file system, told apart by the mount table, its options and the machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The stable name: `9p-qemu`.
    pub id: String,
    /// What people call it, the commonest name first.
    pub names: Vec<String>,
    /// What sort of file system it is.
    pub kind: Kind,
    /// Who else can reach the storage.
    crosses: CrossingWord,
    /// `f_type` of `statfs`, in hexadecimal.
    #[serde(default)]
    pub magic: Vec<String>,
    /// Whether that number tells this file system from others.
    #[serde(default)]
    pub magic_trust: MagicTrust,
    /// Signs by which people recognise it.
    #[serde(default)]
    pub recognise: Vec<String>,
    /// What SQLite or the kernel says when it fails here.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Whether a failed open in WAL mode cuts the `-shm` that another kernel is using.
    pub failed_open_cuts_peer: PeerCut,
    /// The verdict while every opener runs on this kernel and nobody on the far side opens.
    pub one_kernel: Words,
    /// The verdict with at least one opener elsewhere.
    pub several_kernels: Words,
    /// What the verdicts depend on, for people.
    #[serde(default)]
    pub note: String,
    /// Ways to recognise it in a mount table; without one, only [`super::row()`] reaches the row.
    #[serde(default, rename = "match")]
    pub(super) matches: Vec<Match>,
    /// What it does.
    pub facts: Facts,
    /// Options that change its behaviour.
    #[serde(default, rename = "option")]
    pub options: Vec<OptionEffect>,
    /// Hazards that a measurement does not show.
    #[serde(default, rename = "hazard")]
    pub(super) hazards: Vec<KnownRisk>,
}

impl Row {
    /// The name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().map_or(self.id.as_str(), String::as_str)
    }

    /// Who else can reach the storage.
    #[must_use]
    pub fn crossing(&self) -> Crossing<'static> {
        match self.crosses {
            CrossingWord::LocalOnly => Crossing::LocalOnly,
            CrossingWord::Host => Crossing::OtherKernel { role: "host" },
            CrossingWord::Server => Crossing::OtherKernel { role: "server" },
            CrossingWord::Nodes => Crossing::OtherKernel { role: "cluster nodes" },
            CrossingWord::NotKnown => Crossing::NotKnown,
        }
    }

    /// The hazards that fit this mount and kernel.
    #[must_use]
    pub fn hazards(&self, facts: &MountFacts<'_>) -> Vec<&KnownRisk> {
        self.hazards.iter().filter(|risk| risk.fits(facts)).collect()
    }

    /// The options of this mount that change what the row says, with their effect.
    #[must_use]
    pub fn effects(&self, facts: &MountFacts<'_>) -> Vec<&OptionEffect> {
        self.options.iter().filter(|option| option.is_set(facts)).collect()
    }

    /// The verdict for one way of using SQLite, with the mount's options taken into account.
    ///
    /// Where several options speak about one cell, the worst word stands.
    #[must_use]
    pub fn word(&self, mode: Mode, openers: Openers, facts: &MountFacts<'_>) -> Word {
        let (base, side): (&Words, fn(&OptionEffect) -> &Changes) = match openers {
            Openers::OneKernel => (&self.one_kernel, |option| &option.one_kernel),
            Openers::SeveralKernels => (&self.several_kernels, |option| &option.several_kernels),
        };
        self.effects(facts)
            .into_iter()
            .filter_map(|option| side(option).word(mode))
            .max()
            .unwrap_or_else(|| base.word(mode))
    }
}

/// What sort of file system it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A device of this kernel.
    Local,
    /// A host's directory inside a virtual machine.
    VmShared,
    /// A server's directory.
    Network,
    /// Storage of several nodes.
    Cluster,
    /// A server in user space that fits no other kind.
    Fuse,
    /// Several directories merged in user space.
    FuseUnion,
    /// A bucket shown as a directory.
    ObjectStore,
    /// A sandbox with its own kernel or lock table.
    Sandbox,
    /// Layers over other file systems.
    Overlay,
    /// An encrypting layer over another file system.
    Encrypted,
    /// Memory.
    Memory,
    /// An image that nobody writes.
    ReadOnly,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CrossingWord {
    LocalOnly,
    Host,
    Server,
    Nodes,
    NotKnown,
}

/// How far `statfs` can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MagicTrust {
    /// The number is this file system's own.
    #[default]
    Own,
    /// Many file systems show the same number (FUSE).
    Shared,
    /// The server decides what is shown (9p).
    Server,
    /// It shows the number of another file system.
    Untrue,
}

/// Whether a failed open in WAL mode cuts the `-shm` of a program under another kernel.
///
/// SQLite truncates `-shm` to three bytes before it maps it, once it sees no lock of another
/// process (`unixLockSharedMemory` in `os_unix.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerCut {
    /// Yes.
    Yes,
    /// No: locks are shared, or the open stops earlier, or there is no other kernel.
    No,
    /// Only when a mount option keeps locks local.
    LocalLocks,
    /// Probably: the server's source is closed.
    Likely,
    /// A Windows host refuses to cut a file that a Windows program maps.
    NoWhileMapped,
    /// Not known.
    Probe,
}

/// The words of the verdict, from good to bad; the order is that of [`Row::word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Everything that SQLite needs is there.
    Ok,
    /// It is, under the condition in [`Row::note`].
    OkIf,
    /// Consistent, but a crash can take committed data.
    Lossy,
    /// Not known: only a probe tells.
    Probe,
    /// The mechanism exists, but hazards or damage in the field are known.
    Risky,
    /// SQLite gets an error; nothing is damaged.
    FailsSafe,
    /// A database cannot even be created.
    Unsupported,
    /// Can corrupt or lose commits without an error.
    Unsafe,
}

/// A word for each way of using SQLite.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// With a rollback journal.
    pub rollback: Word,
    /// In WAL mode.
    pub wal: Word,
    /// In WAL mode from one process.
    pub wal_one_process: Word,
}

impl Words {
    fn word(self, mode: Mode) -> Word {
        match mode {
            Mode::Rollback => self.rollback,
            Mode::Wal => self.wal,
            Mode::WalOneProcess => self.wal_one_process,
        }
    }
}

/// The cells that an option changes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    rollback: Option<Word>,
    wal: Option<Word>,
    wal_one_process: Option<Word>,
}

impl Changes {
    fn word(&self, mode: Mode) -> Option<Word> {
        match mode {
            Mode::Rollback => self.rollback,
            Mode::Wal => self.wal,
            Mode::WalOneProcess => self.wal_one_process,
        }
    }
}

/// An option and what it changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionEffect {
    /// Patterns as in [`matching::option_holds`], any of which is enough.
    pub any_of: Vec<String>,
    /// What it does, for people.
    pub effect: String,
    /// Cells of the first column that it changes.
    #[serde(default)]
    pub(super) one_kernel: Changes,
    /// Cells of the second column that it changes.
    #[serde(default)]
    pub(super) several_kernels: Changes,
}

impl OptionEffect {
    fn is_set(&self, facts: &MountFacts<'_>) -> bool {
        self.any_of.iter().any(|pattern| facts.has_option(pattern))
    }
}

/// What a file system does, each fact with what it rests on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Writable shared maps.
    pub shared_map: Fact,
    /// Whether maps and reads agree inside one kernel.
    pub coherent_one_kernel: Fact,
    /// Whether they agree between kernels.
    pub coherent_across_kernels: Fact,
    /// Who sees a byte-range lock (`fcntl`), the kind that SQLite takes.
    pub byte_range_locks: Fact,
    /// Who sees an `flock`.
    pub flock: Fact,
    /// `fsync` of a file.
    pub file_sync: Fact,
    /// `fsync` of a directory.
    pub directory_sync: Fact,
    /// `O_CREAT|O_EXCL`.
    pub exclusive_create: Fact,
    /// Whether inode numbers stay; SQLite tells files apart by them.
    pub inode_numbers: Fact,
}

impl Facts {
    /// Every fact with its name.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &Fact); 9] {
        [
            ("shared_map", &self.shared_map),
            ("coherent_one_kernel", &self.coherent_one_kernel),
            ("coherent_across_kernels", &self.coherent_across_kernels),
            ("byte_range_locks", &self.byte_range_locks),
            ("flock", &self.flock),
            ("file_sync", &self.file_sync),
            ("directory_sync", &self.directory_sync),
            ("exclusive_create", &self.exclusive_create),
            ("inode_numbers", &self.inode_numbers),
        ]
    }
}

/// One fact.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What is the case.
    pub text: String,
    /// What it rests on.
    pub basis: Basis,
    /// Where it stands; empty only for [`Basis::Unverified`].
    #[serde(default)]
    pub source: String,
}

/// What a fact rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Read in source code.
    Source,
    /// Written by its makers.
    Documented,
    /// Measured by this project.
    Measured,
    /// Told by users.
    Reported,
    /// To be probed: not to be shown as true.
    Unverified,
}

/// A hazard that a short measurement does not show.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownRisk {
    /// What can happen, in one sentence.
    pub text: String,
    /// Where that is known from.
    pub source: String,
    /// The first kernel that has it.
    kernel_from: Option<KernelVersion>,
    /// The first kernel that no longer has it.
    kernel_before: Option<KernelVersion>,
    /// Patterns of options, all of which must be set.
    #[serde(default)]
    options: Vec<String>,
}

impl KnownRisk {
    /// Whether it concerns this mount. A hazard of some kernels does not fit an unnamed one.
    fn fits(&self, facts: &MountFacts<'_>) -> bool {
        let version = KernelVersion::parse(facts.kernel_release);
        self.kernel_from.is_none_or(|from| version.is_some_and(|version| version >= from))
            && self.kernel_before.is_none_or(|before| version.is_some_and(|v| v < before))
            && self.options.iter().all(|pattern| facts.has_option(pattern))
    }
}

/// One way to recognise a file system; every condition that is named must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Match {
    /// Types, any of which is enough; `fuse.*` stands for every type that begins so.
    pub(super) filesystem: Vec<String>,
    /// Patterns of options, all of which must be set.
    pub(super) options: Vec<String>,
    /// A glob of the source.
    pub(super) source: Option<String>,
    /// Machines, any of which is enough.
    pub(super) machine: Vec<Machine>,
    /// A glob of `uname -r`.
    pub(super) release: Option<String>,
    /// A glob of the mount point.
    pub(super) mount_point: Option<String>,
}

impl Match {
    /// How many conditions hold, or `None` if one does not. A type named in full counts twice, so
    /// that `fuse.mergerfs` goes before `fuse.*`.
    pub(super) fn weight(&self, facts: &MountFacts<'_>) -> Option<usize> {
        let kind = self.filesystem.iter().filter_map(|pattern| {
            let exact = pattern == facts.filesystem;
            (exact || matching::glob(pattern, facts.filesystem)).then_some(1 + usize::from(exact))
        });
        let mut weight = kind.max()?;
        for pattern in &self.options {
            weight += usize::from(facts.has_option(pattern).then_some(true)?);
        }
        let globs = [
            (&self.source, facts.source),
            (&self.release, facts.kernel_release),
            (&self.mount_point, facts.mount_point),
        ];
        for (pattern, text) in globs {
            if let Some(pattern) = pattern {
                weight += usize::from(matching::glob(pattern, text).then_some(true)?);
            }
        }
        if !self.machine.is_empty() {
            let machine = facts.machine?;
            weight += usize::from(self.machine.contains(&machine).then_some(true)?);
        }
        Some(weight)
    }
}

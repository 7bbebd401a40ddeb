//! A case in which everything holds, to be spoilt by one test at a time.

use super::{Case, Draft, Known, KnownWord};
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    EvidenceKind, EvidenceLog, HeaderMode, KernelCount, Mode, Mount, Observation, Openers, Outcome,
};

pub(crate) struct Scene {
    pub(crate) log: EvidenceLog,
    pub(crate) mount: Mount,
    pub(crate) reach: KernelCount,
    pub(crate) known: Known,
    pub(crate) journal_mode: Option<HeaderMode>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mount = Mount {
            mount_point: "/data".to_owned(),
            root: "/".to_owned(),
            filesystem: "ext4".to_owned(),
            source: "/dev/vdb".to_owned(),
            options: vec!["rw".to_owned()],
            super_options: vec!["rw".to_owned()],
            file_mount: false,
            deleted: false,
            statfs_magic: None,
            knowledge: None,
        };
        Scene {
            log: EvidenceLog::new(),
            mount,
            reach: KernelCount::One,
            known: Known::default(),
            journal_mode: None,
        }
    }

    /// Records that every experiment and session went well, except those named.
    pub(crate) fn all_hold_except(&mut self, except: &[EvidenceKind]) {
        for kind in EvidenceKind::ALL {
            let measured = kind.is_experiment();
            if measured && !except.contains(kind) {
                self.log.record(Observation::new(*kind, Outcome::Holds, "as it must be"));
            }
        }
    }

    /// Records that everything went well between two sides, except what is named.
    pub(crate) fn peers_hold_except(&mut self, across: bool, except: &[EvidenceKind]) {
        for kind in EvidenceKind::ALL {
            let noted = matches!(kind, EvidenceKind::PeerKernels | EvidenceKind::PeerLatency);
            let outcome = if noted { Outcome::Noted } else { Outcome::Holds };
            if kind.is_of_peers() && !except.contains(kind) {
                let seen = Observation::new(*kind, outcome, "as it must be");
                self.log.record(seen.value(crate::peer::ACROSS_KERNELS, across));
            }
        }
    }

    pub(crate) fn fails(&mut self, kind: EvidenceKind, outcome: Outcome, errno: Option<Errno>) {
        let observation = Observation::new(kind, outcome, format!("{kind:?} was tried"));
        self.log.record(Observation { errno, ..observation });
    }

    pub(crate) fn case(&self) -> Case<'_> {
        Case {
            subject: "/data/app.db",
            log: &self.log,
            mount: Some(&self.mount),
            reach: self.reach,
            known: &self.known,
            journal_mode: self.journal_mode,
        }
    }

    pub(crate) fn conclude(&self, rules: fn(&Case<'_>, &mut Vec<Draft>)) -> Vec<Draft> {
        let mut drafts = Vec::new();
        rules(&self.case(), &mut drafts);
        drafts
    }
}

pub(crate) fn codes(drafts: &[Draft]) -> Vec<Code> {
    drafts.iter().map(|draft| draft.code).collect()
}

/// QEMU's 9p as the knowledge base has it: good for one kernel, except for WAL, and for one only.
pub(crate) fn known_9p() -> Known {
    let mut words = vec![(Mode::Wal, Openers::OneKernel, KnownWord::FailsSafe)];
    for mode in [Mode::WalOneProcess, Mode::Rollback] {
        words.push((mode, Openers::OneKernel, KnownWord::Fine));
    }
    for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
        words.push((mode, Openers::SeveralKernels, KnownWord::LosesData));
    }
    Known { name: "9p of QEMU".to_owned(), words, ..Known::default() }
}

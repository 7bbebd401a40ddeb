//! What follows for one database, without any experiment: from its files, the programs that have it
//! open, its mount, and what is known of such mounts.

use super::look::Seen;
use super::recognise::Recognition;
use crate::findings::{Case, Draft, Known, KnownWord, conclude};
use crate::knowledge::{self, MountFacts, Row};
use crate::openers::{self, Holding};
use crate::topology::{self, Crossing, Surroundings};
use tombolo_core::finding::Code;
use tombolo_core::report::{
    EvidenceKind, EvidenceLog, HeaderMode, KernelReach, Mode, Observation, Opener, Openers,
    Severity,
};

/// The first thing to do about a mount of which something is known.
const EXAMINE: &str =
    "let the doctor examine the path: it measures what the mount does and names the ways out";

/// What was concluded of one database.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) reach: KernelReach,
    pub(super) observations: Vec<Observation>,
    pub(super) drafts: Vec<Draft>,
    /// Id of the row of the knowledge base.
    pub(super) row: Option<String>,
    /// Why nothing is known without a measurement, if so.
    pub(super) unknown: Option<String>,
}

/// A database before it is judged.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) path: &'a str,
    pub(super) mode: HeaderMode,
    pub(super) by: Recognition,
    pub(super) holdings: &'a [Holding],
    pub(super) openers: &'a [Opener],
    /// Programs that may not be looked at.
    pub(super) unseen: usize,
    pub(super) seen: &'a Seen,
}

pub(super) fn judge(subject: &Subject<'_>, around: &Surroundings) -> Judged {
    let Subject { path, mode, holdings, seen, .. } = subject;
    let release = &around.kernel.release;
    let facts =
        seen.mount.as_ref().map(|mount| MountFacts::of(mount, Some(around.machine), release));
    let row = facts.as_ref().and_then(knowledge::find);
    let known = facts.as_ref().map_or_else(Known::default, |facts| knowledge::known(row, facts));
    let crossing = row.map_or(Crossing::NotKnown, Row::crossing);
    let (topology, reached) = topology::examine(around, seen.mount.as_ref(), crossing);
    let mut observations = reached;
    observations.extend(row.map(knowledge::observe));
    observations.extend(seen.observations.iter().cloned());
    observations.push(openers::observe(subject.openers, subject.unseen, path));
    let mut log = EvidenceLog::new();
    observations.iter().cloned().for_each(|observation| {
        log.record(observation);
    });
    let case = Case {
        subject: path,
        log: &log,
        mount: seen.mount.as_ref(),
        reach: topology.reach.count,
        known: &known,
        journal_mode: Some(*mode),
    };
    let mut drafts = conclude(&case);
    let (word, way) = known_word(subject, &known);
    if known.hazards.is_empty() {
        drafts.extend(known_hazard(subject, &known.name, word, way));
    }
    for draft in drafts.iter_mut().filter(|draft| draft.code == Code::KnownRisk) {
        draft.action = EXAMINE.to_owned();
    }
    drafts.extend(openers::conclude(path, *mode, holdings));
    // Programs use it as a database: another header is that of an encrypted one.
    let plain =
        |draft: &&Draft| subject.by == Recognition::Header || draft.code != Code::HeaderDamaged;
    drafts.extend(seen.drafts.iter().filter(plain).cloned());
    let unknown = seen.mount.as_ref().filter(|_| word == KnownWord::NotKnown).map(|mount| {
        format!("what {} does to SQLite {way} is known only by measuring", mount.filesystem)
    });
    let row = row.map(|row| row.id.clone());
    Judged { reach: topology.reach, observations, drafts, row, unknown }
}

/// What is known of the way in which the programs use the database, and its name.
fn known_word(subject: &Subject<'_>, known: &Known) -> (KnownWord, &'static str) {
    let shared = subject.holdings.iter().any(|holding| !holding.wal_index.is_empty());
    let (mode, way) = match subject.mode {
        HeaderMode::Wal if shared => (Mode::Wal, "in WAL mode"),
        HeaderMode::Wal => (Mode::WalOneProcess, "in WAL mode from one process"),
        // A new or an encrypted database may be in any mode; this is the one that needs the least.
        HeaderMode::Rollback | HeaderMode::Empty | HeaderMode::Unreadable => {
            (Mode::Rollback, "with a rollback journal")
        }
    };
    (known.word(mode, Openers::OneKernel), way)
}

/// What the knowledge base says of this way of using SQLite from one kernel. It can only make an
/// answer worse.
fn known_hazard(subject: &Subject<'_>, name: &str, word: KnownWord, way: &str) -> Option<Draft> {
    let (severity, what) = match word {
        KnownWord::LosesData => {
            (Severity::Danger, format!("{name} is known to lose data of SQLite {way}"))
        }
        KnownWord::LosesInCrash => (
            Severity::Warning,
            format!("on {name} a crash or a power loss can take committed transactions {way}"),
        ),
        KnownWord::Risky => {
            (Severity::Warning, format!("{name} is known for damage under load {way}"))
        }
        KnownWord::FailsSafe => {
            (Severity::Fault, format!("{name} is known to refuse what SQLite needs {way}"))
        }
        KnownWord::Fine | KnownWord::NotKnown => return None,
    };
    Some(Draft {
        code: Code::KnownRisk,
        severity,
        subject: subject.path.to_owned(),
        what,
        action: EXAMINE.to_owned(),
        kinds: vec![EvidenceKind::Mount, EvidenceKind::Knowledge],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::Scene;
    use crate::openers::testing::holding;
    use tombolo_core::report::{Kernel, KernelCount, Machine, Mount, Outcome};
    use tombolo_os::process::OpenMode;

    fn around() -> Surroundings {
        Surroundings {
            kernel: Kernel::default(),
            machine: Machine::Qemu,
            container: None,
            addresses: Vec::new(),
        }
    }

    fn seen(filesystem: &str, super_options: &[&str]) -> Seen {
        let mount = Mount {
            filesystem: filesystem.to_owned(),
            source: "share".to_owned(),
            super_options: super_options.iter().map(|option| (*option).to_owned()).collect(),
            ..Scene::new().mount
        };
        let observation = Observation::new(EvidenceKind::Mount, Outcome::Noted, "a mount");
        Seen {
            mount: Some(mount),
            database: None,
            observations: vec![observation],
            drafts: Vec::new(),
            problem: None,
        }
    }

    fn subject<'a>(seen: &'a Seen, mode: HeaderMode, holdings: &'a [Holding]) -> Subject<'a> {
        let (by, openers) = (Recognition::Signs, &[]);
        Subject { path: "/data/app.db", mode, by, holdings, openers, unseen: 0, seen }
    }

    fn judged(seen: &Seen, mode: HeaderMode) -> Judged {
        judge(&subject(seen, mode, &[]), &around())
    }

    fn codes(judged: &Judged) -> Vec<(Code, Severity)> {
        judged.drafts.iter().map(|draft| (draft.code, draft.severity)).collect()
    }

    #[test]
    fn a_local_disk_has_no_finding_and_a_share_is_endangered_by_other_kernels() {
        let local = judged(&seen("ext4", &["rw"]), HeaderMode::Rollback);
        assert_eq!(local.unknown, None);
        assert_eq!(local.reach.count, KernelCount::One);
        assert!(local.drafts.is_empty(), "{:?}", local.drafts);
        let share = judged(&seen("9p", &["rw", "trans=virtio"]), HeaderMode::Rollback);
        assert_eq!(codes(&share), [(Code::LocksStayLocal, Severity::Warning)]);
        assert_eq!(share.reach.count, KernelCount::Several);
        assert!(share.row.is_some());
    }

    #[test]
    fn what_the_mount_is_known_to_refuse_is_a_fault_in_that_mode_alone() {
        let nine_p = seen("9p", &["rw", "trans=virtio"]);
        let mut holding = holding(7, &[OpenMode::Writable; 2], &[]);
        holding.wal_index.extend(holding.database.pop());
        let holdings = [holding];
        let shared = judge(&subject(&nine_p, HeaderMode::Wal, &holdings), &around());
        assert!(codes(&shared).contains(&(Code::KnownRisk, Severity::Fault)), "{shared:?}");
        let alone = judged(&nine_p, HeaderMode::Wal);
        assert!(!codes(&alone).contains(&(Code::KnownRisk, Severity::Fault)));
    }

    #[test]
    fn a_file_system_of_which_nothing_is_known_is_not_called_good() {
        let strange = judged(&seen("fuse.strange", &["rw"]), HeaderMode::Rollback);
        assert!(strange.unknown.expect("a reason").contains("fuse.strange"));
    }

    #[test]
    fn a_file_that_did_not_answer_is_a_hung_mount() {
        let mut hung = seen("ext4", &["rw"]);
        let silence = Observation::new(EvidenceKind::Path, Outcome::TimedOut, "no answer");
        hung.observations.push(silence);
        assert_eq!(
            codes(&judged(&hung, HeaderMode::Unreadable)),
            [(Code::MountHung, Severity::Fault)]
        );
    }

    #[test]
    fn a_header_of_another_kind_is_no_damage_while_programs_use_it_as_a_database() {
        let mut encrypted = seen("ext4", &[]);
        encrypted.drafts.push(Draft {
            code: Code::HeaderDamaged,
            severity: Severity::Fault,
            subject: "/data/app.db".to_owned(),
            what: "not SQLite's".to_owned(),
            action: "copy it".to_owned(),
            kinds: vec![EvidenceKind::DatabaseHeader],
        });
        assert!(judged(&encrypted, HeaderMode::Unreadable).drafts.is_empty());
    }
}

//! From everything gathered to the report.

use super::below::Found;
use super::look::Looked;
use super::summary;
use crate::findings::{Case, Draft, Known, conclude};
use crate::knowledge::{self, MountFacts, Row};
use crate::peer;
use crate::remedy::{self, Situation};
use crate::topology::{self, Crossing, Surroundings};
use crate::verdict::judge;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    Completeness, DOCTOR_SCHEMA, Database, Evidence, EvidenceKind, EvidenceLog, Finding,
    HeaderMode, KernelCount, Mount, Observation, Openers, Outcome, Remedy, Report, Severity,
    Target, TargetKind, Topology, Warning,
};
use tombolo_core::text::printable;

/// `found` is what was found below a directory, on its own mount.
pub(super) fn assemble(
    path: &str,
    around: &Surroundings,
    mut looked: Looked,
    observations: Vec<Observation>,
    mut found: Found,
) -> Report {
    let path = &printable(path.as_bytes());
    mark_file_mount(&mut looked);
    let facts = looked.mount.as_ref().map(|mount| facts_of(mount, around));
    let row = facts.as_ref().and_then(knowledge::find);
    let mut known =
        facts.as_ref().map_or_else(Known::default, |facts| knowledge::known(row, facts));
    let (mut topology, reached) = reach(around, &looked, row);
    note_others(&mut topology, &mut known, row, &observations);
    let seen = std::mem::take(&mut looked.observations);
    let seen = seen.into_iter().chain(found.scan.take());
    let log = number(
        reached.into_iter().chain(seen).chain(row.map(knowledge::observe)).chain(observations),
    );
    let mode = journal_mode(&looked, &found);
    let case = Case {
        subject: path,
        log: &log,
        mount: looked.mount.as_ref(),
        reach: topology.reach.count,
        known: &known,
        journal_mode: mode,
    };
    let mut drafts = conclude(&case);
    let verdicts = judge(&case);
    name_stuck(&mut drafts, &mut found.databases);
    drafts.append(&mut looked.drafts);
    let mut findings: Vec<Finding> =
        drafts.into_iter().map(|draft| draft.cite(log.entries())).collect();
    let evidence = cite_each(log, &mut found, &mut findings);
    summary::sort(&mut findings);
    let completeness = completeness(&mut looked, &mut found, &evidence);
    let situation = situation(&looked, &found, row, &topology);
    let codes: Vec<Code> = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Notice)
        .map(|finding| finding.code)
        .collect();
    let (remedies, warnings) = ways_out(&codes, &situation);
    let sentence =
        summary::sentence(path, looked.kind, &findings, &verdicts, &completeness, &remedies, mode);
    if let (Some(mount), Some(row)) = (&mut looked.mount, row) {
        mount.knowledge = Some(row.id.clone());
    }
    Report {
        schema: DOCTOR_SCHEMA,
        summary: sentence,
        completeness,
        target: target(path, &looked),
        topology,
        mount: looked.mount,
        database: looked.database,
        databases: found.databases,
        evidence,
        findings,
        verdicts,
        remedies,
        warnings,
        nested: Vec::new(),
    }
}

fn facts_of<'a>(mount: &'a Mount, around: &'a Surroundings) -> MountFacts<'a> {
    MountFacts::of(mount, Some(around.machine), &around.kernel.release)
}

/// Whoever reaches the storage below an overlay reaches what is written through it.
fn reach(
    around: &Surroundings,
    looked: &Looked,
    row: Option<&Row>,
) -> (Topology, Vec<Observation>) {
    let crossing = |row: Option<&Row>| row.map_or(Crossing::NotKnown, Row::crossing);
    let shared_below = looked.below.as_ref().and_then(|below| {
        let crossing = crossing(knowledge::find(&facts_of(below, around)));
        (crossing != Crossing::LocalOnly).then_some((below, crossing))
    });
    match shared_below {
        Some((below, crossing)) => topology::examine(around, Some(below), crossing),
        None => topology::examine(around, looked.mount.as_ref(), crossing(row)),
    }
}

/// Whoever was met can reach the path, whatever mount and machine tell. What is known of a local
/// file system and several kernels is known of a device that is attached to two; the others come by
/// a share of it, and that was measured.
fn note_others(
    topology: &mut Topology,
    known: &mut Known,
    row: Option<&Row>,
    observations: &[Observation],
) {
    let met = observations.iter().find(|seen| seen.kind == EvidenceKind::PeerKernels);
    let Some(met) = met.filter(|seen| peer::is_across(&seen.values)) else { return };
    topology.reach.count = KernelCount::Several;
    topology.reach.because.clone_from(&met.summary);
    if row.is_some_and(|row| row.crossing() == Crossing::LocalOnly) {
        known.words.retain(|(_, openers, _)| *openers != Openers::SeveralKernels);
    }
}

fn completeness(looked: &mut Looked, found: &mut Found, evidence: &[Evidence]) -> Completeness {
    let mut missing = std::mem::take(&mut looked.missing);
    missing.append(&mut found.missing);
    missing.extend(not_made(evidence));
    if missing.is_empty() { Completeness::Complete } else { Completeness::Partial { missing } }
}

/// Where experiments were not made, nothing wrong is no news. Maps that are refused leave nothing
/// to compare.
fn not_made(evidence: &[Evidence]) -> Option<String> {
    let maps_refused = evidence.iter().any(|entry| {
        entry.kind == EvidenceKind::ProbeSharedMap && entry.outcome == Outcome::Refused
    });
    let mut open = evidence.iter().filter(|entry| {
        let has_object = entry.kind != EvidenceKind::ProbeMapCoherence || !maps_refused;
        (entry.kind.is_experiment() || entry.kind.is_of_peers())
            && has_object
            && matches!(entry.outcome, Outcome::NotRun | Outcome::TimedOut)
    });
    let first = open.next()?;
    Some(match open.count() {
        0 => format!("{}: {}", first.kind.as_str(), first.summary),
        more => format!("{} and {more} more: {}", first.kind.as_str(), first.summary),
    })
}

fn target(path: &str, looked: &Looked) -> Target {
    Target {
        path: path.to_owned(),
        resolved: printable(looked.resolved.as_os_str().as_bytes()),
        kind: looked.kind,
        seen_by: None,
    }
}

/// The table of mounts alone does not tell a file from a directory; the look at the path does.
fn mark_file_mount(looked: &mut Looked) {
    let is_file =
        matches!(looked.kind, TargetKind::Database | TargetKind::EmptyFile | TargetKind::OtherFile);
    let resolved = printable(looked.resolved.as_os_str().as_bytes());
    if let Some(mount) = looked.mount.as_mut().filter(|mount| mount.mount_point == resolved) {
        mount.file_mount |= is_file;
    }
}

fn journal_mode(looked: &Looked, found: &Found) -> Option<HeaderMode> {
    let own = looked.database.as_ref().map(|database| database.journal_mode);
    own.or_else(|| found.journal_mode())
}

/// Which databases below the directory are stuck in WAL mode.
fn name_stuck(drafts: &mut [Draft], databases: &mut [Database]) {
    let Some(draft) = drafts.iter_mut().find(|draft| draft.code == Code::WalDatabaseStuck) else {
        return;
    };
    let stuck = databases.iter_mut().filter(|database| database.journal_mode == HeaderMode::Wal);
    let mut count = 0_u64;
    for database in stuck {
        database.findings.push(Code::WalDatabaseStuck);
        if count == 0 {
            draft.subject.clone_from(&database.path);
        }
        count += 1;
    }
    if count > 1 {
        draft.what = format!("{}; it is one of {count} such databases here", draft.what);
    }
}

/// Adds the evidence of each database with findings; these cite that of their own database alone.
fn cite_each(
    mut log: EvidenceLog,
    found: &mut Found,
    findings: &mut Vec<Finding>,
) -> Vec<Evidence> {
    for trouble in std::mem::take(&mut found.troubles) {
        let before = log.entries().len();
        for observation in trouble.observations {
            log.record(observation);
        }
        let own = log.entries().get(before..).unwrap_or_default();
        findings.extend(trouble.drafts.into_iter().map(|draft| draft.cite(own)));
    }
    log.into_entries()
}

fn number(observations: impl Iterator<Item = Observation>) -> EvidenceLog {
    let mut log = EvidenceLog::new();
    observations.for_each(|observation| {
        log.record(observation);
    });
    log
}

/// Where nothing is wrong there is nothing to remedy and nothing to warn of.
fn ways_out(codes: &[Code], situation: &Situation) -> (Vec<Remedy>, Vec<Warning>) {
    if codes.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let ids = remedy::for_codes(codes, situation);
    let remedies = ids.into_iter().map(|id| remedy::build(id, situation)).collect();
    (remedies, remedy::warnings(situation))
}

/// What commands name where no database was found below the target: the target itself, or a name in
/// the directory.
fn stand_in(kind: TargetKind, resolved: &Path) -> Option<String> {
    let path = match kind {
        TargetKind::Directory => resolved.join("app.db"),
        TargetKind::Unreadable => return None,
        _ => resolved.to_owned(),
    };
    Some(path.to_string_lossy().into_owned())
}

fn situation(looked: &Looked, found: &Found, row: Option<&Row>, topology: &Topology) -> Situation {
    let mount = looked.mount.as_ref();
    let troubled = found.databases.iter().find(|database| !database.findings.is_empty());
    let below = match found.databases.as_slice() {
        [only] => Some(only),
        _ => troubled,
    };
    let programs: Vec<String> =
        looked.database.as_ref().or(below).map_or_else(Vec::new, |database| {
            database.openers.iter().map(|opener| opener.program.clone()).collect()
        });
    Situation {
        database: below
            .map(|database| database.path.clone())
            .or_else(|| stand_in(looked.kind, &looked.resolved)),
        filesystem: mount.map(|mount| mount.filesystem.clone()),
        knowledge: row.map(|row| row.id.clone()),
        mount_point: mount.map(|mount| mount.mount_point.clone()),
        mount_root: mount.map(|mount| mount.root.clone()),
        source: mount.map(|mount| mount.source.clone()),
        options: mount.map_or_else(Vec::new, |mount| {
            mount.options.iter().chain(&mount.super_options).cloned().collect()
        }),
        reach: Some(topology.reach.count),
        machine: Some(topology.machine),
        container: topology.container.as_ref().map(|container| container.runtime),
        application: programs.iter().find(|name| remedy::application(name).is_some()).cloned(),
        programs,
        journal_mode: journal_mode(looked, found),
        ..Situation::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(path: &str, journal_mode: HeaderMode) -> Database {
        Database {
            path: path.to_owned(),
            size_bytes: 8192,
            journal_mode,
            page_size_bytes: None,
            writer_version: None,
            wal: None,
            wal_index: None,
            journal: None,
            openers: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn stuck(databases: &mut [Database]) -> Draft {
        let draft = Draft {
            code: Code::WalDatabaseStuck,
            severity: Severity::Fault,
            subject: "/data".to_owned(),
            what: "it cannot be opened".to_owned(),
            action: String::new(),
            kinds: Vec::new(),
        };
        let mut drafts = [draft];
        name_stuck(&mut drafts, databases);
        let [draft] = drafts;
        draft
    }

    #[test]
    fn commands_name_the_place_that_was_asked_for() {
        let name = |kind| stand_in(kind, Path::new("/srv/my data"));
        assert_eq!(name(TargetKind::Directory).as_deref(), Some("/srv/my data/app.db"));
        assert_eq!(name(TargetKind::Database).as_deref(), Some("/srv/my data"));
        assert_eq!(name(TargetKind::Absent).as_deref(), Some("/srv/my data"));
        assert_eq!(name(TargetKind::OtherFile).as_deref(), Some("/srv/my data"));
        assert_eq!(name(TargetKind::Unreadable), None);
    }

    #[test]
    fn experiments_that_were_not_made_are_missing_and_are_counted() {
        let mut log = EvidenceLog::new();
        let mut missing_after = |kind, outcome| {
            log.record(Observation::new(kind, outcome, "why"));
            not_made(log.entries())
        };
        assert_eq!(missing_after(EvidenceKind::ProbeScratch, Outcome::Holds), None);
        assert_eq!(missing_after(EvidenceKind::ProbeLatency, Outcome::Noted), None);
        assert_eq!(missing_after(EvidenceKind::Mount, Outcome::NotRun), None);
        assert_eq!(missing_after(EvidenceKind::ProbeSharedMap, Outcome::Refused), None);
        assert_eq!(missing_after(EvidenceKind::ProbeMapCoherence, Outcome::NotRun), None);
        let one = missing_after(EvidenceKind::ProbeFlock, Outcome::TimedOut);
        assert_eq!(one.as_deref(), Some("probe.flock: why"));
        let two = missing_after(EvidenceKind::SessionWal, Outcome::NotRun);
        assert_eq!(two.as_deref(), Some("probe.flock and 1 more: why"));
    }

    #[test]
    fn a_stuck_database_below_a_directory_is_named_and_the_others_are_counted() {
        assert_eq!(stuck(&mut []).subject, "/data", "the target is the database itself");
        let mut databases = [
            database("/data/a.db", HeaderMode::Rollback),
            database("/data/b.db", HeaderMode::Wal),
            database("/data/c.db", HeaderMode::Wal),
        ];
        assert_eq!(stuck(&mut databases[..2]).subject, "/data/b.db");
        databases[1].findings.clear();
        let draft = stuck(&mut databases);
        assert_eq!(draft.subject, "/data/b.db");
        assert!(draft.what.contains("one of 2"), "{}", draft.what);
        let codes = databases.map(|database| database.findings);
        let named = vec![Code::WalDatabaseStuck];
        assert_eq!(codes, [Vec::new(), named.clone(), named]);
    }
}

//! From everything gathered to the report.

use super::look::Looked;
use super::summary;
use crate::findings::{Case, Known, conclude};
use crate::knowledge::{self, MountFacts, Row};
use crate::remedy::{self, Situation};
use crate::topology::{self, Crossing, Surroundings};
use crate::verdict::judge;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    Completeness, DOCTOR_SCHEMA, EvidenceKind, EvidenceLog, Finding, Observation, Outcome, Remedy,
    Report, Severity, Target, TargetKind, Topology, Warning,
};

/// Stages that no report contains yet. While one is listed here, no report is complete.
const NOT_YET: &[&str] = &["databases below a directory", "programs that have it open"];

pub(super) fn assemble(
    path: &str,
    around: &Surroundings,
    mut looked: Looked,
    observations: Vec<Observation>,
) -> Report {
    let facts = looked
        .mount
        .as_ref()
        .map(|mount| MountFacts::of(mount, Some(around.machine), &around.kernel.release));
    let row = facts.as_ref().and_then(knowledge::find);
    let known = facts.as_ref().map_or_else(Known::default, knowledge::known);
    let crossing = row.map_or(Crossing::NotKnown, Row::crossing);
    let (topology, reached) = topology::examine(around, looked.mount.as_ref(), crossing);
    let seen = std::mem::take(&mut looked.observations);
    let drafts = std::mem::take(&mut looked.drafts);
    let log = number(reached.into_iter().chain(seen).chain(row.map(from_row)).chain(observations));
    let case = Case {
        subject: path,
        log: &log,
        mount: looked.mount.as_ref(),
        reach: topology.reach.count,
        known: &known,
        journal_mode: looked.database.as_ref().map(|database| database.journal_mode),
    };
    let mut findings: Vec<Finding> =
        conclude(&case).into_iter().chain(drafts).map(|draft| draft.cite(log.entries())).collect();
    summary::sort(&mut findings);
    let verdicts = judge(&case);
    let mut missing = std::mem::take(&mut looked.missing);
    missing.extend(NOT_YET.iter().map(|&stage| stage.to_owned()));
    let completeness = Completeness::Partial { missing };
    let sentence = summary::sentence(path, looked.kind, &findings, &verdicts, &completeness);
    let situation = situation(&looked, row, &topology);
    let codes: Vec<Code> = findings
        .iter()
        .filter(|finding| finding.severity > Severity::Notice)
        .map(|finding| finding.code)
        .collect();
    let (remedies, warnings) = ways_out(&codes, &situation);
    if let (Some(mount), Some(row)) = (&mut looked.mount, row) {
        mount.knowledge = Some(row.id.clone());
    }
    Report {
        schema: DOCTOR_SCHEMA,
        summary: sentence,
        completeness,
        target: Target {
            path: path.to_owned(),
            resolved: looked.resolved.to_string_lossy().into_owned(),
            kind: looked.kind,
            seen_by: None,
        },
        topology,
        mount: looked.mount,
        database: looked.database,
        databases: Vec::new(),
        evidence: log.into_entries(),
        findings,
        verdicts,
        remedies,
        warnings,
        nested: Vec::new(),
    }
}

fn number(observations: impl Iterator<Item = Observation>) -> EvidenceLog {
    let mut log = EvidenceLog::new();
    observations.for_each(|observation| {
        log.record(observation);
    });
    log
}

fn from_row(row: &Row) -> Observation {
    let summary = format!("the knowledge base has this file system as {}", row.name());
    Observation::new(EvidenceKind::Knowledge, Outcome::Noted, summary).value("row", &*row.id)
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

fn situation(looked: &Looked, row: Option<&Row>, topology: &Topology) -> Situation {
    let mount = looked.mount.as_ref();
    let is_database = matches!(looked.kind, TargetKind::Database | TargetKind::EmptyFile);
    Situation {
        database: is_database.then(|| looked.resolved.to_string_lossy().into_owned()),
        filesystem: mount.map(|mount| mount.filesystem.clone()),
        knowledge: row.map(|row| row.id.clone()),
        mount_point: mount.map(|mount| mount.mount_point.clone()),
        source: mount.map(|mount| mount.source.clone()),
        options: mount.map_or_else(Vec::new, |mount| {
            mount.options.iter().chain(&mount.super_options).cloned().collect()
        }),
        reach: Some(topology.reach.count),
        machine: Some(topology.machine),
        container: topology.container.as_ref().map(|container| container.runtime),
        journal_mode: looked.database.as_ref().map(|database| database.journal_mode),
        ..Situation::default()
    }
}

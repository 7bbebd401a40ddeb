//! From everything gathered to the report.

use super::look::Looked;
use super::summary;
use crate::findings::{Case, Known, conclude};
use crate::verdict::judge;
use tombolo_core::report::{
    Completeness, DOCTOR_SCHEMA, EvidenceLog, Finding, Kernel, KernelCount, KernelReach, Machine,
    Observation, Report, Target, Topology,
};

/// Stages that no report contains yet. While one is listed here, no report is complete.
const NOT_YET: &[&str] = &[
    "whether other kernels can reach the path",
    "the files of the database",
    "programs that have it open",
    "sessions of stock SQLite",
];

pub(super) fn assemble(path: &str, looked: Looked, observations: Vec<Observation>) -> Report {
    let mut log = EvidenceLog::new();
    looked.observations.into_iter().chain(observations).for_each(|observation| {
        log.record(observation);
    });
    let known = Known::default();
    let case = Case {
        subject: path,
        log: &log,
        mount: looked.mount.as_ref(),
        reach: KernelCount::NotKnown,
        known: &known,
        journal_mode: None,
    };
    let mut findings: Vec<Finding> =
        conclude(&case).into_iter().map(|draft| draft.cite(log.entries())).collect();
    summary::sort(&mut findings);
    let verdicts = judge(&case);
    let mut missing = looked.missing;
    missing.extend(NOT_YET.iter().map(|&stage| stage.to_owned()));
    let completeness = Completeness::Partial { missing };
    let sentence = summary::sentence(path, looked.kind, &findings, &verdicts, &completeness);
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
        topology: topology(),
        mount: looked.mount,
        database: None,
        databases: Vec::new(),
        evidence: log.into_entries(),
        findings,
        verdicts,
        remedies: Vec::new(),
        warnings: Vec::new(),
        nested: Vec::new(),
    }
}

fn topology() -> Topology {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    Topology {
        kernel: Kernel {
            boot_id: None,
            release: text(name.release()),
            version: text(name.version()),
            machine: text(name.machine()),
        },
        container: None,
        machine: Machine::NotExamined,
        reach: KernelReach {
            count: KernelCount::NotKnown,
            kernels: vec!["this kernel".to_owned()],
            because: "other kernels were not looked for".to_owned(),
        },
        map: "this kernel; others were not looked for".to_owned(),
    }
}

//! Finds what the doctor has said in a text that somebody has pasted.

use super::BUNDLE_SCHEMA;
use serde_json::Value;
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    DOCTOR_SCHEMA, DOCTOR_SET_SCHEMA, EvidenceKind, Remedy, Severity, Warning,
};

/// Findings, remedies and results kept of one text.
const LISTED_MAX: usize = 256;

/// Places at which a document is tried.
const PLACES_MAX: usize = 8;

/// Schemas of documents that hold a report.
const SCHEMAS: [&str; 3] = [BUNDLE_SCHEMA, DOCTOR_SCHEMA, DOCTOR_SET_SCHEMA];

/// What the doctor has said, as far as it was found.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The findings, in the doctor's order.
    pub findings: Vec<ToldFinding>,
    /// Whether everything was looked at; a text for people does not tell.
    pub complete: bool,
    /// What was not examined.
    pub missing: Vec<String>,
    /// The type of the file system.
    pub filesystem: Option<String>,
    /// Options of the mount.
    pub options: Vec<String>,
    /// Whether the database is in WAL mode.
    pub wal: Option<bool>,
    /// How many kernels reach the path, in the word of the report.
    pub kernels: Option<String>,
    /// Calls that were refused.
    pub refused: Vec<(EvidenceKind, Errno)>,
    /// Ways out, best first.
    pub remedies: Vec<Remedy>,
    /// Advice not to follow.
    pub warnings: Vec<Warning>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldFinding {
    /// The stable code.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// The sentence.
    pub what: String,
}

impl Told {
    /// Looks for a bundle or a report in JSON, and where there is none that is whole, for the
    /// findings that the doctor prints for people. `None` in a text that holds neither.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        document(text).as_ref().and_then(of_document).or_else(|| printed(text))
    }
}

/// The first whole JSON document with a schema of ours; what follows it may be anything.
fn document(text: &str) -> Option<Value> {
    let mut places: Vec<usize> = Vec::new();
    for schema in SCHEMAS {
        let quoted = format!("\"{schema}\"");
        places.extend(text.match_indices(&quoted).take(PLACES_MAX).map(|(at, _)| at));
    }
    places.sort_unstable();
    places.into_iter().take(PLACES_MAX).find_map(|at| {
        let begins = text.get(..at)?.rfind('{')?;
        let rest = text.get(begins..)?;
        serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok()
    })
}

fn of_document(document: &Value) -> Option<Told> {
    match document["schema"].as_str()? {
        BUNDLE_SCHEMA => of_report(&document["report"]),
        DOCTOR_SCHEMA => of_report(document),
        // The gravest finding of several reports is in the one that matters.
        DOCTOR_SET_SCHEMA => {
            let told = document["reports"].as_array()?.iter().filter_map(of_report);
            told.max_by_key(|one| one.findings.first().map(|finding| finding.severity))
        }
        _ => None,
    }
}

fn of_report(report: &Value) -> Option<Told> {
    let own = list(report, "findings");
    let nested = list(report, "nested").flat_map(|one| list(one, "findings"));
    let mut findings: Vec<ToldFinding> = own.chain(nested).filter_map(finding).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mount = &report["mount"];
    let options = list(mount, "options").chain(list(mount, "super_options"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Told {
        findings,
        complete: report["completeness"]["state"].as_str()? == "complete",
        missing: list(&report["completeness"], "missing").filter_map(text).collect(),
        filesystem: text(&mount["filesystem"]),
        options: options.filter_map(text).collect(),
        wal: match report["database"]["journal_mode"].as_str() {
            Some("wal") => Some(true),
            Some("rollback") => Some(false),
            _ => None,
        },
        kernels: text(&report["topology"]["reach"]["count"]),
        refused: list(report, "evidence").filter_map(refused).collect(),
        remedies: read_all(report, "remedies"),
        warnings: read_all(report, "warnings"),
    })
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[name].as_array().into_iter().flatten().take(LISTED_MAX)
}

/// Items of a kind that this version does not know are passed over.
fn read_all<Item: serde::de::DeserializeOwned>(report: &Value, name: &str) -> Vec<Item> {
    list(report, name).filter_map(|item| serde_json::from_value(item.clone()).ok()).collect()
}

fn finding(value: &Value) -> Option<ToldFinding> {
    Some(ToldFinding {
        code: Code::from_name(value["code"].as_str()?)?,
        severity: serde_json::from_value(value["severity"].clone()).ok()?,
        what: value["what"].as_str().unwrap_or_default().to_owned(),
    })
}

fn refused(value: &Value) -> Option<(EvidenceKind, Errno)> {
    let refused = value["outcome"].as_str()? == "refused";
    let kind = EvidenceKind::from_name(value["kind"].as_str()?)?;
    let errno = serde_json::from_value(value["errno"].clone()).ok()?;
    refused.then_some((kind, errno))
}

/// Lines such as `  FAULT    TMB-MMAP-001  E10 E29`, each with the paragraph below it.
fn printed(text: &str) -> Option<Told> {
    let mut findings: Vec<ToldFinding> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(begun) = heading(line) {
            if findings.len() >= LISTED_MAX {
                break;
            }
            findings.push(begun);
            open = true;
        } else if let Some(last) = findings.last_mut().filter(|_| open) {
            let said = line.trim();
            open = line.starts_with(' ') && !said.is_empty() && !said.starts_with('\u{2192}');
            if open && last.what.len() < 2_000 {
                let blank = if last.what.is_empty() { "" } else { " " };
                last.what.push_str(blank);
                last.what.push_str(said);
            }
        }
    }
    (!findings.is_empty()).then(|| Told { findings, ..Told::default() })
}

fn heading(line: &str) -> Option<ToldFinding> {
    let mut words = line.split_whitespace();
    let severity = match words.next()? {
        "DANGER" => Severity::Danger,
        "FAULT" => Severity::Fault,
        "WARNING" => Severity::Warning,
        "notice" => Severity::Notice,
        _ => return None,
    };
    let code = Code::from_name(words.next()?)?;
    Some(ToldFinding { code, severity, what: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"schema": "tombolo.doctor/1", "completeness": {"state": "complete"},
        "mount": {"filesystem": "9p", "options": ["rw"], "super_options": ["cache=none"]},
        "database": {"journal_mode": "wal"}, "topology": {"reach": {"count": "several"}},
        "evidence": [{"kind": "probe.shared-map", "outcome": "refused", "errno": {"number": 22}},
                     {"kind": "probe.of-tomorrow", "outcome": "refused", "errno": {"number": 22}}],
        "findings": [{"code": "TMB-MMAP-001", "severity": "fault", "what": "no maps"},
                     {"code": "TMB-NEW-999", "severity": "danger", "what": "of tomorrow"}],
        "remedies": [{"id": "OF_TOMORROW"}], "warnings": []}"#;

    #[test]
    fn a_document_is_found_between_other_lines() {
        let told = Told::read(&format!(
            "The \"tombolo.doctor/1\" {{see}}:\n```json\n{JSON}\n```\nThanks!\n"
        ));
        let told = told.expect("found");
        assert_eq!(told.findings.len(), 1, "what is not known is passed over");
        assert_eq!(told.findings[0].code, Code::SharedMapRefused);
        assert_eq!((told.wal, told.complete), (Some(true), true));
        assert_eq!(told.filesystem.as_deref(), Some("9p"));
        assert_eq!(told.refused, [(EvidenceKind::ProbeSharedMap, Errno::EINVAL)]);
        assert!(told.remedies.is_empty());
    }

    #[test]
    fn of_a_document_that_was_cut_the_printed_findings_remain() {
        let cut = JSON.get(..200).expect("longer");
        let text = format!(
            "  FAULT    TMB-MMAP-001  E10 E29\n           no maps\n           at all\n           \
             \u{2192} act\n\n{cut}"
        );
        let told = Told::read(&text).expect("found");
        assert_eq!(told.findings[0].what, "no maps at all");
        assert!(!told.complete);
    }

    #[test]
    fn other_texts_hold_no_report() {
        for text in ["", "disk I/O error", "see TMB-MMAP-001", "{\"schema\": \"tombolo.doctor/1\"}"]
        {
            assert!(Told::read(text).is_none(), "{text}");
        }
    }
}

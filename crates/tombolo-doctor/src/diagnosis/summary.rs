//! The first sentence: what is wrong, where, and the first thing to do.

use std::cmp::Reverse;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    Completeness, Finding, Judgement, Mode, Openers, Severity, TargetKind, Verdict,
};

/// The gravest first; among equals the one nearest to what the user sees.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (Reverse(finding.severity), distance(finding.code)));
}

/// How far a code is from the symptom: a stuck database is what people see, the refused map is why,
/// and the failed session only repeats it.
fn distance(code: Code) -> u8 {
    let family = code.as_str().split('-').nth(1).unwrap_or_default();
    match family {
        "PATH" => 0,
        "DB" => 1,
        "MMAP" | "LOCK" => 2,
        "SQL" => 4,
        _ => 3,
    }
}

/// One sentence for the whole report. `findings` are sorted.
pub(super) fn sentence(
    path: &str,
    kind: TargetKind,
    findings: &[Finding],
    verdicts: &[Verdict],
    completeness: &Completeness,
) -> String {
    if let Some(finding) = findings.iter().find(|finding| finding.severity > Severity::Notice) {
        let Finding { subject, what, action, .. } = finding;
        return format!("{subject}: {what}. First: {action}.");
    }
    if let Completeness::Partial { missing } = completeness {
        let first = missing.first().map_or("something was not examined", String::as_str);
        return format!("{path}: nothing wrong was seen, but the look was not complete: {first}.");
    }
    let good = |mode| {
        verdicts.iter().any(|verdict| {
            verdict.mode == mode
                && verdict.openers == Openers::OneKernel
                && verdict.judgement == Judgement::Safe
        })
    };
    let here = match kind {
        TargetKind::Absent => "a database created there",
        TargetKind::OtherFile => "a database beside it",
        _ => "SQLite",
    };
    match (good(Mode::Wal), good(Mode::Rollback)) {
        (true, true) => format!(
            "{path}: nothing is wrong; {here} is safe in every journal mode while programs of this \
             kernel alone open it."
        ),
        (false, true) => format!(
            "{path}: nothing is wrong; {here} is safe with a rollback journal while programs of \
             this kernel alone open it."
        ),
        _ => format!("{path}: nothing wrong was seen; what was not measured is not proven safe."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: Code, severity: Severity) -> Finding {
        Finding {
            code,
            severity,
            subject: "/data/app.db".to_owned(),
            what: code.title().to_owned(),
            evidence: Vec::new(),
            action: "act".to_owned(),
        }
    }

    #[test]
    fn the_gravest_and_nearest_finding_makes_the_sentence() {
        let mut findings = [
            finding(Code::SeveralKernels, Severity::Warning),
            finding(Code::SessionWalFails, Severity::Fault),
            finding(Code::SharedMapRefused, Severity::Fault),
            finding(Code::WalDatabaseStuck, Severity::Fault),
        ];
        sort(&mut findings);
        let order: Vec<_> = findings.iter().map(|finding| finding.code).collect();
        assert_eq!(
            order,
            [
                Code::WalDatabaseStuck,
                Code::SharedMapRefused,
                Code::SessionWalFails,
                Code::SeveralKernels
            ]
        );
        let text = sentence("/p", TargetKind::Database, &findings, &[], &Completeness::Complete);
        assert!(text.starts_with("/data/app.db: a WAL database stands"), "{text}");
        assert!(text.ends_with("First: act."), "{text}");
    }

    #[test]
    fn notices_do_not_make_something_wrong_and_gaps_are_said() {
        let notices = [finding(Code::HardLinkRefused, Severity::Notice)];
        let kind = TargetKind::Directory;
        let text = sentence("/p", kind, &notices, &[], &Completeness::Complete);
        assert!(text.contains("not proven safe"), "{text}");
        let missing = vec!["the mount table could not be read".to_owned()];
        let text = sentence("/p", kind, &notices, &[], &Completeness::Partial { missing });
        assert!(text.contains("mount table"), "{text}");
    }
}

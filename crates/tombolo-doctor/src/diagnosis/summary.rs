//! The first sentence: what is wrong, where, and the first thing to do.

use std::cmp::Reverse;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    Completeness, Finding, HeaderMode, Judgement, Mode, Openers, Remedy, Severity, TargetKind,
    Verdict,
};

/// What stands between the sentence and the command that it ends with.
pub const BEGIN_WITH: &str = " Begin with: ";

/// A longer command does not stand well in a sentence.
const COMMAND_BYTES_MAX: usize = 200;

/// The gravest first; among equals the one nearest to what the user sees.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (Reverse(finding.severity), distance(finding.code)));
}

/// How far a code is from the symptom: a stuck database is what people see, the refused map is why,
/// and the failed session only repeats it.
fn distance(code: Code) -> u8 {
    match family(code) {
        "PATH" => 0,
        "DB" => 1,
        "MMAP" | "LOCK" => 2,
        "SQL" => 4,
        _ => 3,
    }
}

/// The middle of a code: `MMAP` of `TMB-MMAP-001`.
fn family(code: Code) -> &'static str {
    code.as_str().split('-').nth(1).unwrap_or_default()
}

/// One sentence for the whole report. `findings` and `remedies` are sorted, the first being first.
pub(super) fn sentence(
    path: &str,
    kind: TargetKind,
    findings: &[Finding],
    verdicts: &[Verdict],
    completeness: &Completeness,
    remedies: &[Remedy],
    journal_mode: Option<HeaderMode>,
) -> String {
    if let Some(finding) = findings.iter().find(|finding| finding.severity > Severity::Notice) {
        let Finding { subject, what, action, .. } = finding;
        let command = first_command(finding.code, remedies);
        let command = command.map_or_else(String::new, |text| format!("{BEGIN_WITH}{text}"));
        return format!("{subject}: {what}. First: {action}.{command}");
    }
    if let Completeness::Partial { missing } = completeness {
        let first = missing.first().map_or("something was not examined", String::as_str);
        return format!("{path}: nothing wrong was seen, but the look was not complete: {first}.");
    }
    let safe = |mode, openers| {
        verdicts.iter().any(|verdict| {
            (verdict.mode, verdict.openers, verdict.judgement) == (mode, openers, Judgement::Safe)
        })
    };
    let good = |mode| safe(mode, Openers::OneKernel);
    if safe(Mode::Rollback, Openers::SeveralKernels) {
        let wal = match safe(Mode::Wal, Openers::SeveralKernels) {
            true => "in every journal mode of many processes",
            false => "with a rollback journal",
        };
        return format!(
            "{path}: nothing is wrong; a database here is safe {wal}, also while programs of the \
             kernels that took part open it at once."
        );
    }
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
        (false, true) if journal_mode == Some(HeaderMode::Wal) => format!(
            "{path}: nothing wrong was seen, but a database here is in WAL mode, and that is not \
             proven safe; with a rollback journal it is, while programs of this kernel alone open \
             it."
        ),
        (false, true) => format!(
            "{path}: nothing is wrong; {here} is safe with a rollback journal while programs of \
             this kernel alone open it."
        ),
        _ => format!("{path}: nothing wrong was seen; what was not measured is not proven safe."),
    }
}

/// The command that the best way out begins with. Ways out are about the database; where the path
/// itself is the matter, the finding's own action comes first.
fn first_command(code: Code, remedies: &[Remedy]) -> Option<&str> {
    let steps = remedies.first().filter(|_| family(code) != "PATH")?.steps.iter();
    let command = steps.filter_map(|step| step.code.as_deref()).next()?;
    (command.len() <= COMMAND_BYTES_MAX && !command.contains('\n')).then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::{self, Situation};
    use tombolo_core::report::RemedyId;

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
        let text = sentence(
            "/p",
            TargetKind::Database,
            &findings,
            &[],
            &Completeness::Complete,
            &[],
            None,
        );
        assert!(text.starts_with("/data/app.db: a WAL database stands"), "{text}");
        assert!(text.ends_with("First: act."), "{text}");
    }

    #[test]
    fn what_was_proven_for_several_kernels_is_said() {
        let verdict = |openers| Verdict {
            mode: Mode::Rollback,
            openers,
            judgement: Judgement::Safe,
            because: String::new(),
            evidence: Vec::new(),
            would_prove: None,
        };
        let verdicts = [verdict(Openers::OneKernel), verdict(Openers::SeveralKernels)];
        let complete = Completeness::Complete;
        let text = sentence("/p", TargetKind::Directory, &[], &verdicts, &complete, &[], None);
        assert!(text.contains("rollback journal, also while programs of the kernels"), "{text}");
    }

    #[test]
    fn a_wal_database_is_not_well_where_only_a_rollback_journal_is_proven() {
        let verdict = |mode, judgement| Verdict {
            mode,
            openers: Openers::OneKernel,
            judgement,
            because: String::new(),
            evidence: Vec::new(),
            would_prove: None,
        };
        let verdicts =
            [verdict(Mode::Wal, Judgement::NotProven), verdict(Mode::Rollback, Judgement::Safe)];
        let text = |mode| {
            let complete = Completeness::Complete;
            sentence("/p", TargetKind::Database, &[], &verdicts, &complete, &[], Some(mode))
        };
        assert!(text(HeaderMode::Rollback).contains("nothing is wrong"));
        let wal = text(HeaderMode::Wal);
        assert!(wal.contains("not proven") && !wal.contains("nothing is wrong"), "{wal}");
    }

    #[test]
    fn the_sentence_ends_with_the_first_command_unless_the_path_is_the_matter() {
        let situation =
            Situation { database: Some("/data/app.db".to_owned()), ..Situation::default() };
        let remedies = [remedy::build(RemedyId::MoveLocal, &situation)];
        let text = |code| {
            let findings = [finding(code, Severity::Fault)];
            let kind = TargetKind::Database;
            sentence("/p", kind, &findings, &[], &Completeness::Complete, &remedies, None)
        };
        let stuck = text(Code::WalDatabaseStuck);
        assert!(stuck.ends_with("First: act. Begin with: fuser -v /data/app.db*"), "{stuck}");
        let hung = text(Code::MountHung);
        assert!(hung.ends_with("First: act."), "{hung}");
    }

    #[test]
    fn notices_do_not_make_something_wrong_and_gaps_are_said() {
        let notices = [finding(Code::HardLinkRefused, Severity::Notice)];
        let kind = TargetKind::Directory;
        let text = sentence("/p", kind, &notices, &[], &Completeness::Complete, &[], None);
        assert!(text.contains("not proven safe"), "{text}");
        let missing = vec!["the mount table could not be read".to_owned()];
        let text =
            sentence("/p", kind, &notices, &[], &Completeness::Partial { missing }, &[], None);
        assert!(text.contains("mount table"), "{text}");
    }
}

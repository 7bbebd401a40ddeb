//! One report: the sentence, the map, findings, verdicts, evidence, ways out.

use super::page::{Page, Tone, styled};
use super::words;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use tombolo_core::report::{
    Completeness, Database, Evidence, Finding, Mode, Openers, Outcome, Reach, Remedy, Report,
    Severity, Verdict, Warning,
};
use tombolo_doctor::diagnosis::BEGIN_WITH;
use tombolo_doctor::topology::container::in_words;

/// How much evidence is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What findings and verdicts other than "safe" rest on, and the first remedies.
    Short,
    /// Everything.
    Full,
}

/// Databases of each sort, findings and gaps printed before "and so many more".
const LISTED_SHORT: usize = 20;

/// Ways out of which every step is printed: who reads a report has something broken, and needs one.
const REMEDIES_SHORT: usize = 1;

/// Warnings that are printed with their reasons.
const WARNINGS_SHORT: usize = 3;

impl Detail {
    /// How many of a list are printed.
    fn listed(self, count: usize) -> usize {
        self.of(count, LISTED_SHORT)
    }

    /// All of a list, or so many.
    fn of(self, count: usize, short: usize) -> usize {
        match self {
            Detail::Full => count,
            Detail::Short => short.min(count),
        }
    }
}

pub(crate) fn report(page: &mut Page, report: &Report, detail: Detail) {
    summary(page, report);
    facts(page, report);
    databases(page, report, detail);
    findings(page, report, detail);
    verdicts(page, &report.verdicts);
    evidence(page, report, detail);
    remedies(page, &report.remedies, detail.of(report.remedies.len(), REMEDIES_SHORT));
    warnings(page, &report.warnings, detail.of(report.warnings.len(), WARNINGS_SHORT));
    missing(page, &report.completeness, detail);
    if detail == Detail::Short && !report.remedies.is_empty() {
        page.blank();
        page.paragraph(
            0,
            &styled(
                Tone::Dim,
                "--verbose prints every result, the steps of every way out and the reasons of \
                 every warning; `tombolo codes CODE` explains a code.",
            ),
        );
    }
    for other in &report.nested {
        page.heading(&format!("On another mount: {}", other.target.path));
        self::report(page, other, detail);
    }
}

fn summary(page: &mut Page, report: &Report) {
    let all = || std::iter::once(report).chain(&report.nested);
    let gravest = all().flat_map(|one| &one.findings).map(|finding| finding.severity).max();
    let tone = match gravest {
        Some(severity) if severity > Severity::Notice => words::severity(severity).0,
        _ if all().any(|one| one.completeness != Completeness::Complete) => Tone::Caution,
        _ => Tone::Good,
    };
    let (sentence, command) = match report.summary.rsplit_once(BEGIN_WITH) {
        Some((sentence, command)) => (sentence, Some(command)),
        None => (report.summary.as_str(), None),
    };
    page.paragraph(0, &styled(tone, sentence));
    if let Some(command) = command {
        // On a line of its own, so that it can be pasted.
        page.line(0, &format!("{}{}", BEGIN_WITH.trim_start(), styled(Tone::Code, command)));
    }
    page.blank();
}

fn facts(page: &mut Page, report: &Report) {
    let target = &report.target;
    let kind = words::target(target.kind);
    page.field("path", &format!("{} ({kind})", target.path));
    if target.resolved != target.path {
        page.field("resolved", &target.resolved);
    }
    if let Some(viewpoint) = &target.seen_by {
        let container = viewpoint.container.as_ref();
        let place = container.map_or(String::new(), |one| format!(" in {}", in_words(one)));
        page.field("seen by", &format!("{} (pid {}){place}", viewpoint.program, viewpoint.pid));
    }
    if let Some(database) = &report.database {
        page.field("database", &words::database(database));
    }
    page.field("map", &report.topology.map);
    if let Some(mount) = &report.mount {
        let options = mount.options.iter().chain(&mount.super_options);
        let mut seen = Vec::new();
        options.for_each(|option| {
            if !seen.contains(&option.as_str()) {
                seen.push(option.as_str());
            }
        });
        let what = format!("{} {} on {}", mount.filesystem, mount.source, mount.mount_point);
        page.field("mount", &format!("{what} ({})", seen.join(",")));
    }
}

/// The endangered ones first, by the gravity of what was found; then one line for each healthy one.
fn databases(page: &mut Page, report: &Report, detail: Detail) {
    let databases = &report.databases;
    if databases.is_empty() {
        return;
    }
    let gravity = |database: &Database| {
        let about = |code| report.findings.iter().filter(move |finding| finding.code == code);
        let all = database.findings.iter().flat_map(|code| about(*code));
        all.map(|finding| finding.severity).max()
    };
    let (mut troubled, healthy): (Vec<_>, Vec<_>) =
        databases.iter().partition(|database| !database.findings.is_empty());
    troubled.sort_by_cached_key(|database| Reverse(gravity(database)));
    let count = words::count(databases.len(), "database", "databases");
    match troubled.len() {
        0 => page.heading(&count),
        some => page.heading(&format!("{count}, {some} with findings")),
    }
    for (list, word) in [(troubled, "with findings"), (healthy, "healthy")] {
        let shown = detail.listed(list.len());
        for database in list.iter().take(shown) {
            let codes: Vec<_> = database.findings.iter().map(|code| code.as_str()).collect();
            let mark =
                if codes.is_empty() { String::new() } else { format!("  [{}]", codes.join(" ")) };
            let text = format!("{}: {}{mark}", database.path, words::database(database));
            page.hanging("  ", "      ", &text);
        }
        more(page, list.len() - shown, word);
    }
}

fn more(page: &mut Page, count: usize, word: &str) {
    if count > 0 {
        let text = format!("... and {count} more {word} (--verbose lists them)");
        page.paragraph(2, &styled(Tone::Dim, &text));
    }
}

fn findings(page: &mut Page, report: &Report, detail: Detail) {
    if report.findings.is_empty() {
        return;
    }
    page.heading("Findings");
    let shown = shown_findings(report, detail);
    for finding in shown {
        let (tone, word) = words::severity(finding.severity);
        let cited: Vec<_> = finding.evidence.iter().map(ToString::to_string).collect();
        let about =
            if finding.subject == report.target.resolved || finding.subject == report.target.path {
                String::new()
            } else {
                format!("  {}", finding.subject)
            };
        let cited = styled(Tone::Dim, &cited.join(" "));
        page.line(
            2,
            &format!("{}  {}{about}  {cited}", styled(tone, &format!("{word:<7}")), finding.code),
        );
        if detail == Detail::Short && report.summary.contains(&finding.what) {
            page.paragraph(11, &styled(Tone::Dim, "what the first sentence says"));
            continue;
        }
        page.paragraph(11, &finding.what);
        page.hanging("           \u{2192} ", "             ", &finding.action);
    }
    let hidden = report.findings.get(shown.len()..).unwrap_or_default();
    let notices = hidden.iter().filter(|finding| finding.severity == Severity::Notice).count();
    if notices == hidden.len() {
        more(page, notices, if notices == 1 { "notice" } else { "notices" });
    } else {
        more(page, hidden.len(), "findings");
    }
}

/// The gravest come first. Beside something that is wrong, a notice can wait.
fn shown_findings(report: &Report, detail: Detail) -> &[Finding] {
    let findings = &report.findings;
    let grave = findings.iter().take_while(|finding| finding.severity > Severity::Notice).count();
    let count = if detail == Detail::Short && grave > 0 { grave } else { findings.len() };
    findings.get(..detail.listed(count)).unwrap_or_default()
}

fn verdicts(page: &mut Page, verdicts: &[Verdict]) {
    if verdicts.is_empty() {
        return;
    }
    page.heading("Is SQLite safe here?");
    let header = format!("{:<22}{:<24}{}", "", "opened from one kernel", "from several kernels");
    page.line(2, &styled(Tone::Dim, &header));
    for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
        let cell = |openers| {
            let found =
                verdicts.iter().find(|verdict| verdict.mode == mode && verdict.openers == openers);
            let (tone, word) =
                found.map_or((Tone::Dim, "-"), |verdict| words::judgement(verdict.judgement));
            (tone, word)
        };
        let (one_tone, one) = cell(Openers::OneKernel);
        let (several_tone, several) = cell(Openers::SeveralKernels);
        let one = styled(one_tone, &format!("{one:<24}"));
        page.line(2, &format!("{:<22}{one}{}", words::mode(mode), styled(several_tone, several)));
    }
    reasons(page, verdicts);
}

/// Equal reasons are said once.
fn reasons(page: &mut Page, verdicts: &[Verdict]) {
    let mut said: Vec<&str> = Vec::new();
    for verdict in verdicts {
        if matches!(verdict.judgement, tombolo_core::report::Judgement::Safe)
            || said.contains(&verdict.because.as_str())
        {
            continue;
        }
        said.push(&verdict.because);
        let openers = match verdict.openers {
            Openers::OneKernel => "one kernel",
            Openers::SeveralKernels => "several kernels",
        };
        let mut text = format!("{}, {openers}: {}", words::mode(verdict.mode), verdict.because);
        if let Some(proof) = &verdict.would_prove {
            text = format!("{text} (would prove it: {proof})");
        }
        page.hanging("  - ", "    ", &text);
    }
}

fn evidence(page: &mut Page, report: &Report, detail: Detail) {
    let cited: BTreeSet<_> =
        shown_findings(report, detail).iter().flat_map(|finding| &finding.evidence).collect();
    // What was only noted, the lines at the top say as well.
    let is_shown = |entry: &&Evidence| {
        detail == Detail::Full || (cited.contains(&entry.id) && entry.outcome != Outcome::Noted)
    };
    let shown: Vec<_> = report.evidence.iter().filter(is_shown).collect();
    let hidden = report.evidence.len() - shown.len();
    if !shown.is_empty() {
        page.heading("Evidence");
    }
    for entry in shown {
        let (tone, word) = words::outcome(entry.outcome);
        let name = format!("{:<4} {:<22} ", entry.id.to_string(), entry.kind.as_str());
        let first =
            format!("  {}{} ", styled(Tone::Dim, &name), styled(tone, &format!("{word:<9}")));
        page.hanging(&first, &" ".repeat(12), &entry.summary);
    }
    if hidden > 0 && detail == Detail::Short && report.remedies.is_empty() {
        page.blank();
        let text =
            format!("{} more (--verbose shows them)", words::count(hidden, "result", "results"));
        page.paragraph(2, &styled(Tone::Dim, &text));
    }
}

/// The first `shown` of them with every step, of the others the names.
pub(crate) fn remedies(page: &mut Page, remedies: &[Remedy], shown: usize) {
    if remedies.is_empty() {
        return;
    }
    page.heading("Ways out, best first");
    for (index, remedy) in remedies.iter().take(shown).enumerate() {
        let reach = match remedy.reach {
            Reach::OneKernel => "safe while one kernel opens the file",
            Reach::SeveralKernels => "safe for several kernels",
        };
        let title = format!("  {}. {}  ", index + 1, styled(Tone::Heading, &remedy.title));
        page.hanging(
            &title,
            "     ",
            &styled(Tone::Dim, &format!("[{} - {reach}]", remedy.id.as_str())),
        );
        page.paragraph(5, &remedy.why);
        for step in &remedy.steps {
            page.hanging("     - ", "       ", &step.text);
            if let Some(code) = &step.code {
                page.code(9, code);
            }
        }
        for (name, text) in [("cost", &remedy.cost), ("risk", &remedy.risk), ("undo", &remedy.undo)]
        {
            let first = format!("     {} ", styled(Tone::Dim, &format!("{name}:")));
            page.hanging(&first, "           ", text);
        }
    }
    for remedy in remedies.iter().skip(shown) {
        let text = format!("{} [{}]", remedy.title, remedy.id.as_str());
        page.hanging("  also: ", "        ", &text);
    }
}

/// The first `shown` of them with their reasons, of the others the names.
pub(crate) fn warnings(page: &mut Page, warnings: &[Warning], shown: usize) {
    if warnings.is_empty() {
        return;
    }
    page.heading("Advice you will meet, and should not follow");
    for warning in warnings.iter().take(shown) {
        page.hanging(
            "  - ",
            "    ",
            &format!("{}: {}", styled(Tone::Fault, &warning.advice), warning.why),
        );
    }
    let others: Vec<_> = warnings.iter().skip(shown).map(|one| one.advice.as_str()).collect();
    if !others.is_empty() {
        page.hanging("  - ", "    ", &format!("nor: {}", others.join("; ")));
    }
}

fn missing(page: &mut Page, completeness: &Completeness, detail: Detail) {
    let Completeness::Partial { missing } = completeness else { return };
    page.heading("Not examined");
    let shown = detail.listed(missing.len());
    for item in missing.iter().take(shown) {
        page.hanging("  - ", "    ", item);
    }
    more(page, missing.len() - shown, "gaps");
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::finding::Code;
    use tombolo_core::report::{
        DOCTOR_SCHEMA, Kernel, KernelCount, KernelReach, Machine, Target, TargetKind, Topology,
    };

    fn finding(code: Code, severity: Severity, what: &str) -> Finding {
        Finding {
            code,
            severity,
            subject: "/d/a.db".to_owned(),
            what: what.to_owned(),
            evidence: Vec::new(),
            action: "do that".to_owned(),
        }
    }

    fn printed(summary: &str, findings: Vec<Finding>, detail: Detail) -> String {
        let report = Report {
            schema: DOCTOR_SCHEMA,
            summary: summary.to_owned(),
            completeness: Completeness::Complete,
            target: Target {
                path: "/d/a.db".to_owned(),
                resolved: "/d/a.db".to_owned(),
                kind: TargetKind::Database,
                seen_by: None,
            },
            topology: Topology {
                kernel: Kernel::default(),
                container: None,
                machine: Machine::Qemu,
                reach: KernelReach {
                    count: KernelCount::One,
                    kernels: Vec::new(),
                    because: String::new(),
                },
                map: "guest".to_owned(),
            },
            mount: None,
            database: None,
            databases: Vec::new(),
            evidence: Vec::new(),
            findings,
            verdicts: Vec::new(),
            remedies: Vec::new(),
            warnings: Vec::new(),
            nested: Vec::new(),
        };
        let mut page = Page::with_width(60);
        super::report(&mut page, &report, detail);
        anstream::adapter::strip_str(&page.into_text()).to_string()
    }

    #[test]
    fn a_notice_waits_only_beside_something_graver() {
        let notice = finding(Code::HardLinkRefused, Severity::Notice, "no links");
        let fault = finding(Code::SharedMapRefused, Severity::Fault, "no maps");
        assert!(printed("s", vec![notice.clone()], Detail::Short).contains("no links"));
        let both = vec![fault, notice];
        let short = printed("s", both.clone(), Detail::Short);
        assert!(!short.contains("no links") && short.contains("1 more notice"), "{short}");
        assert!(printed("s", both, Detail::Full).contains("no links"));
    }

    #[test]
    fn the_first_command_has_a_line_of_its_own_and_nothing_is_said_twice() {
        let fault = finding(Code::SharedMapRefused, Severity::Fault, "no maps");
        let command = "fuser -v '/d/a rather long name of a database.db'*";
        let summary = format!("/d/a.db: no maps. First: do that.{BEGIN_WITH}{command}");
        let short = printed(&summary, vec![fault.clone()], Detail::Short);
        assert!(short.contains(&format!("\nBegin with: {command}\n")), "{short}");
        assert_eq!(short.matches("no maps").count(), 1, "{short}");
        let full = printed(&summary, vec![fault], Detail::Full);
        assert_eq!(full.matches("no maps").count(), 2, "{full}");
    }
}

//! The databases that programs have open: the sentence, then program by program, the endangered
//! ones first, one line for each healthy one.

use super::page::{Page, Tone, styled};
use super::report::Detail;
use super::words;
use tombolo_core::report::{
    Completeness, DatabaseState, Finding, MachineReport, OpenDatabase, OpenProgram, Opener,
    Severity,
};

/// Findings printed of one database without `--verbose`.
const FINDINGS_SHORT: usize = 2;

/// Processes named in one heading.
const PIDS_LISTED: usize = 6;

pub(crate) fn machine(page: &mut Page, report: &MachineReport, detail: Detail) {
    let findings = report.databases.iter().flat_map(|database| &database.findings);
    let gravest = findings.map(|finding| finding.severity).max();
    let tone = match (gravest, &report.completeness) {
        (Some(severity), _) if severity > Severity::Notice => words::severity(severity).0,
        (_, Completeness::Partial { .. }) => Tone::Caution,
        (_, Completeness::Complete) => Tone::Good,
    };
    page.paragraph(0, &styled(tone, &report.summary));
    for program in &report.programs {
        self::program(page, program, report, detail);
    }
    missing(page, &report.completeness);
    if report.databases.is_empty() {
        return;
    }
    page.blank();
    page.paragraph(
        0,
        &styled(
            Tone::Dim,
            "No experiment was made and nothing was written beside these databases: they were \
             judged by their files, the programs that have them open, and what is known of their \
             mounts. `tombolo doctor PATH` measures. `tombolo codes CODE` explains a code.",
        ),
    );
}

/// A database stands below the first program that has it open, and is only named below the others.
fn program(page: &mut Page, program: &OpenProgram, report: &MachineReport, detail: Detail) {
    let place = program.container.as_ref().map_or(String::new(), |name| format!(" in {name}"));
    page.heading(&format!("{}{place} ({})", program.program, processes(&program.pids)));
    for id in &program.databases {
        let Some(database) = report.databases.iter().find(|database| database.id == *id) else {
            continue;
        };
        match report.programs.iter().find(|other| other.databases.contains(id)) {
            Some(first) if std::ptr::eq(first, program) => self::database(page, database, detail),
            _ => page.hanging("  ", "      ", &format!("{} (see above)", database.path)),
        }
    }
}

fn processes(pids: &[i32]) -> String {
    let listed: Vec<String> = pids.iter().take(PIDS_LISTED).map(i32::to_string).collect();
    match pids.len().saturating_sub(PIDS_LISTED) {
        0 => format!("pid {}", listed.join(", ")),
        more => format!("pid {} and {more} more", listed.join(", ")),
    }
}

fn database(page: &mut Page, database: &OpenDatabase, detail: Detail) {
    let (tone, word) = match database.state {
        DatabaseState::Endangered => {
            let gravest = database.findings.first().map(|finding| finding.severity);
            words::severity(gravest.unwrap_or(Severity::Notice))
        }
        DatabaseState::NotExamined => (Tone::Caution, "unknown"),
        DatabaseState::Healthy => (Tone::Good, "ok"),
    };
    let first = format!("  {} ", styled(tone, &format!("{word:<7}")));
    page.hanging(&first, "          ", &one_line(database));
    let is_shown =
        |finding: &&Finding| detail == Detail::Full || finding.severity > Severity::Notice;
    let shown: Vec<&Finding> = database.findings.iter().filter(is_shown).collect();
    let limit = if detail == Detail::Full { shown.len() } else { FINDINGS_SHORT };
    for finding in shown.iter().take(limit) {
        page.hanging(
            "          - ",
            "            ",
            &format!("{}: {}", finding.code, finding.what),
        );
        page.hanging("            \u{2192} ", "              ", &finding.action);
    }
    if shown.len() > limit {
        let more: Vec<&str> =
            shown.iter().skip(limit).map(|finding| finding.code.as_str()).collect();
        page.paragraph(10, &format!("also {} (--verbose says more)", more.join(", ")));
    }
    if detail == Detail::Full {
        let openers = database.database.openers.iter().map(opener).collect::<Vec<_>>();
        page.hanging("          open in ", "            ", &openers.join("; "));
    }
    if database.state != DatabaseState::Healthy || detail == Detail::Full {
        page.hanging("          next: ", "            ", &styled(Tone::Code, &database.next));
    }
}

fn one_line(database: &OpenDatabase) -> String {
    let read = database.database.size_bytes > 0 || database.not_examined.is_none();
    let mut parts: Vec<String> = Vec::new();
    parts.extend(read.then(|| words::database(&database.database)));
    parts.extend(database.mount.as_ref().map(|mount| mount.filesystem.clone()));
    parts.extend(database.not_examined.clone());
    format!("{}: {}", database.path, parts.join(", "))
}

fn opener(opener: &Opener) -> String {
    let mut text = format!("{} (pid {})", opener.program, opener.pid);
    if let Some(version) = &opener.sqlite_version {
        text = format!("{text} by SQLite {version}");
    }
    if !opener.locks.is_empty() {
        text = format!("{text}, holding {}", opener.locks.join(" "));
    }
    text
}

fn missing(page: &mut Page, completeness: &Completeness) {
    let Completeness::Partial { missing } = completeness else { return };
    page.heading("Not seen");
    for item in missing {
        page.hanging("  - ", "    ", item);
    }
}

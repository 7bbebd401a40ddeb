//! Tables: facts, verdicts, databases, evidence, versions.

use super::super::words;
use super::writer::Html;
use tombolo_core::report::{
    Database, Evidence, Judgement, Mode, Openers, Outcome, Report, Verdict,
};
use tombolo_doctor::bundle::Bundle;

/// Databases listed; the data have them all.
const DATABASES_MAX: usize = 200;

/// Path, database and mount, each with its name.
pub(super) fn facts(parent: &mut Html, report: &Report) {
    let target = &report.target;
    let mut facts = vec![("Path", format!("{} ({})", target.path, words::target(target.kind)))];
    if target.resolved != target.path {
        facts.push(("Resolved", target.resolved.clone()));
    }
    if let Some(database) = &report.database {
        facts.push(("Database", words::database(database)));
    }
    if let Some(mount) = &report.mount {
        let what = format!("{} {} on {}", mount.filesystem, mount.source, mount.mount_point);
        facts.push(("Mount", what));
        let mut options: Vec<&str> = Vec::new();
        for option in mount.options.iter().chain(&mount.super_options) {
            if !options.contains(&option.as_str()) {
                options.push(option);
            }
        }
        facts.push(("Options", options.join(", ")));
    }
    names_and_values(parent, facts.iter().map(|(name, value)| (*name, value.as_str())));
}

pub(super) fn versions(parent: &mut Html, bundle: &Bundle) {
    let kernel = &bundle.report().topology.kernel;
    let running = format!("{} {}", kernel.release, kernel.version);
    let mut all = vec![("Tombolo", bundle.tombolo()), ("Kernel", &running)];
    all.push(("Architecture", &kernel.machine));
    all.extend(bundle.sqlite().iter().map(|version| ("SQLite", version.as_str())));
    names_and_values(parent, all.into_iter());
}

pub(super) fn names_and_values<'a>(
    parent: &mut Html,
    all: impl Iterator<Item = (&'a str, &'a str)>,
) {
    parent.element("dl", |list| {
        for (name, value) in all.filter(|(_, value)| !value.trim().is_empty()) {
            list.element("div", |pair| {
                pair.leaf("dt", name);
                pair.leaf("dd", value);
            });
        }
    });
}

const MODES: [Mode; 3] = [Mode::Wal, Mode::WalOneProcess, Mode::Rollback];
const OPENERS: [(Openers, &str); 2] = [
    (Openers::OneKernel, "Opened from one kernel"),
    (Openers::SeveralKernels, "From several kernels"),
];

/// The answers, each with its reason where it is not "safe".
pub(super) fn verdicts(parent: &mut Html, verdicts: &[Verdict]) {
    let columns = ["Way of using SQLite", OPENERS[0].1, OPENERS[1].1];
    let caption = "For each way of using SQLite, whether it is safe here";
    table(parent, "verdicts", caption, &columns, |body| {
        for mode in MODES {
            row(body, words::mode(mode), |row| {
                for (openers, name) in OPENERS {
                    let found = verdicts
                        .iter()
                        .find(|verdict| (verdict.mode, verdict.openers) == (mode, openers));
                    verdict(row, name, found);
                }
            });
        }
    });
}

fn verdict(row: &mut Html, column: &str, verdict: Option<&Verdict>) {
    let (class, word) = verdict.map_or(("none", "not told"), |one| {
        (class_of(one.judgement), words::judgement(one.judgement).1)
    });
    cell(row, column, class, |cell| {
        cell.leaf_of("span", "badge", word);
        if let Some(one) = verdict.filter(|one| one.judgement != Judgement::Safe) {
            cell.leaf_of("span", "why", &one.because);
            if let Some(proof) = &one.would_prove {
                cell.leaf_of("span", "why", &format!("Would prove it: {proof}"));
            }
        }
    });
}

fn class_of(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Safe => "good",
        Judgement::Slow | Judgement::NotProven => "caution",
        Judgement::Fails => "fault",
        Judgement::Unsafe => "danger",
    }
}

pub(super) fn databases(parent: &mut Html, databases: &[Database]) {
    let columns = ["Database", "State", "Findings"];
    table(parent, "rows", "SQLite databases that were found", &columns, |body| {
        for database in databases.iter().take(DATABASES_MAX) {
            let codes: Vec<_> = database.findings.iter().map(|code| code.as_str()).collect();
            let codes = if codes.is_empty() { "none".to_owned() } else { codes.join(", ") };
            row(body, &database.path, |row| {
                cell(row, columns[1], "", |cell| cell.text(&words::database(database)));
                cell(row, columns[2], "", |cell| cell.text(&codes));
            });
        }
    });
    let more = databases.len().saturating_sub(DATABASES_MAX);
    if more > 0 {
        parent.leaf("p", &format!("and {more} more, which the data below have"));
    }
}

/// What decided lies open; what held and what was only noted can be unfolded.
pub(super) fn evidence(parent: &mut Html, report: &Report) {
    let tells = |one: &&Evidence| {
        matches!(one.outcome, Outcome::Refused | Outcome::Violated | Outcome::TimedOut)
    };
    let (telling, other): (Vec<_>, Vec<_>) = report.evidence.iter().partition(tells);
    if telling.is_empty() {
        parent.leaf("p", "No experiment was refused, and none was violated.");
    } else {
        results(parent, "Results that speak against SQLite here", &telling);
    }
    if !other.is_empty() {
        parent.element("details", |details| {
            let count = words::count(other.len(), "other result", "other results");
            details.leaf("summary", &count);
            results(details, "What held, what was noted, and what did not run", &other);
        });
    }
}

fn results(parent: &mut Html, caption: &str, results: &[&Evidence]) {
    let columns = ["Experiment", "Outcome", "Result"];
    table(parent, "rows", caption, &columns, |body| {
        for one in results {
            let class = match one.outcome {
                Outcome::Holds => "good",
                Outcome::Refused | Outcome::TimedOut => "fault",
                Outcome::Violated => "danger",
                Outcome::NotRun => "caution",
                Outcome::Noted => "none",
            };
            row(body, &format!("{} {}", one.id, one.kind.as_str()), |row| {
                cell(row, columns[1], class, |cell| {
                    cell.leaf_of("span", "badge", words::outcome(one.outcome).1);
                });
                cell(row, columns[2], "", |cell| cell.text(&one.summary));
            });
        }
    });
}

/// A table with a caption. On a narrow screen its cells stand below one another; the roles keep it
/// a table for those who listen to it, since `display: block` takes that away.
fn table(
    parent: &mut Html,
    class: &str,
    caption: &str,
    columns: &[&str],
    rows: impl FnOnce(&mut Html),
) {
    parent.with("table", &[("class", class), ("role", "table")], |table| {
        table.leaf("caption", caption);
        table.with("thead", &[("role", "rowgroup")], |head| {
            head.with("tr", &[("role", "row")], |row| {
                for name in columns {
                    let attributes = [("scope", "col"), ("role", "columnheader")];
                    row.with("th", &attributes, |cell| cell.text(name));
                }
            });
        });
        table.with("tbody", &[("role", "rowgroup")], rows);
    });
}

fn row(body: &mut Html, heading: &str, cells: impl FnOnce(&mut Html)) {
    body.with("tr", &[("role", "row")], |row| {
        row.with("th", &[("scope", "row"), ("role", "rowheader")], |cell| cell.text(heading));
        cells(row);
    });
}

/// A cell that names its column itself, where the heads of the columns are not to be seen.
fn cell(row: &mut Html, column: &str, class: &str, inside: impl FnOnce(&mut Html)) {
    row.with("td", &[("data-column", column), ("class", class), ("role", "cell")], inside);
}

//! Mount options that were tried: a table, the best first.

use super::page::{Page, Tone, styled};
use super::protocol::sentence;
use super::words;
use crate::fix::{TrialRow, Tuned};
use tombolo_doctor::tune::{Measured, Speed, TrialResult};

pub(crate) fn tune(page: &mut Page, tuned: &Tuned) {
    page.paragraph(
        0,
        &format!(
            "{} at {} ({}), by Linux {}, the best first",
            tuned.filesystem, tuned.mount_point, tuned.source, tuned.kernel
        ),
    );
    page.blank();
    let width = tuned.trials.iter().map(|row| name(row).len()).max().unwrap_or(0).max(7);
    let head = ["WAL", "rollback", "shared map", "WAL tx/s", "rollback tx/s", "reads/s"];
    page.line(2, &styled(Tone::Heading, &cells(&format!("{:<width$}", "options"), head)));
    for row in &tuned.trials {
        let name = format!("{:<width$}", name(row));
        let text = match &row.trial.result {
            TrialResult::Measured(measured) => of_measured(&name, measured),
            TrialResult::Refused { call, errno, .. } => format!("{name}  {call}: {errno}"),
            TrialResult::Shared => format!("{name}  shares the mount that is there"),
            TrialResult::NotFinished { why } => format!("{name}  {why}"),
        };
        page.line(2, &text);
    }
    reasons(page, tuned);
    page.heading("What several kernels do was not measured; what is known of it");
    for claim in &tuned.several_kernels {
        page.hanging("  - ", "    ", &sentence(claim));
    }
    page.blank();
    match &tuned.command {
        Some(command) => {
            page.paragraph(0, "What is best for programs of this kernel alone is written by:");
            page.code(2, command);
        }
        None => page.paragraph(0, "None of them is proposed."),
    }
}

fn name(row: &TrialRow) -> String {
    row.trial.options.join(",")
}

fn cells(first: &str, rest: [&str; 6]) -> String {
    let widths = [12, 12, 10, 9, 13, 8];
    let rest = rest.iter().zip(widths).map(|(text, width)| format!("  {text:<width$}"));
    format!("{first}{}", rest.collect::<String>()).trim_end().to_owned()
}

fn of_measured(name: &str, measured: &Measured) -> String {
    let rate = |speed: Option<f64>| speed.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
    let transactions = |speed: Option<Speed>| rate(speed.map(|one| one.transactions_per_second));
    let reads = measured.wal_speed.or(measured.rollback_speed).map(|one| one.reads_per_second);
    let word = |judgement| words::judgement(judgement).1.split(':').next().unwrap_or_default();
    let map = if measured.shared_map { "works" } else { "refused" };
    cells(
        name,
        [
            word(measured.wal),
            word(measured.rollback),
            map,
            &transactions(measured.wal_speed),
            &transactions(measured.rollback_speed),
            &rate(reads),
        ],
    )
}

/// Why some were not mounted, and why some are not written.
fn reasons(page: &mut Page, tuned: &Tuned) {
    let mut told: Vec<String> = Vec::new();
    for row in &tuned.trials {
        if let TrialResult::Refused { why, .. } = &row.trial.result {
            told.push(why.clone());
        }
        told.extend(row.withheld.as_ref().map(|why| format!("{}: {why}", name(row))));
    }
    told.dedup();
    if !told.is_empty() {
        page.blank();
    }
    for text in told {
        page.hanging("  - ", "    ", &text);
    }
}

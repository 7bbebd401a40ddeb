//! `explain` on reports that say the usual things in other words.

mod reports;

use reports::{Report, Tally, named};
use std::collections::BTreeMap;
use tombolo_doctor::explain::CauseCode;

fn reports() -> Vec<Report> {
    reports::read(include_str!("explain_paraphrased.toml"))
}

#[test]
fn most_reports_in_other_words_get_their_cause() {
    Tally::of(&reports()).assert_at_least(85, 95);
}

#[test]
fn no_complaint_is_called_healthy() {
    for report in reports().iter().filter(|report| report.want != "HEALTHY") {
        assert_ne!(named(report)[0], "HEALTHY", "{}", report.text);
    }
}

#[test]
fn every_cause_is_measured() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for report in reports() {
        *counts.entry(report.want).or_default() += 1;
    }
    for code in CauseCode::ALL {
        let count = counts.get(code.as_str()).copied().unwrap_or(0);
        assert!(count >= 8, "{code:?} has {count} reports");
    }
}

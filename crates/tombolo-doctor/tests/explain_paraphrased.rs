//! `explain` on reports that say the usual things in other words.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tombolo_doctor::explain::{CauseCode, explain};

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    want: String,
    text: String,
}

fn reports() -> Vec<Report> {
    let reports: Reports =
        toml::from_str(include_str!("explain_paraphrased.toml")).expect("the reports are TOML");
    reports.report
}

fn named(report: &Report) -> Vec<&'static str> {
    explain(&report.text).causes.iter().map(|cause| cause.code.as_str()).collect()
}

#[test]
fn most_reports_in_other_words_get_their_cause() {
    let reports = reports();
    let (mut first, mut second) = (0, 0);
    let mut missed = String::new();
    for report in &reports {
        let named = named(report);
        let place = named.iter().position(|code| *code == report.want);
        first += usize::from(place == Some(0));
        second += usize::from(place.is_some_and(|place| place < 2));
        if place != Some(0) {
            let _ = writeln!(missed, "want {}, got {named:?}: {}", report.want, report.text);
        }
    }
    let count = reports.len();
    let share = format!("{first} and {second} of {count}\n{missed}");
    assert!(first * 100 >= count * 85 && second * 100 >= count * 95, "{share}");
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

//! `explain` on reports as people fill in a form, three hands' worth of them.

use serde::Deserialize;
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

const HANDS: &[&str] = &[
    include_str!("written/one.toml"),
    include_str!("written/two.toml"),
    include_str!("written/three.toml"),
];

/// Shares in hundredths below which something that worked is lost. They rise and never fall.
const FIRST_FLOOR: usize = 97;
const SECOND_FLOOR: usize = 98;

fn reports() -> Vec<Report> {
    let read = |hand: &&str| toml::from_str::<Reports>(hand).expect("the reports are TOML").report;
    HANDS.iter().flat_map(read).collect()
}

fn named(report: &Report) -> Vec<&'static str> {
    explain(&report.text).causes.iter().map(|cause| cause.code.as_str()).collect()
}

#[test]
fn nothing_that_was_explained_is_lost() {
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
    assert!(first * 100 >= count * FIRST_FLOOR && second * 100 >= count * SECOND_FLOOR, "{share}");
}

#[test]
fn no_failure_is_called_healthy() {
    for report in reports().iter().filter(|report| report.want != "HEALTHY") {
        assert_ne!(named(report)[0], "HEALTHY", "{}", report.text);
    }
}

/// What one kernel does well on its own disk, and what a program does wrong, is not blamed on the
/// file system.
#[test]
fn no_file_system_is_blamed_for_what_it_did_not_do() {
    const BLAMELESS: &[&str] =
        &["HEALTHY", "NOT_FS", "PERMISSION_OR_PATH", "SIDECAR_SPLIT", "LATENCY", "NEEDS_FACTS"];
    for report in reports().iter().filter(|one| matches!(one.want.as_str(), "HEALTHY" | "NOT_FS")) {
        let named = named(report)[0];
        assert!(BLAMELESS.contains(&named), "{named}: {}", report.text);
    }
}

#[test]
fn every_cause_is_measured() {
    let reports = reports();
    for code in CauseCode::ALL {
        let count = reports.iter().filter(|report| report.want == code.as_str()).count();
        assert!(count >= 15, "{code:?} has {count} reports");
    }
}

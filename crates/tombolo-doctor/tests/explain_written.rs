//! `explain` on reports as people fill in a form, three hands' worth of them.

mod reports;

use reports::{Report, Tally, named};
use tombolo_doctor::explain::CauseCode;

const HANDS: &[&str] = &[
    include_str!("written/one.toml"),
    include_str!("written/two.toml"),
    include_str!("written/three.toml"),
];

/// Shares in hundredths below which something that worked is lost. They rise and never fall.
const FIRST_FLOOR: usize = 97;
const SECOND_FLOOR: usize = 98;

fn reports() -> Vec<Report> {
    HANDS.iter().flat_map(|hand| reports::read(hand)).collect()
}

#[test]
fn nothing_that_was_explained_is_lost() {
    Tally::of(&reports()).assert_at_least(FIRST_FLOOR, SECOND_FLOOR);
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

//! `explain` on public reports by people who know nothing of it, labelled by others than those who
//! wrote its rules. This is the measure of what it does with the next report; what it does with
//! those that it was built on says less.

mod reports;

use reports::{Report, Tally, read};
use tombolo_doctor::explain::CauseCode;

const SEEN: &[&str] = &[
    include_str!("public/open.toml"),
    include_str!("public/a.toml"),
    include_str!("public/b.toml"),
    include_str!("public/c.toml"),
    include_str!("public/d.toml"),
    include_str!("public/e.toml"),
    include_str!("public/f.toml"),
    include_str!("public/g.toml"),
    include_str!("public/i.toml"),
];
const KEPT_APART: &str = include_str!("public/kept_apart.toml");
/// Collected after the rules were last touched, and not learnt from.
const FRESH: &str = include_str!("public/h.toml");

/// Floors below which something that worked is lost. They rise and never fall.
#[test]
fn nothing_that_was_explained_is_lost() {
    let seen: Vec<Report> = SEEN.iter().flat_map(|file| read(file)).collect();
    Tally::of(&seen).assert_at_least(96, 98);
    Tally::of(&read(KEPT_APART)).assert_at_least(76, 87);
    Tally::of(&read(FRESH)).assert_at_least(85, 92);
}

#[test]
fn every_report_has_a_source_and_a_cause() {
    let files = SEEN.iter().chain([&KEPT_APART, &FRESH]);
    for report in files.flat_map(|file| read(file)) {
        assert!(!report.source.is_empty(), "{}", report.text);
        assert!(CauseCode::from_name(&report.want).is_some(), "{}", report.want);
    }
}

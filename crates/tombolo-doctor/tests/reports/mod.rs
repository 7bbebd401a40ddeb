//! Labelled reports, and how many of them `explain` gets right.
#![allow(dead_code, unreachable_pub)] // Each test program uses its part.

use serde::Deserialize;
use std::fmt::Write as _;
use tombolo_doctor::explain::explain;

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

#[derive(Deserialize)]
pub struct Report {
    /// Where it was found; empty of one that was made up.
    #[serde(default)]
    pub source: String,
    /// The cause that a person who knows the field names.
    pub want: String,
    pub text: String,
}

pub fn read(file: &str) -> Vec<Report> {
    toml::from_str::<Reports>(file).expect("the reports are TOML").report
}

/// The causes that are named, best first.
pub fn named(report: &Report) -> Vec<&'static str> {
    explain(&report.text).causes.iter().map(|cause| cause.code.as_str()).collect()
}

/// How often the right cause is named.
pub struct Tally {
    first: usize,
    among_two: usize,
    count: usize,
    missed: String,
}

impl Tally {
    pub fn of(reports: &[Report]) -> Self {
        let mut tally =
            Tally { first: 0, among_two: 0, count: reports.len(), missed: String::new() };
        for report in reports {
            let named = named(report);
            let place = named.iter().position(|code| *code == report.want);
            tally.first += usize::from(place == Some(0));
            tally.among_two += usize::from(place.is_some_and(|place| place < 2));
            if place != Some(0) {
                let Report { want, text, .. } = report;
                let _ = writeln!(tally.missed, "want {want}, got {named:?}: {text}");
            }
        }
        tally
    }

    /// In hundredths: how often the right cause must come first, and be among the first two.
    #[track_caller]
    pub fn assert_at_least(&self, first: usize, among_two: usize) {
        let Tally { count, missed, .. } = self;
        let enough = self.first * 100 >= count * first && self.among_two * 100 >= count * among_two;
        assert!(enough, "{} and {} of {count}\n{missed}", self.first, self.among_two);
    }
}

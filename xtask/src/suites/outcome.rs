//! What a file of TCL tests came to, and how two runs of it differ. Pure.

use std::collections::BTreeMap;

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
}

/// Whether a file of tests came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Reached,
    NotReached,
}

/// One run of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) tests: BTreeMap<String, Verdict>,
    pub(super) end: End,
}

/// How a run differs from another for the worse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Worse {
    /// Tests that failed here alone, and the end if that was not reached here alone.
    pub(super) failed: Vec<String>,
    /// Tests that did not come up here; none where as many new ones did, as some names have random
    /// numbers in them.
    pub(super) missing: Vec<String>,
}

impl Outcome {
    /// Reads what `testfixture` prints: `NAME... Ok` for each test, else what was expected, and
    /// in the end the number of errors and the names of those that failed (`tester.tcl`).
    pub(super) fn parse(printed: &str) -> Self {
        let mut outcome = Outcome { tests: BTreeMap::new(), end: End::NotReached };
        for line in printed.lines() {
            if let Some(failed) = line.strip_prefix("!Failures on these tests:") {
                for name in failed.split_whitespace() {
                    outcome.tests.insert(name.to_owned(), Verdict::Failed);
                }
            } else if let Some((name, rest)) = line.split_once("...") {
                if name.is_empty() || name.contains(char::is_whitespace) {
                    continue;
                }
                let passed = rest.trim_end().ends_with("Ok");
                let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
                // A name that is used twice has failed where it failed once.
                let known = outcome.tests.entry(name.to_owned()).or_insert(verdict);
                if verdict == Verdict::Failed {
                    *known = verdict;
                }
            } else if line.contains(" errors out of ") {
                outcome.end = End::Reached;
            }
        }
        outcome
    }

    /// How this run differs from another for the worse.
    pub(super) fn worse_than(&self, other: &Outcome) -> Worse {
        let failed = self.tests.iter().filter(|(name, verdict)| {
            **verdict == Verdict::Failed && other.tests.get(*name) != Some(&Verdict::Failed)
        });
        let mut failed: Vec<String> = failed.map(|(name, _)| name.clone()).collect();
        if self.end == End::NotReached && other.end == End::Reached {
            failed.push(super::expected::END.to_owned());
        }
        let absent = other.tests.keys().filter(|name| !self.tests.contains_key(*name)).cloned();
        let is_shorter = self.tests.len() < other.tests.len();
        Worse { failed, missing: if is_shorter { absent.collect() } else { Vec::new() } }
    }

    pub(super) fn passed(&self) -> usize {
        self.tests.values().filter(|verdict| **verdict == Verdict::Passed).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = "a-1.1... Ok\na-1.2... Ok\na-1.3... Ok\n0 errors out of 4 tests on host\n";

    #[test]
    fn what_is_worse_is_named() {
        let stock = Outcome::parse(STOCK);
        assert_eq!((stock.passed(), stock.end), (3, End::Reached));
        assert_eq!(stock.worse_than(&stock), Worse::default());
        let door = "a-1.1... Ok\na-1.2...\n! a-1.2 expected: [1]\n! a-1.2 got:      [2]\n\
            a-1.9... Ok\na-1.9...\nError: no\n\
            2 errors out of 4 tests on host\n!Failures on these tests: a-1.2 a-1.9\n";
        let door = Outcome::parse(door);
        let worse = door.worse_than(&stock);
        assert_eq!(worse.failed, ["a-1.2", "a-1.9"]);
        assert!(worse.missing.is_empty(), "3 and 9 may be one test");
        assert_eq!(stock.worse_than(&door), Worse::default(), "better is not worse");
        let short = Outcome::parse("a-1.1... Ok\na-1.2... Ok\n0 errors out of 2 tests on host\n");
        assert_eq!(short.worse_than(&stock).missing, ["a-1.3"]);
    }

    #[test]
    fn a_file_that_ends_early_is_worse() {
        let stock = Outcome::parse(STOCK);
        let cut = Outcome::parse("a-1.1... Ok\na-1.2... Ok\na-1.3...");
        assert_eq!(cut.worse_than(&stock).failed, ["a-1.3", super::super::expected::END]);
    }
}

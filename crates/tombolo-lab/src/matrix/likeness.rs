//! Whether two FUSE mounts that stand for a share show what the share itself has shown.
//!
//! Rows of the same experiments are compared cell by cell. What two programs lose is a matter of
//! chance, and a busy machine sees late what another sees at once: so there may be several rows on
//! each side, and a cell agrees where they have a word in common.

use super::MatrixError;
use super::doctor::{Harm, what_happened};
use super::outcome::{RigReport, Way};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The limits that are known.
const LIMITS: &str = include_str!("../../imitations.toml");

/// The doctor's word for evidence that does not suffice, as on a machine that is too busy: it says
/// nothing else than any other word.
const UNDECIDED: &str = "not_proven";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    limit: Vec<Limit>,
}

/// What an imitation cannot show, in cells that say the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The shares, by their names.
    pub of: Vec<String>,
    /// The cells.
    pub cells: Vec<String>,
    /// What the share itself shows.
    pub real: String,
    /// What its imitation shows.
    pub imitated: String,
    /// Whether the cell can agree all the same.
    #[serde(default)]
    pub chance: bool,
    /// Why.
    pub why: String,
}

/// A cell in which rows have no word in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which: `POSIX lock seen, server to A`.
    pub cell: String,
    /// What the rows of the share say.
    pub real: BTreeSet<String>,
    /// What the rows of its imitation say.
    pub imitated: BTreeSet<String>,
}

/// The known limits.
///
/// # Errors
/// When the data is not TOML as it must be.
pub fn limits() -> Result<Vec<Limit>, MatrixError> {
    let file: File =
        toml::from_str(LIMITS).map_err(|source| MatrixError::Data(Box::new(source)))?;
    Ok(file.limit)
}

impl Limit {
    /// Whether it is a limit of this share in this cell.
    #[must_use]
    pub fn is_of(&self, share: &str, cell: &str) -> bool {
        self.of.iter().any(|of| of == share) && self.cells.iter().any(|of| of == cell)
    }

    /// Whether it explains a difference, with just these words.
    #[must_use]
    pub fn explains(&self, share: &str, difference: &Difference) -> bool {
        self.is_of(share, &difference.cell)
            && difference.real.contains(&self.real)
            && difference.imitated.contains(&self.imitated)
    }
}

/// The cells in which the rows of a share and those of its imitation have nothing in common.
#[must_use]
pub fn differences(real: &[&RigReport], imitated: &[&RigReport]) -> Vec<Difference> {
    let (real, imitated) = (words(real), words(imitated));
    let cells: BTreeSet<&String> = real.keys().chain(imitated.keys()).collect();
    let of = |words: &BTreeMap<String, BTreeSet<String>>, cell: &String| {
        words.get(cell).cloned().unwrap_or_default()
    };
    cells
        .into_iter()
        .map(|cell| Difference {
            cell: cell.clone(),
            real: of(&real, cell),
            imitated: of(&imitated, cell),
        })
        .filter(|both| both.real.is_disjoint(&both.imitated))
        .filter(|both| ![&both.real, &both.imitated].iter().any(|of| of.contains(UNDECIDED)))
        .collect()
}

fn words(rows: &[&RigReport]) -> BTreeMap<String, BTreeSet<String>> {
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (cell, word) in rows.iter().flat_map(|row| cells(row)) {
        words.entry(cell).or_default().insert(word);
    }
    words
}

/// What a row says that does not depend on how many transactions there were, or on the machine.
fn cells(row: &RigReport) -> Vec<(String, String)> {
    let mut cells = Vec::new();
    for fact in &row.facts {
        let is_time = fact.seen.starts_with("after ");
        cells.push((fact.cell(), if is_time { "later".to_owned() } else { fact.seen.clone() }));
    }
    for opened in &row.opens {
        cells.push((format!("opening, {}", opened.name), opened.outcome.clone()));
    }
    for pair in &row.pairs {
        let names = format!("{} and {}", pair.first, pair.second);
        cells.push((format!("BEGIN EXCLUSIVE, {names}"), pair.exclusive.join(", ")));
        // A lock file depends on names and caches alone: on one and the same share it works in one
        // run, and fails or loses in the next.
        for updates in pair.updates.iter().filter(|updates| updates.way != Way::UnixDotfile) {
            let Some((harm, _)) = what_happened(pair, updates.way) else { continue };
            let word = match harm {
                Harm::Nothing => "works",
                Harm::Errors => "fails",
                Harm::Loss => "loses",
            };
            cells.push((format!("{}, {names}", updates.way.name()), word.to_owned()));
        }
    }
    for compared in row.compared.iter().filter(|of| of.openers == "one_kernel") {
        cells.push((format!("doctor, {}", compared.mode), compared.said.clone()));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Fact;
    use super::*;
    use crate::imitations::Share;

    fn row(facts: &[(&str, &str)]) -> RigReport {
        let fact = |(name, seen): &(&str, &str)| Fact {
            name: (*name).to_owned(),
            from: "A".to_owned(),
            to: "B".to_owned(),
            seen: (*seen).to_owned(),
        };
        RigReport { facts: facts.iter().map(fact).collect(), ..RigReport::default() }
    }

    #[test]
    fn a_cell_differs_where_no_row_says_what_another_says() {
        let real = [row(&[("lock", "no"), ("size", "after 990 ms")]), row(&[("lock", "yes")])];
        let imitated = row(&[("lock", "yes"), ("size", "after 1010 ms")]);
        let real: Vec<&RigReport> = real.iter().collect();
        assert_eq!(differences(&real, &[&imitated]), []);
        let late = row(&[("lock", "maybe"), ("size", "never")]);
        let found = differences(&real, &[&late]);
        let cells: Vec<_> = found.iter().map(|found| found.cell.as_str()).collect();
        assert_eq!(cells, ["lock, A to B", "size, A to B"]);
        // Seen late once is enough.
        assert_eq!(differences(&real, &[&late, &imitated]), []);
        // What one has and the other has not is a difference as well.
        assert_eq!(differences(&real, &[]).len(), 2);
    }

    #[test]
    fn a_limit_explains_its_own_words_in_its_own_cells() {
        let limit = Limit {
            of: vec!["sshfs".to_owned()],
            cells: vec!["lock, A to B".to_owned()],
            real: "yes".to_owned(),
            imitated: "no".to_owned(),
            chance: false,
            why: "it is so".to_owned(),
        };
        let set = |word: &str| BTreeSet::from([word.to_owned()]);
        let difference = |cell: &str, imitated| Difference {
            cell: cell.to_owned(),
            real: set("yes"),
            imitated: set(imitated),
        };
        assert!(limit.explains("sshfs", &difference("lock, A to B", "no")));
        assert!(!limit.explains("NFS 4.2", &difference("lock, A to B", "no")));
        assert!(!limit.explains("sshfs", &difference("lock, A to B", "EIO")));
        assert!(!limit.explains("sshfs", &difference("size, A to B", "no")));
    }

    #[test]
    fn every_limit_is_of_a_share_that_is_imitated_and_says_why() {
        let limits = limits().expect("sound");
        assert!(!limits.is_empty());
        for limit in &limits {
            assert!(!limit.why.is_empty() && !limit.cells.is_empty() && !limit.of.is_empty());
            assert!(limit.real != limit.imitated, "{limit:?}");
            for of in &limit.of {
                assert!(Share::ALL.iter().any(|share| share.name() == of), "{limit:?}");
            }
        }
    }
}

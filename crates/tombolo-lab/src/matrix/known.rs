//! What the doctor's knowledge base says of the rigs, beside what was measured.
//!
//! It is read as the data that it is, by code of the lab's own: a judge does not share code with
//! the judged. `known.toml` says which row a rig has, and what its sentences mean for experiments.

use super::doctor::{Harm, what_happened};
use super::outcome::{OPENS, RigReport, Way};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Value;

const CLAIMS: &str = include_str!("../../known.toml");

/// The groups of the knowledge base that have rows of rigs.
const GROUPS: [&str; 4] = [
    include_str!("../../../tombolo-doctor/src/knowledge/data/vm_shares.toml"),
    include_str!("../../../tombolo-doctor/src/knowledge/data/network.toml"),
    include_str!("../../../tombolo-doctor/src/knowledge/data/local.toml"),
    include_str!("../../../tombolo-doctor/src/knowledge/data/fuse.toml"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rig: Vec<Described>,
    claim: Vec<Claim>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    names: Vec<String>,
    row: String,
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    rigs: Vec<String>,
    fact: String,
    quote: String,
    cells: Vec<String>,
    between: Vec<String>,
    seen: Vec<String>,
}

/// Where the knowledge base and a rig differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Otherwise {
    /// Of what: an experiment, or a way of using SQLite.
    pub(super) what: String,
    /// What the knowledge base says.
    pub(super) known: String,
    /// What was measured.
    pub(super) measured: String,
}

/// Both sides of the comparison.
#[derive(Debug)]
pub(super) struct Known {
    file: File,
    rows: BTreeMap<String, Value>,
}

impl Known {
    /// The lab's claims, and the doctor's knowledge base as it was when the lab was built.
    ///
    /// # Errors
    /// When one of them is not TOML as it must be.
    pub(super) fn load() -> Result<Self, toml::de::Error> {
        let mut rows = BTreeMap::new();
        for group in GROUPS {
            let group: Value = toml::from_str(group)?;
            for row in group.get("row").and_then(Value::as_array).into_iter().flatten() {
                let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
                rows.insert(id.to_owned(), row.clone());
            }
        }
        Ok(Known { file: toml::from_str(CLAIMS)?, rows })
    }

    /// Where a rig shows otherwise, and how many statements were held against it.
    pub(super) fn compare(&self, rig: &RigReport) -> (Vec<Otherwise>, usize) {
        let (mut otherwise, mut count) = (Vec::new(), 0);
        for claim in self.file.claim.iter().filter(|claim| claim.rigs.contains(&rig.name)) {
            for fact in rig.facts.iter().filter(|fact| claim.is_about(fact)) {
                count += 1;
                if !claim.holds(&fact.seen) {
                    let what = fact.cell();
                    let known = format!("{}: {}", claim.fact, claim.quote);
                    let measured = fact.seen.clone();
                    otherwise.push(Otherwise { what, known, measured });
                }
            }
        }
        for (mode, openers) in MODES.iter().flat_map(|mode| OPENERS.map(|openers| (*mode, openers)))
        {
            let (Some(word), Some((harm, measured))) =
                (self.word(&rig.name, mode, openers), happened(rig, mode, openers))
            else {
                continue;
            };
            count += 1;
            if contradicts(&word, harm) {
                let what = format!("{mode}, {}", openers.replace('_', " "));
                otherwise.push(Otherwise { what, known: word, measured });
            }
        }
        (otherwise, count)
    }

    /// The word of a rig's row for a cell of its verdicts: the worst that an option of the rig
    /// sets, else that of the row.
    fn word(&self, rig: &str, mode: &str, openers: &str) -> Option<String> {
        let described = self.file.rig.iter().find(|of| of.names.iter().any(|name| name == rig))?;
        let row = self.rows.get(&described.row)?;
        let options = described.options.iter().filter_map(|option| option_of(row, option));
        let word = |of: &Value| Some(of.get(openers)?.get(mode)?.as_str()?.to_owned());
        let changed = options.filter_map(word).max_by_key(|word| badness(word));
        changed.or_else(|| word(row))
    }
}

impl Claim {
    fn is_about(&self, fact: &super::Fact) -> bool {
        self.cells.contains(&fact.name) && self.between.contains(&fact.between())
    }

    fn holds(&self, seen: &str) -> bool {
        let bare = seen.split(" (").next().unwrap_or_default();
        let is_time = bare.starts_with("after ");
        self.seen.iter().any(|word| word == bare || (is_time && word == "after"))
    }
}

const MODES: [&str; 3] = ["rollback", "wal", "wal_one_process"];
const OPENERS: [&str; 2] = ["one_kernel", "several_kernels"];

fn option_of<'a>(row: &'a Value, pattern: &str) -> Option<&'a Value> {
    let options = row.get("option").and_then(Value::as_array)?;
    let first = |option: &Value| Some(option.get("any_of")?.get(0)?.as_str()?.to_owned());
    options.iter().find(|option| first(option).as_deref() == Some(pattern))
}

/// The words of the knowledge base, from good to bad.
const WORDS: [&str; 8] =
    ["ok", "ok_if", "lossy", "probe", "risky", "fails_safe", "unsupported", "unsafe"];

fn badness(word: &str) -> usize {
    WORDS.iter().position(|of| *of == word).unwrap_or(WORDS.len())
}

/// What a rig showed of a cell; nothing where that was not tried.
fn happened(rig: &RigReport, mode: &str, openers: &str) -> Option<(Harm, String)> {
    let way = match (mode, openers) {
        ("rollback", _) => Way::Delete,
        ("wal", _) => Way::Wal,
        (_, "one_kernel") => {
            let opened = rig.opens.iter().find(|opened| opened.name == OPENS[2])?;
            let harm = if opened.outcome == "ok" { Harm::Nothing } else { Harm::Errors };
            return Some((harm, opened.outcome.clone()));
        }
        _ => return None,
    };
    let pairs = rig.pairs.iter().filter(|pair| pair.is_across() == (openers != "one_kernel"));
    pairs.filter_map(|pair| what_happened(pair, way)).max_by_key(|(harm, _)| *harm)
}

/// A warning that did not come true in one run says nothing.
fn contradicts(word: &str, harm: Harm) -> bool {
    match word {
        "ok" | "ok_if" => harm != Harm::Nothing,
        "fails_safe" | "unsupported" => harm != Harm::Errors,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Fact, Opened};
    use super::super::{facts::NAMES_OF_FACTS, rigs};
    use super::*;

    fn known() -> Known {
        Known::load().expect("sound")
    }

    #[test]
    fn every_rig_has_its_row_and_every_claim_quotes_it() {
        let known = known();
        for rig in rigs(None).expect("sound") {
            let of = known.file.rig.iter().filter(|of| of.names.contains(&rig.name));
            assert_eq!(of.count(), 1, "{}", rig.name);
        }
        let row_of = |rig: &String| {
            let of = known.file.rig.iter().find(|of| of.names.contains(rig)).expect("described");
            known.rows.get(&of.row).unwrap_or_else(|| panic!("{}", of.row))
        };
        for described in &known.file.rig {
            let row = row_of(&described.names[0]);
            for option in &described.options {
                assert!(option_of(row, option).is_some(), "{option} of {}", described.row);
            }
        }
        for claim in &known.file.claim {
            for rig in &claim.rigs {
                let fact = row_of(rig).get("facts").and_then(|facts| facts.get(&claim.fact));
                let text = fact.and_then(|fact| fact.get("text")?.as_str()).unwrap_or_default();
                assert!(text.contains(&claim.quote), "{rig}: {text:?}, {claim:?}");
            }
            for cell in &claim.cells {
                assert!(NAMES_OF_FACTS.contains(&cell.as_str()), "{claim:?}");
            }
        }
    }

    #[test]
    fn a_fact_that_shows_otherwise_is_told_with_the_sentence() {
        let fact = |name: &str, seen: &str| Fact {
            name: name.to_owned(),
            from: "A".to_owned(),
            to: "B".to_owned(),
            seen: seen.to_owned(),
        };
        let facts = vec![fact("shared map", "EINVAL"), fact("flock seen", "yes (EACCES)")];
        let name = "9p-none".to_owned();
        let rig = RigReport { name, facts, ..RigReport::default() };
        let (otherwise, count) = known().compare(&rig);
        assert_eq!(count, 2);
        let [told] = &otherwise[..] else { panic!("{otherwise:?}") };
        assert_eq!(
            (told.what.as_str(), told.measured.as_str()),
            ("flock seen, A to B", "yes (EACCES)")
        );
        assert!(told.known.contains("two guests held the same one"));
    }

    #[test]
    fn a_word_is_held_against_what_happened() {
        let opened = |outcome: &str| {
            let opens = vec![Opened { name: OPENS[2].to_owned(), outcome: outcome.to_owned() }];
            RigReport { name: "9p-none".to_owned(), opens, ..RigReport::default() }
        };
        assert_eq!(known().compare(&opened("ok")), (Vec::new(), 1));
        let (otherwise, _) = known().compare(&opened("SQLITE_BUSY (SELECT)"));
        assert_eq!(otherwise[0].what, "wal_one_process, one kernel");
        assert!(contradicts("fails_safe", Harm::Nothing) && contradicts("ok", Harm::Errors));
        assert!(!contradicts("unsafe", Harm::Nothing) && !contradicts("risky", Harm::Loss));
    }

    #[test]
    fn an_option_changes_the_word_of_its_rig() {
        let known = known();
        let word = |rig| known.word(rig, "wal", "one_kernel");
        assert_eq!(word("9p-none").as_deref(), Some("fails_safe"));
        assert_eq!(word("9p-mmap").as_deref(), Some("ok_if"));
        assert_eq!(word("no-such-rig"), None);
    }
}

//! `cargo xtask suites clients`: programs and libraries that people use SQLite by, unmodified, with
//! their own tests where they are shipped and a program of ours where they are not, on the stock
//! VFS and through the door.
//!
//! * `catalogue`: the suites; `programs/` is what they run of ours.
//! * `installed`: what they need, by the package managers' ordinary clients, in a cache.
//! * `side`: one run, and which databases the owner served meanwhile.
//! * `results`: what came of it.

mod catalogue;
mod installed;
mod results;
mod side;

use super::expected::{self, File};
use super::outcome::Verdict;
use super::owner::Tombolo;
use crate::shell::{self, Failure};
use catalogue::{Prints, SUITES, Suite};
use installed::Installed;
use results::Pair;
use serde::Deserialize;
use side::{Ran, Side};
use std::fs;

/// `xtask/clients.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    suite: Vec<File>,
}

impl Expected {
    fn read() -> Result<Self, Failure> {
        let path = shell::root().join("xtask/clients.toml");
        let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
        toml::from_str(&text).map_err(|error| Failure::Check(format!("clients.toml: {error}")))
    }

    /// What is known of a suite.
    fn of(&self, name: &str) -> File {
        let known = self.suite.iter().find(|file| file.name == name).cloned();
        known.unwrap_or_else(|| File::same(name.to_owned(), expected::Copied::No))
    }
}

/// Runs the suites that were asked for, or all.
pub(super) fn run(tombolo: &Tombolo, wanted: &[String]) -> Result<(), Failure> {
    let known = |name: &String| SUITES.iter().any(|suite| suite.name == *name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        let message = format!("there is no {unknown} among {}", names.join(", "));
        return Err(Failure::Check(message));
    }
    let expected = Expected::read()?;
    let installed = Installed::in_cache()?;
    let mut bad = Vec::new();
    for suite in &SUITES {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == suite.name) {
            continue;
        }
        // One that cannot run is a failure of its own; the others may say more.
        let complaints = one(suite, &installed, tombolo, &expected.of(suite.name))
            .unwrap_or_else(|failure| vec![failure.to_string()]);
        bad.extend(complaints.into_iter().map(|complaint| format!("{}: {complaint}", suite.name)));
    }
    if bad.is_empty() { Ok(()) } else { Err(Failure::Check(bad.join("\n"))) }
}

/// Runs one suite on both sides; what is wrong with how they differ.
fn one(
    suite: &Suite,
    installed: &Installed,
    tombolo: &Tombolo,
    expected: &File,
) -> Result<Vec<String>, Failure> {
    let stock = side::run(suite, installed, Side::Stock)?;
    let door = side::run(suite, installed, Side::Door(tombolo))?;
    let pair = match suite.prints {
        Prints::Junit => Pair::of_junit(&stock.printed, &door.printed),
        Prints::Sections => Pair::of_sections(&stock.printed, &door.printed),
    };
    let pair = pair.map_err(|error| Failure::Check(format!("its results: {error}")))?;
    let differing = pair.differing();
    println!(
        "{}: {} tests passed on the stock VFS, {} through the door, {} differ; \
         {} sessions of {} databases through the door",
        suite.name,
        pair.stock.passed(),
        pair.door.passed(),
        differing.failed.len(),
        door.served.sessions,
        door.served.databases.len()
    );
    for difference in &expected.differs {
        println!("  {}: {}", difference.tests.join(" "), difference.because);
    }
    let mut complaints = expected.complaints(&differing);
    complaints.extend(shortfalls(suite, &pair, &stock, &door));
    Ok(complaints)
}

/// Why a run shows nothing, whatever its tests say.
fn shortfalls(suite: &Suite, pair: &Pair, stock: &Ran, door: &Ran) -> Vec<String> {
    let mut texts = Vec::new();
    for (side, outcome) in [("on the stock VFS", &pair.stock), ("through the door", &pair.door)] {
        if outcome.passed() == 0 {
            texts.push(format!("no test passed {side}: it did not run"));
        }
    }
    if door.served.databases.is_empty() {
        texts.push("no database went through the door".to_owned());
    }
    if door.owner_ended {
        texts.push("the owner ended before the suite".to_owned());
    }
    // Tests that fail are told by name; else a program has no reason to end badly.
    let is_runner = suite.prints == Prints::Junit;
    for (side, ran, outcome) in
        [("on the stock VFS", stock, &pair.stock), ("through the door", door, &pair.door)]
    {
        let has_failed = outcome.tests.values().any(|verdict| *verdict == Verdict::Failed);
        let is_told = ran.code == Some(0) || (is_runner && has_failed && ran.code == Some(1));
        if !is_told {
            let code = ran.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
            texts.push(format!("it ended with {code} {side}:\n{}", ran.last_words()));
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_is_of_known_suites_and_gives_reasons() {
        let expected = Expected::read().expect("it is read");
        let mut seen = BTreeSet::new();
        for file in &expected.suite {
            assert!(SUITES.iter().any(|suite| suite.name == file.name), "{}", file.name);
            assert!(seen.insert(&file.name), "{} is listed twice", file.name);
            assert!(!file.differs.is_empty(), "{} differs in nothing", file.name);
            for difference in &file.differs {
                assert!(difference.because.len() > 10 && !difference.tests.is_empty());
            }
        }
    }

    #[test]
    fn a_run_that_shows_nothing_is_no_pass() {
        let suite = &SUITES[0];
        let run = |code, paths: &[&str]| Ran {
            printed: String::new(),
            errors: "why".to_owned(),
            code: Some(code),
            owner_ended: false,
            served: side::Served {
                sessions: paths.len(),
                databases: paths.iter().map(|path| (*path).to_owned()).collect(),
            },
        };
        let full = Pair::of_sections("== a\n1\n", "== a\n1\n").expect("sections");
        let stock = run(0, &[]);
        assert_eq!(shortfalls(suite, &full, &stock, &run(0, &["a.db"])), Vec::<String>::new());
        let past = shortfalls(suite, &full, &stock, &run(0, &[]));
        assert_eq!(past, ["no database went through the door"]);
        let bad = shortfalls(suite, &full, &stock, &run(125, &["a.db"]));
        assert_eq!(bad, ["it ended with 125 through the door:\nwhy"]);
        let empty = Pair::of_sections("", "").expect("nothing");
        assert_eq!(shortfalls(suite, &empty, &stock, &run(0, &["a.db"])).len(), 2);
        let gone = Ran { owner_ended: true, ..run(0, &["a.db"]) };
        assert_eq!(shortfalls(suite, &full, &stock, &gone).len(), 1);
    }
}

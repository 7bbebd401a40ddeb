//! Which files are run, and which tests of them are known to differ, with the reason.

use super::outcome::Worse;
use crate::shell::{self, Failure};
use serde::Deserialize;
use std::fs;

/// What stands for the end of a file among the names of its tests.
pub(super) const END: &str = "(end)";

/// `xtask/suites.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// Files of which nothing differs.
    pub(super) same: Vec<String>,
    /// Files of which nothing differs once the owner has copied each transaction into the file, as
    /// they look into it, or write into it, by themselves.
    pub(super) same_when_copied: Vec<String>,
    /// The others.
    pub(super) file: Vec<File>,
    /// Names, which may end with `*`, of the files that have to be listed.
    classes: Vec<String>,
    /// Those of them that are not run.
    pub(super) apart: Vec<Apart>,
}

/// Files that are not run, for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Apart {
    pub(super) files: Vec<String>,
    pub(super) because: String,
}

/// Whether the owner copies each transaction from its log into the file when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Copied {
    Yes,
    #[default]
    No,
}

/// A file of which something differs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    #[serde(default)]
    pub(super) copied: Copied,
    /// Why there may be fewer tests than on the stock VFS, if there may: those that make each call
    /// fail in turn are as many as there are calls.
    #[serde(default)]
    pub(super) fewer: Option<String>,
    #[serde(default)]
    pub(super) differs: Vec<Difference>,
}

/// Tests that differ for one reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Difference {
    /// Names, which may end with `*`; or [`END`].
    pub(super) tests: Vec<String>,
    pub(super) because: String,
}

impl Expected {
    pub(super) fn read() -> Result<Self, Failure> {
        let path = shell::root().join("xtask/suites.toml");
        let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
        toml::from_str(&text).map_err(|error| Failure::Check(format!("suites.toml: {error}")))
    }

    /// What is wrong with the list, if these are all files that there are.
    pub(super) fn unaccounted(&self, there: &[String]) -> Vec<String> {
        let run = self.same.iter().chain(&self.same_when_copied);
        let run: Vec<&String> = run.chain(self.file.iter().map(|file| &file.name)).collect();
        let apart: Vec<&String> = self.apart.iter().flat_map(|apart| &apart.files).collect();
        let is_of_a_class = |name: &String| self.classes.iter().any(|class| matches(class, name));
        let missing = there
            .iter()
            .filter(|name| is_of_a_class(name) && !run.contains(name) && !apart.contains(name))
            .map(|name| format!("{name}: it is of a class that is listed, and in no list"));
        let gone = apart.iter().filter(|name| !there.contains(name));
        let gone = gone.map(|name| format!("{name}: there is no such file"));
        let both = apart.iter().filter(|name| run.contains(name));
        let both = both.map(|name| format!("{name}: it is run, and listed as one that is not"));
        missing.chain(gone).chain(both).collect()
    }

    /// Every file, or those that were asked for.
    pub(super) fn files(self, wanted: &[String]) -> Vec<File> {
        let same = self.same.into_iter().map(|name| File::same(name, Copied::No));
        let copied = self.same_when_copied.into_iter().map(|name| File::same(name, Copied::Yes));
        let mut all: Vec<File> = same.chain(copied).chain(self.file).collect();
        if wanted.is_empty() {
            return all;
        }
        let known = |name: &String| all.iter().any(|file| file.name == *name);
        let unknown: Vec<String> = wanted.iter().filter(|name| !known(name)).cloned().collect();
        all.retain(|file| wanted.contains(&file.name));
        all.extend(unknown.into_iter().map(|name| File::same(name, Copied::No)));
        all
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

impl File {
    pub(super) fn same(name: String, copied: Copied) -> Self {
        File { name, copied, fewer: None, differs: Vec::new() }
    }

    /// What is wrong with what differs: tests that are not listed, and what is listed in vain.
    pub(super) fn complaints(&self, worse: &Worse) -> Vec<String> {
        let missing = if self.fewer.is_some() { &[] } else { worse.missing.as_slice() };
        let worse: Vec<&String> = worse.failed.iter().chain(missing).collect();
        let patterns = || self.differs.iter().flat_map(|difference| &difference.tests);
        let unlisted = worse
            .iter()
            .filter(|name| !patterns().any(|pattern| matches(pattern, name)))
            .map(|name| format!("differs: {name}"));
        let idle = patterns()
            .filter(|pattern| !worse.iter().any(|name| matches(pattern, name)))
            .map(|pattern| format!("is listed, and does not differ: {pattern}"));
        unlisted.chain(idle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_neither_miss_nor_keep_a_difference() {
        let because = "the journal's file".to_owned();
        let tests = vec!["a-1.*".to_owned(), END.to_owned()];
        let differs = vec![Difference { tests, because }];
        let file = File { differs, ..File::same("a".to_owned(), Copied::No) };
        let names = |names: &[&str]| Worse {
            failed: names.iter().map(|name| (*name).to_owned()).collect(),
            missing: Vec::new(),
        };
        assert!(file.complaints(&names(&["a-1.2", "a-1.3", END])).is_empty());
        assert_eq!(file.complaints(&names(&["a-2.1", "a-1.2", END])), ["differs: a-2.1"]);
        assert_eq!(file.complaints(&Worse::default()).len(), 2);
        let missing = Worse { missing: vec!["a-7".to_owned()], ..names(&["a-1.2", END]) };
        assert_eq!(file.complaints(&missing), ["differs: a-7"]);
        let file = File { fewer: Some("fewer calls".to_owned()), ..file };
        assert!(file.complaints(&missing).is_empty());
    }

    #[test]
    fn no_file_of_a_class_is_left_out() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let because = "it looks at the log".to_owned();
        let expected = Expected {
            same: names(&["lock"]),
            same_when_copied: Vec::new(),
            file: vec![File::same("lock2".to_owned(), Copied::No)],
            classes: names(&["lock*", "wal"]),
            apart: vec![Apart { files: names(&["wal", "lock4"]), because }],
        };
        let there: Vec<String> = names(&["lock", "lock2", "lock4", "select1", "wal", "wal2"]);
        assert!(expected.unaccounted(&there).is_empty());
        let there: Vec<String> = names(&["lock", "lock2", "lock3", "wal"]);
        let complaints = expected.unaccounted(&there);
        assert!(complaints[0].starts_with("lock3:") && complaints[1].starts_with("lock4:"));
        assert_eq!(complaints.len(), 2);
    }

    #[test]
    fn the_list_is_well_formed_and_gives_reasons() {
        let expected = Expected::read().expect("it is read");
        let reasons = expected.file.iter().flat_map(|file| &file.differs);
        assert!(
            reasons.clone().all(|reason| reason.because.len() > 10 && !reason.tests.is_empty())
        );
        assert!(expected.apart.iter().all(|apart| apart.because.len() > 10));
        let mut names: Vec<String> =
            expected.files(&[]).into_iter().map(|file| file.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "a file is listed twice");
    }
}

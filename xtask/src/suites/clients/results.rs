//! What came of a suite on both sides, and in what they differ. Pure.

use crate::suites::expected::END;
use crate::suites::outcome::{End, Outcome, Verdict, Worse};
use std::collections::{BTreeMap, BTreeSet};

/// How a section begins in what programs of ours print.
const SECTION: &str = "== ";

/// One suite on both sides.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) stock: Outcome,
    pub(super) door: Outcome,
}

impl Pair {
    /// Of two files in the format that test runners share.
    pub(super) fn of_junit(stock: &str, door: &str) -> Result<Self, roxmltree::Error> {
        Ok(Pair { stock: junit(stock)?, door: junit(door)? })
    }

    /// Of two texts in sections: what is printed on the stock VFS is what ought to be.
    pub(super) fn of_sections(stock: &str, door: &str) -> Result<Self, roxmltree::Error> {
        let (stock, door) = (sections(stock), sections(door));
        let outcome = |of: &BTreeMap<&str, String>| Outcome {
            tests: of
                .iter()
                .map(|(name, text)| {
                    let is_same = stock.get(name).is_none_or(|other| other == text);
                    let verdict = if is_same { Verdict::Passed } else { Verdict::Failed };
                    ((*name).to_owned(), verdict)
                })
                .collect(),
            end: End::Reached,
        };
        Ok(Pair { stock: outcome(&stock), door: outcome(&door) })
    }

    /// Every test that ended differently, or on one side only; better is different as well.
    pub(super) fn differing(&self) -> Worse {
        let names: BTreeSet<&String> =
            self.stock.tests.keys().chain(self.door.tests.keys()).collect();
        let differs = |name: &&&String| self.stock.tests.get(**name) != self.door.tests.get(**name);
        let mut failed: Vec<String> = names.iter().filter(differs).map(|n| (*n).clone()).collect();
        if self.stock.end != self.door.end {
            failed.push(END.to_owned());
        }
        Worse { failed, missing: Vec::new() }
    }
}

/// Reads JUnit's XML, as pytest, CPython's regrtest and unittest-xml-reporting write it. A test
/// that was skipped is none. No file is a run that did not come to its end.
fn junit(text: &str) -> Result<Outcome, roxmltree::Error> {
    let mut outcome = Outcome { tests: BTreeMap::new(), end: End::NotReached };
    if text.is_empty() {
        return Ok(outcome);
    }
    let document = roxmltree::Document::parse(text)?;
    outcome.end = End::Reached;
    for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        let has = |tag: &str| case.children().any(|node| node.has_tag_name(tag));
        let name = case.attribute("name").unwrap_or_default();
        let name = match case.attribute("classname") {
            Some(class) if !class.is_empty() => format!("{class}.{name}"),
            _ => name.to_owned(),
        };
        if has("failure") || has("error") {
            outcome.tests.insert(name, Verdict::Failed);
        } else if !has("skipped") {
            outcome.tests.entry(name).or_insert(Verdict::Passed);
        }
    }
    Ok(outcome)
}

/// What stands below each heading.
fn sections(text: &str) -> BTreeMap<&str, String> {
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(SECTION) {
            current = Some(name);
            all.entry(name).or_default();
        } else if let Some(section) = current.and_then(|name| all.get_mut(name)) {
            section.push_str(line);
            section.push('\n');
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = r#"<testsuites><testsuite>
        <testcase classname="a.B" name="test_c"/>
        <testcase classname="a.B" name="test_d"><skipped message="no"/></testcase>
        <testcase classname="a.B" name="test_e"><failure>x</failure></testcase>
        <testcase name="a.B.test_f"/></testsuite></testsuites>"#;

    #[test]
    fn every_test_that_ends_otherwise_is_named() {
        let door = STOCK
            .replace(r#"name="test_c"/>"#, r#"name="test_c"><error/></testcase>"#)
            .replace("<failure>x</failure>", "")
            .replace(r#"<testcase name="a.B.test_f"/>"#, "");
        let pair = Pair::of_junit(STOCK, &door).expect("XML");
        assert_eq!((pair.stock.passed(), pair.door.passed()), (2, 1));
        assert_eq!(pair.differing().failed, ["a.B.test_c", "a.B.test_e", "a.B.test_f"]);
        let same = Pair::of_junit(STOCK, STOCK).expect("XML");
        assert_eq!(same.differing(), Worse::default());
        let none = Pair::of_junit(STOCK, "").expect("XML");
        assert!(none.differing().failed.contains(&END.to_owned()));
        assert!(Pair::of_junit(STOCK, "<testsuites>").is_err(), "it was cut off");
    }

    #[test]
    fn a_section_is_what_it_is_on_the_stock_vfs() {
        let stock = "noise\n== one\n1\n2\n== two\n3\n== three\n";
        let door = "== one\n1\n2\n== two\n4\n== four\n";
        let pair = Pair::of_sections(stock, door).expect("sections");
        assert_eq!(pair.stock.passed(), 3);
        assert_eq!(pair.differing().failed, ["four", "three", "two"]);
    }
}

//! `docs/promises.md` names tests for each promise: every one of them exists, as a test.

use super::{Complaint, Tree, source::Source, source::Token};
use std::collections::HashSet;

const RULE: &str = "promises";
const PAGE: &str = "docs/promises.md";
/// The column of tests, counted from what stands before the first bar.
const COLUMN: usize = 2;

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let Some(page) = tree.get(PAGE) else {
        return vec![Complaint::new(RULE, PAGE, 0, "the page of promises is missing")];
    };
    let sources = tree.ending(".rs").filter_map(|(path, text)| Source::parse(path, text));
    let tests: HashSet<String> = sources.flat_map(|source| tests(&source.tokens)).collect();
    let mut complaints = Vec::new();
    for (line, text) in (1..).zip(page.lines()) {
        let Some(cell) = tests_of_row(text) else { continue };
        let mut names = cell.split('`').skip(1).step_by(2).peekable();
        if names.peek().is_none() {
            complaints.push(Complaint::new(RULE, PAGE, line, "a promise without a test"));
        }
        for name in names.filter(|name| !tests.contains(*name)) {
            complaints.push(Complaint::new(RULE, PAGE, line, format!("there is no test `{name}`")));
        }
    }
    complaints
}

/// The names of a row; `None` of what is no row, or the head of a table.
fn tests_of_row(line: &str) -> Option<&str> {
    let cell = line.strip_prefix('|').and_then(|_| line.split('|').nth(COLUMN))?.trim();
    let is_head = cell == "tests" || cell.chars().all(|character| character == '-');
    (!is_head).then_some(cell)
}

/// The functions with the attribute `test`, whatever others they have.
fn tests(tokens: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    for (place, window) in tokens.windows(2).enumerate() {
        let [word, name] = window else { continue };
        let before = tokens.get(..place).unwrap_or_default();
        let first = before.iter().rposition(|token| ["{", "}", ";"].contains(&token.text.as_str()));
        let attributes = before.get(first.map_or(0, |first| first + 1)..).unwrap_or_default();
        let is_test =
            |three: &[Token]| three.iter().map(|token| &*token.text).eq(["[", "test", "]"]);
        if word.text == "fn" && attributes.windows(3).any(is_test) {
            names.push(name.text.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "| what holds | tests | seen |\n|---|---|---|\n";
    const CODE: &str =
        "fn helper() {}\n#[test]\n#[ignore = \"long\"]\nfn one() {}\n#[test] fn two() {}\n";

    fn complaints(rows: &str) -> Vec<String> {
        let page = format!("# Promises\n{HEAD}{rows}");
        let tree = Tree::of(&[(PAGE, &page), ("crates/x/src/a.rs", CODE)]);
        check(&tree).into_iter().map(|complaint| complaint.message).collect()
    }

    #[test]
    fn every_test_that_is_named_exists_and_every_promise_names_one() {
        assert!(complaints("| a | `one`, `two` | by `three` |\n").is_empty());
        assert_eq!(complaints("| a | `one`, `three` | |\n"), ["there is no test `three`"]);
        assert_eq!(complaints("| a | `helper` | |\n"), ["there is no test `helper`"]);
        assert_eq!(complaints("| a | none | `one` |\n"), ["a promise without a test"]);
    }

    #[test]
    fn the_page_is_there() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}

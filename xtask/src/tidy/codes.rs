//! Every code of a finding has a page of the manual and a test.

use super::{Complaint, Tree, source, source::Source, source::Token};

const RULE: &str = "codes";
const LIST: &str = "crates/tombolo-core/src/finding.rs";
const SECTIONS: &[&str] = &["What it means", "How it is found", "What to do", "Sources"];

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let Some(source) = tree.get(LIST).and_then(|text| Source::parse(LIST, text)) else {
        return vec![Complaint::new(RULE, LIST, 0, "the list of codes cannot be read")];
    };
    let codes = listed(source.product());
    let tests: Vec<Source> = tree
        .ending(".rs")
        .filter_map(|(path, text)| Source::parse(path, text))
        .filter(|source| !source.tests().is_empty())
        .collect();
    let mut complaints = Vec::new();
    for (line, variant, code) in &codes {
        let path = format!("docs/codes/{code}.md");
        match tree.get(&path) {
            None => complaints.push(Complaint::new(RULE, &path, 0, format!("{code} has no page"))),
            Some(page) => complaints.extend(check_page(&path, page)),
        }
        let words = ["Code", ":", ":", variant.as_str()];
        if !tests.iter().any(|test| source::find(test.tests(), &words).next().is_some()) {
            let message = format!("no test mentions Code::{variant}");
            complaints.push(Complaint::new(RULE, LIST, *line, message));
        }
    }
    for (path, _) in tree.ending(".md") {
        let name = path.strip_prefix("docs/codes/").and_then(|path| path.strip_suffix(".md"));
        if name.is_some_and(|name| !codes.iter().any(|(_, _, code)| code == name)) {
            complaints.push(Complaint::new(RULE, path, 0, "a page without a code"));
        }
    }
    complaints
}

/// Line, variant and name of every `Variant = "TMB-...": "title"`.
fn listed(tokens: &[Token]) -> Vec<(usize, String, String)> {
    tokens
        .windows(3)
        .filter_map(|window| match window {
            [variant, equals, code] if equals.text == "=" && code.text.starts_with("\"TMB-") => {
                let code = code.text.trim_matches('"').to_owned();
                Some((variant.line, variant.text.clone(), code))
            }
            _ => None,
        })
        .collect()
}

fn check_page(path: &str, page: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut sections: Vec<(&str, bool)> = Vec::new();
    for line in page.lines() {
        match line.strip_prefix("## ") {
            Some(title) => sections.push((title, false)),
            None => {
                if let Some(last) = sections.last_mut() {
                    last.1 |= !line.trim().is_empty();
                }
            }
        }
    }
    if sections.iter().map(|(title, _)| *title).collect::<Vec<_>>() != SECTIONS {
        let message = format!("a page has the sections: {}", SECTIONS.join(", "));
        complaints.push(Complaint::new(RULE, path, 0, message));
    }
    for (title, _) in sections.iter().filter(|(_, filled)| !filled) {
        let message = format!("the section \"{title}\" is empty");
        complaints.push(Complaint::new(RULE, path, 0, message));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &str = "codes! { A = \"TMB-A-001\": \"title\", }\n";
    const PAGE: &str = "# TMB-A-001: title\n## What it means\na\n## How it is found\nb\n\
        ## What to do\nc\n## Sources\nd\n";
    const TEST: (&str, &str) = ("crates/x/tests/a.rs", "fn t() { assert_eq!(f(), Code::A); }");

    fn complaints(files: &[(&str, &str)]) -> usize {
        let tree: Vec<(&str, &str)> = [(LIST, CODES)].iter().chain(files).copied().collect();
        check(&Tree::of(&tree)).len()
    }

    #[test]
    fn a_code_needs_a_page_and_a_test() {
        assert_eq!(complaints(&[("docs/codes/TMB-A-001.md", PAGE), TEST]), 0);
        assert_eq!(complaints(&[("docs/codes/TMB-A-001.md", PAGE)]), 1);
        assert_eq!(complaints(&[TEST]), 1);
    }

    #[test]
    fn a_page_needs_its_sections_and_a_code() {
        let short = PAGE.replace("## Sources\nd\n", "");
        assert_eq!(complaints(&[("docs/codes/TMB-A-001.md", &short), TEST]), 1);
        let empty = PAGE.replace("\nb\n", "\n\n");
        assert_eq!(complaints(&[("docs/codes/TMB-A-001.md", &empty), TEST]), 1);
        let two = [("docs/codes/TMB-A-001.md", PAGE), ("docs/codes/TMB-B-001.md", PAGE), TEST];
        assert_eq!(complaints(&two), 1);
    }
}

//! Lines of at most 100 characters; ASCII, so that what is seen is what is compiled.
//!
//! Markdown may hold other characters inside fenced blocks, where real output is quoted, and long
//! lines in tables and fenced blocks.

use super::{Complaint, Tree};

const LINE_CHARACTERS: usize = 100;

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !path.ends_with(".lock")) {
        let markdown = path.ends_with(".md");
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            if markdown && line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            let length = line.chars().count();
            let checked = path.ends_with(".rs") || path == "setup";
            if checked && length > LINE_CHARACTERS {
                let message = format!("{length} characters, limit {LINE_CHARACTERS}");
                complaints.push(Complaint::new("line-length", path, index + 1, message));
            }
            if !fenced && !line.is_ascii() {
                let message = "not ASCII: write an escape, or the plain character";
                complaints.push(Complaint::new("ascii", path, index + 1, message));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|complaint| complaint.rule).collect()
    }

    #[test]
    fn long_lines_are_seen() {
        assert!(rules("a.rs", &"x".repeat(100)).is_empty());
        assert_eq!(rules("a.rs", &"x".repeat(101)), ["line-length"]);
    }

    #[test]
    fn only_quoted_output_is_free() {
        assert_eq!(rules("a.rs", "// \u{e9}"), ["ascii"]);
        assert_eq!(rules("a.md", "caf\u{e9}\n```\n\u{2500}\n```\n"), ["ascii"]);
    }
}

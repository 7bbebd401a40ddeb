//! A page has one title.

use super::{Complaint, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".md") {
        let titles = titles(text);
        if titles != 1 {
            let message = format!("{titles} headings of the first level: a page has one");
            complaints.push(Complaint::new("one-title", path, 0, message));
        }
    }
    complaints
}

fn titles(text: &str) -> usize {
    let mut fenced = false;
    text.lines()
        .filter(|line| {
            fenced ^= line.trim_start().starts_with("```");
            !fenced && line.starts_with("# ")
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_counted_outside_fences() {
        assert_eq!(titles("# A\n```sh\n# comment\n```\n## B\n"), 1);
        let tree = Tree::of(&[("a.md", "# A\n# B\n"), ("b.md", "text\n"), ("c.md", "# C\n")]);
        assert_eq!(check(&tree).len(), 2);
    }
}

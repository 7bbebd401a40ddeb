//! `docs/media.md` says what SQLite needs of a file system, and which probe looks for it: every
//! probe and session is named there.

use super::{Complaint, Tree, source::Source};

const LIST: &str = "crates/tombolo-core/src/report/evidence.rs";
const PAGE: &str = "docs/media.md";

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let Some(source) = tree.get(LIST).and_then(|text| Source::parse(LIST, text)) else {
        return vec![Complaint::new("media", LIST, 0, "the list of probes cannot be read")];
    };
    let page = tree.get(PAGE).unwrap_or_default();
    let names = source.product().iter().map(|token| token.text.trim_matches('"'));
    names
        .filter(|name| name.starts_with("probe.") || name.starts_with("session."))
        .filter(|name| !page.contains(&format!("`{name}`")))
        .map(|name| Complaint::new("media", PAGE, 0, format!("`{name}` is not in the table")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_is_named() {
        let list = (LIST, "kinds! { A = \"probe.a\", B = \"mount\", C = \"session.c\", }");
        assert_eq!(check(&Tree::of(&[list])).len(), 2);
        assert!(check(&Tree::of(&[list, (PAGE, "| `probe.a` | `session.c` |")])).is_empty());
    }
}

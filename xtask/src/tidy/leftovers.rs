//! What does not belong in a finished file: notes to oneself, and paths of one's own machine.

use super::{Complaint, Tree};

// Written in pieces, so that this file does not hold what it looks for.
const NOTES: &[&str] = &[concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];
const PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/tmp/", "wt/"), concat!("/root/", ".c")];

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.files() {
        for (index, line) in text.lines().enumerate() {
            for note in NOTES.iter().filter(|note| has_word(line, note)) {
                let message = format!("`{note}`: do it, or say in prose what is missing");
                complaints.push(Complaint::new("leftovers", path, index + 1, message));
            }
            for place in PATHS.iter().filter(|place| has_path(line, place)) {
                let message = format!("`{place}` exists on one machine only");
                complaints.push(Complaint::new("leftovers", path, index + 1, message));
            }
        }
    }
    complaints
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        !line[..start].ends_with(is_part) && !line[start + word.len()..].starts_with(is_part)
    })
}

/// A path counts where it begins, not as a part of a longer one.
fn has_path(line: &str, path: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || "._-/*}".contains(character);
    line.match_indices(path).any(|(start, _)| !line[..start].ends_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_whole_words() {
        assert!(has_word(concat!("// TO", "DO: x"), NOTES[1]));
        assert!(!has_word("mkstemp(\"/tmp/aXXXXXX\")", NOTES[2]));
        assert_eq!(check(&Tree::of(&[("a.rs", concat!("// FIX", "ME\n"))])).len(), 1);
    }

    #[test]
    fn paths_count_where_they_begin() {
        assert!(has_path(concat!("cd /wo", "rk/x"), PATHS[0]));
        assert!(!has_path(concat!("/mnt/wo", "rk/x"), PATHS[0]));
    }
}

//! `unsafe` lives in `tombolo-os` and in one module `ffi` of each skin, of the preload libraries
//! and of the owner, and says why it is sound.
//! Clippy's `undocumented_unsafe_blocks` looks closer; this works where Clippy is not installed.

use super::{Complaint, Tree, source, source::Source};

const RULE: &str = "unsafe";
/// How far above the word the reason may begin: a comment of a few lines, then the statement.
const REASON_LINES: usize = 10;

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let Some(source) = Source::parse(path, text) else { continue };
        let allowed = path.starts_with("crates/tombolo-os/")
            || path.ends_with("/src/ffi.rs")
            || path.contains("/src/ffi/");
        if !allowed {
            for word in ["unsafe", "unsafe_code"] {
                for token in source::find(&source.tokens, &[word]) {
                    let message = "`unsafe` outside `tombolo-os` and a module `ffi`: move it there";
                    complaints.push(Complaint::new(RULE, path, token.line, message));
                }
            }
            continue;
        }
        for token in source::find(&source.tokens, &["unsafe", "{"]) {
            let first = token.line.saturating_sub(REASON_LINES);
            let mut above = text.lines().take(token.line).skip(first);
            if !above.any(|line| line.contains("SAFETY:")) {
                let message = "an unsafe block without a `// SAFETY:` reason";
                complaints.push(Complaint::new(RULE, path, token.line, message));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, code: &str) -> usize {
        check(&Tree::of(&[(path, code)])).len()
    }

    #[test]
    fn unsafe_has_its_places() {
        let code = "// SAFETY: sound\nfn f() { unsafe { g() } }";
        assert_eq!(complaints("crates/tombolo-doctor/src/a.rs", code), 1);
        assert_eq!(complaints("crates/tombolo-os/src/a.rs", code), 0);
        assert_eq!(complaints("crates/tombolo-vfs/src/ffi.rs", code), 0);
        assert_eq!(complaints("crates/tombolo-lab-preload/src/ffi.rs", code), 0);
        assert_eq!(complaints("crates/tombolo-preload/src/ffi/sink.rs", code), 0);
        assert_eq!(complaints("crates/tombolo-lab-preload/src/plan.rs", code), 1);
        assert_eq!(complaints("crates/tombolo/src/a.rs", "#![allow(unsafe_code)]"), 1);
    }

    #[test]
    fn a_reason_is_asked_for() {
        assert_eq!(complaints("crates/tombolo-os/src/a.rs", "fn f() { unsafe { g() } }"), 1);
    }
}

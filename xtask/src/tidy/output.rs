//! Libraries return values: only a command prints, and nobody ends the process behind its back.

use super::{Complaint, Tree, source, source::Source};

const RULE: &str = "output";
const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let Some(source) = Source::parse(path, text) else { continue };
        let may_print = path.starts_with("crates/tombolo/")
            || path == "crates/tombolo-lab/src/main.rs"
            || path.starts_with("xtask/")
            || path.ends_with("/build.rs");
        for name in PRINTS.iter().filter(|name| !may_print || **name == "dbg") {
            for token in source::find(source.product(), &[name, "!"]) {
                let message = format!("`{name}!` outside a command: return the text instead");
                complaints.push(Complaint::new(RULE, path, token.line, message));
            }
        }
        for token in source::find(source.product(), &["process", ":", ":", "exit"]) {
            let message = "`process::exit` skips destructors: return an exit code from main";
            complaints.push(Complaint::new(RULE, path, token.line, message));
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
    fn only_the_command_prints() {
        let code = "fn f() { println!(\"x\"); }";
        assert_eq!(complaints("crates/tombolo-os/src/a.rs", code), 1);
        assert_eq!(complaints("crates/tombolo/src/a.rs", code), 0);
        assert_eq!(complaints("crates/tombolo-lab/src/main.rs", code), 0);
        assert_eq!(complaints("crates/tombolo-lab/src/lab.rs", code), 1);
        assert_eq!(complaints("crates/tombolo/src/a.rs", "fn f() { dbg!(1); }"), 1);
    }

    #[test]
    fn nobody_exits() {
        let code = "fn f() { std::process::exit(1) }";
        assert_eq!(complaints("crates/tombolo/src/a.rs", code), 1);
    }
}

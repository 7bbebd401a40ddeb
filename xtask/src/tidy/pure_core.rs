//! `tombolo-core` is deterministic: bytes and times come in as arguments.

use super::{Complaint, Tree, arrows, source, source::Source, source::Token};
use toml::Table;

const RULE: &str = "pure-core";
const ROOT: &str = "crates/tombolo-core/";
const DEPENDENCIES: &[&str] = &["hmac", "serde", "sha2", "thiserror"];
const MODULES: &[&str] = &["fs", "net", "thread", "env", "process", "os"];
const TYPES: &[&str] = &["Instant", "SystemTime", "RandomState"];

pub(super) fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = check_manifest(tree.get("crates/tombolo-core/Cargo.toml"));
    for (path, text) in tree.ending(".rs").filter(|(path, _)| path.starts_with(ROOT)) {
        let Some(source) = Source::parse(path, text) else { continue };
        for (line, name) in impure(source.product()) {
            let message =
                format!("`{name}` is not pure: take the bytes or the time as an argument");
            complaints.push(Complaint::new(RULE, path, line, message));
        }
    }
    complaints
}

fn check_manifest(text: Option<&str>) -> Vec<Complaint> {
    let manifest: Table = text.and_then(|text| text.parse().ok()).unwrap_or_default();
    arrows::names(&manifest, "dependencies")
        .filter(|name| !DEPENDENCIES.contains(name))
        .map(|name| {
            let message = format!("`{name}` is not on the list of pure crates in pure_core.rs");
            Complaint::new(RULE, "crates/tombolo-core/Cargo.toml", 0, message)
        })
        .collect()
}

fn impure(tokens: &[Token]) -> Vec<(usize, &str)> {
    let mut found: Vec<(usize, &str)> = TYPES
        .iter()
        .flat_map(|name| source::find(tokens, &[name]).map(|t| (t.line, *name)).collect::<Vec<_>>())
        .collect();
    for (index, token) in tokens.iter().enumerate() {
        let after: Vec<&str> =
            tokens[index + 1..].iter().take(3).map(|token| token.text.as_str()).collect();
        match (token.text.as_str(), after.as_slice()) {
            ("std", [":", ":", "{"]) => found.extend(in_group(&tokens[index + 4..])),
            ("std", [":", ":", name]) => {
                found.extend(MODULES.iter().find(|m| *m == name).map(|m| (token.line, *m)));
            }
            _ => {}
        }
    }
    found
}

/// Modules named first in an element of `use std::{fs, io::Read}`.
fn in_group(tokens: &[Token]) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let (mut depth, mut first) = (0_usize, true);
    for token in tokens {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "," if depth == 0 => first = true,
            name if first && depth == 0 => {
                first = false;
                found.extend(MODULES.iter().find(|m| **m == name).map(|m| (token.line, *m)));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(code: &str) -> usize {
        check(&Tree::of(&[("crates/tombolo-core/src/a.rs", code)])).len()
    }

    #[test]
    fn files_clock_threads_and_environment_are_seen() {
        for code in [
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "fn f() { std::thread::yield_now() }",
            "use std::time::Instant;",
            "use std::{time::{Duration, SystemTime}};",
        ] {
            assert_eq!(complaints(code), 1, "{code}");
        }
    }

    #[test]
    fn pure_code_and_tests_are_left_alone() {
        assert_eq!(complaints("use std::{fmt, time::Duration, io::{fs, Read}};"), 0);
        assert_eq!(complaints("use std::fmt;\n#[cfg(test)]\nmod tests { use std::fs; }\n"), 0);
    }

    #[test]
    fn a_new_dependency_is_noticed() {
        let manifest = "[dependencies]\nserde = \"1\"\nrand = \"1\"\n";
        assert_eq!(check(&Tree::of(&[("crates/tombolo-core/Cargo.toml", manifest)])).len(), 1);
    }
}

//! `cargo xtask tidy`: a test of the house itself. Each rule is one file with its own test; what a
//! rule complains about, and what to do instead, stands in its message.
//!
//! `xtask/tidy.toml` may list exceptions. An exception can only shrink: one that is larger than
//! what is there is itself a complaint.

mod arrows;
mod codes;
mod exceptions;
mod inherit;
mod json_docs;
mod leftovers;
mod lock_file;
mod markdown;
mod media;
mod output;
mod promises;
mod pure_core;
mod sizes;
mod source;
mod text;
mod tree;
mod unsafety;

use crate::shell::{self, Failure};
use exceptions::Settings;
use tree::Tree;

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Complaint {
    rule: &'static str,
    path: String,
    /// From 1; 0 for the file as a whole.
    line: usize,
    /// How much is too much: lines over a limit, else 1.
    excess: usize,
    message: String,
}

impl Complaint {
    fn new(rule: &'static str, path: &str, line: usize, message: impl Into<String>) -> Self {
        Complaint { rule, path: path.to_owned(), line, excess: 1, message: message.into() }
    }
}

type Rule = fn(&Tree) -> Vec<Complaint>;

const RULES: &[Rule] = &[
    arrows::check,
    codes::check,
    inherit::check,
    json_docs::check,
    leftovers::check,
    markdown::check,
    media::check,
    output::check,
    promises::check,
    pure_core::check,
    sizes::check,
    text::check,
    unsafety::check,
];

/// Applies every rule to the workspace.
pub(crate) fn run() -> Result<(), Failure> {
    let tree = Tree::read(&shell::root())?;
    let settings = Settings::parse(tree.get("xtask/tidy.toml").unwrap_or_default())
        .map_err(|error| Failure::Check(format!("xtask/tidy.toml: {error}")))?;
    let mut complaints: Vec<Complaint> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    complaints.extend(lock_file::check(&tree, settings.dependencies));
    let complaints = settings.apply(complaints);
    for Complaint { rule, path, line, message, .. } in &complaints {
        println!("{path}:{line}: {message} [{rule}]");
    }
    match complaints.len() {
        0 => {
            println!("tidy: {} files in order", tree.files().count());
            Ok(())
        }
        count => Err(Failure::Check(format!("tidy: {count} complaints"))),
    }
}

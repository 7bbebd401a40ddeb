//! Tells the versions of the program from those of what it runs on.

use super::{
    PLATFORMS, is_product, majors, names, program_versions, versions_differ, versions_named,
};
use crate::explain::sentence::Sentence;
use crate::explain::sign::FileSystem;
use crate::explain::text::{self, Text};

/// What has the versions that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::explain) enum Versions {
    /// What provides the file system, or the kernel below it.
    Platform,
    /// The program.
    Program,
}

/// Whose versions are told apart by what they do: "3.1 works, 3.2 does not". Numbers without a name
/// are the program's, unless the file system is a program with versions of its own.
pub(in crate::explain) fn told_apart(
    text: &Text,
    holder: Option<FileSystem>,
    said: &[Sentence<'_>],
) -> Option<Versions> {
    if !versions_differ(text) {
        return None;
    }
    let versioned = |one: &&Sentence<'_>| versions_named(one.plain) > 0;
    let place = |one: &Sentence<'_>| {
        text::after_label(one.plain, &["filesystem", "file system", "mount"]).is_some()
    };
    let named = said
        .iter()
        .filter(versioned)
        .any(|one| place(one) || names_platform(one.plain) || one.has(&["linux"]));
    match holder.is_some_and(is_product) || holder.is_none() || named {
        true => Some(Versions::Platform),
        false => Some(Versions::Program),
    }
}

/// Whether a sentence names a kernel, an operating system or what provides a file system.
pub(in crate::explain) fn names_platform(sentence: &str) -> bool {
    PLATFORMS.iter().any(|platform| names(sentence, platform))
}

/// What the label of the program says, read once for all sentences.
#[derive(Debug)]
pub(in crate::explain) struct Program<'text> {
    majors: Vec<&'text str>,
    names: Vec<&'text str>,
}

impl<'text> Program<'text> {
    pub(in crate::explain) fn read(text: &'text Text) -> Self {
        const LETTERS_MIN: usize = 3;
        let label = |line| text::after_label(line, &["app", "application", "program"]);
        let names = text
            .lines()
            .filter_map(label)
            .take(4)
            .flat_map(|label| text::words(label).take(3))
            .filter(|word| word.len() >= LETTERS_MIN && !names_platform(word))
            .collect();
        Program { majors: program_versions(text), names }
    }

    /// Whether a sentence names a version of the program, by its first number or behind the name:
    /// "frob 0.22.1 works there", where the label begins with "frob".
    pub(in crate::explain) fn has_version_in(&self, sentence: &str) -> bool {
        if versions_named(sentence) == 0 {
            return false;
        }
        let words: Vec<&str> = sentence.split_whitespace().take(120).collect();
        majors(sentence).any(|major| self.majors.contains(&major))
            || words.windows(2).any(|pair| {
                matches!(pair, [name, number] if self.names.contains(name)
                    && number.starts_with(|letter: char| letter.is_ascii_digit()))
            })
    }
}

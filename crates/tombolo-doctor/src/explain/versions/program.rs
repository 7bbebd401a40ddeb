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

/// Whether a sentence names a version of the program, as the label of the program counts them.
pub(in crate::explain) fn of_program(text: &Text, sentence: &str) -> bool {
    let own = program_versions(text);
    let major = majors(sentence).any(|major| own.contains(&major));
    versions_named(sentence) > 0 && (major || named_with_version(text, sentence))
}

/// "frob 0.22.1 works there", where the label of the program begins with "frob".
fn named_with_version(text: &Text, sentence: &str) -> bool {
    const LETTERS_MIN: usize = 3;
    let label = |line| text::after_label(line, &["app", "application", "program"]);
    let own: Vec<&str> = text
        .lines()
        .filter_map(label)
        .flat_map(|label| text::words(label).take(3))
        .filter(|word| word.len() >= LETTERS_MIN && !names_platform(word))
        .collect();
    let words: Vec<&str> = sentence.split_whitespace().take(120).collect();
    words.windows(2).any(|pair| {
        matches!(pair, [name, number]
            if own.contains(name) && number.starts_with(|letter: char| letter.is_ascii_digit()))
    })
}

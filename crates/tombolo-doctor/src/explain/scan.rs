//! Finds the phrases of the vocabulary in one pass, and tells what is said from what is denied.

use super::phrases;
use super::sign::{FileSystem, Sign};
use super::text::{self, Text};
use super::vocabulary::FILE_SYSTEMS;
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// What a phrase stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    /// A file system.
    On(FileSystem),
    /// Anything else.
    Says(Sign),
}

/// How a phrase is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is said to be the case.
    Asserted,
    /// It is said not to be the case: "not on NFS".
    Denied,
    /// It is named as the place or case where all is well: "a local disk works".
    Contrasted,
    /// It is feared and has not happened: "is there a risk of corruption?".
    Feared,
}

/// One phrase found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mention {
    pub(super) meaning: Meaning,
    pub(super) usage: Use,
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Offset behind its last byte.
    pub(super) end: usize,
}

/// Mentions of one meaning that are kept. More of the same add nothing, and a long log must not
/// cost more memory than a short one.
const MENTIONS_KEPT: usize = 24;

/// Bytes around a phrase that decide how it is used.
const SURROUNDINGS_BYTES: usize = 120;

struct Vocabulary {
    automaton: Option<AhoCorasick>,
    meanings: Vec<Meaning>,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut phrases: Vec<&str> = Vec::new();
    let mut meanings = Vec::new();
    for (kind, names) in FILE_SYSTEMS {
        for name in *names {
            phrases.push(name);
            meanings.push(Meaning::On(*kind));
        }
    }
    for (sign, names) in [phrases::SETTINGS, phrases::SYMPTOMS, phrases::LAYOUT].concat() {
        for name in names {
            phrases.push(name);
            meanings.push(Meaning::Says(sign));
        }
    }
    Vocabulary { automaton: AhoCorasick::new(&phrases).ok(), meanings }
});

/// Every phrase of the vocabulary in the text, in the order in which they end.
pub(super) fn scan(text: &Text) -> Vec<Mention> {
    let Some(automaton) = &VOCABULARY.automaton else { return Vec::new() };
    let plain = text.plain.as_str();
    let mut kept = std::collections::HashMap::new();
    let mut mentions = Vec::new();
    for found in automaton.find_overlapping_iter(plain) {
        let Some(meaning) = VOCABULARY.meanings.get(found.pattern().as_usize()) else { continue };
        if !at_word_edges(plain, found.start(), found.end()) {
            continue;
        }
        let count: &mut usize = kept.entry(*meaning).or_default();
        if *count >= MENTIONS_KEPT {
            continue;
        }
        *count += 1;
        let usage = match usage(plain, found.start(), found.end()) {
            Use::Asserted if can_be_feared(*meaning) && feared_at(plain, found.start()) => {
                Use::Feared
            }
            usage => usage,
        };
        mentions.push(Mention { meaning: *meaning, usage, start: found.start(), end: found.end() });
    }
    mentions
}

/// Harm, in contrast to places and settings.
fn can_be_feared(meaning: Meaning) -> bool {
    use Sign::{Corrupt, DatabaseTrouble, Hang, LostData, Slow, StaleContent};
    let harm = [Corrupt, DatabaseTrouble, Hang, LostData, Slow, StaleContent];
    matches!(meaning, Meaning::Says(sign) if harm.contains(&sign))
}

fn feared_at(plain: &str, start: usize) -> bool {
    feared(text::tail(plain.get(..start).unwrap_or(""), SURROUNDINGS_BYTES))
}

/// Whether `before` ends in words that make what follows a fear and not an event.
pub(super) fn feared(before: &str) -> bool {
    const FEARS: &[&str] = &[
        "risk",
        "risks",
        "risking",
        "avoid",
        "avoids",
        "prevent",
        "prevents",
        "prone",
        "worried",
        "afraid",
        "fear",
        "potential",
        "against",
        "worry",
    ];
    text::words(text::clause_before(before)).rev().take(4).any(|word| FEARS.contains(&word))
}

/// Whether the phrase is not a piece of a longer word. A plural is the same word.
fn at_word_edges(plain: &str, start: usize, end: usize) -> bool {
    let inside = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let before = plain.get(..start).and_then(|text| text.chars().next_back());
    let mut rest = plain.get(end..).unwrap_or("").chars();
    let phrase = plain.get(start..end).unwrap_or("");
    let opens = inside(phrase.chars().next()) && inside(before);
    let follows = rest.next();
    let plural = follows == Some('s') && !inside(rest.next());
    let closes = inside(phrase.chars().next_back()) && inside(follows) && !plural;
    !opens && !closes
}

/// Words that turn a passage into its opposite.
const DENIALS: &[&str] = &[
    "no",
    "not",
    "never",
    "without",
    "isn't",
    "isnt",
    "wasn't",
    "aren't",
    "don't",
    "doesn't",
    "nor",
    "neither",
    "non",
    "didn't",
    "cannot",
    "nothing",
    "excluding",
    "except",
];

/// Words that may stand between a denial and what it denies.
const FILLERS: &[&str] = &[
    "a", "an", "the", "on", "any", "of", "at", "in", "over", "using", "use", "used", "under", "or",
    "and", "is", "it's", "via", "kind", "sort", "shared", "network", "mounted", "stored", "there",
    "by", "see", "get", "have", "has", "been", "single", "real", "such", "really", "actually",
    "nfs", "smb", "cifs", "seen", "involved", "from", "running", "was", "even", "share", "this",
    "produce", "show", "shows", "find", "be", "my", "our",
];

/// Openings of a passage about the place where all is well.
const PRAISE_BEFORE: &[&str] = &[
    "works on",
    "worked on",
    "fine on",
    "fine with",
    "moved to",
    "moving to",
    "move to",
    "moved it to",
    "moved the database to",
    "switched to",
    "switching to",
    "copied to",
    "copy to",
    "copying it to",
    "identical load on",
    "same load on",
    "unlike",
    "compared to",
    "instead of",
    "works from",
    "moving the file to",
    "moving it to",
    "clean on",
    "ok on",
    "succeeds on",
    "also on",
    "no problem on",
    "works when on",
    "works with",
    "worked with",
    "same file on",
    "same code on",
    "same test on",
    "copied onto",
    "same setup on",
    "fine when",
    "runs on",
    "rather than",
];

/// Words behind a place where all is well.
const PRAISE_AFTER: &[&str] = &[
    "works", "worked", "fine", "ok", "okay", "clean", "healthy", "succeeds", "good", "solved",
    "fixed", "helps", "helped",
];

fn usage(plain: &str, start: usize, end: usize) -> Use {
    let before = text::tail(plain.get(..start).unwrap_or(""), SURROUNDINGS_BYTES);
    let after = text::head(plain.get(end..).unwrap_or(""), SURROUNDINGS_BYTES);
    let before = text::clause_before(before);
    if denied(before) || before.ends_with("non-") {
        return Use::Denied;
    }
    let same = [" same", " this", " that"].iter().any(|word| text::tail(before, 20).contains(word));
    if !same && PRAISE_BEFORE.iter().any(|words| near_end(before, words)) {
        return Use::Contrasted;
    }
    let after = after.strip_prefix(": ").unwrap_or(after);
    let behind: Vec<&str> = text::words(text::clause_after(after)).take(6).collect();
    let praised = behind.iter().any(|word| PRAISE_AFTER.contains(word));
    let spoiled = behind.iter().any(|word| DENIALS.contains(word) || *word == "fails");
    if praised && !spoiled { Use::Contrasted } else { Use::Asserted }
}

/// Whether a denial ends `before` and reaches over small words to what follows.
pub(super) fn denied(before: &str) -> bool {
    for word in text::words(before).rev().take(5) {
        if DENIALS.contains(&word) {
            return true;
        }
        if !FILLERS.contains(&word) {
            return false;
        }
    }
    false
}

/// Whether `words` end at most three words before the end of `before`.
fn near_end(before: &str, words: &str) -> bool {
    before
        .rfind(words)
        .is_some_and(|at| text::words(before.get(at + words.len()..).unwrap_or("")).count() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage_of(report: &str, meaning: Meaning) -> Vec<Use> {
        let mentions = scan(&Text::new(report));
        mentions.iter().filter(|one| one.meaning == meaning).map(|one| one.usage).collect()
    }

    #[test]
    fn denials_reach_over_small_words_only() {
        let nfs = Meaning::On(FileSystem::Nfs);
        assert_eq!(usage_of("The data is on NFS.", nfs), [Use::Asserted]);
        assert_eq!(usage_of("It is not on an NFS share", nfs), [Use::Denied]);
        assert_eq!(usage_of("No SMB or NFS", nfs), [Use::Denied]);
        assert_eq!(usage_of("It does not start. NFS is used", nfs), [Use::Asserted]);
    }

    #[test]
    fn the_place_where_it_works_is_a_contrast() {
        let local = Meaning::On(FileSystem::Local);
        assert_eq!(usage_of("fails on nfs, but a local disk works", local), [Use::Contrasted]);
        assert_eq!(usage_of("we moved it to a local disk", local), [Use::Contrasted]);
        assert_eq!(usage_of("it lies on a local disk", local), [Use::Asserted]);
    }

    #[test]
    fn a_fear_is_no_event() {
        let corrupt = Meaning::Says(Sign::Corrupt);
        assert_eq!(usage_of("Is there a risk of corruption?", corrupt), [Use::Feared]);
        assert_eq!(usage_of("to avoid data corruption", corrupt), [Use::Feared]);
        assert_eq!(usage_of("now it is corrupt", corrupt), [Use::Asserted]);
    }

    #[test]
    fn phrases_are_whole_words() {
        assert_eq!(usage_of("confs and 9perf", Meaning::On(FileSystem::Nfs)), []);
        assert_eq!(usage_of("snfs nfs4x", Meaning::On(FileSystem::Nfs)), []);
        assert_eq!(usage_of("two NFS mounts", Meaning::On(FileSystem::Nfs)), [Use::Asserted]);
    }

    #[test]
    fn every_phrase_is_in_matching_form() {
        for (_, names) in FILE_SYSTEMS {
            assert!(names.iter().all(|name| *name == name.to_lowercase()), "{names:?}");
        }
    }

    #[test]
    fn praise_may_stand_behind_a_colon() {
        let smb = Meaning::On(FileSystem::Smb);
        assert_eq!(usage_of("the same over smb: works", smb), [Use::Contrasted]);
        assert_eq!(usage_of("the same over smb: fails", smb), [Use::Asserted]);
    }
}

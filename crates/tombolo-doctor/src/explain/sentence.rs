//! A text by sentences, each as its words: what the detectors of sayings look at.
//!
//! A list of words holds whole words, and openings of words that end in `*`.

use super::text::{self, Text};

/// Sentences looked at; a longer text is a log, and logs repeat themselves.
const SENTENCES_KEPT: usize = 4096;
/// Words of a sentence looked at.
const WORDS_KEPT: usize = 120;

/// A sentence, or a line that is none.
#[derive(Debug)]
pub(super) struct Sentence<'text> {
    pub(super) plain: &'text str,
    pub(super) words: Vec<&'text str>,
}

/// The sentences of a text.
pub(super) fn sentences(text: &Text) -> Vec<Sentence<'_>> {
    text.lines().flat_map(split).map(Sentence::of).take(SENTENCES_KEPT).collect()
}

fn split(line: &str) -> impl Iterator<Item = &str> {
    line.split(['\n', ';', '!', '?'])
        .flat_map(|part| part.split(". "))
        .filter(|part| !part.trim().is_empty())
        .take(64)
}

/// Whether a word is in a list.
pub(super) fn is(word: &str, list: &[&str]) -> bool {
    list.iter().any(|one| match one.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == *one,
    })
}

impl<'text> Sentence<'text> {
    pub(super) fn of(plain: &'text str) -> Self {
        Sentence { plain, words: text::words(plain).take(WORDS_KEPT).collect() }
    }

    /// Whether a word of the list occurs.
    pub(super) fn has(&self, list: &[&str]) -> bool {
        self.words.iter().any(|word| is(word, list))
    }

    /// Whether a passage of the list occurs.
    pub(super) fn says(&self, passages: &[&str]) -> bool {
        passages.iter().any(|words| self.plain.contains(words))
    }

    /// Whether words of both lists occur at most `reach` words apart, in either order.
    pub(super) fn near(&self, left: &[&str], right: &[&str], reach: usize) -> bool {
        self.places(left).any(|at| {
            let from = at.saturating_sub(reach);
            let to = (at + reach + 1).min(self.words.len());
            (from..to).any(|other| other != at && is(self.word(other), right))
        })
    }

    /// Whether a word of `left` is followed by one of `right` within `reach` words.
    pub(super) fn follows(&self, left: &[&str], right: &[&str], reach: usize) -> bool {
        self.places(left).any(|at| {
            let to = (at + reach + 1).min(self.words.len());
            (at + 1..to).any(|other| is(self.word(other), right))
        })
    }

    /// Whether the words stand side by side.
    pub(super) fn pair(&self, left: &[&str], right: &[&str]) -> bool {
        self.follows(left, right, 1)
    }

    /// Where words of the list stand.
    pub(super) fn places(&self, list: &[&str]) -> impl Iterator<Item = usize> {
        let found = |(at, word): (usize, &&str)| is(word, list).then_some(at);
        self.words.iter().enumerate().filter_map(found)
    }

    /// The word at a place; none where the sentence has ended.
    pub(super) fn word(&self, at: usize) -> &'text str {
        self.words.get(at).copied().unwrap_or("")
    }

    /// The words before a place, as many as `reach`.
    pub(super) fn before(&self, at: usize, reach: usize) -> &[&'text str] {
        self.words.get(at.saturating_sub(reach)..at).unwrap_or(&[])
    }

    /// Whether something is denied at all.
    pub(super) fn denies(&self) -> bool {
        self.has(DENIALS) || self.words.iter().any(|word| word.ends_with("n't"))
    }
}

/// Words that turn a sentence into its opposite.
pub(super) const DENIALS: &[&str] =
    &["no", "not", "never", "nor", "neither", "none", "without", "cannot", "nothing", "nobody"];

/// Words for something that is refused or goes wrong.
pub(super) const FAILS: &[&str] = &[
    "fail*",
    "cannot",
    "can't",
    "cant",
    "couldn't",
    "unable",
    "refus*",
    "reject*",
    "denied",
    "denies",
    "impossible",
    "error*",
    "unsupported",
    "won't",
    "wouldn't",
    "doesn't",
    "didn't",
    "isn't",
    "broke*",
    "panic*",
    "abort*",
    "crash*",
    "declin*",
    "forbid*",
    "disallow*",
];

/// The same in several words.
pub(super) const FAILS_SAID: &[&str] = &[
    "not supported",
    "not possible",
    "not allowed",
    "not permitted",
    "not work",
    "not support",
    "not available",
    "not be ",
    "could not",
    "can not",
    "would not",
    "did not",
    "was not granted",
    "not granted",
    "never granted",
    "not implemented",
    "no support",
    "invalid argument",
    "no such device",
    "without success",
    "no success",
    "not accept",
];

impl Sentence<'_> {
    /// Whether the sentence says that what stands at a word of the list is refused or goes wrong.
    pub(super) fn fails_at(&self, list: &[&str], reach: usize) -> bool {
        self.near(list, FAILS, reach) || self.has(list) && self.says(FAILS_SAID)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// What a detector says of a report.
    pub(in crate::explain) fn finds(detector: fn(&[Sentence<'_>]) -> bool, report: &str) -> bool {
        detector(&sentences(&Text::new(report)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_words_and_openings() {
        let sentence = Sentence::of("the map of index.db-shm fails on this mount");
        assert!(sentence.has(&["map"]));
        assert!(!sentence.has(&["mount*s", "ma"]));
        assert!(sentence.has(&["mou*"]));
        assert!(sentence.near(&["fail*"], &["map"], 5));
        assert!(!sentence.near(&["fail*"], &["map"], 2));
        assert!(sentence.follows(&["this"], &["mount"], 1));
        assert!(!sentence.follows(&["mount"], &["this"], 3));
    }

    #[test]
    fn sentences_end_at_marks_and_lines() {
        let text = Text::new("One. Two; three\nfour 1.5 s! five");
        let found: Vec<&str> = sentences(&text).iter().map(|one| one.plain).collect();
        assert_eq!(found, ["one", "two", " three", "four 1.5 s", " five"]);
    }
}

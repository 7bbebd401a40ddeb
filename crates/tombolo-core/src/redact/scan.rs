//! Where names can begin, and what begins there.

use super::stand_in::Kind;
use super::{forms, places};
use std::ops::Range;

/// Bytes of one run of letters that are looked at: no name is longer, and a text without a blank
/// may not take quadratic time.
pub(super) const RUN_BYTES_MAX: usize = 512;

/// A passage that is a name by its place or its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Its bytes in the text.
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

/// The hit of this length.
pub(super) fn hit(at: usize, length: usize, kind: Kind) -> Hit {
    Hit { range: at..at + length, kind }
}

/// The offsets at which a name, or what shows its place, can begin.
pub(super) fn starts(text: &str) -> impl Iterator<Item = usize> {
    let mut before = ' ';
    text.char_indices().filter_map(move |(at, letter)| {
        let begins = letter.is_alphanumeric() && !before.is_alphanumeric();
        let marks = matches!(letter, '/' | '\\' | '~') || letter == ':' && before != ':';
        before = letter;
        (begins || marks).then_some(at)
    })
}

/// What begins at this offset, which must be one of [`starts`]; in order, empty if nothing does.
pub(super) fn hits_at(text: &str, at: usize) -> Vec<Hit> {
    const RULES: &[fn(&str, usize) -> Vec<Hit>] = &[
        places::owner_at,
        places::assignment_at,
        places::address_of_resource_at,
        forms::mail_or_login_at,
        places::share_at,
        forms::mac_at,
        forms::ipv6_at,
        forms::ipv4_at,
        forms::token_at,
        forms::domain_at,
    ];
    RULES.iter().map(|rule| rule(text, at)).find(|hits| !hits.is_empty()).unwrap_or_default()
}

/// Whether a phrase, given in lower case, stands alone at this offset.
pub(super) fn stands_at(text: &str, at: usize, phrase: &str) -> bool {
    let end = at + phrase.len();
    let same = text.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(phrase));
    same && !(joins_before(text, at) && begins_with_letter(phrase))
        && !(joins_after(text, end) && ends_with_letter(phrase))
}

fn begins_with_letter(phrase: &str) -> bool {
    phrase.chars().next().is_some_and(char::is_alphanumeric)
}

fn ends_with_letter(phrase: &str) -> bool {
    phrase.chars().next_back().is_some_and(char::is_alphanumeric)
}

/// The letter before an offset.
pub(super) fn before(text: &str, at: usize) -> Option<char> {
    text.get(..at)?.chars().next_back()
}

/// Whether a word goes on across the beginning.
pub(super) fn joins_before(text: &str, at: usize) -> bool {
    before(text, at).is_some_and(char::is_alphanumeric)
}

/// Whether a word goes on across the end.
pub(super) fn joins_after(text: &str, end: usize) -> bool {
    text.get(end..).and_then(|rest| rest.chars().next()).is_some_and(char::is_alphanumeric)
}

/// The run of such letters from an offset on.
pub(super) fn run(text: &str, at: usize, fits: fn(char) -> bool) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest
        .char_indices()
        .find(|(offset, letter)| *offset >= RUN_BYTES_MAX || !fits(*letter))
        .map_or(rest.len(), |(offset, _)| offset);
    rest.get(..length).unwrap_or_default()
}

//! Takes names and secrets out of texts that are to be shown to strangers.
//!
//! Three things are known of a name: its *place* (`/home/NAME`, `username=NAME`, `//NAME/share`),
//! its *form* (an address, an e-mail, a key of a cloud service), or it was given, as the host's own
//! name. What was recognised once is replaced wherever it stands alone, so the texts of one report
//! are all [learned](Redactor::learn) before the first of them is [redacted](Redactor::redact).
//! Equal names get equal stand-ins, which keep the form: an address stays an address.
//!
//! A name that is also a word of the manual, such as `data`, is replaced at its place only: else
//! `can lose data` would become `can lose user-1`. [`Redactor::survivors`] tells whether anything
//! that was recognised still stands in a text.
//!
//! [`redact_report`] visits every text of a report, so that none is forgotten.

mod accounts;
mod forms;
mod places;
mod report;
mod scan;
mod stand_in;
#[cfg(test)]
mod tests;
mod words;

pub use accounts::{Account, accounts};
pub use report::{learn_report, redact_report};
pub use stand_in::Kind;

use scan::Hit;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Names of a kind that are told apart; more are replaced all the same, by one stand-in.
const NAMES_MAX: u32 = 50_000;

/// How often a text is looked at again; only a text made for that needs more than one pass.
const PASSES_MAX: usize = 16;

/// A name that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// What it is.
    pub kind: Kind,
    /// As it was first seen.
    pub original: String,
    /// What stands there instead.
    pub stand_in: String,
    /// How often it was replaced.
    pub times: u32,
}

/// A name that is replaced wherever it stands alone.
#[derive(Debug)]
struct Alone {
    /// In lower case.
    name: String,
    /// How much of it is replaced; the rest shows that it is a name.
    covers: usize,
    index: usize,
}

/// What is known of the names of one report, and what stands for them.
#[derive(Debug, Default)]
pub struct Redactor {
    /// A stand-in is given at the first use, so that they are counted as they are met.
    known: Vec<Replaced>,
    /// Positions in `known`, by kind and by the form in which names are compared.
    places: BTreeMap<(Kind, String), usize>,
    /// By the first byte, the longest first.
    alone: BTreeMap<u8, Vec<Alone>>,
    /// Stand-ins that the texts themselves hold.
    taken: BTreeSet<String>,
    /// Phrases that look like names and are none, such as a kernel's version; in lower case.
    kept: BTreeSet<String>,
    issued: BTreeMap<Kind, u32>,
}

impl Redactor {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A phrase that is left as it is, such as `5.15.153.1-microsoft-standard-WSL2`.
    pub fn keep(&mut self, phrase: &str) {
        if phrase.len() >= 3 {
            self.kept.insert(phrase.to_ascii_lowercase());
        }
    }

    /// A name that is known beforehand.
    pub fn name(&mut self, kind: Kind, name: &str) {
        let _ = self.index_of(kind, name);
    }

    /// A second name of somebody: a nickname, a name in full.
    pub fn alias(&mut self, kind: Kind, name: &str, also: &str) {
        if let Some(index) = self.index_of(kind, name)
            && !words::is_ordinary(also)
        {
            self.stands_alone(also, index);
        }
    }

    /// A word to be replaced wherever it stands alone, even if it is an ordinary one.
    pub fn hide(&mut self, word: &str) {
        if let Some(index) = self.index_of(Kind::Word, word) {
            self.stands_alone(word, index);
        }
    }

    /// A path: the owners of home directories in it, whose names may hold spaces here.
    pub fn learn_path(&mut self, path: &str) {
        for owner in places::owners(path) {
            self.name(Kind::User, owner);
        }
        self.learn(path);
    }

    /// The source of a mount: the servers and users in it, by the habits of its file system.
    pub fn learn_source(&mut self, filesystem: &str, source: &str) {
        for server in places::servers(filesystem, source) {
            self.name(Kind::User, server.user.unwrap_or_default());
            if let Some(index) = self.index_of(Kind::Host, server.host) {
                // `server:/` is a place even where `server` alone is an ordinary word.
                self.shown_by(&format!("{}:/", server.host), server.host.len(), index);
            }
        }
        self.learn(source);
    }

    /// Recognises names in a text, for all texts that are redacted later.
    pub fn learn(&mut self, text: &str) {
        self.taken.extend(stand_in::all_in(text));
        for (range, kind) in self.walk(text, Known::Ignored) {
            if let (Some(original), Found::Form(kind)) = (text.get(range), kind) {
                self.name(kind, original);
            }
        }
    }

    /// The text with stand-ins for all names. Redacting it once more changes nothing: a stand-in
    /// can complete a form, as in `a@0b@c`, so it goes on until nothing is found.
    pub fn redact(&mut self, text: &str) -> String {
        let mut out = self.redact_once(text);
        for _ in 0..PASSES_MAX {
            let next = self.redact_once(&out);
            if next == out {
                break;
            }
            out = next;
        }
        out
    }

    fn redact_once(&mut self, text: &str) -> String {
        self.learn(text);
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (range, found) in self.walk(text, Known::Sought) {
            let original = text.get(range.clone()).unwrap_or_default();
            let index = match found {
                Found::Known(index) => Some(index),
                Found::Form(kind) => self.index_of(kind, original),
            };
            out.push_str(text.get(done..range.start).unwrap_or_default());
            match index {
                Some(index) => out.push_str(self.use_once(index)),
                None => out.push_str(original),
            }
            done = range.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        out
    }

    /// What was replaced so far, the oftenest of each kind first.
    #[must_use]
    pub fn replaced(&self) -> Vec<Replaced> {
        let mut all: Vec<Replaced> =
            self.known.iter().filter(|one| one.times > 0).cloned().collect();
        all.sort_by_key(|one| (one.kind, Reverse(one.times)));
        all
    }

    /// Names that stand alone in a text although they were to be replaced; none in a text that was
    /// redacted.
    #[must_use]
    pub fn survivors(&self, text: &str) -> Vec<&Replaced> {
        let found = self.walk(text, Known::Sought).into_iter();
        let index = |found: Found, range: Range<usize>| match found {
            Found::Known(index) => Some(index),
            Found::Form(kind) => self.places.get(&(kind, kind.compared(text.get(range)?))).copied(),
        };
        let found: BTreeSet<usize> = found.filter_map(|(range, one)| index(one, range)).collect();
        found.into_iter().filter_map(|index| self.known.get(index)).collect()
    }
}

/// What was found at a place.
enum Found {
    /// A form or a place that tells that it is a name.
    Form(Kind),
    /// A name that is known, standing alone.
    Known(usize),
}

/// Whether known names are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Sought,
    Ignored,
}

impl Redactor {
    /// Everything that is to be replaced, in the order of the text.
    fn walk(&self, text: &str, known: Known) -> Vec<(Range<usize>, Found)> {
        let mut all = Vec::new();
        let mut done = 0;
        for at in scan::starts(text) {
            if at < done {
                continue;
            }
            if let Some(length) = self.kept_at(text, at) {
                done = at + length;
                continue;
            }
            let hits = scan::hits_at(text, at);
            if let Some(last) = hits.last() {
                done = last.range.end;
                all.extend(hits.into_iter().map(|Hit { range, kind }| (range, Found::Form(kind))));
            } else if known == Known::Sought
                && let Some((length, index)) = self.alone_at(text, at)
            {
                done = at + length;
                all.push((at..done, Found::Known(index)));
            }
        }
        all
    }

    fn kept_at(&self, text: &str, at: usize) -> Option<usize> {
        let fits = |phrase: &&String| scan::stands_at(text, at, phrase);
        self.kept.iter().filter(fits).map(String::len).max()
    }

    fn alone_at(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        let first = text.as_bytes().get(at)?.to_ascii_lowercase();
        let mut names = self.alone.get(&first)?.iter();
        names.find(|one| scan::stands_at(text, at, &one.name)).map(|one| (one.covers, one.index))
    }

    /// The position of a name, which is new or known; `None` where it is no name: nothing, a
    /// number, a stand-in.
    fn index_of(&mut self, kind: Kind, name: &str) -> Option<usize> {
        if !kind.can_be(name) {
            return None;
        }
        let key = (kind, kind.compared(name));
        if let Some(index) = self.places.get(&key) {
            return Some(*index);
        }
        let label = name.split_once('.').filter(|_| kind == Kind::Host).map(|(label, _)| label);
        let same = label.and_then(|label| self.places.get(&(kind, kind.compared(label))));
        let index = same.copied().unwrap_or_else(|| self.add(kind, name));
        let names = std::iter::once(name).chain(label);
        for name in names.filter(|name| kind.can_be(name)) {
            self.places.entry((kind, kind.compared(name))).or_insert(index);
            if !words::is_ordinary(name) {
                self.stands_alone(name, index);
            }
        }
        Some(index)
    }

    fn use_once(&mut self, index: usize) -> &str {
        let fresh = match self.known.get(index) {
            Some(known) if known.times == 0 => Some(self.fresh(known.kind)),
            _ => None,
        };
        let Some(known) = self.known.get_mut(index) else { return "" };
        if let Some(stand_in) = fresh {
            known.stand_in = stand_in;
        }
        known.times = known.times.saturating_add(1);
        &known.stand_in
    }

    fn add(&mut self, kind: Kind, name: &str) -> usize {
        let stand_in = String::new();
        self.known.push(Replaced { kind, original: name.to_owned(), stand_in, times: 0 });
        self.known.len() - 1
    }

    /// A stand-in that no text holds yet.
    fn fresh(&mut self, kind: Kind) -> String {
        let number = self.issued.entry(kind).or_default();
        if *number >= NAMES_MAX {
            return kind.stand_in(0);
        }
        loop {
            *number += 1;
            let stand_in = kind.stand_in(*number);
            if !self.taken.contains(&stand_in) {
                return stand_in;
            }
        }
    }

    fn stands_alone(&mut self, name: &str, index: usize) {
        self.shown_by(name, name.len(), index);
    }

    /// Of `server:/` only `server` is replaced.
    fn shown_by(&mut self, name: &str, covers: usize, index: usize) {
        let name = name.to_ascii_lowercase();
        let Some(first) = name.bytes().next() else { return };
        let names = self.alone.entry(first).or_default();
        if names.iter().all(|one| one.name != name) {
            names.push(Alone { name, covers, index });
            names.sort_by_key(|one| Reverse(one.name.len()));
        }
    }
}

//! A value as a program reads it, with the place of each of its characters in the file.

use super::lines;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Replaces a range of bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Edit {
    /// The first byte that is replaced.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// What stands there then.
    pub text: String,
}

impl Edit {
    pub(super) fn replace(range: Range<usize>, text: impl Into<String>) -> Self {
        Edit { start: range.start, end: range.end, text: text.into() }
    }

    pub(super) fn insert(at: usize, text: impl Into<String>) -> Self {
        Edit::replace(at..at, text)
    }
}

/// Where the first edit stands that is out of order, out of the text or within a character.
pub(super) fn misplaced(text: &str, edits: &[Edit]) -> Option<usize> {
    let mut end = 0;
    for edit in edits {
        let fits = edit.start >= end && text.get(edit.start..edit.end).is_some();
        if !fits {
            return Some(edit.start.min(text.len()));
        }
        end = edit.end;
    }
    None
}

/// The text with its edits; `None` where they do not belong to it.
#[must_use]
pub fn edited(text: &str, edits: &[Edit]) -> Option<String> {
    if misplaced(text, edits).is_some() {
        return None;
    }
    let mut result = String::with_capacity(text.len());
    let mut end = 0;
    for edit in edits {
        result += text.get(end..edit.start)?;
        result += &edit.text;
        end = edit.end;
    }
    result += text.get(end..)?;
    Some(result)
}

/// A value, decoded: quotes and escapes are not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) text: String,
    /// For each character: where it begins in `text`, and its range in the file.
    characters: Vec<(usize, Range<usize>)>,
    /// Where an empty value would be written.
    empty_at: usize,
}

impl Field {
    pub(super) fn new(empty_at: usize) -> Self {
        Field { text: String::new(), characters: Vec::new(), empty_at }
    }

    /// A value that stands in the file as it is read.
    pub(super) fn literal(text: &str, range: Range<usize>) -> Self {
        let mut field = Field::new(range.start);
        for (at, character) in text.get(range.clone()).unwrap_or_default().char_indices() {
            let at = range.start + at;
            field.push(character, at..at + character.len_utf8());
        }
        field
    }

    /// Adds a character that stands in a range of the file.
    pub(super) fn push(&mut self, character: char, range: Range<usize>) {
        self.characters.push((self.text.len(), range));
        self.text.push(character);
    }

    /// Where the value begins in the file.
    pub(super) fn start(&self) -> usize {
        self.characters.first().map_or(self.empty_at, |(_, range)| range.start)
    }

    /// Where it ends.
    pub(super) fn end(&self) -> usize {
        self.characters.last().map_or(self.empty_at, |(_, range)| range.end)
    }

    /// A part of it.
    pub(super) fn part(&self, range: Range<usize>) -> Field {
        let mut part = Field::new(self.place(range.start));
        for (at, place) in &self.characters {
            if range.contains(at)
                && let Some(character) = self.text.get(*at..).and_then(|rest| rest.chars().next())
            {
                part.push(character, place.clone());
            }
        }
        part
    }

    /// Where text is inserted that is to stand before the character at `at`: right after the one
    /// before it, within its quotes.
    pub(super) fn place(&self, at: usize) -> usize {
        let before = self.characters.iter().rev().find(|(start, _)| *start < at);
        before.map_or_else(|| self.start(), |(_, range)| range.end)
    }

    /// Replaces a part of it. Quotes in between stay.
    pub(super) fn replace(&self, range: Range<usize>, text: &str) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::new();
        for (at, place) in &self.characters {
            if !range.contains(at) {
                continue;
            }
            match edits.last_mut() {
                Some(last) if last.end == place.start => last.end = place.end,
                _ => edits.push(Edit::replace(place.clone(), "")),
            }
        }
        match edits.first_mut() {
            Some(first) => text.clone_into(&mut first.text),
            None if text.is_empty() => {}
            None => edits.push(Edit::insert(self.place(range.start), text)),
        }
        edits
    }

    /// The line of its beginning.
    pub(super) fn line(&self, text: &str) -> usize {
        lines::line_of(text, self.start())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_quotes_inside_is_edited_around_them() {
        // './a'/b
        let text = "'./a'/b";
        let mut field = Field::new(0);
        for at in [1, 2, 3, 5, 6] {
            field.push(text[at..].chars().next().unwrap(), at..at + 1);
        }
        assert_eq!(field.text, "./a/b");
        let edits = field.replace(2..4, "xy");
        assert_eq!(edited(text, &edits).unwrap(), "'./xy'b");
        assert_eq!(edited(text, &field.replace(5..5, "!")).unwrap(), "'./a'/b!");
        assert_eq!(field.part(3..5).text, "/b");
    }

    #[test]
    fn edits_that_do_not_belong_are_refused() {
        let edit = |start, end| Edit { start, end, text: String::new() };
        assert_eq!(edited("abc", &[edit(1, 2), edit(2, 3)]).unwrap(), "a");
        assert_eq!(edited("abc", &[edit(2, 3), edit(1, 2)]), None);
        assert_eq!(edited("abc", &[edit(1, 3), edit(2, 3)]), None);
        assert_eq!(edited("abc", &[edit(2, 9)]), None);
        assert_eq!(edited("a\u{e4}c", &[edit(2, 3)]), None);
        assert_eq!(edited("abc", &[edit(3, 1)]), None);
    }
}

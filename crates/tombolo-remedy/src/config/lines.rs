//! Lines, with their places.

use std::ops::Range;

/// The number of the line that holds a byte, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at.min(text.len())).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The line end that the file uses.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text.as_bytes().get(at.wrapping_sub(1)) == Some(&b'\r') => "\r\n",
        _ => "\n",
    }
}

/// The range of each line, without its line end.
pub(super) fn ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let begins = start;
        start += line.len();
        let bare = line.strip_suffix('\n').unwrap_or(line);
        let bare = bare.strip_suffix('\r').unwrap_or(bare);
        begins..begins + bare.len()
    })
}

/// The range of the line that holds a byte, with its line end.
pub(super) fn whole(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let after = text.as_bytes().get(at..).unwrap_or_default();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let end = after.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| at + end + 1);
    start..end
}

/// Where the line that holds a byte ends, before its line end.
pub(super) fn end(text: &str, at: usize) -> usize {
    let range = whole(text, at);
    let line = text.get(range.clone()).unwrap_or_default();
    range.start + line.trim_end_matches(['\r', '\n']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_either_way() {
        let text = "a\r\nbb\n\nc";
        assert_eq!(ranges(text).collect::<Vec<_>>(), [0..1, 3..5, 6..6, 7..8]);
        assert_eq!((newline(text), newline("x"), newline("\n")), ("\r\n", "\n", "\n"));
        assert_eq!((line_of(text, 0), line_of(text, 4), line_of(text, 99)), (1, 2, 4));
        assert_eq!((whole(text, 1), whole(text, 7), end(text, 0)), (0..3, 7..8, 1));
    }
}

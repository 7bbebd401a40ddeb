//! A report, made fit for matching: lower case, plain punctuation, lines.

use super::thin;

/// A prepared report.
#[derive(Debug)]
pub(super) struct Text {
    /// The whole report.
    pub(super) plain: String,
}

impl Text {
    /// Prepares a report. Linear in its length.
    pub(super) fn new(raw: &str) -> Self {
        let mut plain = String::with_capacity(raw.len());
        for letter in raw.chars() {
            match letter {
                '\u{2018}' | '\u{2019}' | '\u{201b}' | '`' => plain.push('\''),
                '\u{201c}' | '\u{201d}' => plain.push('"'),
                '\u{2010}'..='\u{2015}' => plain.push('-'),
                '\u{2192}' | '\u{21d2}' => plain.push_str("->"),
                '\u{2026}' => plain.push_str("..."),
                '\u{a0}' | '\t' | '\r' => plain.push(' '),
                '\u{1b}' => plain.push(' '),
                other => plain.push(other.to_ascii_lowercase()),
            }
        }
        Text { plain: unwrapped(&thin::thinned(plain)) }
    }

    /// The lines, without their ends. A longer line than anybody reads comes in pieces, so that
    /// work on one line is bounded.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.plain.lines().flat_map(pieces)
    }
}

/// Bytes of a line up to which it stays in one piece.
const LINE_BYTES: usize = 4096;

fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let piece = head(line, LINE_BYTES);
        rest = line.get(piece.len()..).filter(|rest| !rest.is_empty());
        Some(piece)
    })
}

/// Bytes from which on a line counts as wrapped by an editor and not ended by its author.
const WRAPPED_BYTES: usize = 60;
/// Bytes up to which lines are joined.
const JOINED_BYTES: usize = 1200;

/// Labels of facts; a text that has two of them is a list of lines, and not wrapped prose.
const LABELS: &[&str] =
    &["app", "filesystem", "file system", "kernels", "journal_mode", "journal mode", "openers"];

/// Labels of the line that names the application.
pub(super) const OF_APPLICATION: &[&str] = &["app", "application"];

/// Joins the lines of wrapped prose, so that a phrase may run over the end of a line. Lines that
/// begin like an entry of a log, a list, a mount table or a labelled fact stay by themselves.
fn unwrapped(plain: &str) -> String {
    let labelled = |line: &&str| after_label(line, LABELS).is_some();
    if plain.lines().filter(labelled).nth(1).is_some() {
        return plain.to_owned();
    }
    let mut joined = String::with_capacity(plain.len());
    let mut begin = 0;
    let mut previous = 0;
    for line in plain.lines() {
        let first = line.split(' ').next().unwrap_or("");
        let prose = first.chars().all(|letter| letter.is_alphabetic() || "'\",.)".contains(letter));
        let room = joined.len() - begin + line.len() < JOINED_BYTES;
        if previous >= WRAPPED_BYTES && prose && !first.is_empty() && room {
            joined.push(' ');
        } else if !joined.is_empty() {
            joined.push('\n');
            begin = joined.len();
        }
        joined.push_str(line);
        previous = if line.ends_with([':', ';', '{', '}', '>']) { 0 } else { line.len() };
    }
    joined
}

/// The words of a passage: runs of letters, digits and what holds names together.
pub(super) fn words(passage: &str) -> impl DoubleEndedIterator<Item = &str> {
    passage
        .split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '\'' | '-')))
        .filter(|word| !word.is_empty())
}

/// As [`words`], each with the offset of its first byte.
pub(super) fn word_starts(passage: &str) -> impl Iterator<Item = (usize, &str)> {
    words(passage).scan(0, move |from, word| {
        let at = *from + passage.get(*from..)?.find(word)?;
        *from = at + word.len();
        Some((at, word))
    })
}

/// The words of a line between blanks, as many as a person would read.
pub(super) fn head_words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().take(64)
}

/// Whether a label such as `filesystem:` opens the line; what follows it.
pub(super) fn after_label<'line>(line: &'line str, labels: &[&str]) -> Option<&'line str> {
    let line = line.trim_start_matches([' ', '-', '*', '#', '>']);
    let (label, rest) = line.split_once(':')?;
    labels.contains(&label.trim_matches(['*', ' '])).then_some(rest)
}

/// The clause that ends at the end of `before`: back to the last mark that closes a thought.
pub(super) fn clause_before(before: &str) -> &str {
    let start = before
        .rfind(['\n', ';', '(', ')', '!', '?', '|', '>', '"'])
        .map_or(0, |at| at + 1)
        .max(before.rfind(". ").map_or(0, |at| at + 2))
        .max(before.rfind(": ").map_or(0, |at| at + 2))
        .max(before.rfind(", ").map_or(0, |at| at + 2));
    before.get(start..).unwrap_or("")
}

/// The clause that begins at the start of `after`, as [`clause_before`].
pub(super) fn clause_after(after: &str) -> &str {
    let close = |mark: &str| after.find(mark).unwrap_or(after.len());
    let end = after
        .find(['\n', ';', '(', ')', '!', '?', '|', '>', ':', ','])
        .unwrap_or(after.len())
        .min(close(". "))
        .min(close("->"));
    after.get(..end).unwrap_or("")
}

/// The last `limit` bytes, cut at a character.
pub(super) fn tail(text: &str, limit: usize) -> &str {
    let mut start = text.len().saturating_sub(limit);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or("")
}

/// The first `limit` bytes, cut at a character.
pub(super) fn head(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_made_plain() {
        let text = Text::new("A \u{2192} B\u{2026} \u{2018}X\u{2019}");
        assert_eq!(text.plain, "a -> b... 'x'");
    }

    #[test]
    fn wrapped_prose_is_joined_and_entries_are_not() {
        let long = "the container was restarted twice and now the database disk image";
        assert_eq!(Text::new(&format!("{long}\nis malformed")).lines().count(), 1);
        assert_eq!(Text::new(&format!("{long}\n[db] is malformed")).lines().count(), 2);
        assert_eq!(Text::new(&format!("{long}\nkernels: 2")).lines().count(), 2);
        assert_eq!(Text::new("short\nlines").lines().count(), 2);
        let listed = format!("app: x\nfilesystem: nfs\n{long}\nnobody else has it open");
        assert_eq!(Text::new(&listed).lines().count(), 4);
    }

    #[test]
    fn clauses_end_at_marks() {
        assert_eq!(clause_before("first. not on "), "not on ");
        assert_eq!(clause_after(" works fine, but"), " works fine");
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let text = Text::new(&"\u{e4}".repeat(LINE_BYTES));
        assert_eq!(text.lines().count(), 2);
        assert_eq!(text.lines().map(str::len).sum::<usize>(), text.plain.len());
        assert_eq!(Text::new("a\n\nb").lines().count(), 3);
    }

    #[test]
    fn cuts_never_split_a_character() {
        assert_eq!(head("a\u{e4}b", 2), "a");
        assert_eq!(tail("a\u{e4}b", 2), "b");
    }

    #[test]
    fn labels_are_told_from_prose() {
        assert_eq!(after_label("- Filesystem: nfs", &["filesystem"]), None);
        assert_eq!(after_label("- filesystem: nfs", &["filesystem"]), Some(" nfs"));
    }
}

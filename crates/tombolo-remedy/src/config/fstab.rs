//! The table of file systems: fstab(5).

use super::field::{Edit, Field};
use super::{Change, Edited, Names, Refusal, Selector, lines, options, protocol, select};
use std::ops::Range;

pub(super) struct Entry {
    fields: Vec<Field>,
}

impl Entry {
    /// Where it begins in the file.
    pub(super) fn start(&self) -> usize {
        self.fields.first().map_or(0, Field::start)
    }

    pub(super) fn field(&self, place: usize) -> &str {
        self.fields.get(place).map_or("", |field| field.text.as_str())
    }
}

/// All lines that are no comments.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    lines::ranges(text).filter_map(|line| entry(text, line)).collect()
}

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let entries = entries(text);
    let found = select(text, selector, &entries, |entry| Names {
        mount_point: Some(entry.field(1).to_owned()),
        sources: vec![entry.field(0).to_owned()],
        shown: None,
        at: entry.start(),
    })?;
    let [source, _, kind, list, ..] = found.fields.as_slice() else {
        return Err(Refusal::unknown(text, found.start(), "the entry has no options"));
    };
    let mut edits = Vec::new();
    let mut wanted = changes.to_vec();
    for change in changes {
        match change {
            Change::Set(_) | Change::Drop(_) => {}
            Change::Virtiofs => {
                let (edit, dropped) = protocol::virtiofs(text, source, kind)?;
                edits.extend(edit);
                wanted.extend(dropped);
            }
            Change::Detach => {
                return Ok(Edited {
                    edits: vec![Edit::insert(lines::whole(text, found.start()).start, "# ")],
                    notes: vec!["The mount is there until it is unmounted (umount).".to_owned()],
                });
            }
            Change::BindDirectory | Change::NamedVolume(_) | Change::Source(_) => {
                let reason = "the table of file systems has no such mounts of containers";
                return Err(Refusal::NotOfKind(reason.to_owned()));
            }
        }
    }
    edits.extend(options::edits(list, &wanted, options::COMMAS));
    Ok(Edited { edits, notes: Vec::new() })
}

/// A line that is no comment, in fields. Blanks in a field are written as octal numbers.
fn entry(text: &str, line: Range<usize>) -> Option<Entry> {
    let bytes = text.as_bytes();
    let mut fields = Vec::new();
    let mut at = line.start;
    while at < line.end {
        let blank = |at: &usize| matches!(bytes.get(*at), Some(b' ' | b'\t'));
        at = (at..line.end).find(|at| !blank(at)).unwrap_or(line.end);
        if at >= line.end || bytes.get(at) == Some(&b'#') {
            break;
        }
        let end = (at..line.end).find(blank).unwrap_or(line.end);
        fields.push(field(text, at..end));
        at = end;
    }
    (!fields.is_empty()).then_some(Entry { fields })
}

fn field(text: &str, range: Range<usize>) -> Field {
    let raw = text.get(range.clone()).unwrap_or_default();
    let mut field = Field::new(range.start);
    let mut skipped_until = 0;
    for (at, character) in raw.char_indices() {
        if at < skipped_until {
            continue;
        }
        let octal = raw.get(at + 1..at + 4).filter(|_| character == '\\');
        let code = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        let (character, length) = match code.filter(u8::is_ascii) {
            Some(code) => (char::from(code), 4),
            None => (character, character.len_utf8()),
        };
        skipped_until = at + length;
        field.push(character, range.start + at..range.start + at + length);
    }
    field
}

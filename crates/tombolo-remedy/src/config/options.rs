//! Lists of options, separated by one character.

use super::change::{Change, MountOption};
use super::field::{Edit, Field};
use std::ops::Range;

/// How a list is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// What stands between two options.
    pub(super) separator: char,
    /// What stands for no option at all.
    pub(super) empty: &'static str,
}

/// As mount(8) takes them.
pub(super) const COMMAS: Manner = Manner { separator: ',', empty: "defaults" };

/// Commas in double quotes separate nothing, as in `context="system_u:object_r:x:s0:c1,c2"`
/// (mount(8)).
fn items(list: &str, separator: char) -> Vec<Range<usize>> {
    let (mut items, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, character) in list.char_indices() {
        if character == '"' {
            quoted = !quoted;
        } else if character == separator && !quoted {
            items.push(start..at);
            start = at + character.len_utf8();
        }
    }
    items.push(start..list.len());
    items
}

/// What becomes of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    Becomes(String),
}

/// The edits that make a list say what is wanted. Changes that are none of options are passed over.
pub(super) fn edits(list: &Field, changes: &[Change], manner: Manner) -> Vec<Edit> {
    let ranges =
        if list.text.is_empty() { Vec::new() } else { items(&list.text, manner.separator) };
    let options: Vec<&str> =
        ranges.iter().map(|range| list.text.get(range.clone()).unwrap_or_default()).collect();
    let mut fates = vec![Fate::Stays; options.len()];
    let mut added: Vec<String> = Vec::new();
    for change in changes {
        match change {
            Change::Drop(option) => drop_option(option, &options, &mut fates),
            Change::Set(option) => added.extend(set_option(option, &options, &mut fates)),
            _ => {}
        }
    }
    written(list, &ranges, &fates, &added, manner)
}

fn drop_option(option: &MountOption, options: &[&str], fates: &mut [Fate]) {
    for (text, fate) in options.iter().zip(fates) {
        if option.covers(text) {
            *fate = Fate::Goes;
        }
    }
}

/// The last one of a name counts, so that one is the one to change.
fn set_option(option: &MountOption, options: &[&str], fates: &mut [Fate]) -> Option<String> {
    let wanted = option.to_string();
    let mut found = false;
    for (text, fate) in options.iter().zip(fates).rev().filter(|(text, _)| option.names(text)) {
        *fate = match (found, **text == wanted) {
            (true, _) => Fate::Goes,
            (false, true) => Fate::Stays,
            (false, false) => Fate::Becomes(wanted.clone()),
        };
        found = true;
    }
    (!found).then_some(wanted)
}

fn written(
    list: &Field,
    ranges: &[Range<usize>],
    fates: &[Fate],
    added: &[String],
    manner: Manner,
) -> Vec<Edit> {
    let separator = manner.separator.to_string();
    let first_kept = fates.iter().position(|fate| *fate != Fate::Goes);
    let Some(first_kept) = first_kept else {
        // Nothing is left of what stood there.
        let whole = if added.is_empty() { manner.empty.to_owned() } else { added.join(&separator) };
        let unchanged = ranges.is_empty() && added.is_empty();
        return if unchanged { Vec::new() } else { list.replace(0..list.text.len(), &whole) };
    };
    let mut edits = Vec::new();
    let mut last_end = 0;
    for (place, (range, fate)) in ranges.iter().zip(fates).enumerate() {
        match fate {
            Fate::Stays => {}
            Fate::Becomes(text) => edits.extend(list.replace(range.clone(), text)),
            Fate::Goes if place < first_kept => {
                let next = ranges.get(place + 1).map_or(range.end, |next| next.start);
                edits.extend(list.replace(range.start..next, ""));
            }
            Fate::Goes => edits.extend(list.replace(last_end..range.end, "")),
        }
        last_end = range.end;
    }
    if !added.is_empty() {
        let mut text = String::new();
        for option in added {
            // A list may end in a separator, which then has nothing after it.
            if !(text.is_empty() && list.text.ends_with(manner.separator)) {
                text.push(manner.separator);
            }
            text += option;
        }
        edits.extend(list.replace(list.text.len()..list.text.len(), &text));
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::super::field::edited;
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> Change {
        Change::Set(text.parse().unwrap())
    }

    fn without(text: &str) -> Change {
        Change::Drop(text.parse().unwrap())
    }

    fn changed(list: &str, changes: &[Change]) -> String {
        let field = Field::literal(list, 0..list.len());
        let mut edits = edits(&field, changes, COMMAS);
        edits.sort_by_key(|edit| (edit.start, edit.end));
        edited(list, &edits).unwrap()
    }

    #[test]
    fn options_are_set_and_dropped_in_place() {
        for (list, changes, wanted) in [
            ("rw,soft,vers=3", vec![without("soft")], "rw,vers=3"),
            ("soft,rw", vec![without("soft")], "rw"),
            ("rw,soft", vec![without("soft")], "rw"),
            ("soft", vec![without("soft")], "defaults"),
            ("soft,nolock,rw,intr", vec![without("soft"), without("nolock")], "rw,intr"),
            ("rw,soft,nolock,x", vec![without("soft"), without("nolock")], "rw,x"),
            ("trans=virtio", vec![set("cache=mmap")], "trans=virtio,cache=mmap"),
            ("cache=none,rw", vec![set("cache=mmap")], "cache=mmap,rw"),
            ("cache=none,rw,cache=mmap", vec![set("cache=mmap")], "rw,cache=mmap"),
            ("cache=mmap,rw", vec![set("cache=mmap")], "cache=mmap,rw"),
            ("soft", vec![without("soft"), set("hard")], "hard"),
            ("", vec![set("hard")], "hard"),
            ("", vec![without("hard")], ""),
            ("rw,", vec![set("hard")], "rw,hard"),
            ("rw,context=\"a,soft\"", vec![without("soft")], "rw,context=\"a,soft\""),
        ] {
            assert_eq!(changed(list, &changes), wanted, "{list}");
        }
    }

    proptest! {
        #[test]
        fn twice_is_once(list in "(a|b|c|=|,|\"[ac,]{0,2}\"){0,10}") {
            let changes = [set("a=b"), without("b"), set("c")];
            let once = changed(&list, &changes);
            prop_assert_eq!(changed(&once, &changes), once);
        }
    }
}

//! JSON that survives being pasted.

use serde::Serialize;
use std::fmt::Write as _;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// In one line: trackers limit the length of a post.
    Short,
    /// Indented, for those who read it.
    Indented,
}

/// The value as JSON in plain ASCII, without any character that means something to HTML or ends a
/// block of code in Markdown: the same text stands in a page and in a post, and is found again in
/// both. Such characters occur in strings only, where JSON can spell them (RFC 8259, section 7).
///
/// # Errors
///
/// Where the value has no form in JSON.
pub fn pasteable(value: &impl Serialize, layout: Layout) -> Result<String, serde_json::Error> {
    let text = match layout {
        Layout::Short => serde_json::to_string(value)?,
        Layout::Indented => serde_json::to_string_pretty(value)?,
    };
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() && !matches!(letter, '<' | '>' | '&' | '`' | '~') {
            out.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_says_the_same_in_plain_letters(texts in prop::collection::vec("\\PC{0,40}", 0..4)) {
            for layout in [Layout::Short, Layout::Indented] {
                let plain = pasteable(&texts, layout).expect("JSON");
                prop_assert!(plain.is_ascii() && !plain.contains(['<', '>', '&', '`', '~']));
                let read: Vec<String> = serde_json::from_str(&plain).expect("JSON");
                prop_assert_eq!(&read, &texts);
            }
        }
    }
}

//! HTML that is well-formed and escaped because nothing else can be written.
//!
//! Text comes in through [`Html::text`] and values through [`Html::with`], which escape; names of
//! elements and attributes are literals of this program. An element is closed by the call that has
//! opened it.

use std::fmt::Write as _;

/// A page, or a part of one.
#[derive(Debug, Default)]
pub(super) struct Html {
    out: String,
}

/// Attributes of one element.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Html {
    /// The beginning of a document.
    pub(super) fn document() -> Self {
        Html { out: "<!DOCTYPE html>\n".to_owned() }
    }

    pub(super) fn into_text(self) -> String {
        self.out
    }

    /// An element and what is in it.
    pub(super) fn element(&mut self, name: &'static str, inside: impl FnOnce(&mut Html)) {
        self.with(name, &[], inside);
    }

    /// An element with attributes.
    pub(super) fn with(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Html),
    ) {
        self.open(name, attributes);
        inside(self);
        let _ = write!(self.out, "</{name}>");
        if !is_inline(name) {
            self.out.push('\n');
        }
    }

    /// An element without an end, such as `meta`.
    pub(super) fn single(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.open(name, attributes);
        self.out.push('\n');
    }

    /// An element that holds only text.
    pub(super) fn leaf(&mut self, name: &'static str, text: &str) {
        self.element(name, |inside| inside.text(text));
    }

    /// As [`Self::leaf`], of a class.
    pub(super) fn leaf_of(&mut self, name: &'static str, class: &str, text: &str) {
        self.with(name, &[("class", class)], |inside| inside.text(text));
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                // A browser would read these as something else, or not at all.
                '\0' | '\r' => self.out.push('\u{fffd}'),
                _ => self.out.push(letter),
            }
        }
    }

    /// The style sheet of this program.
    pub(super) fn style(&mut self, sheet: &'static str) {
        let _ = writeln!(self.out, "<style>\n{sheet}</style>");
    }

    fn open(&mut self, name: &'static str, attributes: Attributes<'_>) {
        let _ = write!(self.out, "<{name}");
        for (attribute, value) in attributes {
            let _ = write!(self.out, " {attribute}=\"");
            for letter in value.chars() {
                match letter {
                    '"' => self.out.push_str("&quot;"),
                    _ => self.text(letter.encode_utf8(&mut [0; 4])),
                }
            }
            self.out.push('"');
        }
        self.out.push('>');
    }
}

fn is_inline(name: &str) -> bool {
    matches!(name, "span" | "code" | "strong" | "a" | "abbr" | "pre" | "th" | "td" | "dt" | "dd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_stays_text() {
        let hostile = "</p><script>alert(\"1\")</script>&amp;";
        let mut html = Html::default();
        html.with("p", &[("title", hostile)], |inside| inside.text(hostile));
        let text = html.into_text();
        assert_eq!(text.matches('<').count(), 2, "{text}");
        assert_eq!(text.matches('"').count(), 4, "two of the attribute, two of the text: {text}");
        assert!(text.contains("&amp;amp;"), "{text}");
    }
}

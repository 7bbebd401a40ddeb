//! A page of text: styles, wrapping, indentation.

use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// Widest text that is still easy to read.
const WIDTH_MAX: usize = 100;

/// Used where the output is no terminal and `COLUMNS` says nothing.
const WIDTH_DEFAULT: usize = 100;

/// Text under construction. Styles are written as escape codes; the stream that prints the page
/// takes them out where they are not wanted.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
}

/// What a piece of text means; each has one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Heading,
    Dim,
    Good,
    Caution,
    Fault,
    Danger,
    Code,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Tone::Heading => Style::new().bold(),
            Tone::Dim => Style::new().dimmed(),
            Tone::Good => colour(AnsiColor::Green),
            Tone::Caution => colour(AnsiColor::Yellow),
            Tone::Fault => colour(AnsiColor::Red),
            Tone::Danger => colour(AnsiColor::Red).bold(),
            Tone::Code => colour(AnsiColor::Cyan),
        }
    }
}

impl Page {
    pub(crate) fn new() -> Self {
        Page::with_width(terminal_width())
    }

    pub(crate) fn with_width(width: usize) -> Self {
        Page { text: String::new(), width: width.clamp(40, WIDTH_MAX) }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A heading, with an empty line above.
    pub(crate) fn heading(&mut self, text: &str) {
        self.blank();
        self.line(0, &styled(Tone::Heading, text));
    }

    /// A paragraph, wrapped, each line indented.
    pub(crate) fn paragraph(&mut self, indent: usize, text: &str) {
        self.hanging(&" ".repeat(indent), &" ".repeat(indent), text);
    }

    /// A paragraph whose first line begins otherwise than the rest.
    pub(crate) fn hanging(&mut self, first: &str, rest: &str, text: &str) {
        let options =
            textwrap::Options::new(self.width).initial_indent(first).subsequent_indent(rest);
        for line in textwrap::wrap(text, options) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// A name and its value, the values in one column.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        let first = format!("  {}", styled(Tone::Dim, &format!("{name:<10}")));
        self.hanging(&first, &" ".repeat(12), value);
    }

    /// Lines to be pasted: never wrapped.
    pub(crate) fn code(&mut self, indent: usize, code: &str) {
        for line in code.lines() {
            self.line(indent, &styled(Tone::Code, line));
        }
    }

    /// One line as it is.
    pub(crate) fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{text}", "");
    }
}

/// Text in the look of its meaning.
pub(crate) fn styled(tone: Tone, text: &str) -> String {
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

fn terminal_width() -> usize {
    let window = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    let columns = window.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    let variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    columns.or_else(variable).unwrap_or(WIDTH_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_wrap_and_code_does_not() {
        let mut page = Page::with_width(40);
        page.paragraph(2, &"word ".repeat(20));
        page.code(4, &"x".repeat(60));
        let text = anstream::adapter::strip_str(&page.into_text()).to_string();
        let (code, prose): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.contains('x'));
        assert!(prose.len() > 1 && prose.iter().all(|line| line.len() <= 40));
        assert_eq!(code.len(), 1);
    }
}

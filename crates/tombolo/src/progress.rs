//! One line on standard error that says what is going on; only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};
use tombolo_core::text::printable;

/// Short enough to look alive, long enough not to cost anything.
const PERIOD: Duration = Duration::from_millis(100);

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// A line that is written over again and again, and removed at the end.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    shown: Shown,
    started: Instant,
    last: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Never,
    OnTerminal,
}

impl ProgressLine {
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let shown = if terminal { Shown::OnTerminal } else { Shown::Never };
        ProgressLine { shown, started: Instant::now(), last: None }
    }

    /// Lines that stay, whether there is a terminal or not.
    pub(crate) fn say(&mut self, text: &str) {
        let clear = if self.last.take().is_some() { "\r\x1b[2K" } else { "" };
        let lines: Vec<String> = text.lines().map(|line| printable(line.as_bytes())).collect();
        // Who has closed standard error does not want to know.
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "{clear}{}", lines.join("\n")).and_then(|()| stderr.flush());
    }

    pub(crate) fn show(&mut self, text: &str) {
        let now = Instant::now();
        let early = now.duration_since(self.started) < PATIENCE;
        let recent = self.last.is_some_and(|last| now.duration_since(last) < PERIOD);
        if self.shown == Shown::Never || early || recent {
            return;
        }
        self.last = Some(now);
        let text = fitted(text, columns());
        let mut stderr = std::io::stderr().lock();
        // A terminal that went away must not end the diagnosis.
        let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }
}

/// A line that the terminal breaks could not be removed any more.
fn fitted(text: &str, columns: usize) -> String {
    let plain = printable(text.as_bytes());
    plain.chars().take(columns.saturating_sub(1)).collect()
}

fn columns() -> usize {
    let window = rustix::termios::tcgetwinsize(rustix::stdio::stderr());
    window.ok().map(|size| usize::from(size.ws_col)).filter(|count| *count > 0).unwrap_or(80)
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = std::io::stderr().lock().write_all(b"\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_steers_no_terminal() {
        assert_eq!(fitted("12 files in /long/path", 11), "12 files i");
        assert_eq!(fitted("/a\x1b[2J\nb", 80), "/a?[2J?b");
    }
}

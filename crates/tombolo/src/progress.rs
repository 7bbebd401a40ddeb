//! One line on standard error that says what is going on; only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

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

    pub(crate) fn show(&mut self, text: &str) {
        let now = Instant::now();
        let early = now.duration_since(self.started) < PATIENCE;
        let recent = self.last.is_some_and(|last| now.duration_since(last) < PERIOD);
        if self.shown == Shown::Never || early || recent {
            return;
        }
        self.last = Some(now);
        let mut stderr = std::io::stderr().lock();
        // A terminal that went away must not end the diagnosis.
        let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = std::io::stderr().lock().write_all(b"\r\x1b[2K");
        }
    }
}

//! The console of a guest: followed while it runs, told when it ends.

use crate::error::LabError;
use crate::protocol::READY;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much of its end goes into an error.
const TAIL_BYTES: usize = 8192;

/// How much of it is written into its file.
const FILE_BYTES_MAX: usize = 16 << 20;

/// How much is taken at once of a line that does not end.
const LINE_BYTES_MAX: u64 = 4096;

/// What the kernel writes first when it cannot go on.
const PANIC: &str = "Kernel panic";

/// What has been seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) ready: bool,
    pub(super) panicked: bool,
    pub(super) ended: bool,
}

#[derive(Debug, Default)]
struct State {
    seen: Seen,
    tail: VecDeque<u8>,
}

impl State {
    fn line(&mut self, line: &[u8]) {
        let holds = |text: &str| line.windows(text.len()).any(|of| of == text.as_bytes());
        self.seen.ready |= holds(READY);
        self.seen.panicked |= holds(PANIC);
        self.tail.extend(line.iter().filter(|byte| **byte != b'\r'));
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
    }
}

/// The console as QEMU writes it, kept in a file.
#[derive(Clone, Debug)]
pub(super) struct Console {
    path: PathBuf,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Console {
    /// Follows `stream`, and writes it to a file at `path`.
    pub(super) fn follow(stream: ChildStdout, path: &Path) -> Result<Self, LabError> {
        let console = Console { path: path.to_owned(), state: Arc::default() };
        let mut file = File::create_new(path).map_err(LabError::call("open", path))?;
        let watcher = console.clone();
        let watch = move || {
            let (mut lines, mut line, mut written) = (BufReader::new(stream), Vec::new(), 0);
            loop {
                line.clear();
                match lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        written += length;
                        if written <= FILE_BYTES_MAX {
                            let _ = file.write_all(&line);
                        }
                        watcher.update(|state| state.line(&line));
                    }
                }
            }
            watcher.update(|state| state.seen.ended = true);
        };
        let thread = std::thread::Builder::new().name("console".to_owned()).spawn(watch);
        thread.map_err(LabError::call("clone", path))?;
        Ok(console)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let (lock, changed) = &*self.state;
        change(&mut lock.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn seen(&self) -> Seen {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).seen
    }

    /// Waits until `enough`, at most for `limit`; with what was seen then.
    pub(super) fn wait(&self, limit: Duration, enough: impl Fn(Seen) -> bool) -> Seen {
        let deadline = Instant::now() + limit;
        let (lock, changed) = &*self.state;
        let mut state = lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if enough(state.seen) || left.is_zero() {
                return state.seen;
            }
            state = changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Its last lines.
    pub(super) fn tail(&self) -> String {
        let mut state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(state.tail.make_contiguous()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_end_is_kept_of_a_console_that_floods() {
        let script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; \
                      echo Kernel panic - not; printf tombolo-lab:\\ ready; seq 90000";
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", script]).stdout(Stdio::piped()).spawn().expect("sh");
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("a.console");
        let stream = child.stdout.take().expect("piped");
        let console = Console::follow(stream, &path).expect("followed");
        let seen = console.wait(Duration::from_secs(60), |seen| seen.ended);
        assert_eq!(seen, Seen { ready: true, panicked: true, ended: true });
        assert!(console.tail().ends_with("89999\n90000\n"));
        assert_eq!(console.tail().len(), TAIL_BYTES);
        assert!(std::fs::read_to_string(&path).expect("readable").starts_with("line 0\n"));
        child.wait().expect("waited for");
    }
}

//! The console of a guest: followed while it runs, told when it ends.

use crate::error::LabError;
use crate::protocol::READY;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much of its end goes into an error.
const TAIL_BYTES: u64 = 4096;

/// What has been seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) ready: bool,
    pub(super) ended: bool,
}

/// QEMU writes the console into a file; the lab reads it along for what it tells.
#[derive(Clone, Debug)]
pub(super) struct Console {
    path: PathBuf,
    state: Arc<(Mutex<Seen>, Condvar)>,
}

impl Console {
    /// Follows `stream`, which QEMU also writes to the file at `path`.
    pub(super) fn follow(stream: ChildStdout, path: &Path) -> Result<Self, LabError> {
        let console = Console { path: path.to_owned(), state: Arc::default() };
        let watcher = console.clone();
        let watch = move || {
            let mut lines = BufReader::new(stream);
            let mut line = Vec::new();
            loop {
                line.clear();
                // A line without an end is taken in pieces.
                match lines.by_ref().take(TAIL_BYTES).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) if line.windows(READY.len()).any(|of| of == READY.as_bytes()) => {
                        watcher.update(|seen| seen.ready = true);
                    }
                    Ok(_) => {}
                }
            }
            watcher.update(|seen| seen.ended = true);
        };
        let thread = std::thread::Builder::new().name("console".to_owned()).spawn(watch);
        thread.map_err(LabError::call("clone", path))?;
        Ok(console)
    }

    fn update(&self, change: impl FnOnce(&mut Seen)) {
        let (lock, changed) = &*self.state;
        change(&mut lock.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn seen(&self) -> Seen {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `enough`, at most for `limit`; with what was seen then.
    pub(super) fn wait(&self, limit: Duration, enough: impl Fn(Seen) -> bool) -> Seen {
        let deadline = Instant::now() + limit;
        let (lock, changed) = &*self.state;
        let mut seen = lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if enough(*seen) || left.is_zero() {
                return *seen;
            }
            seen = changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Its last lines.
    pub(super) fn tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = std::fs::File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
        };
        read().unwrap_or_else(|error| format!("({}: {error})", self.path.display()))
    }
}

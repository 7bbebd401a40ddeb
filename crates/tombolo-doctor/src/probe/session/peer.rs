//! A user of the database in a second process.

use super::actor::{Action, Actor, Answer, Hand, Wait};
use super::judge::Failure;
use std::cell::RefCell;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_os::error::CallError;
use tombolo_os::worker::{self, End};

/// Longer than the ten seconds that SQLite itself goes on trying to read a wal-index
/// (`walTryBeginRead` in `wal.c`).
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// The time for a session as a whole; who asked for it sets a nearer deadline.
const SESSION_TIME: Duration = Duration::from_secs(60);

/// Longest message of either side.
const MESSAGE_BYTES_MAX: u64 = 64 * 1024;

/// The wire to the second process.
pub(super) struct Peer {
    stream: BufReader<UnixStream>,
}

/// Starts a second process and runs `script` in this one beside it. Answers also how the second
/// process ended.
///
/// SQLite must not have been used in this process before: after a fork, the child would believe
/// that it holds its parent's locks.
///
/// # Errors
/// When no process or no socket can be had.
pub(super) fn beside<T>(
    path: &Path,
    script: impl FnOnce(&mut Peer) -> T,
) -> Result<(Option<T>, End), CallError> {
    let pair = UnixStream::pair().map_err(|error| CallError::new("socketpair", path, &error))?;
    // Each side takes both ends and closes the other's, so that the end of one shows to the other.
    let pair = RefCell::new(Some(pair));
    let mut script = Some(script);
    let mut result = None;
    let end = worker::run(
        Instant::now() + SESSION_TIME,
        |outbox| {
            let Some((_, theirs)) = pair.take() else { return };
            outbox.send(b"ready");
            // A parent that is gone needs no answer.
            let _ = serve(theirs, &mut Actor::new(path));
        },
        &mut |_| {
            if let (Some((ours, _)), Some(script)) = (pair.take(), script.take()) {
                result = Some(script(&mut Peer { stream: BufReader::new(ours) }));
            }
        },
    )?;
    Ok((result, end))
}

fn serve(stream: UnixStream, actor: &mut Actor) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut questions = BufReader::new(stream);
    while let Some(question) = next_line(&mut questions)? {
        let (action, wait) = serde_json::from_slice(&question)?;
        send(&mut answers, &actor.ask(action, wait))?;
    }
    Ok(())
}

fn send(stream: &mut UnixStream, message: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// `None` at the end of the stream.
fn next_line(stream: &mut BufReader<UnixStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    stream.take(MESSAGE_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok((!line.is_empty()).then_some(line))
}

impl Peer {
    fn converse(&mut self, action: Action, wait: Wait) -> io::Result<Result<Answer, Failure>> {
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        send(stream, &(action, wait))?;
        match next_line(&mut self.stream)? {
            Some(line) => Ok(serde_json::from_slice(&line)?),
            None => Ok(Err(Failure::Gone)),
        }
    }
}

impl Hand for Peer {
    fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
        match self.converse(action, wait) {
            Ok(answer) => answer,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Failure::Silent),
            Err(_) => Err(Failure::Gone),
        }
    }
}

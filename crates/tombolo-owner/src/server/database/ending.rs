//! How a database ends when it is told to.

use super::super::connection::{Ended, Received};
use super::{Database, Event, Stopped, Syncing};
use std::time::{Duration, Instant};
use tombolo_core::owner::SessionId;
use tombolo_core::owner::engine::CheckpointMode;
use tombolo_core::wire::limits::FRAME_BYTES_MAX;

/// How long the disk may take with what is committed and not synced.
const SYNC_TIME: Duration = Duration::from_secs(30);
/// How soon a commit is tried again that failed.
const RETRY_TIME: Duration = Duration::from_millis(200);
/// How long sessions may take to read their last answers.
const FAREWELL_TIME: Duration = Duration::from_secs(1);
/// How often one session is heard for what it had said before, 64 KiB each time: a longest frame,
/// and the one that it may not have finished.
const HEARD_MAX: usize = 2 * (FRAME_BYTES_MAX >> 16) + 2;

impl Database {
    /// What was asked before is answered; commits are synced and acknowledged. Then all sessions
    /// end, and the log goes into the database as far as others who read it allow.
    pub(super) fn finish(&mut self) -> Result<(), Stopped> {
        self.hear_the_last()?;
        self.await_syncs()?;
        self.await_readers();
        let sessions: Vec<SessionId> = self.connections.keys().copied().collect();
        for session in sessions {
            self.end_session(session, Ended::Stop);
        }
        self.await_decided()?;
        let path = self.subject.path.display().to_string();
        match self.machine.engine_mut().checkpoint(CheckpointMode::Truncate) {
            Ok(done) => {
                let (frames, copied) = (done.log_frames, done.checkpointed_frames);
                tracing::info!(path, frames, copied, busy = done.busy, "the last checkpoint");
                if let Err(error) = self.machine.engine_mut().remove_log_at_end() {
                    tracing::warn!(path, %error, "the log stays");
                }
            }
            // Nothing is lost by it: the log stays.
            Err(error) => tracing::warn!(path, %error, "the last checkpoint failed"),
        }
        Ok(())
    }

    fn hear_the_last(&mut self) -> Result<(), Stopped> {
        let sessions: Vec<SessionId> = self.connections.keys().copied().collect();
        for session in sessions {
            for _ in 0..HEARD_MAX {
                let Some(connection) = self.connections.get_mut(&session) else { break };
                if connection.is_unsent() {
                    break;
                }
                match connection.receive() {
                    Ok(Received::Bytes) => self.obey(session),
                    Ok(Received::Nothing) => break,
                    Err(ended) => self.end_session(session, ended),
                }
            }
        }
        self.order_sync()
    }

    /// Commits what was decided meanwhile: those sessions outlive their connections.
    fn await_decided(&mut self) -> Result<(), Stopped> {
        let deadline = Instant::now() + SYNC_TIME;
        while self.machine.session_count() > 0 && Instant::now() < deadline {
            match self.events.recv_timeout(RETRY_TIME) {
                Ok(Event::Decided(session, group)) => self.commit_decided(session, group),
                _ => self.retry_decided(),
            }
            self.order_sync()?;
            self.await_syncs()?;
        }
        Ok(())
    }

    fn await_syncs(&mut self) -> Result<(), Stopped> {
        let deadline = Instant::now() + SYNC_TIME;
        while self.syncing != Syncing::Idle {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Synced(until)) => self.synced(until),
                Ok(Event::SyncFailed(error)) => return Err(Stopped::Sync(error)),
                Ok(Event::Checkpointed(ended)) => self.checkpointed(ended),
                Ok(Event::Status(asker)) => self.tell(&asker),
                Ok(Event::Decided(session, group)) => self.commit_decided(session, group),
                // Whoever comes now finds the connection closed.
                Ok(Event::Session(..) | Event::Stop) => {}
                Err(_) => return Err(Stopped::Sync(std::io::ErrorKind::TimedOut.into())),
            }
            self.order_sync()?;
        }
        Ok(())
    }

    /// Waits for those who have not read their answers, a moment.
    fn await_readers(&mut self) {
        let deadline = Instant::now() + FAREWELL_TIME;
        while self.connections.values().any(|connection| connection.is_unsent()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(happened) = self.poller.wait(Some(left)) else { return };
            for event in happened.iter().filter(|event| event.is_writable) {
                let session = SessionId(event.key);
                let flushed =
                    self.connections.get_mut(&session).map(|connection| connection.flush());
                if let Some(Err(ended)) = flushed {
                    self.end_session(session, ended);
                }
            }
            if left.is_zero() {
                return;
            }
        }
    }
}

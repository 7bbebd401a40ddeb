//! Waiting for the turn to write while somebody else has it.

use super::door::Door;
use std::time::{Duration, Instant};
use tombolo_core::facade::Refusal;
use tombolo_core::facade::waiting::Waited;
use tombolo_core::wire::Request;

/// How long the owner lets a file wait until that asks once more. The program's own patience ends
/// the wait before.
const ASKED_MS: u32 = 60_000;

/// How a file waits for the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Not at all.
    No,
    /// Within the call for the lock, and the owner was not asked yet.
    InLock,
    /// The same, and the owner will answer.
    Asked,
}

impl Door {
    /// Begins to wait for a lock to write that was refused as busy. Whether that makes sense. Until
    /// [`Door::stop_waiting`] nothing but [`Door::wait`] and [`Door::sleep`] may be called.
    pub fn begin_waiting(&mut self) -> bool {
        let may = !self.facade.is_idle() && self.facade.may_wait();
        if may {
            self.waiting = Waiting::InLock;
        }
        may
    }

    /// Waits for the turn, for `time` at most.
    ///
    /// # Errors
    ///
    /// `SQLITE_IOERR` where the connection is lost.
    pub fn wait(&mut self, time: Duration) -> Result<Waited, Refusal> {
        let known = self.facade.has_waited();
        if known != Waited::InVain || self.waiting == Waiting::No {
            return Ok(known);
        }
        if self.waiting == Waiting::InLock {
            let Some(request) = self.facade.wait(ASKED_MS) else { return Ok(known) };
            self.asked = Instant::now();
            self.tell(&request);
            self.waiting = Waiting::Asked;
        }
        let Some(connection) = &mut self.connection else { return Err(Refusal::broken()) };
        match connection.reply_within(time) {
            Ok(None) => Ok(Waited::InVain),
            Ok(Some(reply)) => {
                self.waiting = Waiting::InLock;
                Ok(self.facade.waited(reply))
            }
            Err(lost) => Err(self.lose(&lost)),
        }
    }

    /// Ends what [`Door::begin_waiting`] began.
    ///
    /// # Errors
    ///
    /// As [`Door::wait`].
    pub fn stop_waiting(&mut self) -> Result<(), Refusal> {
        if std::mem::replace(&mut self.waiting, Waiting::No) != Waiting::Asked {
            return Ok(());
        }
        self.tell(&Request::Leave);
        let Some(connection) = &mut self.connection else { return Err(Refusal::broken()) };
        match connection.reply() {
            Ok(reply) => {
                self.facade.waited(reply);
                Ok(())
            }
            Err(lost) => Err(self.lose(&lost)),
        }
    }

    /// Waits for the turn as long as a program wants to sleep that was refused a lock to write.
    /// Whether it waited at all: without a connection it does not, nor without a reason to.
    pub fn sleep(&mut self, time: Duration) -> bool {
        if self.facade.has_waited() == Waited::Offered {
            return true;
        }
        if self.waiting != Waiting::No {
            return self.wait(time).is_ok();
        }
        if !self.facade.is_idle() {
            return false;
        }
        let wait_ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let Some(request) = self.facade.wait(wait_ms) else { return false };
        self.asked = Instant::now();
        match self.ask(&request) {
            Ok(reply) => {
                self.facade.waited(reply);
                true
            }
            Err(_) => false,
        }
    }
}

//! Sessions that leave something unfinished for too long, or say nothing for very long.

use super::super::connection::Ended;
use super::Database;
use std::time::{Duration, Instant};
use tombolo_core::owner::SessionId;

impl Database {
    /// Ends those whose time is over.
    pub(super) fn end_silent(&mut self, now: Instant) {
        let request_time = Duration::from_millis(self.limits.request_ms);
        let silence = Duration::from_millis(self.limits.session_silence_ms);
        let mut over: Vec<(SessionId, Ended)> = Vec::new();
        for (session, connection) in &mut self.connections {
            if connection.is_unfinished_for(request_time, now) {
                over.push((*session, Ended::Late));
            } else if connection.is_silent_for(silence, now) && self.machine.is_idle(*session) {
                over.push((*session, Ended::Silent));
            }
        }
        for (session, why) in over {
            self.end_session(session, why);
        }
    }
}

//! Room for connections: descriptors, which the databases need as well.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::time::{Duration, Instant};
use tombolo_os::descriptors;

/// Descriptors that are left to SQLite, for reading further versions and for other databases.
const RESERVED: u64 = 128;
/// How long no connection is accepted when there is no descriptor for it. It waits meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// Whether connections can be accepted.
#[derive(Debug)]
pub(super) struct Room {
    /// The number from which on a descriptor is one of those that are reserved: the kernel gives
    /// the lowest that is free (open(2)).
    reserved_from: u64,
    /// Until when nobody listens, and whether that was said.
    pause: Option<Instant>,
    is_told: bool,
}

impl Room {
    pub(super) fn new() -> Self {
        Self::of(descriptors::limit())
    }

    fn of(limit: u64) -> Self {
        let reserved = RESERVED.min(limit / 4);
        Room { reserved_from: limit - reserved, pause: None, is_told: false }
    }

    /// Whether there is room for a connection with this descriptor, or it is one of those that are
    /// reserved.
    pub(super) fn is_for(&self, connection: impl AsFd) -> bool {
        let number = u64::try_from(connection.as_fd().as_raw_fd()).unwrap_or(u64::MAX);
        number < self.reserved_from
    }

    /// There is none. A listener that is listened to all the same would be found ready without end.
    pub(super) fn pause(&mut self, why: &io::Error, now: Instant) {
        self.pause = Some(now + PAUSE);
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(%why, "no further connection can be accepted: they wait");
        }
    }

    /// Whether it is time to listen again.
    pub(super) fn resumes(&mut self, now: Instant) -> bool {
        self.pause.take_if(|until| *until <= now).is_some()
    }

    /// A connection was accepted, so the next want of room is worth a word again.
    pub(super) fn accepted(&mut self) {
        if std::mem::take(&mut self.is_told) {
            tracing::info!("connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_left_to_the_databases_and_a_pause_ends() {
        let file = std::fs::File::open("/dev/null").expect("there");
        assert!(Room::of(u64::MAX).is_for(&file));
        assert!(!Room::of(2).is_for(&file), "its number is 3 at least");
        let (mut room, now) = (Room::of(1024), Instant::now());
        assert!(!room.resumes(now), "there was no pause");
        room.pause(&io::Error::other("a test"), now);
        assert!(!room.resumes(now));
        assert!(room.resumes(now + PAUSE));
        assert!(!room.resumes(now + PAUSE), "once");
    }
}

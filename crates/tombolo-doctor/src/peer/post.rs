//! By what the sides talk: names in the directory in which they meet, or connections.

use super::exchange::Lost;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::peer::part::{LEADER, Part, PeerId};
use tombolo_os::mailbox::Mailbox;
use tombolo_os::tcp::{Caller, Listener};

/// One side's way to the others.
pub(super) enum Post {
    Names(Mailbox),
    /// Of the side that leads.
    Listener(Box<Listener>),
    /// To the side that leads.
    Caller(Box<Caller>),
}

impl Post {
    /// Makes what the others find. The working directory must be the one in which the sides meet.
    pub(super) fn make() -> Result<Self, Lost> {
        Ok(Post::Names(Mailbox::make(LEADER)?))
    }

    /// Waits so long for what the leader has made in the working directory.
    pub(super) fn find(own: PeerId, wait: Duration) -> Result<Self, Lost> {
        match Mailbox::find(own, Instant::now() + wait) {
            Ok(mailbox) => Ok(Post::Names(mailbox)),
            Err(Errno::ENOENT) => Err(Lost::NotShown),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn put(&mut self, to: PeerId, name: &str) -> Result<(), Lost> {
        match self {
            Post::Names(mailbox) => match mailbox.put(name) {
                // The answer to a first attempt was lost on its way from the server.
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno.into()),
            },
            Post::Listener(listener) => listener.put(to, name),
            Post::Caller(caller) => caller.put(name),
        }
        Ok(())
    }

    /// Removes what has served. What was sent is nowhere.
    pub(super) fn remove(&mut self, name: &str) {
        if let Post::Names(mailbox) = self {
            mailbox.remove(name);
        }
    }

    pub(super) fn list(&mut self) -> Result<Vec<Part>, Lost> {
        match self {
            Post::Names(mailbox) => Ok(mailbox.list()?),
            Post::Listener(listener) => Ok(listener.list()),
            Post::Caller(caller) => caller.list().map_err(|_| Lost::Ended),
        }
    }

    /// For reports.
    pub(super) fn in_words(&self) -> &'static str {
        match self {
            Post::Names(_) => "names in the directory",
            Post::Listener(_) | Post::Caller(_) => "TCP",
        }
    }
}

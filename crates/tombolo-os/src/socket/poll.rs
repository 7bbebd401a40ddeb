//! Waiting for many connections (`epoll(7)`), and being woken by another thread (`eventfd(2)`).

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::time::Timespec;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Events that are taken at a time.
const EVENTS_MAX: usize = 256;

/// What is waited for on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to receive, or the end.
    Receive,
    /// Room to send, or that the connection has ended for both sides. What the other side says is
    /// left where it is.
    Send,
}

/// What happened to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key under which the connection was added.
    pub key: u64,
    /// Whether there is something to receive, or the end. Of [`Interest::Send`] only the end.
    pub is_readable: bool,
    /// Whether there is room to send.
    pub is_writable: bool,
}

/// Waits for many connections.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    waker: Arc<OwnedFd>,
}

/// Wakes a [`Poller`] from another thread.
#[derive(Clone, Debug)]
pub struct Waker {
    eventfd: Arc<OwnedFd>,
}

impl Waker {
    /// Ends the current wait, or the next.
    pub fn wake(&self) {
        // It fails only where 2^64 - 2 wakes have gathered.
        let _ = rustix::io::write(&*self.eventfd, &1u64.to_ne_bytes());
    }
}

/// The key of the waker, which nobody else may have.
const WAKER: u64 = u64::MAX;

impl Poller {
    /// One that waits for nothing yet.
    ///
    /// # Errors
    /// `epoll_create(2)`, `eventfd(2)`.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &waker, EventData::new_u64(WAKER), EventFlags::IN)?;
        Ok(Poller { epoll, waker: Arc::new(waker) })
    }

    /// What wakes it.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker { eventfd: Arc::clone(&self.waker) }
    }

    /// Waits for `of` as well. It is forgotten when its descriptor is closed.
    ///
    /// # Errors
    /// `epoll_ctl(2)`.
    pub fn add(&self, of: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, of, EventData::new_u64(key), flags(interest))?)
    }

    /// Waits for something else.
    ///
    /// # Errors
    /// `epoll_ctl(2)`.
    pub fn modify(&self, of: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, of, EventData::new_u64(key), flags(interest))?)
    }

    /// Waits no longer.
    ///
    /// # Errors
    /// `epoll_ctl(2)`.
    pub fn remove(&self, of: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, of)?)
    }

    /// What has happened, at the latest after `timeout`.
    ///
    /// # Errors
    /// `epoll_wait(2)`, but for `EINTR`.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Event>> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut events = Vec::with_capacity(EVENTS_MAX);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut happened = Vec::with_capacity(events.len());
        for event in events {
            let event: epoll::Event = event;
            let (flags, key) = (event.flags, event.data.u64());
            if key == WAKER {
                let _ = rustix::io::read(&*self.waker, &mut [0; 8]);
                continue;
            }
            let ends = EventFlags::IN | EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP;
            happened.push(Event {
                key,
                is_readable: flags.intersects(ends),
                is_writable: flags.contains(EventFlags::OUT),
            });
        }
        Ok(happened)
    }
}

fn flags(interest: Interest) -> EventFlags {
    match interest {
        Interest::Receive => EventFlags::IN | EventFlags::RDHUP,
        Interest::Send => EventFlags::OUT,
    }
}

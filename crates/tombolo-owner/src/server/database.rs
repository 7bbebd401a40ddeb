//! One thread for each database: it alone has the engine and the sessions.

use super::connection::{Connection, Ended, Flushed};
use super::sync::{self, Order};
use crate::engine::YoungEngine;
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};
use tombolo_core::owner::SessionId;
use tombolo_core::owner::buffer::{MemoryBuffer, Store};
use tombolo_core::owner::engine::{EngineError, Version};
use tombolo_core::owner::limits::Limits;
use tombolo_core::owner::machine::Machine;
use tombolo_core::wire::Reply;
use tombolo_core::wire::request::{Access, Incarnation, Request};
use tombolo_os::socket::poll::{Interest, Poller};

/// How often what is only a matter of age is looked at, while there are sessions.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What comes from other threads.
#[derive(Debug)]
pub(super) enum Event {
    /// A connection wants this database.
    Session(Connection, Access),
    /// The log is synced up to a version.
    Synced(Version),
    /// The log could not be synced.
    SyncFailed(io::Error),
    /// The process is to end.
    Stop,
}

/// Buffers for transactions.
#[derive(Debug)]
struct Buffers {
    limits: Limits,
}

impl Store for Buffers {
    type Buffer = MemoryBuffer;

    fn buffer(&mut self, _page_size_bytes: u32) -> MemoryBuffer {
        MemoryBuffer::new(self.limits.transaction_bytes_max)
    }
}

/// Why a database is served no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error("the log could not be synced: {0}")]
    Sync(io::Error),
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

#[derive(Debug)]
pub(super) struct Database {
    machine: Machine<YoungEngine, Buffers>,
    connections: HashMap<SessionId, Connection>,
    next_session: u64,
    poller: Poller,
    events: Receiver<Event>,
    orders: Sender<Order>,
    syncing: Syncing,
    started: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncing {
    Idle,
    UnderWay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    Ending,
}

impl Database {
    pub(super) fn new(
        engine: YoungEngine,
        limits: Limits,
        poller: Poller,
        (sender, events): (Sender<Event>, Receiver<Event>),
    ) -> Result<Self, Stopped> {
        let incarnation = Incarnation(tombolo_os::kernel::random_bits());
        let (orders, _) = sync::start(sender, poller.waker())?;
        Ok(Database {
            machine: Machine::new(engine, Buffers { limits }, incarnation, limits),
            connections: HashMap::new(),
            next_session: 0,
            poller,
            events,
            orders,
            syncing: Syncing::Idle,
            started: Instant::now(),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Serves until there is an end to it.
    pub(super) fn run(&mut self) -> Result<(), Stopped> {
        loop {
            let happened = self.poller.wait(self.timeout())?;
            if self.take_events()? == Going::Ending {
                return Ok(());
            }
            for event in happened {
                let session = SessionId(event.key);
                if event.is_writable {
                    self.flush(session);
                }
                if event.is_readable {
                    self.hear(session);
                }
                self.order_sync()?;
            }
            let now_ms = self.now_ms();
            self.machine.tick(now_ms);
            self.answer();
            self.order_sync()?;
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let due = self
            .machine
            .next_tick_ms()
            .map(|due_ms| Duration::from_millis(due_ms.saturating_sub(self.now_ms())));
        let house = (!self.connections.is_empty()).then_some(HOUSEKEEPING);
        due.into_iter().chain(house).min()
    }

    fn take_events(&mut self) -> Result<Going, Stopped> {
        loop {
            match self.events.try_recv() {
                Ok(Event::Session(connection, access)) => self.begin_session(connection, access)?,
                Ok(Event::Synced(until)) => {
                    self.syncing = Syncing::Idle;
                    self.machine.synced(until);
                    self.answer();
                }
                Ok(Event::SyncFailed(error)) => {
                    self.machine.sync_failed();
                    self.answer();
                    return Err(Stopped::Sync(error));
                }
                Ok(Event::Stop) | Err(TryRecvError::Disconnected) => return Ok(Going::Ending),
                Err(TryRecvError::Empty) => return Ok(Going::On),
            }
        }
    }

    fn begin_session(&mut self, connection: Connection, access: Access) -> Result<(), Stopped> {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        self.poller.add(connection.stream(), session.0, Interest::Receive)?;
        self.connections.insert(session, connection);
        let now_ms = self.now_ms();
        self.machine.open(session, access, now_ms);
        self.answer();
        Ok(())
    }

    /// Takes what a connection says, and answers it before anybody else is heard.
    fn hear(&mut self, session: SessionId) {
        let Some(connection) = self.connections.get_mut(&session) else { return };
        if connection.receive().is_err() {
            return self.end_session(session);
        }
        self.obey(session);
    }

    fn obey(&mut self, session: SessionId) {
        let now_ms = self.now_ms();
        loop {
            let Some(connection) = self.connections.get_mut(&session) else { return };
            let heard = connection.next_frame();
            let request = heard.and_then(|frame| {
                frame.map(|frame| Request::decode(frame).map_err(Ended::Malformed)).transpose()
            });
            match request {
                Ok(None) => return,
                Ok(Some(request)) => self.machine.request(session, &request, now_ms),
                Err(_) => return self.end_session(session),
            }
            self.answer();
        }
    }

    fn flush(&mut self, session: SessionId) {
        let Some(connection) = self.connections.get_mut(&session) else { return };
        match connection.flush() {
            Ok(Flushed::Waiting) => {}
            Ok(Flushed::All) => {
                let stream = connection.stream();
                if self.poller.modify(stream, session.0, Interest::Receive).is_err() {
                    return self.end_session(session);
                }
                // What it had said before.
                self.obey(session);
            }
            Err(_) => self.end_session(session),
        }
    }

    /// Sends what the machine has to say.
    fn answer(&mut self) {
        loop {
            let replies = self.machine.take_replies();
            if replies.is_empty() {
                return;
            }
            for (session, reply) in replies {
                self.send(session, &reply);
            }
        }
    }

    fn send(&mut self, session: SessionId, reply: &Reply) {
        let Some(connection) = self.connections.get_mut(&session) else { return };
        let ended = match connection.send(reply) {
            Ok(Flushed::All) => false,
            Ok(Flushed::Waiting) => {
                let stream = connection.stream();
                self.poller.modify(stream, session.0, Interest::ReceiveAndSend).is_err()
            }
            Err(_) => true,
        };
        if ended {
            self.end_session(session);
        }
    }

    fn end_session(&mut self, session: SessionId) {
        if let Some(connection) = self.connections.remove(&session) {
            connection.stream().shut_down();
        }
        let now_ms = self.now_ms();
        self.machine.closed(session, now_ms);
        self.answer();
    }

    fn order_sync(&mut self) -> Result<(), Stopped> {
        let Some(until) = self.machine.sync_wanted() else { return Ok(()) };
        if self.syncing == Syncing::UnderWay {
            return Ok(());
        }
        let log = self.machine.engine_mut().log_file()?;
        self.syncing = Syncing::UnderWay;
        let sent = self.orders.send(Order { log, until });
        sent.map_err(|_| io::Error::other("the thread that syncs has ended"))?;
        Ok(())
    }
}

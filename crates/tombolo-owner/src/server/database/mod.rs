//! One thread for each database: it alone has the engine and the sessions.
//!
//! * `ending`: how it ends when it is told to.
//! * `silence`: sessions that take too long.
//! * `telling`: what it says of itself.

mod ending;
mod group;
mod silence;
mod telling;

use super::checkpoints;
use super::connection::{Connection, Ended, Flushed};
use super::groups::{Groups, Shared};
use super::spill::Buffers;
use super::sync::{self, Order};
use crate::engine::{EngineKind, NOTHING_DONE, YoungEngine};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};
use tombolo_core::owner::SessionId;
use tombolo_core::owner::engine::{Checkpointed, Engine as _, EngineError, Version};
use tombolo_core::owner::limits::Limits;
use tombolo_core::owner::machine::Machine;
use tombolo_core::owner::status::{DatabaseStatus, Latencies};
use tombolo_core::wire::Reply;
use tombolo_core::wire::request::{Access, GroupId, Incarnation, Request};
use tombolo_os::socket::poll::{Interest, Poller};

/// How often what is only a matter of age is looked at, while there are sessions.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Where there is one session, and the last sync took less, this thread syncs by itself: two
/// changes of threads take as long as some disks, and nobody else waits.
const QUICK_SYNC: Duration = Duration::from_millis(5);

/// What comes from other threads.
#[derive(Debug)]
pub(super) enum Event {
    /// A connection wants this database.
    Session(Box<Connection>, Access),
    /// The group of a session's transaction is decided.
    Decided(SessionId, GroupId),
    /// The log is synced up to a version.
    Synced(Version),
    /// The log could not be synced.
    SyncFailed(io::Error),
    /// A checkpoint has ended.
    Checkpointed(Result<Checkpointed, EngineError>),
    /// Somebody wants to know how it is.
    Status(Sender<DatabaseStatus>),
    /// It is to end.
    Stop,
}

/// Why a database is served no longer.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The disk did not take what was committed; what waited for it has an unknown outcome.
    #[error("the log could not be synced: {0}")]
    Sync(io::Error),
    /// What was written to the log is not where whoever opens the database next looks for it.
    #[error("the log was renamed, replaced or removed under the owner")]
    LogLost,
    /// SQLite's.
    #[error("{0}")]
    Engine(#[from] EngineError),
    /// Another call failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// An error in this program.
    #[error("its thread panicked")]
    Panicked,
}

/// What is served.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) path: PathBuf,
    pub(super) kind: EngineKind,
    /// Sessions that have it, and those that are on their way: whoever sends one counts it, and
    /// the thread counts it off when it ends.
    pub(super) session_count: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub(super) struct Database {
    subject: Subject,
    machine: Machine<YoungEngine, Buffers>,
    connections: HashMap<SessionId, Connection>,
    next_session: u64,
    poller: Poller,
    events: Receiver<Event>,
    /// Where others send events to.
    own_events: Sender<Event>,
    groups: Arc<Groups>,
    /// Commits of decided groups that are not synced.
    decided: Vec<(Version, GroupId)>,
    /// What is decided and could not be committed yet.
    undone: Vec<(SessionId, GroupId)>,
    orders: Sender<Order>,
    checkpoints: Sender<checkpoints::Order>,
    limits: Limits,
    /// Memory for the message that is being sent.
    room: Vec<u8>,
    syncing: Syncing,
    /// Since when sessions wait for a commit.
    committing: HashMap<SessionId, Instant>,
    commit_latencies: Latencies,
    sync_latencies: Latencies,
    /// How long the last one took.
    last_sync: Option<Duration>,
    started: Instant,
    looked_after: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncing {
    Idle,
    UnderWay { since: Instant },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    Ending,
}

impl Database {
    pub(super) fn new(
        subject: Subject,
        (engine, buffers, limits): (YoungEngine, Buffers, Limits),
        poller: Poller,
        (sender, events): (Sender<Event>, Receiver<Event>),
        groups: Arc<Groups>,
    ) -> Result<Self, Stopped> {
        let incarnation = Incarnation(tombolo_os::kernel::random_bits());
        let (orders, _) = sync::start(sender.clone(), poller.waker())?;
        let (checkpoints, _) = checkpoints::start(sender.clone(), poller.waker())?;
        Ok(Database {
            subject,
            machine: Machine::new(engine, buffers, incarnation, limits)
                .with_arbiter(Box::new(Shared(Arc::clone(&groups)))),
            connections: HashMap::new(),
            next_session: 0,
            poller,
            events,
            own_events: sender,
            groups,
            decided: Vec::new(),
            undone: Vec::new(),
            orders,
            checkpoints,
            limits,
            room: Vec::new(),
            syncing: Syncing::Idle,
            committing: HashMap::new(),
            commit_latencies: Latencies::default(),
            sync_latencies: Latencies::default(),
            last_sync: None,
            started: Instant::now(),
            looked_after: Instant::now(),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Serves until it is told to end.
    ///
    /// # Errors
    ///
    /// Why it cannot go on. Whoever waits for a commit is told that its outcome is unknown.
    pub(super) fn run(&mut self) -> Result<(), Stopped> {
        let served = self.serve();
        if served.is_err() {
            self.machine.sync_failed();
            self.answer();
            self.rescue_log();
        }
        served
    }

    fn serve(&mut self) -> Result<(), Stopped> {
        loop {
            let happened = self.poller.wait(self.timeout())?;
            if self.take_events()? == Going::Ending {
                return self.finish();
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
            let now = Instant::now();
            if now.duration_since(self.looked_after) >= HOUSEKEEPING {
                self.looked_after = now;
                self.retry_decided();
                self.end_silent(now);
            }
            self.answer();
            self.order_sync()?;
            self.order_checkpoint();
            self.log_notes();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let due = self
            .machine
            .next_tick_ms()
            .map(|due_ms| Duration::from_millis(due_ms.saturating_sub(self.now_ms())));
        let is_busy = !self.connections.is_empty() || !self.undone.is_empty();
        let house = is_busy.then_some(HOUSEKEEPING);
        due.into_iter().chain(house).min()
    }

    fn take_events(&mut self) -> Result<Going, Stopped> {
        loop {
            match self.events.try_recv() {
                Ok(Event::Session(connection, access)) => self.begin_session(*connection, access),
                Ok(Event::Decided(session, group)) => self.commit_decided(session, group),
                Ok(Event::Synced(until)) => self.synced(until),
                Ok(Event::SyncFailed(error)) => self.sync_failed(error)?,
                Ok(Event::Checkpointed(ended)) => self.checkpointed(ended),
                Ok(Event::Status(asker)) => self.tell(&asker),
                Ok(Event::Stop) | Err(TryRecvError::Disconnected) => return Ok(Going::Ending),
                Err(TryRecvError::Empty) => return Ok(Going::On),
            }
        }
    }

    fn synced(&mut self, until: Version) {
        if let Syncing::UnderWay { since } = self.syncing {
            self.sync_latencies.add(microseconds_since(since));
            self.last_sync = Some(since.elapsed());
        }
        self.syncing = Syncing::Idle;
        self.forget_decided(until);
        self.machine.synced(until);
        self.answer();
    }

    /// It is final, unless it is of a file that is served no longer because another one is in its
    /// place: the next transaction begins there.
    fn sync_failed(&mut self, error: io::Error) -> Result<(), Stopped> {
        if self.machine.engine_mut().is_in_place() != Ok(false) {
            return Err(Stopped::Sync(error));
        }
        self.syncing = Syncing::Idle;
        self.machine.sync_failed();
        self.answer();
        Ok(())
    }

    /// What was acknowledged and is in a log that nobody will find is brought into the database.
    fn rescue_log(&mut self) {
        let engine = self.machine.engine_mut();
        // The thread that syncs may have seen what the engine has not.
        let _ = engine.check_log();
        if !engine.is_log_lost() {
            return;
        }
        let path = self.subject.path.display();
        match engine.rescue_log() {
            Ok(done) if done.checkpointed_frames == done.log_frames => {
                let frames = done.log_frames;
                tracing::warn!(%path, frames, "the lost log was copied into the database");
            }
            Ok(done) => {
                let (frames, copied) = (done.log_frames, done.checkpointed_frames);
                tracing::error!(%path, frames, copied, "the lost log could not be copied whole");
            }
            Err(error) => tracing::error!(%path, %error, "the lost log could not be copied"),
        }
    }

    fn begin_session(&mut self, connection: Connection, access: Access) {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let added = self.poller.add(connection.stream(), session.0, Interest::Receive);
        self.log_session(&connection, session, "a session begins");
        self.connections.insert(session, connection);
        if added.is_err() {
            return self.end_session(session, Ended::Gone);
        }
        let now_ms = self.now_ms();
        self.machine.open(session, access, now_ms);
        self.answer();
        if !self.machine.has_session(session) {
            return self.end_session(session, Ended::Refused);
        }
        // What came along with its first words.
        self.obey(session);
    }

    /// Takes what a connection says, and answers it before anybody else is heard.
    fn hear(&mut self, session: SessionId) {
        let Some(connection) = self.connections.get_mut(&session) else { return };
        if connection.is_unsent() {
            // It has ended, or this was noticed before it was left to read.
            return self.flush(session);
        }
        match connection.receive() {
            Ok(_) => self.obey(session),
            Err(ended) => self.end_session(session, ended),
        }
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
                Ok(Some(Request::Status)) => self.tell_session(session),
                Ok(Some(request)) => {
                    if matches!(request, Request::Commit(_)) {
                        self.committing.insert(session, Instant::now());
                    }
                    self.machine.request(session, &request, now_ms);
                }
                Err(ended) => return self.end_session(session, ended),
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
                    return self.end_session(session, Ended::Gone);
                }
                // What it had said before.
                self.obey(session);
            }
            Err(ended) => self.end_session(session, ended),
        }
    }

    /// Sends what the machine has to say.
    fn answer(&mut self) {
        self.grant_group_wishes();
        loop {
            let replies = self.machine.take_replies();
            if replies.is_empty() {
                return;
            }
            for (session, reply) in replies {
                self.send(session, &reply);
                self.machine.reuse(reply);
            }
        }
    }

    fn send(&mut self, session: SessionId, reply: &Reply) {
        if let Some(since) = self.committing.remove(&session)
            && matches!(reply, Reply::Outcome(_))
        {
            self.commit_latencies.add(microseconds_since(since));
        }
        let Some(connection) = self.connections.get_mut(&session) else { return };
        let sent = connection.send_by(reply, &mut self.room).and_then(|flushed| match flushed {
            Flushed::All => Ok(()),
            Flushed::Waiting => {
                let modified = self.poller.modify(connection.stream(), session.0, Interest::Send);
                modified.map_err(|_| Ended::Gone)
            }
        });
        if let Err(ended) = sent {
            self.end_session(session, ended);
        }
    }

    fn end_session(&mut self, session: SessionId, ended: Ended) {
        if let Some(connection) = self.connections.remove(&session) {
            connection.stream().shut_down();
            self.subject.session_count.fetch_sub(1, Ordering::Relaxed);
            self.log_session_end(&connection, session, ended);
        }
        self.committing.remove(&session);
        let now_ms = self.now_ms();
        self.machine.closed(session, now_ms);
        self.answer();
    }

    fn order_sync(&mut self) -> Result<(), Stopped> {
        if self.machine.engine_mut().is_log_lost() {
            return Err(Stopped::LogLost);
        }
        let Some(until) = self.machine.sync_wanted() else { return Ok(()) };
        if self.syncing != Syncing::Idle {
            return Ok(());
        }
        let log = self.machine.engine_mut().log_file()?;
        self.syncing = Syncing::UnderWay { since: Instant::now() };
        if self.connections.len() == 1 && self.last_sync.is_some_and(|time| time < QUICK_SYNC) {
            match log.sync() {
                Ok(()) => self.synced(until),
                Err(error) => self.sync_failed(error)?,
            }
            return Ok(());
        }
        let sent = self.orders.send(Order { log, until });
        sent.map_err(|_| io::Error::other("the thread that syncs has ended"))?;
        Ok(())
    }
}

impl Database {
    fn order_checkpoint(&mut self) {
        let now_ms = self.now_ms();
        while let Some(mode) = self.machine.next_checkpoint(now_ms) {
            let Some(checkpointer) = self.machine.engine_mut().checkpointer() else {
                self.machine.checkpointed(Ok(NOTHING_DONE), now_ms);
                self.answer();
                continue;
            };
            let wait = Duration::from_millis(self.limits.checkpoint_wait_ms);
            // Where its thread has panicked, nobody hears of it and nothing is copied any more.
            let _ = self.checkpoints.send(checkpoints::Order { checkpointer, mode, wait });
        }
    }

    pub(super) fn checkpointed(&mut self, ended: Result<Checkpointed, EngineError>) {
        self.log_checkpoint(&ended);
        let now_ms = self.now_ms();
        self.machine.checkpointed(ended, now_ms);
        self.answer();
    }
}

fn microseconds_since(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

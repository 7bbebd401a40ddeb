//! The databases that are open, and their ends.
//!
//! The front alone sends sessions to a database, and the front alone tells it to end. What comes
//! for one that is ending waits until it has, so no session meets an end that it did not cause.

use super::connection::Connection;
use super::database::{Database, Event, Stopped, Subject};
use super::groups::Groups;
use super::spill::Buffers;
use super::{ServeError, Settings};
use crate::engine::YoungEngine;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tombolo_core::owner::engine::EngineError;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::Reply;
use tombolo_core::wire::request::Access;
use tombolo_os::socket::poll::{Poller, Waker};

/// A thread that serves a database.
#[derive(Debug)]
struct Running {
    events: Sender<Event>,
    waker: Waker,
    thread: JoinHandle<()>,
    session_count: Arc<AtomicUsize>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Serving {
        /// Since when it has no session, as far as was looked.
        idle_since: Option<Instant>,
    },
    /// It was told to end; these want it.
    Ending { waiting: Vec<(Connection, Access)> },
}

/// The end of a thread.
#[derive(Debug)]
struct Farewell {
    path: PathBuf,
    end: End,
}

#[derive(Debug)]
enum End {
    Served(Result<(), Stopped>),
    /// It was never served; who wanted it is among the events.
    NotOpened {
        error: EngineError,
        unheard: Receiver<Event>,
    },
}

/// Says farewell however its thread ends.
struct Mourner {
    path: PathBuf,
    end: Option<End>,
    farewells: Sender<Farewell>,
    front: Waker,
}

impl Mourner {
    fn say(mut self, end: End) {
        self.end = Some(end);
    }
}

impl Drop for Mourner {
    fn drop(&mut self) {
        let end = self.end.take().unwrap_or(End::Served(Err(Stopped::Panicked)));
        let path = std::mem::take(&mut self.path);
        // Without a front nobody wants to know.
        let _ = self.farewells.send(Farewell { path, end });
        self.front.wake();
    }
}

/// Which databases are open.
#[derive(Debug)]
pub(super) struct Registry {
    settings: Settings,
    front: Waker,
    databases: HashMap<PathBuf, Running>,
    farewells: (Sender<Farewell>, Receiver<Farewell>),
    groups: Arc<Groups>,
}

/// How a database is asked for something.
pub(super) type Line = (Sender<Event>, Waker);

impl Registry {
    pub(super) fn new(settings: Settings, front: Waker, groups: Arc<Groups>) -> Self {
        Registry { settings, front, databases: HashMap::new(), farewells: channel(), groups }
    }

    /// Opens the databases in which something that was decided may not be done.
    pub(super) fn complete_groups(&mut self) {
        for path in self.groups.left_behind() {
            let opened = if path.exists() { self.open(&path) } else { continue };
            if let Err(error) = opened {
                tracing::error!(path = %path.display(), %error, "what was decided is not done");
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.databases.len()
    }

    /// How the first `count_max` of them by path are reached.
    pub(super) fn lines(&self, count_max: usize) -> Vec<Line> {
        let mut databases: Vec<_> = self.databases.iter().collect();
        databases.sort_by_key(|(path, _)| *path);
        let shown = databases.into_iter().take(count_max);
        shown.map(|(_, running)| (running.events.clone(), running.waker.clone())).collect()
    }

    /// Gives a connection to the database that it wants, which is opened where it is not.
    pub(super) fn hand_over(&mut self, connection: Connection, path: &Path, access: Access) {
        let waiting_max = self.settings.limits.newcomers_max;
        match self.running(path) {
            Ok(running) => {
                if let Some(unsent) = running.hand_over(connection, access, waiting_max) {
                    let message = "the database is served no longer".to_owned();
                    refuse(
                        unsent,
                        EngineError { code: ResultCode::CANTOPEN, errno: None, message },
                    );
                }
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a database does not open");
                refuse(connection, error);
            }
        }
    }

    /// The thread of a database, which is started where there is none.
    fn running(&mut self, path: &Path) -> Result<&mut Running, EngineError> {
        if !self.databases.contains_key(path) {
            let running = self.start(path, channel().0)?;
            self.databases.insert(path.to_owned(), running);
        }
        self.databases.get_mut(path).ok_or_else(|| EngineError {
            code: ResultCode::CANTOPEN,
            errno: None,
            message: "the database was closed".to_owned(),
        })
    }

    /// Opens a database, for sessions to come, and waits until it is open.
    ///
    /// # Errors
    ///
    /// Why it does not open.
    pub(super) fn open(&mut self, path: &Path) -> Result<(), EngineError> {
        let (opened, is_open) = channel();
        let running = self.start(path, opened)?;
        if is_open.recv().is_ok() {
            self.databases.insert(path.to_owned(), running);
            return Ok(());
        }
        let message = "its thread panicked".to_owned();
        match self.farewells.1.recv() {
            Ok(Farewell { end: End::NotOpened { error, .. }, .. }) => Err(error),
            _ => Err(EngineError { code: ResultCode::ERROR, errno: None, message }),
        }
    }

    /// Starts a thread that opens a database, says so to `opened`, and serves it.
    fn start(&self, path: &Path, opened: Sender<()>) -> Result<Running, EngineError> {
        let failed = |error: io::Error| EngineError {
            code: ResultCode::CANTOPEN,
            errno: error.raw_os_error(),
            message: error.to_string(),
        };
        let poller = Poller::new().map_err(failed)?;
        let waker = poller.waker();
        let (events, receiver) = channel();
        let sender = events.clone();
        let (kind, limits) = (self.settings.kind, self.settings.limits);
        let spill_directory = self.settings.spill_directory.clone().unwrap_or_default();
        let session_count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&session_count);
        let groups = Arc::clone(&self.groups);
        let subject = Subject { path: path.to_owned(), kind, session_count: counted };
        let mourner = Mourner {
            path: path.to_owned(),
            end: None,
            farewells: self.farewells.0.clone(),
            front: self.front.clone(),
        };
        let builder = std::thread::Builder::new().name("tombolo-database".into());
        let thread = builder
            .spawn(move || {
                let opened_engine =
                    YoungEngine::open(&subject.path, kind).and_then(|mut engine| {
                        groups.recover(&subject.path, &mut engine).map(|()| engine)
                    });
                let engine = match opened_engine {
                    Ok(engine) => engine,
                    Err(error) => {
                        return mourner.say(End::NotOpened { error, unheard: receiver });
                    }
                };
                tracing::info!(path = %subject.path.display(), "a database is open");
                // Nobody need wait for it.
                let _ = opened.send(());
                let buffers = Buffers::new(limits, &spill_directory);
                let machine = (engine, buffers, limits);
                let served = Database::new(subject, machine, poller, (sender, receiver), groups);
                let result = served.and_then(|mut database| database.run());
                mourner.say(End::Served(result));
            })
            .map_err(failed)?;
        let stage = Stage::Serving { idle_since: None };
        Ok(Running { events, waker, thread, session_count, stage })
    }

    /// Notices which threads have ended. Who waits for one of them gets it anew.
    ///
    /// # Errors
    ///
    /// That of the only database that is served.
    pub(super) fn take_farewells(&mut self) -> Result<(), ServeError> {
        while let Ok(Farewell { path, end }) = self.farewells.1.try_recv() {
            let Some(running) = self.databases.remove(&path) else { continue };
            let _ = running.thread.join();
            let stopped = match end {
                End::Served(result) => {
                    log_end(&path, &result);
                    result.err()
                }
                End::NotOpened { error, unheard } => {
                    refuse_all(&path, &unheard, &error);
                    Some(Stopped::Engine(error))
                }
            };
            if let Stage::Ending { waiting } = running.stage {
                for (connection, access) in waiting {
                    self.hand_over(connection, &path, access);
                }
            } else if let Some(why) = stopped
                && self.settings.path_is_database()
            {
                return Err(ServeError::Stopped { path, why });
            }
        }
        Ok(())
    }

    /// Tells those to end that have had no session for a while.
    pub(super) fn end_idle(&mut self, now: Instant) {
        let idle_time = Duration::from_millis(self.settings.limits.idle_database_ms);
        for (path, running) in &mut self.databases {
            let Stage::Serving { idle_since } = &mut running.stage else { continue };
            if running.session_count.load(Ordering::Relaxed) > 0 {
                *idle_since = None;
                continue;
            }
            if now.duration_since(*idle_since.get_or_insert(now)) >= idle_time {
                tracing::debug!(path = %path.display(), "nobody has the database open");
                running.end();
            }
        }
    }

    /// Ends all, and waits until they have ended. Whether each did as it should.
    ///
    /// # Errors
    ///
    /// The first error of one of them.
    pub(super) fn stop(mut self) -> Result<(), ServeError> {
        let mut first = Ok(());
        for running in self.databases.values_mut() {
            running.end();
        }
        for (_, running) in self.databases.drain() {
            let _ = running.thread.join();
        }
        while let Ok(Farewell { path, end }) = self.farewells.1.try_recv() {
            match end {
                End::Served(result) => {
                    log_end(&path, &result);
                    let stopped = result.map_err(|why| ServeError::Stopped { path, why });
                    first = first.and(stopped);
                }
                End::NotOpened { error, unheard } => refuse_all(&path, &unheard, &error),
            }
        }
        first
    }
}

impl Running {
    /// The connection, if the thread has ended without a word, or too many wait for its end.
    fn hand_over(
        &mut self,
        connection: Connection,
        access: Access,
        waiting_max: usize,
    ) -> Option<Connection> {
        match &mut self.stage {
            Stage::Ending { waiting } if waiting.len() >= waiting_max => Some(connection),
            Stage::Ending { waiting } => {
                waiting.push((connection, access));
                None
            }
            Stage::Serving { idle_since } => {
                *idle_since = None;
                self.session_count.fetch_add(1, Ordering::Relaxed);
                let sent = self.events.send(Event::Session(Box::new(connection), access));
                self.waker.wake();
                match sent {
                    Err(unsent) => match unsent.0 {
                        Event::Session(connection, _) => Some(*connection),
                        _ => None,
                    },
                    Ok(()) => None,
                }
            }
        }
    }

    fn end(&mut self) {
        // One that has ended already says so by itself.
        let _ = self.events.send(Event::Stop);
        self.waker.wake();
        self.stage = Stage::Ending { waiting: Vec::new() };
    }
}

fn log_end(path: &Path, result: &Result<(), Stopped>) {
    let path = path.display();
    match result {
        Ok(()) => tracing::info!(%path, "a database is closed"),
        Err(error) => tracing::error!(%path, %error, "it is served no longer"),
    }
}

/// Tells all why they do not get what they want.
fn refuse_all(path: &Path, events: &Receiver<Event>, error: &EngineError) {
    tracing::warn!(path = %path.display(), %error, "a database does not open");
    while let Ok(event) = events.try_recv() {
        if let Event::Session(connection, _) = event {
            refuse(*connection, error.clone());
        }
    }
}

/// Tells a connection why it does not get what it wants, and ends it.
pub(super) fn refuse(mut connection: Connection, error: EngineError) {
    // It may have gone.
    let _ = connection.send(&Reply::Failed(error));
}

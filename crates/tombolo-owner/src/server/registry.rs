//! The databases that are open, and their ends.
//!
//! The front alone sends sessions to a database, and the front alone tells it to end. What comes
//! for one that is ending waits until it has, so no session meets an end that it did not cause.

use super::connection::Connection;
use super::database::{Database, Event, Stopped, Subject};
use super::groups::Groups;
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
    result: Result<(), Stopped>,
}

/// Says farewell however its thread ends.
struct Mourner {
    path: PathBuf,
    result: Option<Result<(), Stopped>>,
    farewells: Sender<Farewell>,
    front: Waker,
}

impl Mourner {
    fn say(mut self, result: Result<(), Stopped>) {
        self.result = Some(result);
    }
}

impl Drop for Mourner {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or(Err(Stopped::Panicked));
        let path = std::mem::take(&mut self.path);
        // Without a front nobody wants to know.
        let _ = self.farewells.send(Farewell { path, result });
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
            let running = self.start(path)?;
            self.databases.insert(path.to_owned(), running);
        }
        self.databases.get_mut(path).ok_or_else(|| EngineError {
            code: ResultCode::CANTOPEN,
            errno: None,
            message: "the database was closed".to_owned(),
        })
    }

    /// Opens a database, for sessions to come.
    pub(super) fn open(&mut self, path: &Path) -> Result<(), EngineError> {
        self.running(path).map(|_| ())
    }

    fn start(&self, path: &Path) -> Result<Running, EngineError> {
        let failed = |error: io::Error| EngineError {
            code: ResultCode::CANTOPEN,
            errno: error.raw_os_error(),
            message: error.to_string(),
        };
        let poller = Poller::new().map_err(failed)?;
        let waker = poller.waker();
        let (events, receiver) = channel();
        let channel = (events.clone(), receiver);
        let (kind, limits) = (self.settings.kind, self.settings.limits);
        let engine = YoungEngine::open(path, kind)?;
        let session_count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&session_count);
        let groups = Arc::clone(&self.groups);
        let subject = Subject { path: path.to_owned(), kind, session_count: counted };
        let mourner = Mourner {
            path: path.to_owned(),
            result: None,
            farewells: self.farewells.0.clone(),
            front: self.front.clone(),
        };
        let builder = std::thread::Builder::new().name("tombolo-database".into());
        let thread = builder
            .spawn(move || {
                let served = Database::new(subject, engine, limits, poller, channel, groups);
                let result = served.and_then(|mut database| database.run());
                mourner.say(result);
            })
            .map_err(failed)?;
        tracing::info!(path = %path.display(), "a database is open");
        let stage = Stage::Serving { idle_since: None };
        Ok(Running { events, waker, thread, session_count, stage })
    }

    /// Notices which threads have ended. Who waits for one of them gets it anew.
    ///
    /// # Errors
    ///
    /// That of the only database that is served.
    pub(super) fn take_farewells(&mut self) -> Result<(), ServeError> {
        while let Ok(Farewell { path, result }) = self.farewells.1.try_recv() {
            let Some(running) = self.databases.remove(&path) else { continue };
            let _ = running.thread.join();
            match &result {
                Ok(()) => tracing::info!(path = %path.display(), "a database is closed"),
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "it is served no longer");
                }
            }
            if let Stage::Ending { waiting } = running.stage {
                for (connection, access) in waiting {
                    self.hand_over(connection, &path, access);
                }
            } else if let Err(why) = result
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
        while let Ok(Farewell { path, result }) = self.farewells.1.try_recv() {
            match result {
                Ok(()) => tracing::info!(path = %path.display(), "a database is closed"),
                Err(why) => {
                    tracing::error!(path = %path.display(), error = %why, "it did not end well");
                    first = first.and(Err(ServeError::Stopped { path, why }));
                }
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
                let sent = self.events.send(Event::Session(connection, access));
                self.waker.wake();
                match sent {
                    Err(unsent) => match unsent.0 {
                        Event::Session(connection, _) => Some(connection),
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

/// Tells a connection why it does not get what it wants, and ends it.
pub(super) fn refuse(mut connection: Connection, error: EngineError) {
    // It may have gone.
    let _ = connection.send(&Reply::Failed(error));
}

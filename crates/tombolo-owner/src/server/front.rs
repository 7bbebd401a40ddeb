//! Accepts connections, and finds out which database they want.

use super::connection::{Caller, Connection, Ended, Flushed};
use super::database::{Database, Event};
use super::place::Served;
use super::{ServeError, Settings};
use crate::engine::YoungEngine;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tombolo_core::owner::engine::EngineError;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::request::{Access, Request};
use tombolo_core::wire::{PROTOCOL, Reply};
use tombolo_os::socket::Listener;
use tombolo_os::socket::poll::{Interest, Poller, Waker};

/// The key of the listener, which no connection has.
const LISTENER: u64 = 0;
/// Connections that have not said yet which database they want; a further one is closed.
const NEWCOMERS_MAX: usize = 4096;

/// A thread that serves a database.
#[derive(Debug)]
struct Running {
    events: Sender<Event>,
    waker: Waker,
    thread: JoinHandle<()>,
}

/// An owner that listens.
///
/// 1. Nobody else on this kernel serves the same: the lock file is held for as long as it lives.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    served: Served,
    listener: Listener,
    poller: Poller,
    newcomers: HashMap<u64, Connection>,
    next_key: u64,
    databases: HashMap<PathBuf, Running>,
    _lock: File,
}

impl Server {
    /// Takes the lock, and listens. A database that is served alone is opened.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn start(settings: Settings) -> Result<Self, ServeError> {
        let served = Served::of(&settings.path)?;
        let lock = served.take()?;
        let socket = settings.socket.clone().unwrap_or_else(|| served.socket());
        let listener = Listener::unix(&socket).map_err(ServeError::io(&socket))?;
        let poller = Poller::new().map_err(ServeError::io(&socket))?;
        poller.add(&listener, LISTENER, Interest::Receive).map_err(ServeError::io(&socket))?;
        let mut server = Server {
            settings,
            listener,
            poller,
            newcomers: HashMap::new(),
            next_key: LISTENER + 1,
            databases: HashMap::new(),
            served,
            _lock: lock,
        };
        if let Served::Database(path) = server.served.clone() {
            server.running(&path).map_err(|error| ServeError::Engine { path, error })?;
        }
        Ok(server)
    }

    /// Where doors reach it, as `owner=` wants it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:{}", self.listener.path().display())
    }

    /// What ends [`Server::run`], from another thread or a signal handler's flag.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.poller.waker()
    }

    /// Serves until `is_over` says so, which is asked twice a second and after each event.
    ///
    /// # Errors
    ///
    /// Where connections cannot be waited for.
    pub fn run(&mut self, is_over: &dyn Fn() -> bool) -> Result<(), ServeError> {
        while !is_over() {
            let events = self
                .poller
                .wait(Some(Duration::from_millis(500)))
                .map_err(ServeError::io(&self.settings.path))?;
            for event in events {
                match event.key {
                    LISTENER => self.accept(),
                    key if event.is_readable => self.hear(key),
                    key => self.flush(key),
                }
            }
        }
        self.stop();
        Ok(())
    }

    fn stop(&mut self) {
        let running: Vec<Running> = self.databases.drain().map(|(_, running)| running).collect();
        for database in &running {
            let _ = database.events.send(Event::Stop);
            database.waker.wake();
        }
        for database in running {
            let _ = database.thread.join();
        }
    }

    fn accept(&mut self) {
        while let Ok(Some(stream)) = self.listener.accept() {
            if self.newcomers.len() >= NEWCOMERS_MAX {
                continue;
            }
            let key = self.next_key;
            self.next_key += 1;
            if self.poller.add(&stream, key, Interest::Receive).is_ok() {
                self.newcomers.insert(key, Connection::new(stream));
            }
        }
    }

    fn flush(&mut self, key: u64) {
        if self.newcomers.get_mut(&key).is_some_and(|newcomer| newcomer.flush().is_err()) {
            self.newcomers.remove(&key);
        }
    }

    /// Takes what a newcomer says, until it has said what it wants.
    fn hear(&mut self, key: u64) {
        let Some(mut newcomer) = self.newcomers.remove(&key) else { return };
        if newcomer.receive().is_err() {
            return;
        }
        loop {
            match introduce(&mut newcomer) {
                Ok(Wish::More) => {
                    self.newcomers.insert(key, newcomer);
                    return;
                }
                Ok(Wish::Greeted) => {}
                Ok(Wish::Open(path, access)) => {
                    let _ = self.poller.remove(newcomer.stream());
                    return self.hand_over(newcomer, &path, access);
                }
                Err(_) => return,
            }
        }
    }

    fn hand_over(&mut self, mut newcomer: Connection, wanted: &[u8], access: Access) {
        let opened = self.open(wanted, access);
        let failed = match opened {
            Ok(running) => {
                let sent = running.events.send(Event::Session(newcomer, access));
                running.waker.wake();
                match sent {
                    Ok(()) => return,
                    Err(unsent) => {
                        let Event::Session(connection, _) = unsent.0 else { return };
                        newcomer = connection;
                        let message = "the database is served no longer".to_owned();
                        EngineError { code: ResultCode::CANTOPEN, errno: None, message }
                    }
                }
            }
            Err(error) => error,
        };
        let _ = newcomer.send(&Reply::Failed(failed));
    }

    fn open(&mut self, wanted: &[u8], access: Access) -> Result<&Running, EngineError> {
        let cannot =
            |message: String| EngineError { code: ResultCode::CANTOPEN, errno: None, message };
        let path = self.served.database(wanted).ok_or_else(|| {
            cannot(format!("{} is not served here", String::from_utf8_lossy(wanted)))
        })?;
        if access != Access::Create && !path.exists() {
            return Err(cannot(format!("{} does not exist", path.display())));
        }
        self.running(&path)
    }

    /// The thread of a database, which is started where there is none.
    fn running(&mut self, path: &Path) -> Result<&Running, EngineError> {
        if self.databases.get(path).is_some_and(|running| running.thread.is_finished()) {
            self.databases.remove(path);
        }
        if !self.databases.contains_key(path) {
            let running = self.start_database(path)?;
            self.databases.insert(path.to_owned(), running);
        }
        self.databases.get(path).ok_or_else(|| EngineError {
            code: ResultCode::CANTOPEN,
            errno: None,
            message: "the database was closed".to_owned(),
        })
    }

    fn start_database(&self, path: &Path) -> Result<Running, EngineError> {
        let failed = |error: io::Error| EngineError {
            code: ResultCode::CANTOPEN,
            errno: error.raw_os_error(),
            message: error.to_string(),
        };
        let poller = Poller::new().map_err(failed)?;
        let waker = poller.waker();
        let (events, receiver) = channel();
        let channel = (events.clone(), receiver);
        let engine = YoungEngine::open(path, self.settings.kind)?;
        let limits = self.settings.limits;
        let builder = std::thread::Builder::new().name("tombolo-database".into());
        let thread = builder
            .spawn(move || {
                if let Ok(mut database) = Database::new(engine, limits, poller, channel) {
                    let _ = database.run();
                }
            })
            .map_err(failed)?;
        Ok(Running { events, waker, thread })
    }
}

/// What a newcomer has said.
#[derive(Debug)]
enum Wish {
    /// Nothing whole.
    More,
    /// Who it is.
    Greeted,
    /// Which database it wants.
    Open(Vec<u8>, Access),
}

fn introduce(newcomer: &mut Connection) -> Result<Wish, Ended> {
    let Some(frame) = newcomer.next_frame()? else { return Ok(Wish::More) };
    match Request::decode(frame).map_err(Ended::Malformed)? {
        Request::Hello { protocol, boot_id, process, program } if protocol == PROTOCOL => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            newcomer.caller = Caller { boot_id: text(boot_id), process, program: text(program) };
            match newcomer.send(&Reply::Welcome { protocol: PROTOCOL })? {
                Flushed::All => Ok(Wish::Greeted),
                Flushed::Waiting => Err(Ended::Gone),
            }
        }
        Request::Hello { protocol, .. } => {
            let message = format!("the owner speaks protocol {PROTOCOL}, the door {protocol}");
            let code = ResultCode::CANTOPEN;
            newcomer.send(&Reply::Failed(EngineError { code, errno: None, message }))?;
            Err(Ended::Gone)
        }
        Request::Open { path, access } => Ok(Wish::Open(path.to_vec(), access)),
        _ => Err(Ended::Gone),
    }
}

//! Accepts connections, and finds out which database they want.

use super::connection::{Caller, Connection, Ended, Flushed};
use super::entrance::Entrances;
use super::groups::Groups;
use super::place::Served;
use super::registry::{Registry, refuse};
use super::room::Room;
use super::teller::{self, Answer, Question};
use super::{ServeError, Settings, document, keys, status};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};
use tombolo_core::owner::engine::EngineError;
use tombolo_core::owner::status::DATABASES_SHOWN_MAX;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::text::printable;
use tombolo_core::wire::address::NetworkAddress;
use tombolo_core::wire::request::{Access, Request};
use tombolo_core::wire::{PROTOCOL, Reply};
use tombolo_os::socket::Stream;
use tombolo_os::socket::poll::{Interest, Poller, Waker};

/// How often it is looked for what only time brings.
const HOUSEKEEPING: Duration = Duration::from_millis(500);
/// Connections that are taken at a time, so that a flood of them holds up nobody.
const ACCEPTS_MAX: usize = 64;

/// A connection that has not said which database it wants.
#[derive(Debug)]
struct Newcomer {
    connection: Connection,
    stage: Stage,
    heard: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody knows who it is, and it is told nothing.
    Stranger,
    /// It has said who it is.
    Known,
    /// It waits to hear how the owner is.
    Asking,
}

/// An owner that listens.
///
/// 1. Nobody else on this kernel serves the same: the lock file is held for as long as it lives.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    served: Served,
    entrances: Entrances,
    poller: Poller,
    newcomers: HashMap<u64, Newcomer>,
    next_key: u64,
    room: Room,
    registry: Registry,
    questions: Sender<Question>,
    answers: Receiver<Answer>,
    started: Instant,
    lock: File,
}

impl Server {
    /// Takes the lock, and listens. A database that is served alone is opened.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn start(mut settings: Settings) -> Result<Self, ServeError> {
        let served = Served::of(&settings.path)?;
        settings.path = match &served {
            Served::Database(path) | Served::Directory(path) => path.clone(),
        };
        settings.spill_directory = Some(settings.spill_directory()?);
        let lock = served.take()?;
        let socket = settings.socket.clone().unwrap_or_else(|| served.socket());
        let poller = Poller::new().map_err(ServeError::io(&socket))?;
        let groups = Arc::new(Groups::new(served.groups()));
        let mut registry = Registry::new(settings.clone(), poller.waker(), groups);
        registry.complete_groups();
        if let Served::Database(path) = &served {
            registry.open(path).map_err(ServeError::engine(path))?;
        }
        let silence = Duration::from_millis(settings.limits.network_silence_ms);
        let entrances = Entrances::open(&socket, &settings.network, silence, || {
            Ok(keys::owner_tls(&served, settings.network.keys.as_deref())?)
        })?;
        entrances.watch(&poller).map_err(ServeError::io(&socket))?;
        let (questions, answers) =
            teller::start(poller.waker()).map_err(ServeError::io(&socket))?;
        Ok(Server {
            settings,
            poller,
            newcomers: HashMap::new(),
            next_key: entrances.count(),
            entrances,
            room: Room::new(),
            registry,
            questions,
            answers,
            started: Instant::now(),
            served,
            lock,
        })
    }

    /// Where doors of this kernel reach it, as `owner=` wants it.
    #[must_use]
    pub fn address(&self) -> String {
        self.entrances.unix_address()
    }

    /// Where those of other kernels do.
    pub fn network_addresses(&self) -> impl Iterator<Item = NetworkAddress> {
        self.entrances.network_addresses()
    }

    /// What ends [`Server::run`], from another thread or a signal handler's flag.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.poller.waker()
    }

    /// Serves until `is_over` says so, which is asked twice a second and after each event. Then
    /// nobody is let in any more, what was committed is synced and acknowledged, and each log goes
    /// into its database.
    ///
    /// # Errors
    ///
    /// Where connections cannot be waited for; where the only database that is served cannot be
    /// any longer, or a database did not end as it should.
    pub fn run(mut self, is_over: &dyn Fn() -> bool) -> Result<(), ServeError> {
        while !is_over() {
            let events = self
                .poller
                .wait(Some(HOUSEKEEPING))
                .map_err(ServeError::io(&self.settings.path))?;
            for event in events {
                match event.key {
                    entrance if entrance < self.entrances.count() => self.accept(entrance),
                    key if event.is_readable => self.hear(key),
                    key => self.flush(key),
                }
            }
            self.registry.take_farewells()?;
            self.take_answers();
            let now = Instant::now();
            self.listen_again(now)?;
            self.forget_silent(now);
            if matches!(self.served, Served::Directory(_)) {
                self.registry.end_idle(now);
            }
        }
        tracing::info!(path = %self.settings.path.display(), "it ends");
        let Server { entrances, newcomers, registry, lock, .. } = self;
        // The name of the socket goes first, so that nobody comes who could not be served.
        drop(entrances);
        drop(newcomers);
        let stopped = registry.stop();
        drop(lock);
        stopped
    }

    fn accept(&mut self, entrance: u64) {
        for _ in 0..ACCEPTS_MAX {
            let why = match self.entrances.accept(entrance) {
                Ok(None) => return,
                Ok(Some(stream)) if self.room.is_for(&stream) => {
                    self.admit(stream);
                    continue;
                }
                Ok(Some(_)) => io::Error::other("the descriptors that are left are the databases'"),
                Err(error) => error,
            };
            self.entrances.look_away(&self.poller);
            return self.room.pause(&why, Instant::now());
        }
    }

    fn admit(&mut self, stream: Stream) {
        if stream.peer().is_some() {
            self.make_room_for_stranger();
        }
        if self.newcomers.len() >= self.settings.limits.newcomers_max {
            tracing::warn!("a connection is turned away: too many have not said what they want");
            return;
        }
        let key = self.next_key;
        self.next_key += 1;
        if self.poller.add(&stream, key, Interest::Receive).is_ok() {
            self.room.accepted();
            let connection = Connection::new(stream);
            let heard = Instant::now();
            self.newcomers.insert(key, Newcomer { connection, stage: Stage::Stranger, heard });
        }
    }

    fn listen_again(&mut self, now: Instant) -> Result<(), ServeError> {
        if !self.room.resumes(now) {
            return Ok(());
        }
        let watched = self.entrances.watch(&self.poller);
        watched.map_err(ServeError::io(&self.settings.path))
    }

    /// Whoever a network brings keeps none of this kernel out: the one that has been a stranger
    /// longest goes.
    fn make_room_for_stranger(&mut self) {
        let strangers = self.newcomers.iter().filter(|(_, newcomer)| {
            newcomer.stage == Stage::Stranger && newcomer.connection.stream().peer().is_some()
        });
        let (oldest, count) = strangers.fold((None, 0), |(oldest, count), (key, newcomer)| {
            let this = Some((newcomer.heard, *key));
            (oldest.map_or(this, |oldest| this.min(Some(oldest))), count + 1)
        });
        if let Some((_, key)) = oldest.filter(|_| count >= self.settings.limits.strangers_max) {
            self.newcomers.remove(&key);
        }
    }

    /// Ends connections that have long said nothing, and so keep others out.
    fn forget_silent(&mut self, now: Instant) {
        let limits = &self.settings.limits;
        let silence = Duration::from_millis(limits.newcomer_silence_ms);
        let introduction = Duration::from_millis(limits.introduction_ms).min(silence);
        self.newcomers.retain(|_, newcomer| {
            let time = now.duration_since(newcomer.heard);
            match newcomer.stage {
                Stage::Stranger => time < introduction,
                Stage::Known => time < silence,
                Stage::Asking => true,
            }
        });
    }

    fn flush(&mut self, key: u64) {
        let Some(newcomer) = self.newcomers.get_mut(&key) else { return };
        match newcomer.connection.flush() {
            Ok(Flushed::Waiting) => {}
            Ok(Flushed::All) => {
                let stream = newcomer.connection.stream();
                if self.poller.modify(stream, key, Interest::Receive).is_ok() {
                    return self.obey(key);
                }
                self.newcomers.remove(&key);
            }
            Err(_) => {
                self.newcomers.remove(&key);
            }
        }
    }

    /// Takes what a newcomer says.
    fn hear(&mut self, key: u64) {
        let Some(newcomer) = self.newcomers.get_mut(&key) else { return };
        if newcomer.connection.is_unsent() {
            return self.flush(key);
        }
        match newcomer.connection.receive() {
            Ok(_) => self.obey(key),
            Err(why) => self.end(key, why),
        }
    }

    /// Does what a newcomer says, until it has said what it wants.
    fn obey(&mut self, key: u64) {
        loop {
            let Some(newcomer) = self.newcomers.get_mut(&key) else { return };
            match newcomer.next_wish() {
                Ok(Wish::More) => return,
                Ok(Wish::Greeted) => newcomer.heard = Instant::now(),
                Ok(Wish::Status) => self.ask(key),
                Ok(Wish::Open(path, access)) => {
                    let Some(newcomer) = self.newcomers.remove(&key) else { return };
                    let _ = self.poller.remove(newcomer.connection.stream());
                    return self.hand_over(newcomer.connection, &path, access);
                }
                Err(why) => return self.end(key, why),
            }
        }
    }

    fn end(&mut self, key: u64, why: Ended) {
        let Some(newcomer) = self.newcomers.remove(&key) else { return };
        if why != Ended::Gone {
            let caller = &newcomer.connection.caller;
            let (program, process) = (&caller.program, caller.process);
            let address = newcomer.connection.address();
            tracing::warn!(program, process, address, %why, "a connection is ended");
        }
    }

    fn hand_over(&mut self, mut newcomer: Connection, wanted: &[u8], access: Access) {
        newcomer.let_in();
        match self.wanted(wanted, access) {
            Ok(path) => self.registry.hand_over(newcomer, &path, access),
            Err(error) => refuse(newcomer, error),
        }
    }

    fn wanted(&self, wanted: &[u8], access: Access) -> Result<PathBuf, EngineError> {
        let cannot =
            |message: String| EngineError { code: ResultCode::CANTOPEN, errno: None, message };
        let path = self
            .served
            .database(wanted)
            .ok_or_else(|| cannot(format!("{} is not served here", printable(wanted))))?;
        if access != Access::Create && !path.exists() {
            return Err(cannot(format!("{} does not exist", path.display())));
        }
        Ok(path)
    }

    fn ask(&mut self, key: u64) {
        let databases = self.registry.lines(DATABASES_SHOWN_MAX);
        if self.questions.send(Question { key, databases }).is_err() {
            self.newcomers.remove(&key);
        }
    }

    fn take_answers(&mut self) {
        while let Ok(Answer { key, databases, silent_count }) = self.answers.try_recv() {
            let uptime_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let newcomers = self.newcomers.len() as u64;
            let count = self.registry.count();
            let mut status = status(uptime_ms, Some(newcomers), count, databases);
            status.silent_count = silent_count as u64;
            let reply = Reply::Status(document(&status));
            let Some(newcomer) = self.newcomers.get_mut(&key) else { continue };
            newcomer.stage = Stage::Known;
            newcomer.heard = Instant::now();
            match newcomer.connection.send(&reply) {
                Ok(Flushed::All) => self.obey(key),
                Ok(Flushed::Waiting) => {
                    let stream = newcomer.connection.stream();
                    if self.poller.modify(stream, key, Interest::Send).is_err() {
                        self.newcomers.remove(&key);
                    }
                }
                Err(_) => {
                    self.newcomers.remove(&key);
                }
            }
        }
    }
}

/// What a newcomer has said.
#[derive(Debug)]
enum Wish {
    /// Nothing whole.
    More,
    /// Who it is.
    Greeted,
    /// How is the owner?
    Status,
    /// Which database it wants.
    Open(Vec<u8>, Access),
}

impl Newcomer {
    fn next_wish(&mut self) -> Result<Wish, Ended> {
        let Some(frame) = self.connection.next_frame()? else { return Ok(Wish::More) };
        match (Request::decode(frame).map_err(Ended::Malformed)?, self.stage) {
            (Request::Hello { protocol, boot_id, process, program }, Stage::Stranger) => {
                let (boot_id, program) = (printable(boot_id), printable(program));
                self.greet(protocol, Caller { boot_id, process, program })
            }
            (Request::Status, Stage::Known) => {
                self.stage = Stage::Asking;
                Ok(Wish::Status)
            }
            (Request::Open { path, access }, Stage::Known) => Ok(Wish::Open(path.to_vec(), access)),
            _ => Err(Ended::OutOfPlace),
        }
    }

    fn greet(&mut self, protocol: u16, caller: Caller) -> Result<Wish, Ended> {
        if protocol != PROTOCOL {
            let message = format!("the owner speaks protocol {PROTOCOL}, the door {protocol}");
            let code = ResultCode::CANTOPEN;
            self.connection.send(&Reply::Failed(EngineError { code, errno: None, message }))?;
            return Err(Ended::Refused);
        }
        self.connection.caller = caller;
        self.stage = Stage::Known;
        match self.connection.send(&Reply::Welcome { protocol: PROTOCOL })? {
            Flushed::All => Ok(Wish::Greeted),
            Flushed::Waiting => Err(Ended::Gone),
        }
    }
}

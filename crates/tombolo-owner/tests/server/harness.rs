//! An owner in a thread, and connections that send whatever a test wants.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use tombolo_core::owner::engine::{Shape, Version};
use tombolo_core::owner::limits::Limits;
use tombolo_core::owner::status::Status;
use tombolo_core::wire::reply::{Begun, Turn};
use tombolo_core::wire::request::{Access, Commit, CommitId, Durability, Pages, Request, TurnWish};
use tombolo_core::wire::{FrameReader, PROTOCOL, Reply};
use tombolo_os::socket::{Stream, Waker};
use tombolo_owner::engine::EngineKind;
use tombolo_owner::server::{Network, ServeError, Server, Settings};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a connection calls its kernel, which is not that of the tests.
pub(crate) const ELSEWHERE: &str = "00000000-0000-0000-0000-000000000000";

/// No two commits have one name, whoever makes them.
static NEXT_COMMIT: AtomicU64 = AtomicU64::new(1);

const TABLE: &str = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);";

pub(crate) fn settings(path: PathBuf, limits: Limits) -> Settings {
    Settings {
        path,
        kind: EngineKind::Shared,
        limits,
        socket: None,
        spill_directory: None,
        network: Network::default(),
    }
}

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    Database,
    Directory,
}

/// An owner of a directory with `app.db`, or of that alone.
pub(crate) struct Owner {
    pub(crate) directory: TempDir,
    pub(crate) socket: PathBuf,
    over: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Owner {
    pub(crate) fn new(serving: Serving, limits: Limits) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("app.db");
        stock(&database, TABLE);
        let path = match serving {
            Serving::Database => database,
            Serving::Directory => directory.path().to_owned(),
        };
        Self::serving(directory, path, limits)
    }

    /// An owner of a directory that is somewhere else.
    pub(crate) fn elsewhere(path: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self::serving(directory, path.to_owned(), Limits::default())
    }

    fn serving(directory: TempDir, path: PathBuf, limits: Limits) -> Self {
        Self::started(directory, settings(path, limits))
    }

    /// An owner of a database that spills to this directory.
    pub(crate) fn spilling(directory: &Path, limits: Limits) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let database = home.path().join("app.db");
        stock(&database, TABLE);
        let spill_directory = Some(directory.to_owned());
        Self::started(home, Settings { spill_directory, ..settings(database, limits) })
    }

    fn started(directory: TempDir, settings: Settings) -> Self {
        let server = Server::start(settings).expect("started");
        let address = server.address();
        let socket = PathBuf::from(address.strip_prefix("unix:").expect("a Unix socket"));
        let over = Arc::new(AtomicBool::new(false));
        let (waker, until) = (server.waker(), Arc::clone(&over));
        let thread = std::thread::spawn(move || server.run(&|| until.load(Ordering::Relaxed)));
        Owner { directory, socket, over, waker, thread: Some(thread) }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    /// Tells it to end.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.waker.wake();
    }

    /// How it ended.
    pub(crate) fn ended(&mut self) -> Result<(), ServeError> {
        self.thread.take().expect("once").join().expect("no panic")
    }

    /// A connection that has said nothing.
    pub(crate) fn stranger(&self) -> Client {
        let stream = Stream::connect_unix(&self.socket).expect("it listens");
        stream.set_timeout(PATIENCE).expect("set");
        Client { stream, reader: FrameReader::default() }
    }

    /// One that has said who it is.
    pub(crate) fn known(&self) -> Client {
        let mut client = self.stranger();
        assert_eq!(client.ask(&hello()), Reply::Welcome { protocol: PROTOCOL });
        client
    }

    /// One that has the database open.
    pub(crate) fn session(&self) -> Client {
        let mut client = self.known();
        let reply = client.open(&self.database());
        assert!(matches!(reply, Some(Reply::Opened { .. })), "{reply:?}");
        client
    }

    pub(crate) fn status(&self) -> Status {
        self.known().status()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) fn hello() -> Request<'static> {
    let (boot_id, program) = (ELSEWHERE.as_bytes(), b"tester\x1b[2J");
    Request::Hello { protocol: PROTOCOL, boot_id, process: 77, program }
}

pub(crate) struct Client {
    pub(crate) stream: Stream,
    reader: FrameReader,
}

impl Client {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.send_all(bytes).expect("sent");
    }

    pub(crate) fn tell(&mut self, request: &Request<'_>) {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.send(&bytes);
    }

    /// The next answer; `None` where the connection has ended instead.
    pub(crate) fn heard(&mut self) -> Option<Reply> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(frame) = self.reader.next_frame().expect("frames") {
                return Some(Reply::decode(frame).expect("a reply"));
            }
            match self.stream.receive(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.reader.push(buffer.get(..count).expect("as many")),
                // What was sent to it and not read is thrown away with a reset.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Reply {
        self.tell(request);
        self.heard().expect("an answer")
    }

    pub(crate) fn open(&mut self, path: &Path) -> Option<Reply> {
        self.tell(&Request::Open { path: path.as_os_str().as_bytes(), access: Access::Write });
        self.heard()
    }

    pub(crate) fn begin(&mut self, wish: TurnWish) -> Begun {
        match self.ask(&Request::Begin { seen: None, wish }) {
            Reply::Begun(begun) => begun,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn status(&mut self) -> Status {
        match self.ask(&Request::Status) {
            Reply::Status(text) => serde_json::from_slice(&text).expect("the document"),
            other => panic!("{other:?}"),
        }
    }

    /// Begins with the turn, and sends a commit of all pages as they are. Does not wait for the
    /// answer.
    pub(crate) fn send_commit(&mut self) -> Version {
        self.commit_after(|| ())
    }

    /// The same, with something in between.
    pub(crate) fn commit_after(&mut self, between: impl FnOnce()) -> Version {
        let (begun, pages) = self.begin_all();
        between();
        self.send_commit_of(&begun, 0, &pages);
        begun.version
    }

    /// Begins with the turn, and reads all pages, as they are sent.
    pub(crate) fn begin_all(&mut self) -> (Begun, Vec<u8>) {
        let begun = self.begin(TurnWish::IfFree);
        assert_eq!(begun.turn, Turn::Granted);
        let Shape { page_size_bytes, size_pages } = begun.shape;
        let Reply::Pages(read) = self.ask(&Request::Read { first: 1, count: size_pages }) else {
            panic!("no pages");
        };
        let mut bytes = Vec::new();
        for (number, page) in (1..).zip(read.chunks(page_size_bytes as usize)) {
            Pages::append(&mut bytes, number, page);
        }
        (begun, bytes)
    }

    /// Sends a commit of these pages and of the pieces before it.
    pub(crate) fn send_commit_of(&mut self, begun: &Begun, pieces: u32, pages: &[u8]) {
        let Shape { page_size_bytes, size_pages } = begun.shape;
        let id = NEXT_COMMIT.fetch_add(1, Ordering::Relaxed);
        self.tell(&Request::Commit(Commit {
            id: CommitId(id.into()),
            base: begun.version,
            size_pages,
            durability: Durability::Power,
            pieces,
            pages: Pages::new(page_size_bytes, pages).expect("whole pages"),
        }));
    }
}

/// Runs SQL in the distribution's shell, on the file itself.
pub(crate) fn stock(database: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(database).arg(sql).output();
    let output = output.expect("the distribution's sqlite3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

//! One open file.

use crate::Address;
use crate::address::Owner;
use crate::connection::{Connection, Lost};
use crate::waiting::Waiting;
use std::time::{Duration, Instant};
use tombolo_core::facade::commit::Commit;
use tombolo_core::facade::pragma::Pragma;
use tombolo_core::facade::{Facade, Lock, Read, Refusal, Unlock};
use tombolo_core::owner::engine::{CheckpointMode, Checkpointed, PageNumber, Shape};
use tombolo_core::owner::limits::TURN_UNUSED_MS;
use tombolo_core::sqlite::header::HEADER_BYTES;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::Reply;
use tombolo_core::wire::reply::Outcome;
use tombolo_core::wire::request::{self, Access, CommitId, Ending, GroupId, Pages, Request};

/// Bytes of pages that are kept, if nothing else is said.
const CACHE_BYTES: usize = 8 << 20;
/// How often the outcome of a commit is asked for whose answer was lost, and how long in between.
const SETTLE_ATTEMPTS: u32 = 20;
const SETTLE_PAUSE: Duration = Duration::from_millis(100);

/// How long a turn that came along with a begin is taken for granted.
const TURN_TRUSTED: Duration = Duration::from_millis(TURN_UNUSED_MS / 2);

/// Whether the file had all bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// It had.
    Whole,
    /// It ends before; the rest is zeros.
    Short,
}

/// What came of preparing a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepare {
    /// The owner has all of it.
    Ready,
    /// There is nothing to commit.
    Nothing,
}

/// A file whose owner is another process.
///
/// 1. Without a connection the facade is idle or broken.
#[derive(Debug)]
pub struct Door {
    owner: Owner,
    path: Vec<u8>,
    access: Access,
    pub(crate) facade: Facade,
    pub(crate) connection: Option<Connection>,
    /// The name of the next commit.
    next_commit: u128,
    /// When the last transaction began, or was about to.
    begun: Instant,
    /// Pieces that were sent of the transaction.
    pieces: u32,
    /// The transaction, while the owner has all of it and waits for its group.
    prepared: Option<Prepared>,
    pub(crate) waiting: Waiting,
    /// When the owner was last asked for the turn and a begin with it.
    pub(crate) asked: Instant,
}

/// A transaction that the owner has prepared.
#[derive(Debug)]
struct Prepared {
    id: CommitId,
    commit: Commit,
}

impl Door {
    /// Opens a file by its absolute path: over a network from the directory in which the owner has
    /// left its credentials, if that is found, else as the owner has it.
    ///
    /// # Errors
    ///
    /// `SQLITE_CANTOPEN` where no owner answers, or it lets nobody in with these credentials, or
    /// does not open the file. A file that is no sound database is opened, and every lock on it is
    /// `SQLITE_NOTADB` or `SQLITE_CORRUPT`.
    pub fn open(address: &Address, path: &[u8], access: Access) -> Result<Self, Refusal> {
        let mut random = [0; 16];
        tombolo_os::random::fill(&mut random)
            .map_err(|error| Refusal::new(ResultCode::CANTOPEN, &error.to_string()))?;
        let (owner, path) = Owner::of(address, path)?;
        let (connection, shape, header) = match connect(&owner, &path, access) {
            Ok((connection, Reply::Opened { shape, header })) => (Some(connection), shape, header),
            Ok(_) => return Err(unexpected()),
            // SQLite opens any file, and says what it thinks of it at the first statement. Until
            // then this one looks as if it were empty.
            Err(refusal) if is_of_the_content(refusal.code) => {
                (None, Shape { page_size_bytes: 4096, size_pages: 0 }, Box::new([0; HEADER_BYTES]))
            }
            Err(refusal) => return Err(refusal),
        };
        Ok(Door {
            owner,
            path,
            access,
            facade: Facade::new(access, shape, header, CACHE_BYTES),
            connection,
            next_commit: u128::from_ne_bytes(random),
            begun: Instant::now(),
            pieces: 0,
            prepared: None,
            waiting: Waiting::No,
            asked: Instant::now(),
        })
    }

    /// Whether another file has the same owner.
    #[must_use]
    pub fn shares_owner(&self, other: &Door) -> bool {
        self.owner == other.owner
    }

    pub(crate) fn lose(&mut self, lost: &Lost) -> Refusal {
        self.connection = None;
        self.waiting = Waiting::No;
        self.facade.lost();
        lost.refusal()
    }

    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        self.adopt();
        let Some(connection) = &mut self.connection else {
            self.facade.lost();
            return Err(Refusal::new(ResultCode::IOERR, "there is no connection to the owner"));
        };
        match connection.ask(request) {
            Ok(Reply::Failed(error)) => Err(error.into()),
            Ok(reply) => Ok(reply),
            Err(lost) => Err(self.lose(&lost)),
        }
    }

    /// Asks outside a transaction, when a connection that was lost is made anew.
    fn ask_idle(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        if let Some(connection) = &mut self.connection {
            match connection.ask(request) {
                Ok(Reply::Failed(error)) => return Err(error.into()),
                Ok(reply) => return Ok(reply),
                Err(_) => self.connection = None,
            }
        }
        self.connection = Some(connect(&self.owner, &self.path, self.access)?.0);
        self.ask(request)
    }

    /// Asks what a transaction has no part in.
    fn ask_any_time(&mut self, request: &Request<'_>) -> Result<Reply, Refusal> {
        if self.facade.is_idle() { self.ask_idle(request) } else { self.ask(request) }
    }

    /// Says that the transaction reads what it was offered, before anything else is said of it.
    fn adopt(&mut self) {
        if let Some(adopt) = self.facade.adopt() {
            self.tell(&adopt);
        }
    }

    pub(crate) fn tell(&mut self, request: &Request<'_>) {
        self.adopt();
        if let Some(connection) = &mut self.connection
            && let Err(lost) = connection.tell(request)
        {
            self.lose(&lost);
        }
    }

    /// Takes a lock.
    ///
    /// # Errors
    ///
    /// As [`Facade::lock`], [`Facade::begun`] and [`Facade::reserved`]; `SQLITE_IOERR` where the
    /// connection is lost and cannot be made anew.
    pub fn lock(&mut self, lock: Lock) -> Result<(), Refusal> {
        if lock != Lock::Shared && self.begun.elapsed() >= TURN_TRUSTED {
            self.facade.doubt_turn();
        }
        let is_begin = lock == Lock::Shared && self.facade.is_idle();
        if is_begin && (self.connection.is_none() || self.asked.elapsed() >= TURN_TRUSTED) {
            self.facade.doubt_offer();
        }
        let Some(request) = self.facade.lock(lock)? else {
            if is_begin {
                (self.begun, self.pieces) = (self.asked, 0);
            }
            return Ok(());
        };
        if !request.is_answered() {
            self.tell(&request);
            return Ok(());
        }
        if is_begin {
            self.begun = Instant::now();
        }
        let reply = if is_begin { self.ask_idle(&request)? } else { self.ask(&request)? };
        match reply {
            Reply::Begun(begun) => {
                self.pieces = 0;
                self.facade.begun(&begun)
            }
            Reply::Reserved(reservation) => self.facade.reserved(reservation),
            _ => Err(unexpected()),
        }
    }

    fn settle_version(&mut self) -> Result<(), Refusal> {
        match self.ask(&Request::Settle)? {
            Reply::Settled => {
                self.facade.settled();
                Ok(())
            }
            _ => Err(unexpected()),
        }
    }

    /// Gives a lock back.
    ///
    /// # Errors
    ///
    /// The owner's, where the transaction has seen what was not durable and will never be known to
    /// be. The lock is given back all the same.
    pub fn unlock(&mut self, unlock: Unlock) -> Result<(), Refusal> {
        let settled = if self.facade.must_settle() { self.settle_version() } else { Ok(()) };
        self.pieces = 0;
        self.prepared = None;
        if let Some(request) = self.facade.unlock(unlock) {
            self.tell(&request);
        }
        settled
    }

    /// Reads bytes.
    ///
    /// # Errors
    ///
    /// As [`Facade::read`]; the owner's.
    pub fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<ReadOutcome, Refusal> {
        loop {
            match self.facade.read(offset, into)? {
                Read::Whole => return Ok(ReadOutcome::Whole),
                Read::Short => return Ok(ReadOutcome::Short),
                Read::TurnUnused => {
                    if let Some(request) = self.facade.give_turn_back() {
                        self.tell(&request);
                    }
                }
                Read::Unsettled => self.settle_version()?,
                Read::Missing { first, count } => self.fetch(first, count)?,
            }
        }
    }

    /// Fetches pages, and asks for those behind them where they are a part of a scan, so that the
    /// owner reads them meanwhile.
    fn fetch(&mut self, first: PageNumber, count: u32) -> Result<(), Refusal> {
        self.adopt();
        let Door { connection, facade, .. } = self;
        let Some(connection) = connection else {
            facade.lost();
            return Err(Refusal::new(ResultCode::IOERR, "there is no connection to the owner"));
        };
        let answered = connection.read((first, count), |pages| facade.pages_arrived(first, pages));
        let asked = match answered {
            Ok(Ok(arrived)) => {
                arrived?;
                match facade.next_window() {
                    Some((first, count)) => connection.read_ahead(first, count),
                    None => Ok(()),
                }
            }
            Ok(Err(Reply::Failed(error))) => return Err(error.into()),
            Ok(Err(_)) => return Err(unexpected()),
            Err(lost) => Err(lost),
        };
        asked.map_err(|lost| self.lose(&lost))
    }

    /// Writes bytes.
    ///
    /// # Errors
    ///
    /// As [`Facade::write`].
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Refusal> {
        if let Some(piece) = self.facade.write(offset, bytes)? {
            self.send_piece(&piece);
        }
        Ok(())
    }

    fn send_piece(&mut self, piece: &[u8]) {
        let page_size_bytes = self.facade.page_size_bytes();
        if let Some(pages) = Pages::new(page_size_bytes, piece) {
            self.pieces = self.pieces.saturating_add(1);
            self.tell(&Request::Write(pages));
        }
    }

    /// Cuts the file.
    ///
    /// # Errors
    ///
    /// As [`Facade::truncate`].
    pub fn truncate(&mut self, size_bytes: u64) -> Result<(), Refusal> {
        self.facade.truncate(size_bytes)
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_size_bytes(&self) -> u64 {
        self.facade.file_size_bytes()
    }

    /// All that belongs to a transaction, or to its rollback, is written.
    ///
    /// # Errors
    ///
    /// As [`Facade::sync`] and [`Facade::committed`]; the owner's.
    pub fn sync(&mut self) -> Result<(), Refusal> {
        if self.prepared.take().is_some() {
            // A rollback: another of its group could not be prepared.
            self.pieces = 0;
            self.tell(&Request::End(Ending::Writing));
        }
        let Some(commit) = self.facade.sync()? else { return Ok(()) };
        let id = self.next_id();
        let pieces = self.pieces;
        let answered = self.send_commit(&commit, Request::Commit, (id, pieces));
        self.committed(id, &commit, answered)
    }

    /// As [`Door::sync`], of a transaction over several databases: nothing is committed before
    /// [`Door::decide`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn prepare(&mut self, group: GroupId) -> Result<Prepare, Refusal> {
        let Some(commit) = self.facade.sync()? else { return Ok(Prepare::Nothing) };
        let id = self.next_id();
        let request = |commit| Request::Prepare { group, commit };
        match self.send_commit(&commit, request, (id, self.pieces)) {
            Ok(Reply::Prepared) => {
                self.prepared = Some(Prepared { id, commit });
                Ok(Prepare::Ready)
            }
            Err(lost) => {
                // Without its connection the owner gives it up.
                let _ = self.facade.committed(Outcome::NotCommitted, commit.size_pages);
                Err(self.lose(&lost))
            }
            answered => self.committed(id, &commit, answered).map(|()| Prepare::Nothing),
        }
    }

    /// Lets the owner commit a group that this transaction belongs to, and `members` in all.
    ///
    /// # Errors
    ///
    /// As [`Door::sync`]: nothing of the group is committed, but where the outcome is unknown.
    pub fn decide(&mut self, group: GroupId, members: u32) -> Result<(), Refusal> {
        self.tell(&Request::Decide { group, members });
        self.decided()
    }

    /// Waits until this transaction is committed, whose group was decided by another's
    /// [`Door::decide`].
    ///
    /// # Errors
    ///
    /// As [`Door::sync`].
    pub fn decided(&mut self) -> Result<(), Refusal> {
        let Some(Prepared { id, commit }) = self.prepared.take() else { return Err(unexpected()) };
        let answered = match &mut self.connection {
            Some(connection) => connection.reply(),
            None => Err(Lost::Closed),
        };
        self.committed(id, &commit, answered)
    }

    fn next_id(&mut self) -> CommitId {
        let id = CommitId(self.next_commit);
        self.next_commit = self.next_commit.wrapping_add(1);
        id
    }

    fn committed(
        &mut self,
        id: CommitId,
        commit: &Commit,
        answered: Result<Reply, Lost>,
    ) -> Result<(), Refusal> {
        match answered {
            Ok(Reply::Outcome(outcome)) => self.facade.committed(outcome, commit.size_pages),
            Ok(Reply::Failed(error)) => {
                let _ = self.facade.committed(Outcome::NotCommitted, commit.size_pages);
                Err(error.into())
            }
            Ok(_) => Err(unexpected()),
            Err(_) => {
                self.connection = None;
                let outcome = self.settle(id, commit);
                let answer = self.facade.committed(outcome, commit.size_pages);
                // The new connection knows nothing of the transaction that goes on.
                self.facade.lost();
                answer
            }
        }
    }

    fn send_commit<'a>(
        &mut self,
        commit: &'a Commit,
        request: impl FnOnce(request::Commit<'a>) -> Request<'a>,
        (id, pieces): (CommitId, u32),
    ) -> Result<Reply, Lost> {
        let connection = self.connection.as_mut().ok_or(Lost::Closed)?;
        let pages = Pages::new(commit.page_size_bytes, &commit.pages).ok_or(Lost::Closed)?;
        connection.ask(&request(request::Commit {
            id,
            base: commit.base.version,
            size_pages: commit.size_pages,
            durability: commit.durability,
            pieces,
            pages,
        }))
    }

    /// Asks what became of a commit whose answer was lost.
    #[expect(clippy::disallowed_methods, reason = "nothing tells that an owner listens again")]
    fn settle(&mut self, id: CommitId, commit: &Commit) -> Outcome {
        for _ in 0..SETTLE_ATTEMPTS {
            if let Ok((mut connection, _)) = connect(&self.owner, &self.path, self.access)
                && let Ok(Reply::Outcome(outcome)) =
                    connection.ask(&Request::Outcome { id, seen: commit.base })
            {
                self.connection = Some(connection);
                return outcome;
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
        Outcome::Unknown
    }

    /// What to do with a PRAGMA.
    pub fn pragma(&mut self, name: &str, argument: Option<&str>) -> Pragma {
        self.facade.pragma(name, argument)
    }

    /// Lets the owner copy frames of the log into the database.
    ///
    /// # Errors
    ///
    /// The owner's.
    pub fn checkpoint(&mut self, mode: CheckpointMode) -> Result<Checkpointed, Refusal> {
        match self.ask_any_time(&Request::Checkpoint(mode))? {
            Reply::Checkpointed(row) => Ok(row),
            _ => Err(unexpected()),
        }
    }

    /// What the owner says of itself, as JSON.
    ///
    /// # Errors
    ///
    /// The owner's.
    pub fn status(&mut self) -> Result<Vec<u8>, Refusal> {
        match self.ask_any_time(&Request::Status)? {
            Reply::Status(text) => Ok(text),
            _ => Err(unexpected()),
        }
    }
}

/// Whether an owner refuses a file for what is in it.
fn is_of_the_content(code: ResultCode) -> bool {
    matches!(code.primary(), ResultCode::NOTADB | ResultCode::CORRUPT)
}

fn connect(owner: &Owner, path: &[u8], access: Access) -> Result<(Connection, Reply), Refusal> {
    let mut connection = Connection::new(owner)?;
    match connection.ask(&Request::Open { path, access }) {
        Ok(Reply::Failed(error)) => Err(error.into()),
        Ok(reply) => Ok((connection, reply)),
        Err(lost) => Err(lost.refusal()),
    }
}

fn unexpected() -> Refusal {
    Refusal::new(ResultCode::IOERR, "the owner answered something else than was asked")
}

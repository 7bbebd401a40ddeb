//! Where the database is: its path, the file that was opened there, and how SQLite opens it.

use super::error::{during, error, system};
use super::log::{Log, LogFile};
use crate::ffi::{Connection, Creation, Failure, Sql, Switch, Value};
use std::ffi::{CStr, CString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tombolo_core::locktable::Lock;
use tombolo_core::owner::engine::EngineError;
use tombolo_core::sqlite::result_code::ResultCode;

/// Who else opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Stock apps of this kernel, on a local file system: SQLite's VFS `unix`.
    Shared,
    /// Nobody: `unix-excl`, which needs neither shared maps nor locks that others see. That nobody
    /// does is for the caller to know.
    Sole,
}

impl EngineKind {
    fn vfs(self) -> &'static CStr {
        match self {
            EngineKind::Shared => c"unix",
            EngineKind::Sole => c"unix-excl",
        }
    }
}

/// Which file a path named: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// By `stat` alone: in this process nobody but SQLite opens the database, because closing any
    /// descriptor on it drops SQLite's locks (fcntl(2), "POSIX locks").
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(found) => Ok(Some(Self::told_by(&found))),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// That of an open file.
    pub(super) fn of_open(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self::told_by(&found))
    }

    fn told_by(found: &Metadata) -> Self {
        Identity { device: found.dev(), inode: found.ino() }
    }
}

/// The file of one engine.
///
/// 1. Every connection that [`Place::connect`] returns has the file of `identity` open: the path
///    named it before SQLite opened it and after. The same holds of the log.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    name: CString,
    kind: EngineKind,
    identity: Identity,
    log: Log,
}

/// How often a database is opened whose log is deleted meanwhile.
const OPEN_ATTEMPTS: usize = 4;

impl Place {
    /// Opens the first connection, which makes the file where there is none, and brings the
    /// database into WAL mode.
    pub(super) fn open(
        path: &Path,
        kind: EngineKind,
        new_page_size_bytes: u32,
    ) -> Result<(Self, Connection), EngineError> {
        // Absolute: SQLite here takes what begins with `file:` for a URI.
        let path = std::path::absolute(path).map_err(cannot_look())?;
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| error(ResultCode::CANTOPEN, "the path has a null byte"))?;
        for _ in 0..OPEN_ATTEMPTS {
            let (connection, identity, log) = open_first(&path, &name, kind, new_page_size_bytes)?;
            if let Some(log) = log {
                return Ok((Place { path, name, kind, identity, log }, connection));
            }
        }
        Err(error(ResultCode::BUSY, "the log is deleted again and again"))
    }

    /// Opens one more.
    pub(super) fn connect(&self) -> Result<Connection, EngineError> {
        let failed = during("another connection cannot be opened");
        self.check()?;
        let mut connection =
            Connection::open(&self.name, self.kind.vfs(), Creation::Existing).map_err(&failed)?;
        configure(&mut connection).map_err(&failed)?;
        look(&mut connection)?;
        self.check()?;
        Ok(connection)
    }

    /// Both the database and its log are those that are open. Where another database is, it is
    /// not the log that is lost.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        if self.is_in_place()? { self.log.check() } else { Err(moved()) }
    }

    /// The log of the database.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// It for whoever syncs it.
    pub(super) fn log_file(&self) -> Arc<LogFile> {
        self.log.file()
    }

    /// The path, and who else opens it.
    pub(super) fn named(&self) -> (PathBuf, EngineKind) {
        (self.path.clone(), self.kind)
    }

    /// Whether another process holds a lock on the file, as every connection in WAL mode does
    /// (`pager.c`).
    pub(super) fn has_company(&self) -> bool {
        if self.kind == EngineKind::Sole {
            return false;
        }
        let own = i32::try_from(std::process::id()).ok();
        let Ok(locks) = tombolo_os::process::locks(Path::new("/proc")) else { return true };
        others_lock(&locks, self.identity.inode, own)
    }

    /// Whether the path still names the file that is open.
    pub(super) fn is_in_place(&self) -> Result<bool, EngineError> {
        let cannot = system(ResultCode::IOERR, "the path cannot be looked at");
        Ok(Identity::of(&self.path).map_err(cannot)? == Some(self.identity))
    }
}

type Opened = (Connection, Identity, Option<Log>);

fn open_first(
    path: &Path,
    name: &CStr,
    kind: EngineKind,
    new_page_size_bytes: u32,
) -> Result<Opened, EngineError> {
    let before = Identity::of(path).map_err(cannot_look())?;
    let failed = during("the database cannot be opened");
    let mut connection = Connection::open(name, kind.vfs(), Creation::Create).map_err(&failed)?;
    let log = Log::name(&connection)?;
    let log_before = Identity::of(&log).map_err(cannot_look())?;
    configure(&mut connection).map_err(&failed)?;
    let after = Identity::of(path).map_err(cannot_look())?;
    let identity = match (before, after) {
        (None, Some(made)) => made,
        (Some(before), Some(after)) if before == after => after,
        _ => return Err(moved()),
    };
    let failed = during("the database cannot be brought into WAL mode");
    let page_size = format!("PRAGMA page_size={new_page_size_bytes}");
    connection.once(&page_size).map_err(&failed)?;
    let mode = connection.once("PRAGMA journal_mode=WAL").map_err(&failed)?;
    if mode != "wal" {
        let message = format!("the database stays in journal mode {mode}");
        return Err(error(ResultCode::ERROR, message));
    }
    look(&mut connection)?;
    if Identity::of(path).map_err(cannot_look())? != Some(identity) {
        return Err(moved());
    }
    Ok((connection, identity, Log::open(&log, log_before)?))
}

/// Reads once, so that the connection has the log open: before, it could neither tell the newest
/// version nor make a checkpoint.
fn look(connection: &mut Connection) -> Result<(), EngineError> {
    read_first(connection).map(drop).map_err(during("the database cannot be read"))
}

fn cannot_look() -> impl Fn(io::Error) -> EngineError {
    system(ResultCode::CANTOPEN, "the path cannot be looked at")
}

/// Makes a file without a byte where there is none, by SQLite, which alone may open it.
pub(super) fn make(path: &Path, kind: EngineKind) -> Result<(), EngineError> {
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| error(ResultCode::CANTOPEN, "the path has a null byte"))?;
    let failed = during("the database cannot be opened");
    Connection::open(&name, kind.vfs(), Creation::Create).map_err(failed).map(drop)
}

/// Page 1 of the newest version, in a transaction of its own; empty where there is none.
pub(super) fn read_first(connection: &mut Connection) -> Result<Vec<u8>, Failure> {
    let page = begin(connection, Sql::Begin)?;
    connection.run(Sql::Rollback, &[])?;
    Ok(page)
}

/// Begins a transaction and reads page 1, and with it what SQLite wants to know of the schema. No
/// transaction is open after a failure.
pub(super) fn begin(connection: &mut Connection, sql: Sql) -> Result<Vec<u8>, Failure> {
    match begin_once(connection, sql) {
        Err(failure) if failure.is_about_schema() => begin_once(connection, sql),
        result => result,
    }
}

fn begin_once(connection: &mut Connection, sql: Sql) -> Result<Vec<u8>, Failure> {
    connection.run(sql, &[])?;
    let page = connection.row(Sql::ReadPage, &[Value::Page(1)], <[u8]>::to_vec);
    // The failure may have ended the transaction.
    if page.is_err() && connection.in_transaction() {
        connection.run(Sql::Rollback, &[])?;
    }
    Ok(page?.unwrap_or_default())
}

/// Whether others than `own` have locks on the file with this inode. Inodes of two file systems may
/// have one number, and what the table calls the device is another in `stat` on some of them; so it
/// is taken from the locks that this process has itself. Where it has none, all devices count.
fn others_lock(locks: &[Lock], inode: u64, own: Option<i32>) -> bool {
    let on_it = || locks.iter().filter(|lock| lock.inode == inode);
    let devices: Vec<_> = on_it().filter(|lock| lock.pid == own).map(|lock| lock.device).collect();
    let mut others = on_it().filter(|lock| lock.pid != own);
    others.any(|lock| devices.is_empty() || devices.contains(&lock.device))
}

fn moved() -> EngineError {
    error(ResultCode::READONLY_DBMOVED, "another file was put in the place of the database")
}

/// As every connection is: the checkpoint is the owner's to make, never SQLite's on commit or
/// close; nothing that the file's schema says is run; a schema that cannot be read does not stop
/// the service of pages. Free pages stay: a session's own SQLite has moved those that it wanted to,
/// and would not know of more.
fn configure(connection: &mut Connection) -> Result<(), Failure> {
    for (switch, on) in [
        (Switch::Defensive, false),
        (Switch::WritableSchema, true),
        (Switch::TrustedSchema, false),
        (Switch::Triggers, false),
        (Switch::Views, false),
        (Switch::NoCheckpointOnClose, true),
    ] {
        connection.switch(switch, on)?;
    }
    connection.keep_free_pages()?;
    for pragma in ["wal_autocheckpoint=0", "synchronous=NORMAL", "mmap_size=0", "busy_timeout=0"] {
        connection.once(&format!("PRAGMA {pragma}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::locktable::{Family, Strength};

    const OWN: Option<i32> = Some(1);
    const INODE: u64 = 12;

    fn lock(pid: Option<i32>, minor: u32, inode: u64) -> Lock {
        Lock {
            family: Family::Posix,
            strength: Strength::Shared,
            pid,
            device: (0, minor),
            inode,
            first: 0,
            last: 0,
        }
    }

    #[test]
    fn a_file_of_the_same_number_on_another_device_is_no_company() {
        let own = lock(OWN, 5, INODE);
        let elsewhere = lock(Some(2), 6, INODE);
        assert!(!others_lock(&[own, elsewhere, lock(Some(2), 5, 13)], INODE, OWN));
        assert!(others_lock(&[own, elsewhere, lock(Some(2), 5, INODE)], INODE, OWN));
        assert!(others_lock(&[own, lock(None, 5, INODE)], INODE, OWN), "whoever that is");
        assert!(others_lock(&[elsewhere], INODE, OWN), "nothing says which device it is");
        assert!(!others_lock(&[own], INODE, OWN));
    }
}

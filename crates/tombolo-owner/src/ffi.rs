//! All C of this crate: what the engine needs of SQLite's library, behind safe calls.
//!
//! Not by `rusqlite`'s connection: its prepared statements borrow from it, so that neither can be
//! kept with the other, and its cache of statements copies each page once more.
//!
//! A connection is opened without a mutex of its own (`SQLITE_OPEN_NOMUTEX`). It may go to another
//! thread, but only one can use it: every method takes it from one owner, and it is not `Sync`.

#![allow(unsafe_code)]

use rusqlite::ffi::{self, sqlite3, sqlite3_file, sqlite3_stmt};
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::ptr::{self, NonNull};
use tombolo_core::owner::engine::{CheckpointMode, Checkpointed};
use tombolo_core::sqlite::wal_index::COPY_BYTES;

const MAIN: &CStr = c"main";
/// Bytes of a region of the wal-index (`WALINDEX_PGSZ` in `wal.c`).
const REGION_BYTES: c_int = 32_768;

/// What SQLite said no with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The extended result code.
    pub(crate) code: c_int,
    /// The error number of the system call below, where SQLite keeps it.
    pub(crate) errno: Option<i32>,
    /// The message of the connection.
    pub(crate) message: String,
}

impl Failure {
    /// The low byte of the code.
    pub(crate) fn primary(&self) -> c_int {
        self.code & 0xff
    }

    /// Whether it can come of reading the schema. Where that may be written, SQLite then takes what
    /// it has read for all, and the next attempt does without the rest (`sqlite3InitOne` in
    /// prepare.c). That attempt needs a transaction of its own: one in which anything was found
    /// corrupt writes no more (SQLITE_CorruptRdOnly in vdbe.c).
    pub(crate) fn is_about_schema(&self) -> bool {
        matches!(self.primary(), ffi::SQLITE_ERROR | ffi::SQLITE_CORRUPT | ffi::SQLITE_SCHEMA)
    }
}

/// The code of a read that the disk has refused. What SQLite has for it, it shows to programs as
/// `SQLITE_CORRUPT` (`unixRead` in os_unix.c, `abort_due_to_error` in vdbe.c), which nobody has
/// found out.
fn of_reading(code: c_int) -> c_int {
    if code == ffi::SQLITE_IOERR_CORRUPTFS { ffi::SQLITE_IOERR_READ } else { code }
}

/// Whether a file is made that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creation {
    /// It is.
    Create,
    /// It has to be there.
    Existing,
}

/// Switches of a connection (`sqlite3_db_config`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Switch {
    /// Keeps SQL from damaging the file; also refuses to write `sqlite_dbpage`.
    Defensive = ffi::SQLITE_DBCONFIG_DEFENSIVE,
    /// The last connection to close leaves the log where it is.
    NoCheckpointOnClose = ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
    /// Functions and virtual tables that a schema names are taken for harmless.
    TrustedSchema = ffi::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
    /// Triggers run.
    Triggers = ffi::SQLITE_DBCONFIG_ENABLE_TRIGGER,
    /// Views work.
    Views = ffi::SQLITE_DBCONFIG_ENABLE_VIEW,
    /// `sqlite_schema` can be written; a schema that cannot be read is no error.
    WritableSchema = ffi::SQLITE_DBCONFIG_WRITABLE_SCHEMA,
}

/// The statements that the engine runs, each prepared at its first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sql {
    /// Begins a transaction that reads.
    Begin,
    /// Begins one that holds the write lock.
    BeginImmediate,
    /// Commits.
    Commit,
    /// Takes everything back.
    Rollback,
    /// Page ?1.
    ReadPage,
    /// Writes page ?1 with the bytes ?2.
    WritePage,
    /// Drops page ?1 and all behind it when the transaction is committed.
    Cut,
}

const SQL: [&CStr; 7] = [
    c"BEGIN",
    c"BEGIN IMMEDIATE",
    c"COMMIT",
    c"ROLLBACK",
    c"SELECT data FROM sqlite_dbpage('main') WHERE pgno = ?1",
    c"INSERT INTO sqlite_dbpage(pgno, data) VALUES(?1, ?2)",
    c"INSERT INTO sqlite_dbpage(pgno, data) VALUES(?1, NULL)",
];

/// What a parameter of a statement is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A page number.
    Page(u32),
    /// The bytes of a page.
    Bytes(&'a [u8]),
    /// So many zeros.
    Zeros(u32),
}

/// One connection to one database, with its statements.
///
/// 1. `database` is open until the drop, and nobody else has it.
/// 2. Each pointer in `statements` is null or a statement of `database`, and not stepping between
///    two calls of methods.
#[derive(Debug)]
pub(crate) struct Connection {
    database: NonNull<sqlite3>,
    statements: [*mut sqlite3_stmt; SQL.len()],
}

// SAFETY: a connection opened with NOMUTEX may be used by one thread at a time (threadsafe.html,
// "multi-thread"); `&mut` and the missing `Sync` see to that.
unsafe impl Send for Connection {}

impl Connection {
    /// Opens the database at an absolute path by one of SQLite's own VFSes.
    pub(crate) fn open(path: &CStr, vfs: &CStr, creation: Creation) -> Result<Self, Failure> {
        let create = match creation {
            Creation::Create => ffi::SQLITE_OPEN_CREATE,
            Creation::Existing => 0,
        };
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_NOMUTEX | create;
        let mut database = ptr::null_mut();
        // SAFETY: both strings end in a null byte and outlive the call; `database` is a place to
        // write to.
        let code =
            unsafe { ffi::sqlite3_open_v2(path.as_ptr(), &raw mut database, flags, vfs.as_ptr()) };
        let Some(database) = NonNull::new(database) else {
            return Err(Failure { code, errno: None, message: "out of memory".into() });
        };
        // A handle is there even after a failure; from here on the drop closes it.
        let connection = Connection { database, statements: [ptr::null_mut(); SQL.len()] };
        connection.check(code)?;
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_extended_result_codes(connection.raw(), 1) };
        Ok(connection)
    }

    fn raw(&self) -> *mut sqlite3 {
        self.database.as_ptr()
    }

    /// What [`Self::failure`] finds as the last error number is of what is done from here on.
    fn forget_errno() {
        // SAFETY: always a valid pointer of this thread (errno(3)).
        unsafe { *libc::__errno_location() = 0 };
    }

    fn check(&self, code: c_int) -> Result<(), Failure> {
        match code {
            ffi::SQLITE_OK | ffi::SQLITE_ROW | ffi::SQLITE_DONE => Ok(()),
            _ => Err(self.failure(code)),
        }
    }

    fn failure(&self, code: c_int) -> Failure {
        // SAFETY: the handle is open; the message is a string of its own that ends in a null byte
        // and stays until the next call on the handle, and it is copied before that.
        let (message, errno) = unsafe {
            let message = CStr::from_ptr(ffi::sqlite3_errmsg(self.raw()));
            (message.to_string_lossy().into_owned(), ffi::sqlite3_system_errno(self.raw()))
        };
        let last = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        if code & 0xff == ffi::SQLITE_CORRUPT && matches!(last, libc::EIO | libc::ENXIO) {
            return Failure { code: ffi::SQLITE_IOERR_READ, errno: Some(last), message };
        }
        let code = of_reading(code);
        // It is set by these two families only, and old otherwise (`sqlite3SystemError` in util.c).
        let set = matches!(code & 0xff, ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN) && errno != 0;
        Failure { code, errno: set.then_some(errno), message }
    }

    /// Sets one switch.
    pub(crate) fn switch(&mut self, switch: Switch, on: bool) -> Result<(), Failure> {
        let mut after: c_int = 0;
        // SAFETY: each of these switches takes an int and a place for an int (`sqlite3.h`).
        let code = unsafe {
            ffi::sqlite3_db_config(self.raw(), switch as c_int, c_int::from(on), &raw mut after)
        };
        self.check(code)
    }

    /// Leaves free pages where they are when a transaction ends, in a database with
    /// `auto_vacuum=FULL` as well (`sqlite3_autovacuum_pages`).
    pub(crate) fn keep_free_pages(&mut self) -> Result<(), Failure> {
        // SAFETY: the handle is open; the function is there as long as the process, and is given
        // nothing of ours.
        let code = unsafe {
            let none = ptr::null_mut();
            ffi::sqlite3_autovacuum_pages(self.raw(), Some(no_free_pages), none, None)
        };
        self.check(code)
    }

    /// Runs one statement that is used once, and returns the first column of its first row as
    /// text; empty without a row.
    pub(crate) fn once(&mut self, sql: &str) -> Result<String, Failure> {
        let sql = CString::new(sql).map_err(|_| Failure {
            code: ffi::SQLITE_MISUSE,
            errno: None,
            message: "a null byte in a statement".into(),
        })?;
        Self::forget_errno();
        let prepared = match self.prepare(&sql) {
            Err(failure) if failure.is_about_schema() => self.prepare(&sql),
            other => other,
        };
        let statement = prepared?;
        // SAFETY: the statement was just prepared on this handle and is finalised once, below; the
        // text of a column stays until then, ends in a null byte, or is null.
        let (code, text) = unsafe {
            let code = ffi::sqlite3_step(statement);
            let text = match code {
                ffi::SQLITE_ROW => ffi::sqlite3_column_text(statement, 0),
                _ => ptr::null(),
            };
            let text = (!text.is_null())
                .then(|| CStr::from_ptr(text.cast()).to_string_lossy().into_owned());
            (code, text.unwrap_or_default())
        };
        let result = self.check(code);
        // SAFETY: as above; it is not used afterwards.
        unsafe { ffi::sqlite3_finalize(statement) };
        result.map(|()| text)
    }

    fn prepare(&self, sql: &CStr) -> Result<*mut sqlite3_stmt, Failure> {
        let mut statement = ptr::null_mut();
        // SAFETY: the string ends in a null byte; `statement` is a place to write to.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                self.raw(),
                sql.as_ptr(),
                -1,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &raw mut statement,
                ptr::null_mut(),
            )
        };
        self.check(code).map(|()| statement)
    }

    /// Runs a statement to its end.
    pub(crate) fn run(&mut self, sql: Sql, values: &[Value<'_>]) -> Result<(), Failure> {
        self.row(sql, values, |_| ()).map(|_| ())
    }

    /// Runs a statement and shows the blob in the first column of its first row, if it has one.
    pub(crate) fn row<T>(
        &mut self,
        sql: Sql,
        values: &[Value<'_>],
        show: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, Failure> {
        Self::forget_errno();
        let index = sql as usize;
        if self.statements[index].is_null() {
            self.statements[index] = self.prepare(SQL[index])?;
        }
        let statement = self.statements[index];
        self.bind(statement, values)?;
        // SAFETY: invariant 2; the bytes of a column stay until the statement is reset, below.
        let code = unsafe { ffi::sqlite3_step(statement) };
        let mut shown = None;
        if code == ffi::SQLITE_ROW {
            // SAFETY: the same. The length is asked for after the blob, as `sqlite3.h` demands.
            let bytes = unsafe {
                let blob = ffi::sqlite3_column_blob(statement, 0).cast::<u8>();
                let length = ffi::sqlite3_column_bytes(statement, 0);
                match (NonNull::new(blob.cast_mut()), usize::try_from(length)) {
                    (Some(blob), Ok(length)) => std::slice::from_raw_parts(blob.as_ptr(), length),
                    _ => &[],
                }
            };
            shown = Some(show(bytes));
        }
        let result = self.check(code);
        // SAFETY: invariant 2 holds again after it, and no binding outlives what it points to.
        unsafe {
            ffi::sqlite3_reset(statement);
            ffi::sqlite3_clear_bindings(statement);
        }
        result.map(|()| shown)
    }

    fn bind(&self, statement: *mut sqlite3_stmt, values: &[Value<'_>]) -> Result<(), Failure> {
        for (place, value) in (1..).zip(values) {
            // SAFETY: a statement of this handle that is not stepping. The bytes stay where they
            // are until `step` has cleared the bindings, so SQLite need not copy them
            // (SQLITE_STATIC, the null destructor).
            let code = unsafe {
                match *value {
                    Value::Page(number) => {
                        ffi::sqlite3_bind_int64(statement, place, i64::from(number))
                    }
                    Value::Bytes(bytes) => ffi::sqlite3_bind_blob64(
                        statement,
                        place,
                        bytes.as_ptr().cast(),
                        bytes.len() as u64,
                        ffi::SQLITE_STATIC(),
                    ),
                    Value::Zeros(count) => {
                        ffi::sqlite3_bind_zeroblob64(statement, place, u64::from(count))
                    }
                }
            };
            self.check(code)?;
        }
        Ok(())
    }

    /// Forgets the pages that no transaction holds, and what SQLite has read out of them: it does
    /// not look again at a page that is written through `sqlite_dbpage`.
    pub(crate) fn forget_pages(&mut self) {
        // SAFETY: the handle is open. That there is nothing to forget is no failure.
        unsafe { ffi::sqlite3_db_release_memory(self.raw()) };
    }

    /// Whether a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_get_autocommit(self.raw()) == 0 }
    }

    /// What names the snapshot that this connection reads: one copy of the wal-index header
    /// (`sqlite3_snapshot_get`). A transaction has to be open. `None` where the log never had a
    /// frame.
    pub(crate) fn snapshot(&mut self) -> Result<Option<[u8; COPY_BYTES]>, Failure> {
        let mut snapshot = ptr::null_mut();
        // SAFETY: the handle is open; `snapshot` is a place to write to.
        let code =
            unsafe { ffi::sqlite3_snapshot_get(self.raw(), MAIN.as_ptr(), &raw mut snapshot) };
        let Some(snapshot) = NonNull::new(snapshot) else {
            return match code {
                ffi::SQLITE_ERROR => Ok(None),
                _ => Err(self.failure(code)),
            };
        };
        // SAFETY: SQLite gave it to us; it holds as many bytes (checked below, when compiled), and
        // is freed once.
        let bytes = unsafe {
            let bytes = snapshot.as_ref().hidden;
            ffi::sqlite3_snapshot_free(snapshot.as_ptr());
            bytes
        };
        const { assert!(size_of::<ffi::sqlite3_snapshot>() == COPY_BYTES) };
        Ok(Some(bytes))
    }

    /// The file object of the database itself, never null once a connection is open.
    fn file(&self) -> Result<NonNull<sqlite3_file>, Failure> {
        let mut file: *mut sqlite3_file = ptr::null_mut();
        // SAFETY: this control writes one pointer to where it is told.
        let code = unsafe {
            ffi::sqlite3_file_control(
                self.raw(),
                MAIN.as_ptr(),
                ffi::SQLITE_FCNTL_FILE_POINTER,
                (&raw mut file).cast::<c_void>(),
            )
        };
        self.check(code)?;
        NonNull::new(file).ok_or_else(|| self.no_method("file"))
    }

    fn no_method(&self, what: &str) -> Failure {
        let message = format!("SQLite's file object has no {what}");
        Failure { code: ffi::SQLITE_MISUSE, errno: None, message }
    }

    /// Both copies of the wal-index header, as they are in shared memory now: the first is read,
    /// then a barrier, then the second, as `walIndexTryHdr` does. No system call. `None` where
    /// there is no wal-index yet.
    pub(crate) fn wal_index_copies(&self) -> Result<Option<[[u8; COPY_BYTES]; 2]>, Failure> {
        let file = self.file()?;
        let mut region: *mut c_void = ptr::null_mut();
        // SAFETY: the file object lives as long as the connection, and so do its methods. The
        // call, with the size that SQLite itself uses, extends nothing and writes one pointer.
        let (code, barrier) = unsafe {
            let Some(methods) = file.as_ref().pMethods.as_ref() else {
                return Err(self.no_method("methods"));
            };
            let (Some(map), Some(barrier)) = (methods.xShmMap, methods.xShmBarrier) else {
                return Err(self.no_method("shared memory"));
            };
            (map(file.as_ptr(), 0, REGION_BYTES, 0, &raw mut region), barrier)
        };
        self.check(code)?;
        let Some(region) = NonNull::new(region) else { return Ok(None) };
        let mut copies = [[0; COPY_BYTES]; 2];
        for (number, copy) in copies.iter_mut().enumerate() {
            for (index, bytes) in copy.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                // SAFETY: a region has 32768 bytes, is aligned to a page, and stays mapped as long
                // as the connection is open. Other processes write it at the same time, so it is
                // only read by volatile loads of whole words, as SQLite does.
                let word = unsafe {
                    let words = region.as_ptr().cast::<u32>();
                    words.add(number * COPY_BYTES / 4 + index).read_volatile()
                };
                *bytes = word.to_ne_bytes();
            }
            // SAFETY: a barrier changes nothing.
            unsafe { barrier(file.as_ptr()) };
        }
        Ok(Some(copies))
    }

    /// Reads bytes of the database file by this connection's own file object. What lies behind
    /// the end of the file is zero, as SQLite has it (`readDbPage` in pager.c).
    pub(crate) fn read_file(&mut self, offset: u64, into: &mut [u8]) -> Result<(), Failure> {
        let file = self.file()?;
        let (Ok(length), Ok(offset)) = (c_int::try_from(into.len()), i64::try_from(offset)) else {
            return Err(self.no_method("bytes so far away"));
        };
        let mut errno: c_int = 0;
        // SAFETY: file object and methods live as long as the connection; `into` has `length`
        // bytes; the second control writes one int.
        let code = unsafe {
            let Some(methods) = file.as_ref().pMethods.as_ref() else {
                return Err(self.no_method("methods"));
            };
            let (Some(read), Some(control)) = (methods.xRead, methods.xFileControl) else {
                return Err(self.no_method("read"));
            };
            let code = read(file.as_ptr(), into.as_mut_ptr().cast(), length, offset);
            if code != ffi::SQLITE_OK {
                let place = (&raw mut errno).cast::<c_void>();
                control(file.as_ptr(), ffi::SQLITE_FCNTL_LAST_ERRNO, place);
            }
            code
        };
        match code {
            ffi::SQLITE_OK | ffi::SQLITE_IOERR_SHORT_READ => Ok(()),
            code => Err(Failure {
                code: of_reading(code),
                errno: (errno != 0).then_some(errno),
                message: format!("{} bytes at {offset} cannot be read", into.len()),
            }),
        }
    }

    /// Copies frames into the database; the `Err` may be BUSY, the counts are there all the same.
    pub(crate) fn checkpoint(
        &mut self,
        mode: CheckpointMode,
    ) -> (Result<(), Failure>, Checkpointed) {
        let mode = match mode {
            CheckpointMode::Passive => ffi::SQLITE_CHECKPOINT_PASSIVE,
            CheckpointMode::Full => ffi::SQLITE_CHECKPOINT_FULL,
            CheckpointMode::Restart => ffi::SQLITE_CHECKPOINT_RESTART,
            CheckpointMode::Truncate => ffi::SQLITE_CHECKPOINT_TRUNCATE,
        };
        let (mut frames, mut done): (c_int, c_int) = (-1, -1);
        // SAFETY: the handle is open; both are places for an int.
        let code = unsafe {
            ffi::sqlite3_wal_checkpoint_v2(
                self.raw(),
                MAIN.as_ptr(),
                mode,
                &raw mut frames,
                &raw mut done,
            )
        };
        let result = self.check(code);
        let busy = result.as_ref().is_err_and(|failure| failure.primary() == ffi::SQLITE_BUSY);
        // -1 where SQLite did not come to count.
        let count = |frames: c_int| u32::try_from(frames).unwrap_or(0);
        let (log_frames, checkpointed_frames) = (count(frames), count(done));
        (result, Checkpointed { busy, log_frames, checkpointed_frames })
    }

    /// The name that SQLite gives the log of this database.
    pub(crate) fn log_path(&self) -> Option<PathBuf> {
        // SAFETY: the name of the main database of an open handle is the one kind of name that
        // `sqlite3_filename_wal` takes; its answer stays as long as the handle, and is copied.
        unsafe {
            let name = ffi::sqlite3_db_filename(self.raw(), MAIN.as_ptr());
            if name.is_null() {
                return None;
            }
            let log = ffi::sqlite3_filename_wal(name);
            let bytes = (!log.is_null()).then(|| CStr::from_ptr(log).to_bytes())?;
            (!bytes.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(bytes)))
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: invariants 1 and 2; nothing is used afterwards. Null is allowed.
        unsafe {
            for statement in self.statements {
                ffi::sqlite3_finalize(statement);
            }
            ffi::sqlite3_close(self.raw());
        }
    }
}

/// How many of the free pages SQLite takes out of the file when it commits.
unsafe extern "C" fn no_free_pages(
    _argument: *mut c_void,
    _schema: *const c_char,
    _size_pages: c_uint,
    _free_pages: c_uint,
    _page_size_bytes: c_uint,
) -> c_uint {
    0
}

/// Whether the library was built with an option, such as `ENABLE_SNAPSHOT`.
pub(crate) fn is_built_with(option: &CStr) -> bool {
    // SAFETY: the string ends in a null byte.
    unsafe { ffi::sqlite3_compileoption_used(option.as_ptr()) != 0 }
}

//! The methods of files.

use super::abi::{File, Methods};
use super::busy::{self, BusyHandler};
use super::vfs::bytes;
use super::{Host, NOTFOUND, OK, TOLD_BUSY, guarded};
use crate::file::OpenFile;
use crate::groups::{self, AtOwner};
use libc::{c_char, c_int, c_void};
use std::ffi::CStr;
use std::slice;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tombolo_core::facade::pragma::Pragma;
use tombolo_core::facade::waiting::Waited;
use tombolo_core::facade::{Lock, Refusal, Unlock};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_door::{Door, ReadOutcome};

/// `SQLITE_IOERR_SHORT_READ`.
const SHORT_READ: c_int = 522;
/// Bytes of a sector, as of a disk of old; journals are laid out by it, and these never reach one.
const SECTOR_BYTES: c_int = 512;

/// Lock levels (`sqlite3.h`).
mod level {
    pub(super) const NONE: i32 = 0;
    pub(super) const SHARED: i32 = 1;
    pub(super) const RESERVED: i32 = 2;
}

/// Opcodes of `xFileControl` (`sqlite3.h`).
mod opcode {
    pub(super) const LOCKSTATE: i32 = 1;
    pub(super) const LAST_ERRNO: i32 = 4;
    pub(super) const SIZE_HINT: i32 = 5;
    pub(super) const BUSYHANDLER: i32 = 15;
    pub(super) const CHUNK_SIZE: i32 = 6;
    pub(super) const OVERWRITE: i32 = 11;
    pub(super) const VFSNAME: i32 = 12;
    pub(super) const PRAGMA: i32 = 14;
    pub(super) const MMAP_SIZE: i32 = 18;
    pub(super) const HAS_MOVED: i32 = 20;
    pub(super) const SYNC: i32 = 21;
    pub(super) const COMMIT_PHASETWO: i32 = 22;
}

pub(super) static METHODS: Methods = Methods {
    version: 1,
    close,
    read,
    write,
    truncate,
    sync,
    file_size,
    lock,
    unlock,
    check_reserved_lock,
    file_control,
    sector_size,
    device_characteristics,
};

/// What is behind a file handle of SQLite.
#[derive(Debug)]
pub(super) struct State {
    pub(super) host: &'static Host,
    pub(super) file: Arc<Mutex<OpenFile>>,
    /// The process that opened it. After a fork the connection is the parent's.
    pub(super) process: u32,
    /// Where SQLite has its name, by which its companions are known while it is open.
    pub(super) name: usize,
    /// The lock that SQLite has, as it counts them, for `SQLITE_FCNTL_LOCKSTATE`.
    pub(super) level: AtomicI32,
    /// The connection's, if SQLite has told it.
    pub(super) busy_handler: OnceLock<BusyHandler>,
    /// The super-journal of the transaction that has ended; empty without one.
    pub(super) group: Mutex<Vec<u8>>,
    /// While it is a database.
    pub(super) _at_owner: Option<AtOwner>,
}

impl State {
    fn file(&self) -> MutexGuard<'_, OpenFile> {
        // A call that panicked has told SQLite so; the facade bears any order of calls.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn group(&self) -> MutexGuard<'_, Vec<u8>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on its door, if it is a database.
    pub(super) fn door<T>(&self, run: impl FnOnce(&mut Door) -> T) -> Option<T> {
        match &mut *self.file() {
            OpenFile::Database(door) => Some(run(door)),
            OpenFile::Scratch(_) | OpenFile::SuperJournal { .. } => None,
        }
    }

    /// Runs a call of the process that opened the file.
    fn call(&self, run: impl FnOnce(&mut OpenFile) -> Result<c_int, Refusal>) -> c_int {
        if self.process != std::process::id() {
            let message = "the file was opened before a fork, and belongs to the parent";
            return self.host.refused(&Refusal::new(ResultCode::IOERR, message));
        }
        match run(&mut self.file()) {
            Ok(code) => code,
            Err(refusal) => self.host.refused(&refusal),
        }
    }
}

/// The state of an open file.
///
/// # Safety
/// As SQLite calls methods: `file` is open, and no other thread uses it.
unsafe fn state<'a>(file: *mut File) -> &'a State {
    // SAFETY: by the caller's promise and the invariant of `File`, it is written.
    unsafe { (*file).state.assume_init_ref() }
}

unsafe extern "C" fn close(file: *mut File) -> c_int {
    guarded(|| {
        // SAFETY: SQLite closes an open file once, and does not use it afterwards.
        let state = unsafe {
            (*file).methods = std::ptr::null();
            (*file).state.assume_init_read()
        };
        state.host.closed(state.name);
        if state.process != std::process::id() {
            // The connection is the parent's; to close the copy of its descriptor is harmless,
            // but what would be said over it is not.
            std::mem::forget(state);
        }
        OK
    })
}

unsafe extern "C" fn read(file: *mut File, into: *mut c_void, count: c_int, offset: i64) -> c_int {
    guarded(|| {
        let (Ok(length), Ok(offset)) = (usize::try_from(count), u64::try_from(offset)) else {
            return ResultCode::IOERR.number().into();
        };
        // SAFETY: SQLite gives room for `count` bytes, and an open file.
        let (state, into) =
            unsafe { (state(file), slice::from_raw_parts_mut(into.cast::<u8>(), length)) };
        state.call(|open| {
            Ok(match open.read(offset, into)? {
                ReadOutcome::Whole => OK,
                ReadOutcome::Short => SHORT_READ,
            })
        })
    })
}

unsafe extern "C" fn write(
    file: *mut File,
    bytes: *const c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    guarded(|| {
        let (Ok(length), Ok(offset)) = (usize::try_from(count), u64::try_from(offset)) else {
            return ResultCode::IOERR.number().into();
        };
        // SAFETY: SQLite gives `count` bytes, and an open file.
        let (state, bytes) =
            unsafe { (state(file), slice::from_raw_parts(bytes.cast::<u8>(), length)) };
        state.call(|open| open.write(offset, bytes).map(|()| OK))
    })
}

unsafe extern "C" fn truncate(file: *mut File, size: i64) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let state = unsafe { state(file) };
        state.call(|open| open.truncate(u64::try_from(size).unwrap_or(0)).map(|()| OK))
    })
}

unsafe extern "C" fn sync(file: *mut File, _flags: c_int) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let state = unsafe { state(file) };
        state.call(|open| open.sync().map(|()| OK))
    })
}

unsafe extern "C" fn file_size(file: *mut File, size: *mut i64) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let state = unsafe { state(file) };
        state.call(|open| {
            let bytes = i64::try_from(open.size_bytes()?).unwrap_or(i64::MAX);
            // SAFETY: and a place for the size.
            unsafe { *size = bytes };
            Ok(OK)
        })
    })
}

unsafe extern "C" fn lock(file: *mut File, wanted: c_int) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let state = unsafe { state(file) };
        let level = wanted;
        let wanted = match wanted {
            level::NONE => return OK,
            level::SHARED => Lock::Shared,
            level::RESERVED => Lock::Reserved,
            _ => Lock::Exclusive,
        };
        TOLD_BUSY.take();
        let ask = || {
            state.call(|open| match open {
                OpenFile::Database(door) => door.lock(wanted).map(|()| OK),
                OpenFile::Scratch(_) | OpenFile::SuperJournal { .. } => Ok(OK),
            })
        };
        let mut code = ask();
        if is_busy(code) && level == level::RESERVED {
            // SAFETY: this is SQLite's call for the lock.
            match unsafe { busy::wait(state) } {
                Ok(Waited::Granted) => code = ask(),
                Ok(Waited::Offered | Waited::InVain) => {}
                Err(refusal) => code = state.host.refused(&refusal),
            }
        }
        if is_busy(code) {
            TOLD_BUSY.set(Arc::downgrade(&state.file));
        }
        if code == OK {
            state.level.fetch_max(level, Ordering::Relaxed);
        }
        code
    })
}

fn is_busy(code: c_int) -> bool {
    code & 0xff == c_int::from(ResultCode::BUSY.number())
}

unsafe extern "C" fn unlock(file: *mut File, kept: c_int) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let state = unsafe { state(file) };
        state.level.fetch_min(kept, Ordering::Relaxed);
        let kept = if kept == level::NONE { Unlock::ToNone } else { Unlock::ToShared };
        let group = std::mem::take(&mut *state.group());
        if !group.is_empty()
            && let Err(refusal) = groups::left(&group, &state.file)
        {
            // It is left behind, and names nothing that SQLite would look for.
            state.host.refused(&refusal);
        }
        state.call(|open| match open {
            OpenFile::Database(door) => door.unlock(kept).map(|()| OK),
            OpenFile::Scratch(_) | OpenFile::SuperJournal { .. } => Ok(OK),
        })
    })
}

/// Asked before a journal is played back, of which there is none.
unsafe extern "C" fn check_reserved_lock(_file: *mut File, answer: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *answer = 0 };
    OK
}

unsafe extern "C" fn sector_size(_file: *mut File) -> c_int {
    SECTOR_BYTES
}

unsafe extern "C" fn device_characteristics(_file: *mut File) -> c_int {
    0
}

unsafe extern "C" fn file_control(file: *mut File, code: c_int, argument: *mut c_void) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives an open file.
        let state = unsafe { state(file) };
        match code {
            opcode::SYNC => state.call(|open| {
                // SAFETY: its argument is null or the name of a super-journal.
                let group = unsafe { bytes(argument.cast::<c_char>()) };
                match open {
                    OpenFile::Database(door) if group.is_empty() => door.sync()?,
                    OpenFile::Database(door) => {
                        *state.group() = group.to_vec();
                        groups::sync(group, &state.file, door)?;
                    }
                    OpenFile::Scratch(_) | OpenFile::SuperJournal { .. } => {}
                }
                Ok(OK)
            }),
            // SAFETY: its argument is an array of four texts (`SQLITE_FCNTL_PRAGMA`).
            opcode::PRAGMA => unsafe { pragma(state, argument.cast::<*mut c_char>()) },
            opcode::VFSNAME => {
                // SAFETY: its argument is a place for a text in SQLite's memory.
                unsafe { *argument.cast::<*mut c_char>() = state.host.text("tombolo") };
                OK
            }
            opcode::BUSYHANDLER => {
                // SAFETY: its argument is a function and its argument, which the pager keeps.
                if let Some(handler) = unsafe { BusyHandler::of(argument.cast()) } {
                    let _ = state.busy_handler.set(handler);
                }
                OK
            }
            opcode::HAS_MOVED => {
                // SAFETY: its argument is a place for a number.
                unsafe { *argument.cast::<c_int>() = 0 };
                OK
            }
            opcode::MMAP_SIZE => {
                // SAFETY: its argument is a place for a number: how much is mapped at most.
                unsafe { *argument.cast::<i64>() = 0 };
                OK
            }
            opcode::LOCKSTATE => {
                // SAFETY: its argument is a place for a number.
                unsafe { *argument.cast::<c_int>() = state.level.load(Ordering::Relaxed) };
                OK
            }
            opcode::LAST_ERRNO => {
                let errno = super::LAST_ERROR.with_borrow(|last| last.0);
                // SAFETY: its argument is a place for a number.
                unsafe { *argument.cast::<c_int>() = errno };
                OK
            }
            opcode::SIZE_HINT
            | opcode::CHUNK_SIZE
            | opcode::OVERWRITE
            | opcode::COMMIT_PHASETWO => OK,
            _ => NOTFOUND,
        }
    })
}

/// The text at a place of a PRAGMA's arguments.
///
/// # Safety
/// `text` is null or ends in NUL, and lives for the call.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// # Safety
/// `arguments` are four texts: a place for the answer, the name, its argument or null, and null.
unsafe fn pragma(state: &State, arguments: *mut *mut c_char) -> c_int {
    // SAFETY: the caller's promise.
    let (name, argument) =
        unsafe { (text(arguments.add(1).read()), text(arguments.add(2).read())) };
    let Some(name) = name else { return NOTFOUND };
    let answer = |text: &str| {
        // SAFETY: the first place is for the answer, in SQLite's memory.
        unsafe { *arguments = state.host.text(text) };
        OK
    };
    state.call(|open| {
        let OpenFile::Database(door) = open else { return Ok(NOTFOUND) };
        Ok(match door.pragma(name, argument) {
            Pragma::Passed => NOTFOUND,
            Pragma::Answered(text) => answer(text),
            Pragma::Swallowed => OK,
            Pragma::Checkpoint(mode) => {
                // Its row has three columns, an answer from here has one.
                door.checkpoint(mode)?;
                NOTFOUND
            }
            Pragma::Status => answer(&String::from_utf8_lossy(&door.status()?)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each would make SQLite leave out a step by which it tells of a commit, and 1 is the version
    /// without shared memory.
    #[test]
    fn nothing_is_promised_of_the_device() {
        // SAFETY: neither looks at the file.
        let (device, sector) = unsafe {
            let none = std::ptr::null_mut();
            (device_characteristics(none), sector_size(none))
        };
        assert_eq!((device, sector, METHODS.version), (0, SECTOR_BYTES, 1));
    }
}

//! The methods of the VFS.

use super::abi::{File, NAME, Symbol, Vfs};
use super::methods::{METHODS, State};
use super::{ERROR, Host, LAST_ERROR, OK, TOLD_BUSY, guarded};
use crate::file::{OpenFile, Said, open_database};
use crate::groups::{self, AtOwner};
use crate::names::{self, Kind};
use crate::scratch::Scratch;
use libc::{c_char, c_int, c_void};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tombolo_core::facade::{Lock, Refusal};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::limits::PATH_BYTES_MAX;
use tombolo_core::wire::request::Access;

/// Flags of `xOpen` (`sqlite3.h`).
pub(super) mod flag {
    pub(in super::super) const READONLY: i32 = 0x1;
    pub(in super::super) const CREATE: i32 = 0x4;
    pub(in super::super) const MAIN_DB: i32 = 0x100;
    pub(in super::super) const SUPER_JOURNAL: i32 = 0x4000;
    pub(in super::super) const WAL: i32 = 0x8_0000;
}

pub(super) fn new(host: &'static Host) -> Vfs {
    Vfs {
        version: 2,
        file_bytes: c_int::try_from(size_of::<File>()).unwrap_or(c_int::MAX),
        path_bytes_max: c_int::try_from(PATH_BYTES_MAX).unwrap_or(c_int::MAX),
        next: std::ptr::null_mut(),
        name: NAME.as_ptr(),
        data: (&raw const *host).cast(),
        open: Some(open),
        delete: Some(delete),
        access: Some(access),
        full_pathname: Some(full_pathname),
        dl_open: Some(dl_open),
        dl_error: Some(dl_error),
        dl_sym: Some(dl_sym),
        dl_close: Some(dl_close),
        randomness: Some(randomness),
        sleep: Some(sleep),
        current_time: Some(current_time),
        get_last_error: Some(get_last_error),
        current_time_int64: Some(current_time_int64),
    }
}

/// What a VFS was registered with.
///
/// # Safety
/// `vfs` is one that [`new`] made.
unsafe fn host(vfs: *mut Vfs) -> &'static Host {
    // SAFETY: the caller's promise; hosts live as long as the process.
    unsafe { &*(*vfs).data.cast::<Host>() }
}

/// The bytes of a path, none of a null pointer.
///
/// # Safety
/// `path` is null, or ends in NUL and lives as long as is wanted.
pub(super) unsafe fn bytes<'a>(path: *const c_char) -> &'a [u8] {
    if path.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(path) }.to_bytes()
}

unsafe extern "C" fn open(
    vfs: *mut Vfs,
    name: *const c_char,
    file: *mut File,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite calls with our VFS, and as `open_at_owner` asks for it.
        unsafe { open_at_owner(host(vfs), name, file, flags, flags_out, None) }
    })
}

/// Opens a file here: a main database at its owner, `address` if that is known, anything else
/// as what nobody else sees.
///
/// # Safety
/// As SQLite calls `xOpen`: there is room for a [`File`], `name` is SQLite's own, `flags_out` null
/// or a place for flags.
pub(super) unsafe fn open_at_owner(
    host: &'static Host,
    name: *const c_char,
    file: *mut File,
    flags: c_int,
    flags_out: *mut c_int,
    address: Option<&[u8]>,
) -> c_int {
    // SAFETY: SQLite gives room for a file. Without methods it is not closed.
    unsafe { (*file).methods = std::ptr::null() };
    let opened = if flags & flag::MAIN_DB != 0 {
        // SAFETY: the name of a main database is SQLite's own, with its parameters behind it.
        unsafe { open_main(host, name, flags, address) }
    } else if flags & flag::WAL != 0 {
        // There is none: the file shows a rollback journal.
        Err(Refusal::new(ResultCode::CANTOPEN, "there is no log here"))
    } else if flags & flag::SUPER_JOURNAL != 0 && flags & flag::CREATE != 0 {
        // SAFETY: SQLite gives a path.
        let path = unsafe { bytes(name) };
        let names = Scratch::default();
        groups::begin(path).map(|()| OpenFile::SuperJournal { path: path.to_vec(), names })
    } else {
        Ok(OpenFile::Scratch(Scratch::default()))
    };
    match opened {
        Ok(open) => {
            // SAFETY: the name of a main database is SQLite's own.
            let at_owner =
                (flags & flag::MAIN_DB != 0).then(|| AtOwner::new(unsafe { bytes(name) }));
            let file_state = State {
                host,
                file: Arc::new(Mutex::new(open)),
                process: std::process::id(),
                name: name.addr(),
                level: AtomicI32::new(0),
                busy_handler: OnceLock::new(),
                group: Mutex::default(),
                _at_owner: at_owner,
            };
            // SAFETY: SQLite gives room for a file, and a place for flags or null.
            unsafe {
                (*file).state = MaybeUninit::new(file_state);
                (*file).methods = &raw const METHODS;
                if !flags_out.is_null() {
                    *flags_out = flags;
                }
            }
            OK
        }
        Err(refusal) => host.refused(&refusal),
    }
}

/// # Safety
/// `name` is the name that SQLite gives for a main database (`sqlite3_filename`).
unsafe fn open_main(
    host: &Host,
    name: *const c_char,
    flags: c_int,
    address: Option<&[u8]>,
) -> Result<OpenFile, Refusal> {
    let parameter = |key: &CStr| match host.routines.uri_parameter {
        // SAFETY: SQLite's own function on its own name; it lives until the file is closed.
        Some(find) if !name.is_null() => unsafe {
            let value = find(name, key.as_ptr());
            (!value.is_null()).then(|| bytes(value))
        },
        _ => None,
    };
    let is_set = |key: &CStr| {
        let value = parameter(key).unwrap_or_default().to_ascii_lowercase();
        matches!(value.as_slice(), b"1" | b"true" | b"yes" | b"on")
    };
    if is_set(c"nolock") {
        let message = "nolock=1 is refused: the owner serves transactions only";
        return Err(Refusal::new(ResultCode::CANTOPEN, message));
    }
    let is_immutable = is_set(c"immutable");
    let access = if flags & flag::READONLY != 0 || is_immutable {
        Access::Read
    } else if flags & flag::CREATE != 0 {
        Access::Create
    } else {
        Access::Write
    };
    // SAFETY: the caller's promise.
    let path = unsafe { bytes(name) };
    let said =
        Said { owner: parameter(c"owner").or(address), credentials: parameter(c"credentials") };
    let mut door = open_database(path, said, access)?;
    if is_immutable {
        // SQLite takes no locks then: one version for as long as the file is open.
        door.lock(Lock::Shared)?;
    }
    Ok(OpenFile::Database(Box::new(door)))
}

/// Deletes a super-journal, if the path names one.
pub(super) fn delete_group(host: &Host, path: &[u8], sync: c_int) -> Option<c_int> {
    if !groups::exists(path) {
        return None;
    }
    let ended = if sync == 0 { groups::forget(path) } else { groups::commit(path) };
    Some(match ended {
        Ok(()) => OK,
        Err(refusal) => host.refused(&refusal),
    })
}

unsafe extern "C" fn delete(vfs: *mut Vfs, name: *const c_char, sync: c_int) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives our VFS and a path.
        let (host, path) = unsafe { (host(vfs), bytes(name)) };
        if let Some(code) = delete_group(host, path, sync) {
            return code;
        }
        if names::kind(path) == Kind::Companion {
            return OK;
        }
        // SAFETY: the stock VFS is registered, and gets what we got.
        unsafe { (*host.stock).delete.map_or(ERROR, |delete| delete(host.stock, name, sync)) }
    })
}

unsafe extern "C" fn access(
    vfs: *mut Vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives our VFS and a path.
        let (host, path) = unsafe { (host(vfs), bytes(name)) };
        if names::kind(path) == Kind::Companion {
            // SAFETY: and a place for the answer.
            unsafe { *answer = groups::exists(path).into() };
            return OK;
        }
        // SAFETY: the stock VFS is registered, and gets what we got.
        unsafe {
            (*host.stock).access.map_or(ERROR, |access| access(host.stock, name, flags, answer))
        }
    })
}

unsafe extern "C" fn full_pathname(
    vfs: *mut Vfs,
    name: *const c_char,
    room: c_int,
    into: *mut c_char,
) -> c_int {
    guarded(|| {
        // SAFETY: SQLite gives our VFS and a path.
        let (host, path) = unsafe { (host(vfs), bytes(name)) };
        let directory = std::env::current_dir().unwrap_or_default();
        let whole = names::absolute(path, directory.as_os_str().as_encoded_bytes());
        if usize::try_from(room).unwrap_or(0) <= whole.len() {
            let message = "the path is too long";
            return host.refused(&Refusal::new(ResultCode::CANTOPEN, message));
        }
        // SAFETY: SQLite gives room for `room` bytes, and the path and its NUL are no longer.
        unsafe {
            std::ptr::copy_nonoverlapping(whole.as_ptr(), into.cast::<u8>(), whole.len());
            *into.add(whole.len()) = 0;
        }
        OK
    })
}

unsafe extern "C" fn dl_open(vfs: *mut Vfs, name: *const c_char) -> *mut c_void {
    // SAFETY: the stock VFS is registered, and gets what we got.
    unsafe {
        let stock = host(vfs).stock;
        (*stock).dl_open.map_or(std::ptr::null_mut(), |open| open(stock, name))
    }
}

unsafe extern "C" fn dl_error(vfs: *mut Vfs, room: c_int, into: *mut c_char) {
    // SAFETY: the stock VFS is registered, and gets what we got.
    unsafe {
        let stock = host(vfs).stock;
        if let Some(error) = (*stock).dl_error {
            error(stock, room, into);
        }
    }
}

unsafe extern "C" fn dl_sym(
    vfs: *mut Vfs,
    handle: *mut c_void,
    name: *const c_char,
) -> Option<Symbol> {
    // SAFETY: the stock VFS is registered, and gets what we got.
    unsafe {
        let stock = host(vfs).stock;
        (*stock).dl_sym.and_then(|find| find(stock, handle, name))
    }
}

unsafe extern "C" fn dl_close(vfs: *mut Vfs, handle: *mut c_void) {
    // SAFETY: the stock VFS is registered, and gets what we got.
    unsafe {
        let stock = host(vfs).stock;
        if let Some(close) = (*stock).dl_close {
            close(stock, handle);
        }
    }
}

unsafe extern "C" fn randomness(vfs: *mut Vfs, count: c_int, into: *mut c_char) -> c_int {
    // SAFETY: the stock VFS is registered, and gets what we got.
    unsafe {
        let stock = host(vfs).stock;
        (*stock).randomness.map_or(0, |fill| fill(stock, count, into))
    }
}

/// Where this thread was told last that somebody else is writing, it waits for the turn, at most as
/// long as asked; else it sleeps.
unsafe extern "C" fn sleep(vfs: *mut Vfs, microseconds: c_int) -> c_int {
    if waited_for_turn(microseconds) {
        return microseconds;
    }
    // SAFETY: the stock VFS is registered, and gets what we got.
    unsafe {
        let stock = host(vfs).stock;
        (*stock).sleep.map_or(0, |sleep| sleep(stock, microseconds))
    }
}

/// Whether the turn was waited for, which took as long as sleeping would have.
pub(super) fn waited_for_turn(microseconds: c_int) -> bool {
    let waited = guarded(|| {
        let Some(file) = TOLD_BUSY.take().upgrade() else { return ERROR };
        let Ok(mut file) = file.try_lock() else { return ERROR };
        let OpenFile::Database(door) = &mut *file else { return ERROR };
        let time = Duration::from_micros(u64::try_from(microseconds).unwrap_or(0));
        if door.sleep(time) { OK } else { ERROR }
    });
    waited == OK
}

unsafe extern "C" fn current_time(vfs: *mut Vfs, into: *mut f64) -> c_int {
    // SAFETY: the stock VFS is registered, and gets what we got.
    unsafe {
        let stock = host(vfs).stock;
        (*stock).current_time.map_or(ERROR, |time| time(stock, into))
    }
}

pub(super) unsafe extern "C" fn get_last_error(
    _vfs: *mut Vfs,
    room: c_int,
    into: *mut c_char,
) -> c_int {
    let mut errno = 0;
    guarded(|| {
        LAST_ERROR.with_borrow(|(number, text)| {
            errno = *number;
            let Some(most) = usize::try_from(room).unwrap_or(0).checked_sub(1) else { return OK };
            let text = text.as_bytes().get(..most.min(text.len())).unwrap_or_default();
            // SAFETY: SQLite gives room for `room` bytes, and the text and its NUL are no longer.
            unsafe {
                std::ptr::copy_nonoverlapping(text.as_ptr(), into.cast::<u8>(), text.len());
                *into.add(text.len()) = 0;
            }
            OK
        })
    });
    errno
}

unsafe extern "C" fn current_time_int64(vfs: *mut Vfs, into: *mut i64) -> c_int {
    // SAFETY: the stock VFS is registered, and gets what we got; a version 1 has no such field.
    unsafe {
        let stock = host(vfs).stock;
        if (*stock).version < 2 {
            let mut days = 0.0;
            let code = (*stock).current_time.map_or(ERROR, |time| time(stock, &raw mut days));
            *into = (days * 86_400_000.0) as i64;
            return code;
        }
        (*stock).current_time_int64.map_or(ERROR, |time| time(stock, into))
    }
}

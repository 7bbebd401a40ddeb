//! The library as a loadable extension of SQLite, for a SQLite that it does not stand in front of:
//! that of a program that drops `LD_PRELOAD`, or one that was loaded with names of its own
//! (dlmopen(3)).
//!
//! SQLite's VFS for Unix makes its system calls through a table that can be changed
//! (`xSetSystemCall` in `sqlite3.h`, `aSyscall` in `os_unix.c`). The functions of this library are
//! put there, and the same is recorded as through libc, but for syncs: the table has no entry for
//! them.

use super::own::Own;
use super::recorder;
use libc::{c_char, c_int, c_void};
use std::ffi::CStr;

/// `SQLITE_OK_LOAD_PERMANENTLY`: the table points to here for as long as the process lives.
const LOADED: c_int = 256;
/// `SQLITE_ERROR`.
const ERROR: c_int = 1;
/// The version of `sqlite3_vfs` that has the table.
const VFS_WITH_TABLE: c_int = 3;

/// `sqlite3_syscall_ptr`.
type SystemCall = unsafe extern "C" fn();
type FindVfs = unsafe extern "C" fn(*const c_char) -> *mut Vfs;
type Print = unsafe extern "C" fn(*const c_char, ...) -> *mut c_char;
type SetSystemCall = unsafe extern "C" fn(*mut Vfs, *const c_char, Option<SystemCall>) -> c_int;

/// The start of `sqlite3_api_routines` (`sqlite3ext.h`), which only ever grows at its end.
#[repr(C)]
struct Routines {
    before_mprintf: [*const c_void; 69],
    mprintf: Option<Print>,
    between: [*const c_void; 71],
    vfs_find: Option<FindVfs>,
}

/// `sqlite3_vfs` of version 3 (`sqlite3.h`).
#[repr(C)]
struct Vfs {
    version: c_int,
    file_bytes: c_int,
    path_bytes_max: c_int,
    pointers: [*const c_void; 16],
    set_system_call: Option<SetSystemCall>,
}

/// The names in SQLite's table, for which this library has functions.
static NAMES: [&CStr; 12] = [
    c"open",
    c"close",
    c"fcntl",
    c"ftruncate",
    c"unlink",
    c"mmap",
    c"read",
    c"pread",
    c"pread64",
    c"write",
    c"pwrite",
    c"pwrite64",
];

/// The entry point by which SQLite loads the library (`sqlite3_load_extension`, from its name).
///
/// # Safety
/// As SQLite calls it: `routines` is its table of functions, `message` null or a place for a text.
#[unsafe(no_mangle)]
unsafe extern "C" fn sqlite3_tombolopreload_init(
    _database: *mut c_void,
    message: *mut *mut c_char,
    routines: *const Routines,
) -> c_int {
    // SAFETY: the caller's promise.
    let Some(routines) = (unsafe { routines.as_ref() }) else { return ERROR };
    let refused = |text: &CStr| {
        if let (Some(mprintf), false) = (routines.mprintf, message.is_null()) {
            // SAFETY: a format of one text, and a place that the caller gave.
            unsafe { *message = mprintf(c"%s".as_ptr(), text.as_ptr()) };
        }
        ERROR
    };
    if recorder::state().is_none() {
        return refused(c"there is no trace to write: start the program by `tombolo trace`");
    }
    let Some(find) = routines.vfs_find else { return ERROR };
    // SAFETY: SQLite's own function, and a name that ends in NUL.
    let found = unsafe { find(c"unix".as_ptr()) };
    // SAFETY: null or a VFS that is never unregistered, whose first field every version has.
    let version = unsafe { found.cast::<c_int>().as_ref() }.copied();
    if version.is_none_or(|version| version < VFS_WITH_TABLE) {
        return refused(c"this SQLite has no VFS for Unix whose system calls can be recorded");
    }
    // SAFETY: a VFS of a version that has the field.
    let Some(set) = (unsafe { (*found).set_system_call }) else { return ERROR };
    let Some(own) = Own::find() else {
        return refused(c"the library does not find itself");
    };
    for name in NAMES {
        let function = own.function(name);
        // SAFETY: null, or a function, which SQLite calls by the type that it has in C.
        let function = unsafe { std::mem::transmute::<*mut c_void, Option<SystemCall>>(function) };
        if function.is_some() {
            // SAFETY: SQLite's own function. A name that is not in its table changes nothing.
            unsafe { set(found, name.as_ptr(), function) };
        }
    }
    LOADED
}

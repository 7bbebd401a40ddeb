//! The structures of `sqlite3.h` and `sqlite3ext.h`, as far as they are needed. SQLite promises
//! that they only ever grow at their ends.

use libc::{c_char, c_int, c_void};
use std::ffi::CStr;

/// The name of the VFS.
pub(super) const NAME: &CStr = c"tombolo";

pub(super) type Filename = unsafe extern "C" fn(*const c_char) -> *const c_char;
pub(super) type FindVfs = unsafe extern "C" fn(*const c_char) -> *mut Vfs;
pub(super) type RegisterVfs = unsafe extern "C" fn(*mut Vfs, c_int) -> c_int;
pub(super) type Print = unsafe extern "C" fn(*const c_char, ...) -> *mut c_char;
pub(super) type Log = unsafe extern "C" fn(c_int, *const c_char, ...);
pub(super) type UriParameter = unsafe extern "C" fn(*const c_char, *const c_char) -> *const c_char;

/// What is used of `sqlite3_api_routines`.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, expect(dead_code, reason = "the preload is not in unit tests"))]
pub(super) struct Routines {
    pub(super) mprintf: Option<Print>,
    pub(super) vfs_find: Option<FindVfs>,
    pub(super) vfs_register: Option<RegisterVfs>,
    pub(super) log: Option<Log>,
    pub(super) uri_parameter: Option<UriParameter>,
    /// Asked for by who looks symbols up, not read from the table.
    pub(super) filename_journal: Option<Filename>,
    pub(super) filename_wal: Option<Filename>,
}

/// Places in the table, each a pointer wide.
mod place {
    pub(super) const MPRINTF: usize = 69;
    pub(super) const VFS_FIND: usize = 141;
    pub(super) const VFS_REGISTER: usize = 142;
    pub(super) const LOG: usize = 167;
    pub(super) const URI_PARAMETER: usize = 189;
}

impl Routines {
    /// Reads the table; `None` of a null pointer.
    ///
    /// # Safety
    /// `table` is null, or an `sqlite3_api_routines` of SQLite 3.7.16 or later, which has all of
    /// these places.
    pub(super) unsafe fn of(table: *const c_void) -> Option<Self> {
        let table = table.cast::<*const c_void>();
        if table.is_null() {
            return None;
        }
        // SAFETY: the caller's promise: the table is longer than each place.
        let at = |place: usize| unsafe { table.add(place).read() };
        // SAFETY: each place holds null or a function of this type, by `sqlite3ext.h`.
        unsafe {
            Some(Routines {
                mprintf: std::mem::transmute::<*const c_void, Option<Print>>(at(place::MPRINTF)),
                vfs_find: std::mem::transmute::<*const c_void, Option<FindVfs>>(at(
                    place::VFS_FIND,
                )),
                vfs_register: std::mem::transmute::<*const c_void, Option<RegisterVfs>>(at(
                    place::VFS_REGISTER,
                )),
                log: std::mem::transmute::<*const c_void, Option<Log>>(at(place::LOG)),
                uri_parameter: std::mem::transmute::<*const c_void, Option<UriParameter>>(at(
                    place::URI_PARAMETER,
                )),
                filename_journal: None,
                filename_wal: None,
            })
        }
    }
}

/// `sqlite3_vfs`, version 2.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Vfs {
    pub(super) version: c_int,
    pub(super) file_bytes: c_int,
    pub(super) path_bytes_max: c_int,
    pub(super) next: *mut Vfs,
    pub(super) name: *const c_char,
    pub(super) data: *const c_void,
    pub(super) open: Option<
        unsafe extern "C" fn(*mut Vfs, *const c_char, *mut File, c_int, *mut c_int) -> c_int,
    >,
    pub(super) delete: Option<unsafe extern "C" fn(*mut Vfs, *const c_char, c_int) -> c_int>,
    pub(super) access:
        Option<unsafe extern "C" fn(*mut Vfs, *const c_char, c_int, *mut c_int) -> c_int>,
    pub(super) full_pathname:
        Option<unsafe extern "C" fn(*mut Vfs, *const c_char, c_int, *mut c_char) -> c_int>,
    pub(super) dl_open: Option<unsafe extern "C" fn(*mut Vfs, *const c_char) -> *mut c_void>,
    pub(super) dl_error: Option<unsafe extern "C" fn(*mut Vfs, c_int, *mut c_char)>,
    pub(super) dl_sym:
        Option<unsafe extern "C" fn(*mut Vfs, *mut c_void, *const c_char) -> Option<Symbol>>,
    pub(super) dl_close: Option<unsafe extern "C" fn(*mut Vfs, *mut c_void)>,
    pub(super) randomness: Option<unsafe extern "C" fn(*mut Vfs, c_int, *mut c_char) -> c_int>,
    pub(super) sleep: Option<unsafe extern "C" fn(*mut Vfs, c_int) -> c_int>,
    pub(super) current_time: Option<unsafe extern "C" fn(*mut Vfs, *mut f64) -> c_int>,
    pub(super) get_last_error: Option<unsafe extern "C" fn(*mut Vfs, c_int, *mut c_char) -> c_int>,
    pub(super) current_time_int64: Option<unsafe extern "C" fn(*mut Vfs, *mut i64) -> c_int>,
}

/// What `xDlSym` finds.
pub(super) type Symbol = unsafe extern "C" fn();

/// `sqlite3_io_methods`, version 1: no shared memory, no maps.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Methods {
    pub(super) version: c_int,
    pub(super) close: unsafe extern "C" fn(*mut File) -> c_int,
    pub(super) read: unsafe extern "C" fn(*mut File, *mut c_void, c_int, i64) -> c_int,
    pub(super) write: unsafe extern "C" fn(*mut File, *const c_void, c_int, i64) -> c_int,
    pub(super) truncate: unsafe extern "C" fn(*mut File, i64) -> c_int,
    pub(super) sync: unsafe extern "C" fn(*mut File, c_int) -> c_int,
    pub(super) file_size: unsafe extern "C" fn(*mut File, *mut i64) -> c_int,
    pub(super) lock: unsafe extern "C" fn(*mut File, c_int) -> c_int,
    pub(super) unlock: unsafe extern "C" fn(*mut File, c_int) -> c_int,
    pub(super) check_reserved_lock: unsafe extern "C" fn(*mut File, *mut c_int) -> c_int,
    pub(super) file_control: unsafe extern "C" fn(*mut File, c_int, *mut c_void) -> c_int,
    pub(super) sector_size: unsafe extern "C" fn(*mut File) -> c_int,
    pub(super) device_characteristics: unsafe extern "C" fn(*mut File) -> c_int,
}

/// `sqlite3_file`, with what is ours behind it.
///
/// 1. `methods` is null until `state` is written, and then SQLite calls `xClose` once.
#[repr(C)]
#[derive(Debug)]
pub(super) struct File {
    pub(super) methods: *const Methods,
    pub(super) state: std::mem::MaybeUninit<super::methods::State>,
}

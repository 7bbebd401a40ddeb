//! SQLite's C interface: all of it, and all `unsafe` of this crate.
//!
//! * [`abi`]: the structures of `sqlite3.h` and `sqlite3ext.h`.
//! * [`vfs`]: the methods of the VFS.
//! * [`methods`]: the methods of its files.
//! * [`busy`]: waiting for a lock.
//! * `preload`: programs that do not ask for the VFS.
//!
//! Every function that SQLite calls goes through [`guarded`]: a panic becomes `SQLITE_INTERNAL`.

#![allow(unsafe_code)]

mod abi;
mod busy;
mod methods;
// Not in unit tests: the test program's own calls would go through it.
#[cfg(not(test))]
mod preload;
mod vfs;

use abi::{Routines, Vfs};
use libc::{c_char, c_int, c_void};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use tombolo_core::facade::Refusal;
use tombolo_core::sqlite::result_code::ResultCode;

use crate::file::OpenFile;

/// `SQLITE_OK`, and other codes that are not results of a file (`sqlite3.h`).
const OK: c_int = 0;
const ERROR: c_int = 1;
const INTERNAL: c_int = 2;
const NOTFOUND: c_int = 12;
const LOADED: c_int = 256;

/// The environment variable that makes the VFS the default of every connection that is opened
/// later.
const DEFAULT_VARIABLE: &str = "TOMBOLO_DEFAULT";

thread_local! {
    /// What `xGetLastError` tells.
    static LAST_ERROR: RefCell<(c_int, String)> = const { RefCell::new((0, String::new())) };
    /// The file whose transaction was told last, in this thread, that somebody else is writing.
    static TOLD_BUSY: Cell<Weak<Mutex<OpenFile>>> = const { Cell::new(Weak::new()) };
}

/// What a VFS needs of the SQLite that it is registered in: a process can have several.
#[derive(Debug)]
struct Host {
    routines: Routines,
    /// The VFS that was the default, for what has nothing to do with files.
    stock: *mut Vfs,
    /// The main databases that are open at an owner past the program's own choice of a VFS.
    guests: Mutex<Vec<Guest>>,
}

/// Where SQLite has the names of a main database and of its companions: by these it asks for them,
/// while another connection of the process can have a file of the same path at the stock VFS.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Guest {
    path: Vec<u8>,
    database: usize,
    companions: [usize; 2],
}

impl Host {
    /// Writes a line into SQLite's error log (`sqlite3_log`).
    fn log(&self, code: c_int, text: &str) {
        let Some(log) = self.routines.log else { return };
        let mut bytes = text.replace('\0', " ").into_bytes();
        bytes.push(0);
        // SAFETY: a format of one text, and a text that ends in NUL.
        unsafe { log(code, c"%s".as_ptr(), bytes.as_ptr().cast::<c_char>()) };
    }

    fn guests(&self) -> MutexGuard<'_, Vec<Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file is closed whose name is there.
    fn closed(&self, name: usize) {
        self.guests().retain(|guest| guest.database != name);
    }

    /// A copy of a text in SQLite's memory; null where there is none.
    fn text(&self, text: &str) -> *mut c_char {
        let Some(print) = self.routines.mprintf else { return std::ptr::null_mut() };
        let mut bytes = text.replace('\0', " ").into_bytes();
        bytes.push(0);
        // SAFETY: a format of one text, and a text that ends in NUL.
        unsafe { print(c"%s".as_ptr(), bytes.as_ptr().cast::<c_char>()) }
    }

    /// The code of a refusal, which is kept for `xGetLastError` and logged.
    fn refused(&self, refusal: &Refusal) -> c_int {
        let code = c_int::from(refusal.code.number());
        let is_everyday = code & 0xff == c_int::from(ResultCode::BUSY.number());
        if !is_everyday {
            self.log(code, &format!("tombolo: {}", refusal.message));
        }
        LAST_ERROR.set((refusal.errno.unwrap_or(0), refusal.message.clone()));
        code
    }
}

/// Runs what SQLite asked for; a panic does not reach C.
fn guarded(run: impl FnOnce() -> c_int) -> c_int {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(INTERNAL)
}

/// The entry point by which SQLite loads the library (`sqlite3_load_extension`, from its name).
///
/// # Safety
/// As SQLite calls it: `routines` is its table of functions, `message` null or a place for a text.
#[unsafe(no_mangle)]
unsafe extern "C" fn sqlite3_tombolo_init(
    _connection: *mut c_void,
    message: *mut *mut c_char,
    routines: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the caller's promise.
        let Some(routines) = (unsafe { Routines::of(routines) }) else { return ERROR };
        match register(routines) {
            Ok(()) => LOADED,
            Err(text) => {
                if let (Some(print), false) = (routines.mprintf, message.is_null()) {
                    // SAFETY: a format of one text, a text that ends in NUL, the caller's place.
                    unsafe { *message = print(c"%s".as_ptr(), text.as_ptr()) };
                }
                ERROR
            }
        }
    })
}

/// Registers the VFS in one copy of SQLite, once. Whoever shuts that down and starts it again has
/// SQLite's own VFS as default again (`sqlite3_os_init`), and may load the library once more.
fn register(routines: Routines) -> Result<(), &'static CStr> {
    let (Some(find), Some(add)) = (routines.vfs_find, routines.vfs_register) else {
        return Err(c"this SQLite cannot register a VFS");
    };
    let is_default = std::env::var_os(DEFAULT_VARIABLE).is_some_and(|value| value == "1");
    let put = |vfs: *mut abi::Vfs| {
        // SAFETY: SQLite's own function, and a VFS that lives as long as the process.
        match unsafe { add(vfs, is_default.into()) } {
            OK => Ok(()),
            _ => Err(c"SQLite does not take the VFS"),
        }
    };
    // SAFETY: SQLite's own function, and a name that ends in NUL.
    let known = unsafe { find(abi::NAME.as_ptr()) };
    if !known.is_null() {
        return if is_default { put(known) } else { Ok(()) };
    }
    // SAFETY: as above; null asks for the default.
    let stock = unsafe { find(std::ptr::null()) };
    if stock.is_null() {
        return Err(c"this SQLite has no VFS to stand on");
    }
    let host = Box::leak(Box::new(Host { routines, stock, guests: Mutex::default() }));
    put(Box::leak(Box::new(vfs::new(host))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_sqlites_and_does_not_reach_c() {
        assert_eq!(guarded(|| panic!("on purpose")), INTERNAL);
        assert_eq!(guarded(|| NOTFOUND), NOTFOUND);
    }
}

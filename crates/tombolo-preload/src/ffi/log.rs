//! SQLite's error log (errlog.html), where its library has names that can be looked up.
//!
//! A program that sets a log of its own afterwards takes ours away; one that has set it before its
//! first database is opened keeps it only where this library cannot reach SQLite.

use libc::{c_char, c_int, c_void};
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// `SQLITE_CONFIG_LOG` in `sqlite3.h`.
const CONFIG_LOG: c_int = 16;
/// The name of the library on Linux. Programs that load modules keep its names to the module.
const LIBRARY: &CStr = c"libsqlite3.so.0";
/// The first release in which the log can be set at any time (`sqlite3_config` in `main.c`).
const LOG_ANYTIME: c_int = 3_042_000;

type Config = unsafe extern "C" fn(c_int, ...) -> c_int;
type Version = unsafe extern "C" fn() -> c_int;
type Log = extern "C" fn(*mut c_void, c_int, *const c_char);

extern "C" fn logged(_: *mut c_void, code: c_int, text: *const c_char) {
    if text.is_null() {
        return;
    }
    // SAFETY: not null; SQLite gives a text that ends in NUL.
    super::recorder::message(code, unsafe { CStr::from_ptr(text) }.to_bytes());
}

/// Whether SQLite was asked for its log.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Asks the SQLite that the program is linked with for its log, before anybody can have used it.
pub(super) fn ask_at_start() {
    // SAFETY: a name that ends in NUL, and a handle that dlsym(3) defines.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"sqlite3_config".as_ptr()) };
    if !address.is_null() {
        ASKED.store(true, Ordering::Relaxed);
        set(address);
    }
}

/// Asks a SQLite that was loaded since, once, where the release allows it while databases are open.
pub(super) fn ask_once() {
    if ASKED.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: a name that ends in NUL; nothing is loaded that was not.
    let library = unsafe { libc::dlopen(LIBRARY.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if library.is_null() {
        return;
    }
    // SAFETY: a handle of dlopen, and names that end in NUL.
    let (version, config) = unsafe {
        (
            libc::dlsym(library, c"sqlite3_libversion_number".as_ptr()),
            libc::dlsym(library, c"sqlite3_config".as_ptr()),
        )
    };
    if version.is_null() || config.is_null() {
        return;
    }
    // SAFETY: the address is that of SQLite's function of this name, whose type this is.
    let version = unsafe { std::mem::transmute::<*mut c_void, Version>(version) };
    // SAFETY: it takes no arguments.
    if unsafe { version() } >= LOG_ANYTIME {
        set(config);
    }
}

fn set(address: *mut c_void) {
    // SAFETY: the address is that of SQLite's function of this name, whose type this is.
    let config = unsafe { std::mem::transmute::<*mut c_void, Config>(address) };
    // SAFETY: the arguments of this option: a function and what it is given first.
    unsafe { config(CONFIG_LOG, logged as Log, ptr::null_mut::<c_void>()) };
}

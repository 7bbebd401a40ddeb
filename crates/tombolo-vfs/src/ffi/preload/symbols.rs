//! One copy of SQLite, by the symbols that its module exports.

use super::calls::real_dlopen;
use super::modules::{Module, place};
use super::{Doorway, Moment, patched};
use crate::ffi::abi::{FindVfs, Routines, Vfs};
use crate::ffi::{Host, OK};
use libc::{c_int, c_void};
use std::ffi::CStr;
use std::sync::Mutex;

/// A function that every SQLite has, and nothing else.
const REGISTER: &CStr = c"sqlite3_vfs_register";
/// The VFS of SQLite for Unix (`os_unix.c`). All are patched: an owner is not to be gone past by
/// one of its other names.
const STOCK_NAMES: [&CStr; 4] = [c"unix", c"unix-excl", c"unix-none", c"unix-dotfile"];
/// `SQLITE_MISUSE`.
const MISUSE: c_int = 21;
/// An option that `sqlite3_config` does not have: it refuses it as misuse once SQLite is
/// initialised, and as an error before (`main.c`).
const NO_OPTION: c_int = 63;

type Initialise = unsafe extern "C" fn() -> c_int;
type Configure = unsafe extern "C" fn(c_int, ...) -> c_int;

/// Whether a SQLite can have opened a database: it can once it is initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Possible,
    None,
}

/// The address of a symbol; null where there is none.
fn symbol(handle: *mut c_void, name: &CStr) -> *mut c_void {
    // SAFETY: a handle of dlopen, and a name that ends in NUL.
    unsafe { libc::dlsym(handle, name.as_ptr()) }
}

/// The functions of one copy of SQLite.
pub(super) struct Symbols {
    handle: *mut c_void,
    /// Where the module begins that has them: a handle also finds those of what it depends on.
    base: usize,
}

impl Symbols {
    /// Those of a module that has a SQLite, which then stays for as long as the process lives.
    pub(super) fn of(module: &Module) -> Option<Self> {
        let name = if module.name.is_empty() { std::ptr::null() } else { module.name.as_ptr() };
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
        // SAFETY: null for the program, or a name that ends in NUL; nothing is loaded.
        let handle = unsafe { real_dlopen()?(name, flags) };
        if handle.is_null() {
            return None;
        }
        let address = symbol(handle, REGISTER);
        let place = if module.contains(address.addr()) { place(address) } else { None };
        let Some((base, _)) = place else {
            // SAFETY: the handle that was opened above.
            unsafe { libc::dlclose(handle) };
            return None;
        };
        Some(Symbols { handle, base })
    }

    /// Those of the first SQLite behind a handle, and the path of its module.
    pub(super) fn behind(handle: *mut c_void) -> Option<(Self, Vec<u8>)> {
        let (base, path) = place(symbol(handle, REGISTER))?;
        Some((Symbols { handle, base }, path))
    }

    /// The address of a function, if it is this module's own.
    fn address(&self, name: &CStr) -> Option<*mut c_void> {
        let address = symbol(self.handle, name);
        place(address).is_some_and(|(base, _)| base == self.base).then_some(address)
    }

    /// A function of SQLite.
    ///
    /// # Safety
    /// `F` is an `Option` of the type that the function of this name has in `sqlite3.h`.
    unsafe fn function<F: Copy>(&self, name: &CStr) -> Option<F> {
        let address = self.address(name)?;
        // SAFETY: the caller's promise; a function pointer is as wide as any.
        Some(unsafe { std::mem::transmute_copy::<*mut c_void, F>(&address) })
    }

    fn routines(&self) -> Routines {
        // SAFETY: each with its type of `sqlite3.h`.
        unsafe {
            Routines {
                mprintf: self.function(c"sqlite3_mprintf"),
                vfs_find: self.function(c"sqlite3_vfs_find"),
                vfs_register: self.function(c"sqlite3_vfs_register"),
                log: self.function(c"sqlite3_log"),
                uri_parameter: self.function(c"sqlite3_uri_parameter"),
                filename_journal: self.function(c"sqlite3_filename_journal"),
                filename_wal: self.function(c"sqlite3_filename_wal"),
            }
        }
    }

    /// Patches every VFS that SQLite brings, and leaves it as initialised as it was. `None` where
    /// the process ends and it was never used.
    pub(super) fn reach(&self, moment: Moment) -> Option<Doorway> {
        let routines = self.routines();
        // SAFETY: with their types of `sqlite3.h`.
        let (initialise, shut_down, configure) = unsafe {
            (
                self.function::<Initialise>(c"sqlite3_initialize"),
                self.function::<Initialise>(c"sqlite3_shutdown"),
                self.function::<Configure>(c"sqlite3_config"),
            )
        };
        let (Some(initialise), Some(shut_down), Some(configure), Some(find)) =
            (initialise, shut_down, configure, routines.vfs_find)
        else {
            return Some(Doorway::Shut);
        };
        if routines.filename_journal.is_none() || routines.filename_wal.is_none() {
            return Some(Doorway::Shut);
        }
        // SAFETY: SQLite's own functions, by the types that they have; an option without arguments.
        let use_before = match unsafe { configure(NO_OPTION) } {
            MISUSE => Use::Possible,
            _ => Use::None,
        };
        match (moment, use_before) {
            (Moment::Ending, Use::Possible) => return Some(Doorway::Late),
            (Moment::Ending, Use::None) => return None,
            (Moment::Running, _) => {}
        }
        // SAFETY: as above.
        if unsafe { initialise() } != OK {
            return Some(Doorway::Shut);
        }
        let doorway = patch_all(routines, find, use_before);
        if use_before == Use::None {
            // SAFETY: as above; nobody else can have used it yet.
            unsafe { shut_down() };
        }
        Some(doorway)
    }
}

/// Patches the VFS that is the default, and the others of the same kind.
fn patch_all(routines: Routines, find: FindVfs, use_before: Use) -> Doorway {
    // SAFETY: SQLite's own function; null asks for the default.
    let default = unsafe { find(std::ptr::null()) };
    if default.is_null() {
        return Doorway::Shut;
    }
    // SAFETY: SQLite found it.
    if unsafe { patched::is_patched(default) } {
        return Doorway::Open;
    }
    let patch = |vfs: *mut Vfs| {
        let guests = Mutex::default();
        let host = Box::leak(Box::new(Host { routines, stock: vfs, guests }));
        // SAFETY: SQLite found it, and its library stays.
        unsafe { patched::patch(vfs, host) }
    };
    for name in STOCK_NAMES {
        // SAFETY: SQLite's own function, and a name that ends in NUL.
        let vfs = unsafe { find(name.as_ptr()) };
        if !vfs.is_null() && vfs != default {
            patch(vfs);
        }
    }
    match patch(default) {
        Doorway::Open if use_before == Use::Possible => Doorway::Late,
        doorway => doorway,
    }
}

//! Programs that do not ask for the VFS: the library is preloaded, and patches the VFS of each
//! SQLite in the process whose symbols can be looked up.
//!
//! A SQLite is patched when it appears: when the program starts, and when `dlopen` returns.
//! `sqlite3_vfs_find` initialises SQLite, after which `sqlite3_config` refuses; so it is shut down
//! again (`sqlite3_shutdown`), unless it was initialised before. What is patched is the structure
//! of its own VFS, which outlives that, and is the default again however often SQLite is shut down
//! and initialised; a VFS registered before would come second then (`sqlite3_os_init` in
//! `os_unix.c`).

mod calls;
mod modules;
mod patched;

use super::Host;
use super::abi::{FindVfs, Routines, Vfs};
use crate::report::Report;
use crate::wanted::Wanted;
use calls::real_dlopen;
use libc::{c_char, c_int, c_void};
use modules::Module;
use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::time::Duration;

/// The environment variable by which a program is to be reached: patterns of databases, one a line.
const VARIABLE: &str = "TOMBOLO_RUN";
/// The VFS of SQLite for Unix (`os_unix.c`). All are patched: an owner is not to be gone past by
/// one of its other names.
const STOCK_NAMES: [&CStr; 4] = [c"unix", c"unix-excl", c"unix-none", c"unix-dotfile"];
/// `SQLITE_MISUSE`.
const MISUSE: c_int = 21;
/// An option that `sqlite3_config` does not have: it refuses it as misuse once SQLite is
/// initialised, and as an error before (`main.c`).
const NO_OPTION: c_int = 63;
/// Bytes of a module that may hold a SQLite: it is larger than that by itself.
const SQLITE_BYTES_MIN: usize = 256 << 10;
/// Attempts to look at modules while another thread does, and the time between them.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

type Initialise = unsafe extern "C" fn() -> c_int;
type Configure = unsafe extern "C" fn(c_int, ...) -> c_int;

/// Whether the databases of a SQLite go through the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doorway {
    Open,
    Shut,
}

/// What the program is reached for.
#[derive(Debug)]
struct Reached {
    wanted: Wanted,
    report: Report,
    /// Patterns of which the report says already that a database was opened.
    named: Vec<AtomicBool>,
    seen: Mutex<Vec<Module>>,
}

static REACHED: OnceLock<Reached> = OnceLock::new();

thread_local! {
    /// Whether this thread is looking at modules: what it loads meanwhile is its own.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

#[used]
#[unsafe(link_section = ".init_array")]
static PREPARE: extern "C" fn() = prepare;

/// Reads the environment when the library is loaded, and reaches what is there already.
extern "C" fn prepare() {
    super::guarded(|| {
        let Some(list) = std::env::var_os(VARIABLE) else { return super::OK };
        let wanted = Wanted::parse(list.as_encoded_bytes());
        let named = (0..wanted.count()).map(|_| AtomicBool::new(false)).collect();
        let report = Report::of_environment();
        let reached = Reached { wanted, report, named, seen: Mutex::default() };
        let _ = REACHED.set(reached);
        look();
        super::OK
    });
}

fn wanted() -> Option<&'static Wanted> {
    REACHED.get().map(|reached| &reached.wanted)
}

/// A database was opened at its owner.
fn opened(path: &[u8]) {
    let Some(reached) = REACHED.get() else { return };
    let Some(number) = reached.wanted.pattern_of(path) else { return };
    if reached.named.get(number).is_some_and(|named| !named.swap(true, Ordering::Relaxed)) {
        reached.report.add([("named", number.to_string().as_bytes())]);
    }
}

/// Looks at the modules that are new.
fn look() {
    let Some(reached) = REACHED.get() else { return };
    if LOOKING.replace(true) {
        return;
    }
    if let Some(mut seen) = turn(reached) {
        let modules = modules::all();
        seen.retain(|module| modules.contains(module));
        let new: Vec<Module> =
            modules.into_iter().filter(|module| !seen.contains(module)).collect();
        let mut lines = Vec::new();
        for module in &new {
            if let Some(word) = reach(module) {
                lines.push((word, module.path()));
            }
        }
        seen.extend(new);
        drop(seen);
        reached.report.add(lines.iter().map(|(word, path)| (*word, path.as_slice())));
    }
    LOOKING.set(false);
}

/// The turn to look. Who has it may wait for the loader, which this thread may hold: so it is
/// waited for, but not for ever.
fn turn(reached: &Reached) -> Option<MutexGuard<'_, Vec<Module>>> {
    for _ in 0..ATTEMPTS {
        match reached.seen.try_lock() {
            Ok(seen) => return Some(seen),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
    None
}

/// Reaches the SQLite in a module; what the report is to say of it.
fn reach(module: &Module) -> Option<&'static str> {
    if module.size_bytes() < SQLITE_BYTES_MIN || module.contains((&raw const REACHED).addr()) {
        return None;
    }
    let Some(symbols) = Symbols::of(module) else { return Some("loaded") };
    Some(match symbols.reach() {
        Doorway::Open => "reached",
        Doorway::Shut => "missed",
    })
}

/// The functions of one copy of SQLite.
struct Symbols<'a> {
    module: &'a Module,
    handle: *mut c_void,
}

impl<'a> Symbols<'a> {
    /// Those of a module that has a SQLite, which then stays for as long as the process lives.
    fn of(module: &'a Module) -> Option<Self> {
        let name = if module.name.is_empty() { std::ptr::null() } else { module.name.as_ptr() };
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD;
        // SAFETY: null for the program, or a name that ends in NUL; nothing is loaded.
        let handle = unsafe { real_dlopen()?(name, flags) };
        if handle.is_null() {
            return None;
        }
        let symbols = Symbols { module, handle };
        if symbols.address(c"sqlite3_vfs_register").is_none() {
            // SAFETY: the handle that was opened above.
            unsafe { libc::dlclose(handle) };
            return None;
        }
        Some(symbols)
    }

    /// The address of a function, if it is this module's own.
    fn address(&self, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: a handle of dlopen, and a name that ends in NUL.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        self.module.contains(address.addr()).then_some(address)
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

    /// Patches every VFS that SQLite brings, and leaves it as initialised as it was.
    fn reach(&self) -> Doorway {
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
            return Doorway::Shut;
        };
        if routines.filename_journal.is_none() || routines.filename_wal.is_none() {
            return Doorway::Shut;
        }
        // SAFETY: SQLite's own functions, by the types that they have; an option without arguments.
        let was_initialised = unsafe { configure(NO_OPTION) } == MISUSE;
        // SAFETY: as above.
        if unsafe { initialise() } != super::OK {
            return Doorway::Shut;
        }
        let doorway = patch_all(routines, find);
        if !was_initialised {
            // SAFETY: as above; nobody else can have used it yet.
            unsafe { shut_down() };
        }
        doorway
    }
}

/// Patches the VFS that is the default, and the others of the same kind.
fn patch_all(routines: Routines, find: FindVfs) -> Doorway {
    // SAFETY: SQLite's own function; null asks for the default.
    let default = unsafe { find(std::ptr::null()) };
    if default.is_null() {
        return Doorway::Shut;
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
    patch(default)
}

/// `dlopen`, where the caller's own search path does not matter.
unsafe extern "C" fn opened_module(name: *const c_char, flags: c_int) -> *mut c_void {
    let Some(open) = real_dlopen() else { return std::ptr::null_mut() };
    // SAFETY: the caller's own arguments.
    let handle = unsafe { open(name, flags) };
    if !handle.is_null() {
        super::guarded(|| {
            look();
            super::OK
        });
    }
    handle
}

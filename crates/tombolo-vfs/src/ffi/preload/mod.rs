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
mod symbols;

use crate::report::Report;
use crate::wanted::Wanted;
use libc::c_void;
use modules::Module;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::time::Duration;
use symbols::Symbols;

/// The environment variable by which a program is to be reached: patterns of databases, one a line.
const VARIABLE: &str = "TOMBOLO_RUN";
/// Bytes of a module that may hold a SQLite: it is larger than that by itself.
const SQLITE_BYTES_MIN: usize = 256 << 10;
/// Attempts to look at modules while another thread does, and the time between them.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// Whether the databases of a SQLite go through the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doorway {
    Open,
    /// From now on; it was initialised before, and may have opened some already.
    Late,
    Shut,
}

impl Doorway {
    /// As the report says it.
    fn word(self) -> &'static str {
        match self {
            Doorway::Open => "reached",
            Doorway::Late => "late",
            Doorway::Shut => "missed",
        }
    }
}

/// When modules are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The program goes on.
    Running,
    /// The process ends: what appeared unseen can only be told of.
    Ending,
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

#[used]
#[unsafe(link_section = ".fini_array")]
static FINISH: extern "C" fn() = finish;

/// Looks for what was loaded past `dlopen`, when the process ends.
extern "C" fn finish() {
    super::guarded(|| {
        look_at(Moment::Ending);
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
    look_at(Moment::Running);
}

fn look_at(moment: Moment) {
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
            if let Some(word) = reach(module, moment) {
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
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(PAUSE),
        }
    }
    None
}

/// Reaches the SQLite in a module; what the report is to say of it.
fn reach(module: &Module, moment: Moment) -> Option<&'static str> {
    if module.size_bytes() < SQLITE_BYTES_MIN || module.contains((&raw const REACHED).addr()) {
        return None;
    }
    let Some(symbols) = Symbols::of(module) else { return Some("loaded") };
    symbols.reach(moment).map(Doorway::word)
}

/// Looks at what was loaded beside the program's own namespace, by the handle of that.
fn look_behind(handle: *mut c_void) {
    let Some(reached) = REACHED.get() else { return };
    let Some((symbols, path)) = Symbols::behind(handle) else { return };
    let Some(_seen) = turn(reached) else { return };
    if let Some(doorway) = symbols.reach(Moment::Running) {
        reached.report.add([(doorway.word(), path.as_slice())]);
    }
}

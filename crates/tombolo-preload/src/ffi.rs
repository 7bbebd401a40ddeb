//! The functions of libc that the library stands in front of, and all C of this crate.
//!
//! Each hands its arguments to the next definition of its name, which is libc's, unless they
//! concern a database of the list. Nothing here calls a function that is wrapped here, so nothing
//! recurses.
//!
//! A panic in here ends the process, as in every `extern "C"` function; it never unwinds into C.
//!
//! `open` and `fcntl` are variadic in C and have a fixed last argument here. On Linux, x86-64 and
//! AArch64 pass both alike, in the same registers (System V ABI, section 3.2.3; AAPCS64, section
//! 6.8.2); where the caller passed no third argument, what stands in the register is handed on and
//! libc ignores it as before.

#![allow(unsafe_code)]

use crate::databases::{Databases, LOCKED_BYTES, LOCKED_FIRST, Meant, is_sqlites};
use crate::{REPORT_VARIABLE, VARIABLE};
use libc::{c_char, c_int, c_void, mode_t, size_t};
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// What this process has to do, and has done. Null in programs without a list: then every call goes
/// through.
static STATE: AtomicPtr<State> = AtomicPtr::new(ptr::null_mut());

struct State {
    databases: Databases,
    report: Option<OsString>,
    claims: Mutex<Vec<Option<Claim>>>,
}

/// A database that this process has for itself.
///
/// 1. `descriptor` is open for as long as the process lives, and no wrapped function hands it out:
///    closing it would give the claim up.
/// 2. `process` is the one that made the claim. A forked process has a copy of this value, and
///    shares the lock, but not the memory in which SQLite keeps its connections apart.
#[derive(Clone, Copy)]
struct Claim {
    descriptor: c_int,
    process: libc::pid_t,
    device: libc::dev_t,
    inode: libc::ino_t,
}

#[used]
#[unsafe(link_section = ".init_array")]
static PREPARE: extern "C" fn() = prepare;

/// Reads the list when the library is loaded.
extern "C" fn prepare() {
    let Some(list) = std::env::var_os(VARIABLE) else { return };
    let databases = Databases::parse(list.as_bytes());
    let claims = Mutex::new(vec![None; databases.count()]);
    let report = std::env::var_os(REPORT_VARIABLE);
    let state = Box::new(State { databases, report, claims });
    // For as long as the process lives.
    STATE.store(Box::into_raw(state), Ordering::Release);
}

fn state() -> Option<&'static State> {
    // SAFETY: null, or from `Box::into_raw` and never freed; shared only by reference.
    unsafe { STATE.load(Ordering::Acquire).as_ref() }
}

/// libc's definition of a function, as a function pointer of the type given.
macro_rules! next {
    ($name:expr, as $type:ty) => {{
        static NEXT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
        let mut address = NEXT.load(Ordering::Relaxed);
        if address.is_null() {
            let name: &CStr = $name;
            // SAFETY: a name that ends in NUL, and a handle that dlsym(3) defines.
            address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
            NEXT.store(address, Ordering::Relaxed);
        }
        if address.is_null() {
            None
        } else {
            // SAFETY: the address is that of the function of this name, whose C type is this.
            Some(unsafe { std::mem::transmute::<*mut c_void, $type>(address) })
        }
    }};
}

type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;
type Control = unsafe extern "C" fn(c_int, c_int, ...) -> c_int;
type Unlink = unsafe extern "C" fn(*const c_char) -> c_int;

/// Sets errno, whose place each thread has of its own, and fails.
fn fail(errno: c_int) -> c_int {
    // SAFETY: always a valid pointer of this thread (errno(3)).
    unsafe { *libc::__errno_location() = errno };
    -1
}

fn errno() -> c_int {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}

/// The file of the list that a path names, with the list.
///
/// # Safety
/// `path` is null or ends in NUL.
unsafe fn meant(path: *const c_char) -> Option<(&'static State, Meant)> {
    let state = state().filter(|_| !path.is_null())?;
    // SAFETY: not null, and the caller's promise.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Some((state, state.databases.find(bytes)?))
}

/// Opens a file that a path names by `open`, libc's own.
///
/// # Safety
/// `path` is null or ends in NUL.
unsafe fn opened(path: *const c_char, open: impl FnOnce() -> c_int) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { meant(path) } {
        None => open(),
        Some((state, Meant::WalIndex(place))) => {
            if state.claimed(place) {
                in_memory()
            } else {
                fail(libc::EBUSY)
            }
        }
        Some((state, Meant::Database(place))) => {
            let descriptor = open();
            if descriptor < 0 || state.claim(place) {
                return descriptor;
            }
            // SAFETY: a descriptor of our own, which nobody else knows yet.
            unsafe { libc::close(descriptor) };
            fail(libc::EBUSY)
        }
    }
}

/// A file that only this process can reach, and that is gone when its last descriptor is.
fn in_memory() -> c_int {
    // SAFETY: a name that ends in NUL.
    unsafe { libc::memfd_create(c"tombolo-shm".as_ptr(), libc::MFD_CLOEXEC) }
}

fn process() -> libc::pid_t {
    // SAFETY: no pointer is involved.
    unsafe { libc::getpid() }
}

impl State {
    fn claims(&self) -> std::sync::MutexGuard<'_, Vec<Option<Claim>>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process has a database for itself.
    fn claimed(&self, place: usize) -> bool {
        let claims = self.claims();
        claims.get(place).copied().flatten().is_some_and(|claim| claim.process == process())
    }

    /// Makes a database this process's own, if nobody has it.
    fn claim(&self, place: usize) -> bool {
        let mut claims = self.claims();
        let Some(claim) = claims.get_mut(place) else { return false };
        let path = self.databases.path(place).unwrap_or_default();
        match claim {
            Some(claim) if claim.process == process() => return true,
            Some(_) => {
                self.tell("not opened in a forked process", path);
                return false;
            }
            None => {}
        }
        match take(path) {
            Ok(taken) => {
                *claim = Some(taken);
                self.note("claimed", path);
                true
            }
            Err(libc::EAGAIN | libc::EACCES) => {
                self.tell("another process has it open", path);
                false
            }
            Err(errno) => {
                let words = std::io::Error::from_raw_os_error(errno);
                self.tell(&format!("it cannot be locked: {words}"), path);
                false
            }
        }
    }

    /// The claim on the file that a descriptor is of.
    fn claim_of(&self, descriptor: c_int) -> Option<Claim> {
        let status = status(descriptor)?;
        let claims = self.claims();
        claims
            .iter()
            .flatten()
            .find(|claim| (claim.device, claim.inode) == (status.st_dev, status.st_ino))
            .copied()
    }

    /// Says why a database was refused, to whoever reads standard error and to the report.
    fn tell(&self, why: &str, path: &[u8]) {
        let mut line = b"tombolo: ".to_vec();
        line.extend_from_slice(path);
        line.extend_from_slice(format!(": {why}\n").as_bytes());
        // SAFETY: the pointer and the length are of one buffer.
        unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
        self.note("refused", path);
    }

    /// Adds a line to the report, in one write, so that lines of several processes stay whole.
    fn note(&self, what: &str, path: &[u8]) {
        let Some(report) = &self.report else { return };
        let Ok(name) = CString::new(report.clone().into_vec()) else { return };
        let Some(open) = next!(c"open", as Open) else { return };
        let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: a path that ends in NUL.
        let descriptor = unsafe { open(name.as_ptr(), flags) };
        if descriptor < 0 {
            return;
        }
        let mut line = format!("{what} {} ", process()).into_bytes();
        line.extend_from_slice(path);
        line.push(b'\n');
        // SAFETY: the pointer and the length are of one buffer.
        unsafe { libc::write(descriptor, line.as_ptr().cast(), line.len()) };
        // SAFETY: a descriptor of our own.
        unsafe { libc::close(descriptor) };
    }
}

fn status(descriptor: c_int) -> Option<libc::stat> {
    // SAFETY: all zero is a valid `struct stat`.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is whole and writable; a bad descriptor is an error.
    (unsafe { libc::fstat(descriptor, &raw mut status) } == 0).then_some(status)
}

/// Locks SQLite's bytes of a database for this process; the error is the kernel's.
///
/// A lock of the open file description, not a POSIX lock: that would be gone as soon as any part of
/// the program closed any descriptor of the file (fcntl(2)).
fn take(path: &[u8]) -> Result<Claim, c_int> {
    let name = CString::new(path).map_err(|_| libc::EINVAL)?;
    let open = next!(c"open", as Open).ok_or(libc::ENOSYS)?;
    let control = next!(c"fcntl", as Control).ok_or(libc::ENOSYS)?;
    // SAFETY: a path that ends in NUL.
    let descriptor = unsafe { open(name.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    if descriptor < 0 {
        return Err(errno());
    }
    // SAFETY: all zero is a valid `struct flock`.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = LOCKED_FIRST;
    lock.l_len = LOCKED_BYTES;
    // SAFETY: an open descriptor and a whole structure.
    let locked = unsafe { control(descriptor, libc::F_OFD_SETLK, &raw mut lock) };
    match (locked, status(descriptor)) {
        (0, Some(status)) => Ok(Claim {
            descriptor,
            process: process(),
            device: status.st_dev,
            inode: status.st_ino,
        }),
        _ => {
            let errno = errno();
            // SAFETY: a descriptor of our own.
            unsafe { libc::close(descriptor) };
            Err(errno)
        }
    }
}

/// What a command of `fcntl` is answered with here; `None` where it is libc's to answer.
///
/// # Safety
/// For the lock commands `argument` is null or points to a `flock`, as fcntl(2) asks of the caller.
unsafe fn controlled(descriptor: c_int, command: c_int, argument: size_t) -> Option<c_int> {
    if !matches!(command, libc::F_SETLK | libc::F_SETLKW | libc::F_GETLK) || argument == 0 {
        return None;
    }
    let lock = ptr::with_exposed_provenance_mut::<libc::flock>(argument);
    // SAFETY: not null, and the caller's promise.
    let asked = unsafe { lock.read() };
    let absolute = i32::from(asked.l_whence) == libc::SEEK_SET;
    if !absolute || !is_sqlites(asked.l_start, asked.l_len) {
        return None;
    }
    let claim = state()?.claim_of(descriptor).filter(|claim| claim.descriptor != descriptor)?;
    if claim.process != process() {
        return Some(fail(libc::EAGAIN));
    }
    if command == libc::F_GETLK {
        // SAFETY: as above, and writable by the same promise.
        unsafe { (*lock).l_type = libc::F_UNLCK as libc::c_short };
    }
    Some(0)
}

/// Wraps `open` in its spellings.
macro_rules! wrap_open {
    ($($name:ident($($argument:ident: $type:ty),*), $next:ty, $path:ident;)*) => {$(
        /// As in libc, but for the databases of the list.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            const NAME: &CStr = symbol(concat!(stringify!($name), "\0"));
            let Some(next) = next!(NAME, as $next) else { return fail(libc::ENOSYS) };
            // SAFETY: the caller's own arguments, a path that ends in NUL among them.
            unsafe { opened($path, || next($($argument),*)) }
        }
    )*};
}

/// A function's name for `dlsym`; the compiler refuses one without its NUL.
const fn symbol(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a symbol ends in NUL"),
    }
}

wrap_open! {
    open(path: *const c_char, flags: c_int, mode: mode_t), Open, path;
    open64(path: *const c_char, flags: c_int, mode: mode_t), Open, path;
    openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t), OpenAt, path;
    openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t), OpenAt, path;
    // Programs built with `_FORTIFY_SOURCE` call these, without a mode (debug/ in glibc).
    __open_2(path: *const c_char, flags: c_int), Open, path;
    __open64_2(path: *const c_char, flags: c_int), Open, path;
    __openat_2(directory: c_int, path: *const c_char, flags: c_int), OpenAt, path;
    __openat64_2(directory: c_int, path: *const c_char, flags: c_int), OpenAt, path;
}

/// Wraps `fcntl` in its spellings.
macro_rules! wrap_control {
    ($($name:ident)*) => {$(
        /// As in libc, but for locks of SQLite on a database that this process has for itself.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(descriptor: c_int, command: c_int, argument: size_t) -> c_int {
            // SAFETY: the caller's own arguments.
            if let Some(answer) = unsafe { controlled(descriptor, command, argument) } {
                return answer;
            }
            const NAME: &CStr = symbol(concat!(stringify!($name), "\0"));
            match next!(NAME, as Control) {
                // SAFETY: the caller's own arguments.
                Some(next) => unsafe { next(descriptor, command, argument) },
                None => fail(libc::ENOSYS),
            }
        }
    )*};
}

wrap_control! { fcntl fcntl64 }

/// As in libc, but for the wal-index of a database of the list, which has no name to remove.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's own argument.
    if let Some((_, Meant::WalIndex(_))) = unsafe { meant(path) } {
        return 0;
    }
    match next!(c"unlink", as Unlink) {
        // SAFETY: the caller's own argument.
        Some(next) => unsafe { next(path) },
        None => fail(libc::ENOSYS),
    }
}

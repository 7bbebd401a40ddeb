//! A database for one process alone: its claim, the `-shm` in memory, and the locks that are
//! granted here.

use super::next::{Control, Open, errno, fail, next};
use super::{bytes_of, process};
use crate::databases::{Databases, LOCKED_BYTES, LOCKED_FIRST, Meant};
use crate::{REPORT_VARIABLE, VARIABLE};
use libc::{c_char, c_int, size_t};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};
use tombolo_core::trace::locking::is_sqlites;

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

/// Reads the list; whether there is one.
pub(super) fn prepare() -> bool {
    let Some(list) = std::env::var_os(VARIABLE) else { return false };
    let databases = Databases::parse(list.as_bytes());
    let claims = Mutex::new(vec![None; databases.count()]);
    let report = std::env::var_os(REPORT_VARIABLE);
    let state = Box::new(State { databases, report, claims });
    // For as long as the process lives.
    STATE.store(Box::into_raw(state), Ordering::Release);
    true
}

fn state() -> Option<&'static State> {
    // SAFETY: null, or from `Box::into_raw` and never freed; shared only by reference.
    unsafe { STATE.load(Ordering::Acquire).as_ref() }
}

/// The file of the list that a path names, with the list.
///
/// # Safety
/// `path` is null or ends in NUL.
unsafe fn meant(path: *const c_char) -> Option<(&'static State, Meant)> {
    let state = state()?;
    // SAFETY: the caller's promise.
    Some((state, state.databases.find(unsafe { bytes_of(path) })?))
}

/// Opens a file that a path names by `open`, libc's own.
///
/// # Safety
/// `path` is null or ends in NUL.
pub(super) unsafe fn opened(path: *const c_char, open: impl FnOnce() -> c_int) -> c_int {
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

pub(super) fn status(descriptor: c_int) -> Option<libc::stat> {
    // SAFETY: all zero is a valid `struct stat`.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is whole and writable, and on x86-64 and AArch64 the kernel's own; a
    // bad descriptor is an error. Not by `fstat`, which is wrapped here.
    let answer = unsafe { libc::syscall(libc::SYS_fstat, descriptor, &raw mut status) };
    (answer == 0).then_some(status)
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
pub(super) unsafe fn controlled(
    descriptor: c_int,
    command: c_int,
    argument: size_t,
) -> Option<c_int> {
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

/// Whether a path names the wal-index of a database of the list, which has no name to remove.
///
/// # Safety
/// `path` is null or ends in NUL.
pub(super) unsafe fn is_in_memory(path: *const c_char) -> bool {
    // SAFETY: the caller's promise.
    matches!(unsafe { meant(path) }, Some((_, Meant::WalIndex(_))))
}

//! The functions of libc that the preload stands in front of, and all C of this crate.
//!
//! Each function asks [`refused`] and, where no rule speaks, hands its arguments to the next
//! definition of its name, which is libc's. Nothing here calls a function that is wrapped here, so
//! nothing recurses; what the library itself needs of them it takes from libc as well.
//!
//! Which file a descriptor is, `/proc` says at the time of the call: descriptors that were
//! duplicated, inherited or closed behind the library's back need no table. Without `/proc`, calls
//! on descriptors go through.
//!
//! A panic in here ends the process, as in every `extern "C"` function; it never unwinds into C.
//!
//! `open` and `fcntl` are variadic in C and have a fixed last argument here. On Linux, x86-64 and
//! AArch64 pass both alike, in the same registers (System V ABI, section 3.2.3; AAPCS64, section
//! 6.8.2); where the caller passed no third argument, what stands in the register is handed on and
//! libc ignores it as before.

#![allow(unsafe_code)]

use crate::plan::{Call, Plan};
use crate::{MALFORMED_EXIT_CODE, VARIABLE};
use libc::{c_char, c_int, c_uint, c_void, mode_t, off_t, size_t, ssize_t};
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Room for a name that the kernel gives (`PATH_MAX`, linux/limits.h).
const PATH_BYTES_MAX: usize = 4096;

/// The rules. Null before [`prepare`] has run and in programs without rules: then every call goes
/// through, and nothing can wait for an initialisation that waits for it.
static PLAN: AtomicPtr<Plan> = AtomicPtr::new(ptr::null_mut());

#[used]
#[unsafe(link_section = ".init_array")]
static PREPARE: extern "C" fn() = prepare;

/// Reads the rules when the library is loaded.
extern "C" fn prepare() {
    let Some(text) = std::env::var_os(VARIABLE) else { return };
    match Plan::parse(&text.to_string_lossy()) {
        // For as long as the process lives.
        Ok(plan) => PLAN.store(Box::into_raw(Box::new(plan)), Ordering::Release),
        Err(error) => {
            let message = format!("tombolo-lab-preload: {VARIABLE}: {error}\n");
            raw::write_all(2, message.as_bytes());
            // SAFETY: ends the process; no pointer is involved.
            unsafe { libc::_exit(MALFORMED_EXIT_CODE) }
        }
    }
}

fn plan() -> Option<&'static Plan> {
    // SAFETY: null, or from `Box::into_raw` and never freed; `Plan` is only read.
    unsafe { PLAN.load(Ordering::Acquire).as_ref() }
}

/// The next definition of a function, behind this library.
struct Next {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Next {
    const fn new(name: &'static CStr) -> Self {
        Next { name, found: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Its address; null where libc has no such function.
    fn address(&self) -> *mut c_void {
        let known = self.found.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        // SAFETY: a name that ends in NUL, and a handle that dlsym(3) defines.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.found.store(address, Ordering::Relaxed);
        address
    }
}

/// libc's definition of a function, as a function pointer of the type given.
macro_rules! next {
    ($name:expr, as $type:ty) => {{
        static NEXT: Next = Next::new($name);
        let address = NEXT.address();
        if address.is_null() {
            None
        } else {
            // SAFETY: the address is that of the function of this name, whose C type is this.
            Some(unsafe { std::mem::transmute::<*mut c_void, $type>(address) })
        }
    }};
}

/// What the library itself asks of libc, past its own wrappers.
mod raw {
    use super::{CStr, Next, OfPath, Open, Write, c_int, c_uint, c_void};

    /// Writes what can be written.
    pub(super) fn write_all(descriptor: c_int, mut bytes: &[u8]) {
        let Some(write) = next!(c"write", as Write) else { return };
        while !bytes.is_empty() {
            // SAFETY: the pointer and the length are of one slice.
            let written = unsafe { write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
            match usize::try_from(written) {
                Ok(written) if written > 0 => bytes = bytes.get(written..).unwrap_or_default(),
                _ => return,
            }
        }
    }

    /// Appends a line to a file, in one write, so that lines of several processes stay whole.
    pub(super) fn append(path: &CStr, line: &str) {
        let Some(open) = next!(c"open", as Open) else { return };
        let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
        // SAFETY: a path that ends in NUL; the mode is there as O_CREAT wants it.
        let descriptor = unsafe { open(path.as_ptr(), flags, 0o600 as c_uint) };
        if descriptor >= 0 {
            write_all(descriptor, line.as_bytes());
            // SAFETY: a descriptor of our own.
            unsafe { libc::close(descriptor) };
        }
    }

    /// Whether there is a file of this name.
    pub(super) fn exists(path: &CStr) -> bool {
        let Some(access) = next!(c"access", as OfPath<c_int>) else { return false };
        // SAFETY: a path that ends in NUL.
        unsafe { access(path.as_ptr(), libc::F_OK) == 0 }
    }
}

/// Sets errno, whose place each thread has of its own.
fn set_errno(errno: c_int) {
    // SAFETY: always a valid pointer of this thread (errno(3)).
    unsafe { *libc::__errno_location() = errno };
}

/// Whether a rule answers this call; errno is set then.
fn refused(call: Call, name: impl FnOnce(&mut [u8; PATH_BYTES_MAX]) -> usize) -> bool {
    let Some(plan) = plan().filter(|plan| plan.concerns(call)) else { return false };
    let mut buffer = [0; PATH_BYTES_MAX];
    let length = name(&mut buffer);
    let Some(path) = buffer.get(..length).filter(|path| !path.is_empty()) else { return false };
    let is_armed = || plan.when().is_none_or(|path| raw::exists(path));
    let Some(answer) = plan.answer(call, path, is_armed) else { return false };
    if let Some(log) = plan.log() {
        raw::append(log, &answer.line);
    }
    set_errno(answer.errno);
    true
}

/// As [`refused`], for a call that names its file.
///
/// # Safety
/// `path` is null or ends in NUL.
unsafe fn path_refused(call: Call, path: *const c_char) -> bool {
    if path.is_null() {
        return false;
    }
    // SAFETY: not null, and the caller's promise.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    refused(call, |buffer| match buffer.get_mut(..bytes.len()) {
        Some(room) => {
            room.copy_from_slice(bytes);
            bytes.len()
        }
        // The kernel refuses such a name itself.
        None => 0,
    })
}

/// As [`refused`], for a call on a descriptor.
fn descriptor_refused(call: Call, descriptor: c_int) -> bool {
    let Ok(number) = u32::try_from(descriptor) else { return false };
    refused(call, |buffer| {
        let link = link_of(number);
        // SAFETY: a name that ends in NUL; the pointer and the length are of one buffer.
        let length = unsafe {
            libc::readlink(link.as_ptr().cast(), buffer.as_mut_ptr().cast(), buffer.len())
        };
        usize::try_from(length).unwrap_or(0)
    })
}

/// `/proc/self/fd/NUMBER` with its NUL, made without an allocation: `read` and `write` may be
/// called where an allocator must not be.
fn link_of(number: u32) -> [u8; 32] {
    let mut link = [0; 32];
    let prefix = b"/proc/self/fd/";
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = number;
    for (index, byte) in link.iter_mut().enumerate().rev() {
        if index < prefix.len() {
            *byte = prefix[index];
        } else if index < prefix.len() + digits {
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    link
}

fn opening(flags: c_int) -> Call {
    match flags & libc::O_ACCMODE {
        libc::O_RDONLY if flags & libc::O_CREAT == 0 => Call::Open,
        _ => Call::OpenWrite,
    }
}

/// Whether a command of `fcntl` asks for a lock. Giving one back is always granted.
///
/// # Safety
/// For these commands `argument` is null or points to a `flock`, as fcntl(2) asks of the caller.
unsafe fn asks_for_lock(command: c_int, argument: size_t) -> bool {
    const COMMANDS: [c_int; 4] =
        [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW];
    if !COMMANDS.contains(&command) || argument == 0 {
        return false;
    }
    // SAFETY: not null, and the caller's promise.
    let lock = unsafe { ptr::with_exposed_provenance::<libc::flock>(argument).read() };
    lock.l_type != libc::F_UNLCK as libc::c_short
}

/// A function's name for `dlsym`; the compiler refuses one without its NUL.
const fn symbol(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a symbol ends in NUL"),
    }
}

type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;
type Control = unsafe extern "C" fn(c_int, c_int, ...) -> c_int;
type OfPath<T> = unsafe extern "C" fn(*const c_char, T) -> c_int;
type OfDescriptor<T> = unsafe extern "C" fn(c_int, T) -> c_int;
type Read = unsafe extern "C" fn(c_int, *mut c_void, size_t) -> ssize_t;
type ReadAt = unsafe extern "C" fn(c_int, *mut c_void, size_t, off_t) -> ssize_t;
type Write = unsafe extern "C" fn(c_int, *const c_void, size_t) -> ssize_t;
type WriteAt = unsafe extern "C" fn(c_int, *const c_void, size_t, off_t) -> ssize_t;

/// Functions of libc that name a file, or hold a descriptor: unless a rule answers, libc's own of
/// the same name. `refused` says when a rule does; `-1` is what all of them fail with.
macro_rules! wrap {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty, $next:ty, $refused:expr;)*) => {$(
        /// As in libc, unless a rule answers.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            // SAFETY: what C asks of the caller, a path that ends in NUL among it.
            #[allow(unused_unsafe)]
            let refused = unsafe { $refused };
            if refused {
                return -1;
            }
            match next!(symbol(concat!(stringify!($name), "\0")), as $next) {
                // SAFETY: the caller's own arguments.
                Some(next) => unsafe { next($($argument),*) },
                None => {
                    set_errno(libc::ENOSYS);
                    -1
                }
            }
        }
    )*};
}

wrap! {
    open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        Open, path_refused(opening(flags), path);
    open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        Open, path_refused(opening(flags), path);
    openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        OpenAt, path_refused(opening(flags), path);
    openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        OpenAt, path_refused(opening(flags), path);
    creat(path: *const c_char, mode: mode_t) -> c_int,
        OfPath<mode_t>, path_refused(Call::OpenWrite, path);
    creat64(path: *const c_char, mode: mode_t) -> c_int,
        OfPath<mode_t>, path_refused(Call::OpenWrite, path);
    stat(path: *const c_char, found: *mut libc::stat) -> c_int,
        OfPath<*mut libc::stat>, path_refused(Call::Stat, path);
    stat64(path: *const c_char, found: *mut libc::stat) -> c_int,
        OfPath<*mut libc::stat>, path_refused(Call::Stat, path);
    lstat(path: *const c_char, found: *mut libc::stat) -> c_int,
        OfPath<*mut libc::stat>, path_refused(Call::Stat, path);
    lstat64(path: *const c_char, found: *mut libc::stat) -> c_int,
        OfPath<*mut libc::stat>, path_refused(Call::Stat, path);
    access(path: *const c_char, mode: c_int) -> c_int,
        OfPath<c_int>, path_refused(Call::Stat, path);
    unlink(path: *const c_char) -> c_int,
        unsafe extern "C" fn(*const c_char) -> c_int, path_refused(Call::Remove, path);
    unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int,
        unsafe extern "C" fn(c_int, *const c_char, c_int) -> c_int,
        path_refused(Call::Remove, path);
    fstat(descriptor: c_int, found: *mut libc::stat) -> c_int,
        OfDescriptor<*mut libc::stat>, descriptor_refused(Call::Stat, descriptor);
    fstat64(descriptor: c_int, found: *mut libc::stat) -> c_int,
        OfDescriptor<*mut libc::stat>, descriptor_refused(Call::Stat, descriptor);
    fcntl(descriptor: c_int, command: c_int, argument: size_t) -> c_int,
        Control, asks_for_lock(command, argument) && descriptor_refused(Call::Lock, descriptor);
    fcntl64(descriptor: c_int, command: c_int, argument: size_t) -> c_int,
        Control, asks_for_lock(command, argument) && descriptor_refused(Call::Lock, descriptor);
    flock(descriptor: c_int, operation: c_int) -> c_int,
        OfDescriptor<c_int>,
        operation & libc::LOCK_UN == 0 && descriptor_refused(Call::Flock, descriptor);
    read(descriptor: c_int, into: *mut c_void, count: size_t) -> ssize_t,
        Read, descriptor_refused(Call::Read, descriptor);
    pread(descriptor: c_int, into: *mut c_void, count: size_t, offset: off_t) -> ssize_t,
        ReadAt, descriptor_refused(Call::Read, descriptor);
    pread64(descriptor: c_int, into: *mut c_void, count: size_t, offset: off_t) -> ssize_t,
        ReadAt, descriptor_refused(Call::Read, descriptor);
    write(descriptor: c_int, from: *const c_void, count: size_t) -> ssize_t,
        Write, descriptor_refused(Call::Write, descriptor);
    pwrite(descriptor: c_int, from: *const c_void, count: size_t, offset: off_t) -> ssize_t,
        WriteAt, descriptor_refused(Call::Write, descriptor);
    pwrite64(descriptor: c_int, from: *const c_void, count: size_t, offset: off_t) -> ssize_t,
        WriteAt, descriptor_refused(Call::Write, descriptor);
    fsync(descriptor: c_int) -> c_int,
        unsafe extern "C" fn(c_int) -> c_int, descriptor_refused(Call::Sync, descriptor);
    fdatasync(descriptor: c_int) -> c_int,
        unsafe extern "C" fn(c_int) -> c_int, descriptor_refused(Call::Sync, descriptor);
    ftruncate(descriptor: c_int, length: off_t) -> c_int,
        OfDescriptor<off_t>, descriptor_refused(Call::Truncate, descriptor);
    ftruncate64(descriptor: c_int, length: off_t) -> c_int,
        OfDescriptor<off_t>, descriptor_refused(Call::Truncate, descriptor);
}

type Map = unsafe extern "C" fn(*mut c_void, size_t, c_int, c_int, c_int, off_t) -> *mut c_void;

macro_rules! wrap_map {
    ($($name:ident)*) => {$(
        /// As in libc, unless a rule answers.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            address: *mut c_void,
            length: size_t,
            protection: c_int,
            flags: c_int,
            descriptor: c_int,
            offset: off_t,
        ) -> *mut c_void {
            let is_shared = flags & libc::MAP_SHARED != 0 && flags & libc::MAP_ANONYMOUS == 0;
            if is_shared && descriptor_refused(Call::Map, descriptor) {
                return libc::MAP_FAILED;
            }
            match next!(symbol(concat!(stringify!($name), "\0")), as Map) {
                // SAFETY: the caller's own arguments.
                Some(next) => unsafe {
                    next(address, length, protection, flags, descriptor, offset)
                },
                None => {
                    set_errno(libc::ENOSYS);
                    libc::MAP_FAILED
                }
            }
        }
    )*};
}

wrap_map! { mmap mmap64 }

/// Older or checked spellings of the functions above, which stand for them.
macro_rules! stand_for {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty, $call:expr;)*) => {$(
        /// Another spelling, which a compiler or an older libc puts in.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            // SAFETY: the caller's own arguments.
            unsafe { $call }
        }
    )*};
}

// Programs that were built against a glibc before 2.33 call these. The version says which
// `struct stat` is meant; on 64-bit machines there is one.
stand_for! {
    __xstat(_version: c_int, path: *const c_char, found: *mut libc::stat) -> c_int,
        stat(path, found);
    __xstat64(_version: c_int, path: *const c_char, found: *mut libc::stat) -> c_int,
        stat64(path, found);
    __lxstat(_version: c_int, path: *const c_char, found: *mut libc::stat) -> c_int,
        lstat(path, found);
    __lxstat64(_version: c_int, path: *const c_char, found: *mut libc::stat) -> c_int,
        lstat64(path, found);
    __fxstat(_version: c_int, descriptor: c_int, found: *mut libc::stat) -> c_int,
        fstat(descriptor, found);
    __fxstat64(_version: c_int, descriptor: c_int, found: *mut libc::stat) -> c_int,
        fstat64(descriptor, found);
}

// Programs that were built with `_FORTIFY_SOURCE` call these (debug/ in
// the sources of glibc): `open` without a mode, reads into a buffer whose size is known.
stand_for! {
    __open_2(path: *const c_char, flags: c_int) -> c_int, open(path, flags, 0);
    __open64_2(path: *const c_char, flags: c_int) -> c_int, open64(path, flags, 0);
    __openat_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int,
        openat(directory, path, flags, 0);
    __openat64_2(directory: c_int, path: *const c_char, flags: c_int) -> c_int,
        openat64(directory, path, flags, 0);
    __read_chk(descriptor: c_int, into: *mut c_void, count: size_t, room: size_t) -> ssize_t,
        read(descriptor, into, within(count, room));
    __pread_chk(
        descriptor: c_int, into: *mut c_void, count: size_t, offset: off_t, room: size_t
    ) -> ssize_t, pread(descriptor, into, within(count, room), offset);
    __pread64_chk(
        descriptor: c_int, into: *mut c_void, count: size_t, offset: off_t, room: size_t
    ) -> ssize_t, pread64(descriptor, into, within(count, room), offset);
}

/// The count, which libc checks in the same way: a read past the buffer ends the process.
fn within(count: size_t, room: size_t) -> size_t {
    if count > room {
        // SAFETY: ends the process; no pointer is involved.
        unsafe { libc::abort() }
    }
    count
}

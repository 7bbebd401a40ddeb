//! The functions of libc that the library stands in front of, and all C of this crate.
//!
//! Each hands its arguments to the next definition of its name, which is libc's, unless they
//! concern a database that is claimed; and where a trace is wanted, what was asked and what came of
//! it is recorded. What the library itself asks of the kernel past these functions it asks by
//! `syscall`, so nothing recurses and nothing of it is recorded.
//!
//! A panic in here ends the process, as in every `extern "C"` function; it never unwinds into C.
//!
//! `open` and `fcntl` are variadic in C and have a fixed last argument here. On Linux, x86-64 and
//! AArch64 pass both alike, in the same registers (System V ABI, section 3.2.3; AAPCS64, section
//! 6.8.2); where the caller passed no third argument, what stands in the register is handed on and
//! libc ignores it as before.

#![allow(unsafe_code)]

mod deep;
mod exclusive;
mod extension;
mod locks;
mod log;
mod next;
mod opening;
mod own;
mod recorder;
mod sink;
mod spin;

use libc::{c_char, c_int, c_void, mode_t, off_t, size_t, ssize_t};
use next::{Control, Open, OpenAt, fail, next, set_errno, symbol};
use recorder::Failing as _;
use std::ffi::CStr;
use tombolo_core::trace::record::Operation;

#[used]
#[unsafe(link_section = ".init_array")]
static PREPARE: extern "C" fn() = prepare;

/// Reads the environment when the library is loaded.
extern "C" fn prepare() {
    let exclusive = exclusive::prepare();
    recorder::prepare();
    if exclusive || recorder::state().is_some() {
        deep::prepare();
    }
}

fn process() -> libc::pid_t {
    // SAFETY: no pointer is involved.
    unsafe { libc::getpid() }
}

/// The bytes of a path, none of a null pointer.
///
/// # Safety
/// `path` is null or ends in NUL.
unsafe fn bytes_of<'a>(path: *const c_char) -> &'a [u8] {
    if path.is_null() {
        return &[];
    }
    // SAFETY: not null, and the caller's promise.
    unsafe { CStr::from_ptr(path) }.to_bytes()
}

/// Wraps `open` in its spellings.
macro_rules! wrap_open {
    ($($name:ident($($argument:ident: $type:ty),*), $next:ty,
        $path:ident in $directory:expr, $flags:ident;)*) => {$(
        /// As in libc, but for the databases of the list.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            const NAME: &CStr = symbol(concat!(stringify!($name), "\0"));
            deep::look();
            let Some(next) = next!(NAME, as $next) else { return fail(libc::ENOSYS) };
            // SAFETY: the caller's own arguments, a path that ends in NUL among them.
            let open = || unsafe { exclusive::opened($path, || next($($argument),*)) };
            // SAFETY: the same path.
            unsafe { opening::opened($directory, $path, $flags, open) }
        }
    )*};
}

wrap_open! {
    open(path: *const c_char, flags: c_int, mode: mode_t), Open,
        path in libc::AT_FDCWD, flags;
    open64(path: *const c_char, flags: c_int, mode: mode_t), Open,
        path in libc::AT_FDCWD, flags;
    openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t), OpenAt,
        path in directory, flags;
    openat64(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t), OpenAt,
        path in directory, flags;
    // Programs built with `_FORTIFY_SOURCE` call these, without a mode (debug/ in glibc).
    __open_2(path: *const c_char, flags: c_int), Open, path in libc::AT_FDCWD, flags;
    __open64_2(path: *const c_char, flags: c_int), Open, path in libc::AT_FDCWD, flags;
    __openat_2(directory: c_int, path: *const c_char, flags: c_int), OpenAt,
        path in directory, flags;
    __openat64_2(directory: c_int, path: *const c_char, flags: c_int), OpenAt,
        path in directory, flags;
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
            const NAME: &CStr = symbol(concat!(stringify!($name), "\0"));
            let Some(next) = next!(NAME, as Control) else { return fail(libc::ENOSYS) };
            let control = || {
                // SAFETY: the caller's own arguments.
                let answer = unsafe { exclusive::controlled(descriptor, command, argument) };
                // SAFETY: as above.
                answer.unwrap_or_else(|| unsafe { next(descriptor, command, argument) })
            };
            // SAFETY: the caller's own arguments.
            unsafe { locks::controlled(descriptor, command, argument, control) }
        }
    )*};
}

wrap_control! { fcntl fcntl64 }

/// Calls of a function of libc; `ENOSYS` where there is none.
macro_rules! call_next {
    ($name:ident($($argument:ident: $type:ty),*) -> $answer:ty) => {{
        type Next = unsafe extern "C" fn($($type),*) -> $answer;
        const NAME: &CStr = symbol(concat!(stringify!($name), "\0"));
        let Some(next) = next!(NAME, as Next) else {
            set_errno(libc::ENOSYS);
            return <$answer>::FAILED;
        };
        // SAFETY: the caller's own arguments.
        move || unsafe { next($($argument),*) }
    }};
}

/// Wraps functions that use a descriptor. After the arrow stands what is recorded of a call.
macro_rules! wrap_used {
    ($($name:ident($descriptor:ident: c_int $(, $argument:ident: $type:ty)*) -> $answer:ty
        => $operation:expr;)*) => {$(
        /// As in libc.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($descriptor: c_int $(, $argument: $type)*) -> $answer {
            let call =
                call_next!($name($descriptor: c_int $(, $argument: $type)*) -> $answer);
            recorder::used($descriptor, $operation, call)
        }
    )*};
}

wrap_used! {
    fsync(file: c_int) -> c_int => Operation::Sync;
    fdatasync(file: c_int) -> c_int => Operation::DataSync;
    ftruncate(file: c_int, bytes: off_t) -> c_int => truncation(bytes);
    ftruncate64(file: c_int, bytes: off_t) -> c_int => truncation(bytes);
    flock(file: c_int, operation: c_int) -> c_int
        => Operation::WholeLock { operation: operation.unsigned_abs() };
    fstat(file: c_int, status: *mut libc::stat) -> c_int => Operation::Status;
    fstat64(file: c_int, status: *mut libc::stat) -> c_int => Operation::Status;
}

/// Wraps functions that move bytes. After the arrow stands what is recorded of a call.
macro_rules! wrap_moving {
    ($($name:ident($descriptor:ident: c_int, $buffer:ident: $pointer:ty
        $(, $argument:ident: $type:ty)*) => $operation:expr;)*) => {$(
        /// As in libc.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            $descriptor: c_int, $buffer: $pointer $(, $argument: $type)*
        ) -> ssize_t {
            let call = call_next!(
                $name($descriptor: c_int, $buffer: $pointer $(, $argument: $type)*) -> ssize_t
            );
            // SAFETY: the caller's own buffer, of which as many bytes were read or written.
            unsafe { recorder::moved($descriptor, $operation, $buffer.cast(), call) }
        }
    )*};
}

wrap_moving! {
    read(file: c_int, buffer: *mut c_void, bytes: size_t) => reading(None, bytes);
    pread(file: c_int, buffer: *mut c_void, bytes: size_t, offset: off_t)
        => reading(at(offset), bytes);
    pread64(file: c_int, buffer: *mut c_void, bytes: size_t, offset: off_t)
        => reading(at(offset), bytes);
    write(file: c_int, buffer: *const c_void, bytes: size_t) => writing(None, bytes);
    pwrite(file: c_int, buffer: *const c_void, bytes: size_t, offset: off_t)
        => writing(at(offset), bytes);
    pwrite64(file: c_int, buffer: *const c_void, bytes: size_t, offset: off_t)
        => writing(at(offset), bytes);
}

fn reading(offset: Option<u64>, bytes: size_t) -> Operation {
    Operation::Read { offset, bytes: bytes as u64 }
}

fn writing(offset: Option<u64>, bytes: size_t) -> Operation {
    Operation::Write { offset, bytes: bytes as u64 }
}

fn truncation(bytes: off_t) -> Operation {
    Operation::Truncate { bytes: bytes.unsigned_abs() }
}

fn at(offset: off_t) -> Option<u64> {
    u64::try_from(offset).ok()
}

/// Wraps functions that name a file. After the arrow stands what is recorded of a call.
macro_rules! wrap_named {
    ($($name:ident($path:ident: *const c_char $(, $argument:ident: $type:ty)*)
        => $operation:expr;)*) => {$(
        /// As in libc.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($path: *const c_char $(, $argument: $type)*) -> c_int {
            let call =
                call_next!($name($path: *const c_char $(, $argument: $type)*) -> c_int);
            // SAFETY: the caller's own path.
            unsafe { recorder::by_name($path, $operation, call) }
        }
    )*};
}

wrap_named! {
    stat(path: *const c_char, status: *mut libc::stat) => Operation::Status;
    stat64(path: *const c_char, status: *mut libc::stat) => Operation::Status;
    access(path: *const c_char, wanted: c_int) => Operation::Access;
}

/// Wraps `fopen` in its spellings: programs that open no file themselves open their scripts by it.
macro_rules! wrap_stream {
    ($($name:ident)*) => {$(
        /// As in libc.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(path: *const c_char, mode: *const c_char) -> *mut c_void {
            type Next = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void;
            const NAME: &CStr = symbol(concat!(stringify!($name), "\0"));
            deep::look();
            let Some(next) = next!(NAME, as Next) else {
                set_errno(libc::ENOSYS);
                return std::ptr::null_mut();
            };
            // SAFETY: the caller's own arguments.
            unsafe { next(path, mode) }
        }
    )*};
}

wrap_stream! { fopen fopen64 }

/// As in libc.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn close(descriptor: c_int) -> c_int {
    recorder::closed(descriptor, call_next!(close(descriptor: c_int) -> c_int))
}

/// As in libc.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let call = call_next!(rename(from: *const c_char, to: *const c_char) -> c_int);
    // SAFETY: the caller's own paths.
    unsafe { recorder::renamed(from, to, call) }
}

/// As in libc, but for the wal-index of a database of the list, which has no name to remove.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's own argument.
    if unsafe { exclusive::is_in_memory(path) } {
        return 0;
    }
    let call = call_next!(unlink(path: *const c_char) -> c_int);
    // SAFETY: the caller's own argument.
    unsafe { recorder::by_name(path, Operation::Unlink, call) }
}

type Map = unsafe extern "C" fn(*mut c_void, size_t, c_int, c_int, c_int, off_t) -> *mut c_void;

/// Wraps `mmap` in its spellings.
///
/// Allocators call them while `dlsym` works, so libc's own is looked up only for files that are
/// recorded; the others go to the kernel, as they would from there.
macro_rules! wrap_map {
    ($($name:ident)*) => {$(
        /// As in libc.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            address: *mut c_void,
            bytes: size_t,
            protection: c_int,
            flags: c_int,
            descriptor: c_int,
            offset: off_t,
        ) -> *mut c_void {
            const NAME: &CStr = symbol(concat!(stringify!($name), "\0"));
            let own = recorder::is_recorded(descriptor).then(|| next!(NAME, as Map)).flatten();
            let next = own.unwrap_or(map);
            let operation = Operation::Map {
                offset: offset.unsigned_abs(),
                bytes: bytes as u64,
                protection: protection.unsigned_abs(),
                flags: flags.unsigned_abs(),
            };
            recorder::mapped(descriptor, operation, || {
                // SAFETY: the caller's own arguments.
                unsafe { next(address, bytes, protection, flags, descriptor, offset) }
            })
        }
    )*};
}

wrap_map! { mmap mmap64 }

/// mmap(2) itself.
///
/// # Safety
/// As in C.
unsafe extern "C" fn map(
    address: *mut c_void,
    bytes: size_t,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: off_t,
) -> *mut c_void {
    // SAFETY: the caller's own arguments.
    let mapped = unsafe {
        libc::syscall(libc::SYS_mmap, address, bytes, protection, flags, descriptor, offset)
    };
    std::ptr::with_exposed_provenance_mut(mapped as usize)
}

/// As in libc.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(address: *mut c_void, bytes: size_t) -> c_int {
    recorder::unmapped(address, bytes as u64, || {
        // SAFETY: the caller's own arguments.
        let answer = unsafe { libc::syscall(libc::SYS_munmap, address, bytes) };
        answer as c_int
    })
}

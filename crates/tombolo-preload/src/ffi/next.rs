//! The definitions of libc that stand behind the ones here, and errno.

use libc::{c_char, c_int};
use std::ffi::CStr;

pub(super) type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
pub(super) type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;
pub(super) type Control = unsafe extern "C" fn(c_int, c_int, ...) -> c_int;

/// libc's definition of a function, as a function pointer of the type given.
macro_rules! next {
    ($name:expr, as $type:ty) => {{
        static NEXT: std::sync::atomic::AtomicPtr<libc::c_void> =
            std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());
        let mut address = NEXT.load(std::sync::atomic::Ordering::Relaxed);
        if address.is_null() {
            let name: &std::ffi::CStr = $name;
            // SAFETY: a name that ends in NUL, and a handle that dlsym(3) defines.
            address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
            NEXT.store(address, std::sync::atomic::Ordering::Relaxed);
        }
        if address.is_null() {
            None
        } else {
            // SAFETY: the address is that of the function of this name, whose C type is this.
            Some(unsafe { std::mem::transmute::<*mut libc::c_void, $type>(address) })
        }
    }};
}
pub(super) use next;

/// A function's name for `dlsym`; the compiler refuses one without its NUL.
pub(super) const fn symbol(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a symbol ends in NUL"),
    }
}

/// Sets errno, whose place each thread has of its own, and fails.
pub(super) fn fail(errno: c_int) -> c_int {
    set_errno(errno);
    -1
}

pub(super) fn set_errno(errno: c_int) {
    // SAFETY: always a valid pointer of this thread (errno(3)).
    unsafe { *libc::__errno_location() = errno };
}

pub(super) fn errno() -> c_int {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() }
}

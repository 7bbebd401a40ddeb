//! This library itself, as the loader has it.

use libc::c_void;
use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt as _;
use std::ptr;

/// The variable by which the loader is told what to preload (ld.so(8)).
const PRELOAD_VARIABLE: &str = "LD_PRELOAD";

/// The library: `handle` is of dlopen(3), and is never closed.
pub(super) struct Own {
    handle: *mut c_void,
    path: &'static CStr,
}

/// Something that is only in this library.
static HERE: u8 = 0;

impl Own {
    /// `None` where the loader does not know it.
    pub(super) fn find() -> Option<Self> {
        let mut info = libc::Dl_info {
            dli_fname: ptr::null(),
            dli_fbase: ptr::null_mut(),
            dli_sname: ptr::null(),
            dli_saddr: ptr::null_mut(),
        };
        let here: *const c_void = (&raw const HERE).cast();
        // SAFETY: any address, and a whole structure.
        if unsafe { libc::dladdr(here, &raw mut info) } == 0 || info.dli_fname.is_null() {
            return None;
        }
        // SAFETY: a path that ends in NUL, of what stays loaded.
        let path = unsafe { CStr::from_ptr(info.dli_fname) };
        // SAFETY: the same path.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
        (!handle.is_null()).then_some(Own { handle, path })
    }

    /// A function of this library; null where it has none of that name. Its name alone, as `open`,
    /// would mean whichever is the first in the order of the program: libc's where this library is
    /// an extension, and a place in the program itself where that takes the function's address.
    pub(super) fn function(&self, name: &CStr) -> *mut c_void {
        // SAFETY: a handle, and a name that ends in NUL.
        unsafe { libc::dlsym(self.handle, name.as_ptr()) }
    }

    /// Whether the program was started with this library.
    pub(super) fn is_preloaded(&self) -> bool {
        let list = std::env::var_os(PRELOAD_VARIABLE).unwrap_or_default();
        let mut paths = list.as_bytes().split(|byte| matches!(byte, b':' | b' '));
        paths.any(|path| path == self.path.to_bytes())
    }
}

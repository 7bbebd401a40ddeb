//! `dlopen`, before the loader's own.
//!
//! The loader looks for a library by the search path of the module that asks, which it tells by the
//! address to which the call returns. So a call that needs that path jumps to the loader, and what
//! it loads is looked at with the next call; any other is called from here and looked at when it
//! returns.

use super::modules::has_search_path;
use super::opened_module;
use libc::{c_char, c_int, c_void};
use std::arch::naked_asm;
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

pub(super) type Open = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;

/// The loader's own.
pub(super) fn real_dlopen() -> Option<Open> {
    static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
    let mut address = REAL.load(Ordering::Relaxed);
    if address.is_null() {
        // SAFETY: a name that ends in NUL, and a handle that dlsym(3) defines.
        address = unsafe { libc::dlsym(libc::RTLD_NEXT, c"dlopen".as_ptr()) };
        REAL.store(address, Ordering::Relaxed);
    }
    if address.is_null() {
        return None;
    }
    // SAFETY: the address is that of dlopen, whose type this is.
    Some(unsafe { std::mem::transmute::<*mut c_void, Open>(address) })
}

/// Which function a call of `dlopen` goes to.
unsafe extern "C" fn chosen(name: *const c_char, _: c_int, caller: *const c_void) -> Open {
    let Some(real) = real_dlopen() else { return opened_module };
    if name.is_null() || super::REACHED.get().is_none() {
        return real;
    }
    // SAFETY: not null, and a name ends in NUL.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let is_own = name.contains(&b'/') && !name.contains(&b'$');
    if is_own || !has_search_path(caller) { opened_module } else { real }
}

/// As in libc, but what it loads is looked at.
///
/// # Safety
/// As in C.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void {
    // The arguments are kept, the stack is aligned to 16, and the third argument is the address to
    // return to (System V ABI for x86-64, section 3.2).
    naked_asm!(
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "mov rdx, [rsp + 24]",
        "call {chosen}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        chosen = sym chosen,
    )
}

/// As in libc, but what it loads is looked at.
///
/// # Safety
/// As in C.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void {
    // As above (AAPCS64, section 6).
    naked_asm!(
        "stp x29, x30, [sp, #-32]!",
        "stp x0, x1, [sp, #16]",
        "mov x2, x30",
        "bl {chosen}",
        "mov x16, x0",
        "ldp x0, x1, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "br x16",
        chosen = sym chosen,
    )
}

//! `dlopen` and `dlmopen`, before the loader's own.
//!
//! The loader looks for a library by the search path of the module that asks, which it tells by the
//! address to which the call returns. So a call that needs that path jumps to the loader, and what
//! it loads is looked at with the next call; any other is called from here and looked at when it
//! returns.

use super::modules::has_search_path;
use super::{look, look_behind};
use crate::ffi::{OK, guarded};
use libc::{Lmid_t, c_char, c_int, c_void};
use std::arch::naked_asm;
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

pub(super) type Open = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void;
type OpenApart = unsafe extern "C" fn(Lmid_t, *const c_char, c_int) -> *mut c_void;

/// The loader's own function of a name, as that of a type.
macro_rules! real {
    ($name:expr, $type:ty) => {{
        static REAL: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
        let mut address = REAL.load(Ordering::Relaxed);
        if address.is_null() {
            let name: &CStr = $name;
            // SAFETY: a name that ends in NUL, and a handle that dlsym(3) defines.
            address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
            REAL.store(address, Ordering::Relaxed);
        }
        if address.is_null() {
            None
        } else {
            // SAFETY: the address is that of the function of this name, whose type this is.
            Some(unsafe { std::mem::transmute::<*mut c_void, $type>(address) })
        }
    }};
}

pub(super) fn real_dlopen() -> Option<Open> {
    real!(c"dlopen", Open)
}

fn real_dlmopen() -> Option<OpenApart> {
    real!(c"dlmopen", OpenApart)
}

/// Whether a call is to come from the module that makes it.
///
/// # Safety
/// `name` is null or ends in NUL; `caller` is an address in the module that calls.
unsafe fn is_callers_own(name: *const c_char, caller: *const c_void) -> bool {
    if name.is_null() || super::REACHED.get().is_none() {
        return true;
    }
    // SAFETY: not null, and the caller's promise.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let is_path = name.contains(&b'/') && !name.contains(&b'$');
    !is_path && has_search_path(caller)
}

/// Which function a call of `dlopen` goes to.
unsafe extern "C" fn chosen(name: *const c_char, _: c_int, caller: *const c_void) -> Open {
    match real_dlopen() {
        // SAFETY: the program's own argument, and where it called from.
        Some(real) if unsafe { is_callers_own(name, caller) } => real,
        _ => open_and_look,
    }
}

/// Which function a call of `dlmopen` goes to.
unsafe extern "C" fn chosen_apart(
    _: Lmid_t,
    name: *const c_char,
    _: c_int,
    caller: *const c_void,
) -> OpenApart {
    match real_dlmopen() {
        // SAFETY: the program's own argument, and where it called from.
        Some(real) if unsafe { is_callers_own(name, caller) } => real,
        _ => open_apart_and_look,
    }
}

unsafe extern "C" fn open_and_look(name: *const c_char, flags: c_int) -> *mut c_void {
    let Some(open) = real_dlopen() else { return std::ptr::null_mut() };
    // SAFETY: the caller's own arguments.
    let handle = unsafe { open(name, flags) };
    if !handle.is_null() {
        guarded(|| {
            look();
            OK
        });
    }
    handle
}

unsafe extern "C" fn open_apart_and_look(
    namespace: Lmid_t,
    name: *const c_char,
    flags: c_int,
) -> *mut c_void {
    let Some(open) = real_dlmopen() else { return std::ptr::null_mut() };
    // SAFETY: the caller's own arguments.
    let handle = unsafe { open(namespace, name, flags) };
    if !handle.is_null() {
        guarded(|| {
            look();
            look_behind(handle);
            OK
        });
    }
    handle
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

/// As in libc, but what it loads is looked at.
///
/// # Safety
/// As in C.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn dlmopen(namespace: Lmid_t, name: *const c_char, flags: c_int) -> *mut c_void {
    // As above; three arguments align the stack by themselves.
    naked_asm!(
        "push rdi",
        "push rsi",
        "push rdx",
        "mov rcx, [rsp + 24]",
        "call {chosen}",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        chosen = sym chosen_apart,
    )
}

/// As in libc, but what it loads is looked at.
///
/// # Safety
/// As in C.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn dlmopen(namespace: Lmid_t, name: *const c_char, flags: c_int) -> *mut c_void {
    naked_asm!(
        "stp x29, x30, [sp, #-48]!",
        "stp x0, x1, [sp, #16]",
        "str x2, [sp, #32]",
        "mov x3, x30",
        "bl {chosen}",
        "mov x16, x0",
        "ldr x2, [sp, #32]",
        "ldp x0, x1, [sp, #16]",
        "ldp x29, x30, [sp], #48",
        "br x16",
        chosen = sym chosen_apart,
    )
}

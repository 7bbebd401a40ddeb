//! The modules of the process: the program and the libraries that its loader has mapped.

use libc::{c_char, c_int, c_void, size_t};
use std::ffi::{CStr, CString};

/// Modules that are looked at; programs have some hundred.
const MODULES_MAX: usize = 16 * 1024;

/// `DT_RPATH`, `DT_RUNPATH` (`elf.h`).
const RPATH: i64 = 15;
const RUNPATH: i64 = 29;
/// Entries of a dynamic section that are read at most; it ends with a null entry.
const DYNAMIC_MAX: usize = 4096;

/// A module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// As the loader names it; empty for the program.
    pub(super) name: CString,
    /// The addresses that it takes up.
    pub(super) first: usize,
    pub(super) end: usize,
}

impl Module {
    pub(super) fn contains(&self, address: usize) -> bool {
        (self.first..self.end).contains(&address)
    }

    /// Bytes of memory that it takes up.
    pub(super) fn size_bytes(&self) -> usize {
        self.end.saturating_sub(self.first)
    }

    /// Its path.
    pub(super) fn path(&self) -> Vec<u8> {
        if !self.name.is_empty() {
            return self.name.to_bytes().to_vec();
        }
        let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
        program.into_os_string().into_encoded_bytes()
    }
}

/// All modules of the program's own namespace, in the order of loading.
pub(super) fn all() -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    // SAFETY: the function is called before this returns, with the pointer to the list.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn add(
    info: *mut libc::dl_phdr_info,
    _bytes: size_t,
    list: *mut c_void,
) -> c_int {
    // SAFETY: the loader gives a whole structure, and hands on the pointer that it was given.
    let (info, list) = unsafe { (&*info, &mut *list.cast::<Vec<Module>>()) };
    if list.len() >= MODULES_MAX || info.dlpi_phdr.is_null() {
        return 1;
    }
    // SAFETY: so many headers stand there.
    let headers =
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let base = usize::try_from(info.dlpi_addr).unwrap_or(0);
    let (mut first, mut end) = (usize::MAX, 0);
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        let from = base.wrapping_add(usize::try_from(header.p_vaddr).unwrap_or(0));
        first = first.min(from);
        end = end.max(from.wrapping_add(usize::try_from(header.p_memsz).unwrap_or(0)));
    }
    let name = if info.dlpi_name.is_null() {
        CString::default()
    } else {
        // SAFETY: not null; the loader's names end in NUL.
        unsafe { CStr::from_ptr(info.dlpi_name) }.to_owned()
    };
    list.push(Module { name, first, end });
    0
}

/// Where the module begins that has an address, and its path.
pub(super) fn place(address: *const c_void) -> Option<(usize, Vec<u8>)> {
    // SAFETY: `Dl_info` is of pointers, and zeros are null.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: any address, and a place for the answer.
    if address.is_null() || unsafe { libc::dladdr(address, &raw mut info) } == 0 {
        return None;
    }
    // SAFETY: null, or a name of the loader, which ends in NUL.
    let path = unsafe { crate::ffi::vfs::bytes(info.dli_fname) };
    Some((info.dli_fbase.addr(), path.to_vec()))
}

/// `struct link_map` (`link.h`), its public part.
#[repr(C)]
struct LinkMap {
    address: usize,
    name: *const c_char,
    dynamic: *const [i64; 2],
}

/// Whether the module that has an address tells the loader where to look for libraries: then a
/// library that it names without a directory is found only by a call from within it.
pub(super) fn has_search_path(address: *const c_void) -> bool {
    const LINK_MAP: c_int = 2;
    // SAFETY: `Dl_info` is of pointers, and zeros are null.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let mut map: *mut c_void = std::ptr::null_mut();
    // SAFETY: any address, and places for the answers.
    let found = unsafe { libc::dladdr1(address, &raw mut info, &raw mut map, LINK_MAP) };
    if found == 0 || map.is_null() {
        return false;
    }
    // SAFETY: the loader's own structure, of a module that is running.
    let dynamic = unsafe { (*map.cast::<LinkMap>()).dynamic };
    if dynamic.is_null() {
        return false;
    }
    for at in 0..DYNAMIC_MAX {
        // SAFETY: no entry was the last one yet.
        match unsafe { (*dynamic.add(at))[0] } {
            0 => return false,
            RPATH | RUNPATH => return true,
            _ => {}
        }
    }
    false
}

//! Libraries that were loaded past this one: with `RTLD_DEEPBIND` (dlopen(3)), as PHP loads its
//! modules, a library finds the functions of libc before those here.
//!
//! Such a library calls libc through addresses that the loader has written into it, one for each
//! name (ELF, "Relocation"; System V ABI for x86-64, section 4.4; ELF for AArch64, section 5.7).
//! Where a library asks for all that SQLite's VFS for Unix needs of libc, the addresses of the
//! functions here are put there instead, as the loader does it for other libraries. In these they
//! stand there already, and nothing changes.
//!
//! It is looked for new libraries when the program makes a call that this library stands in front
//! of, but for calls on files that are recorded: who makes these was reached. A process that was
//! forked does not look: another thread may have held the loader's lock at that moment.

use super::own::Own;
use libc::{c_char, c_int, c_void, dl_phdr_info, size_t};
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

/// Whether this process looks: not where nothing is wanted of this library, nor where it was not
/// preloaded.
static LOOKS: AtomicBool = AtomicBool::new(false);
/// How many libraries had been loaded when it was looked last (`dlpi_adds`, dl_iterate_phdr(3)).
static SEEN: AtomicU64 = AtomicU64::new(0);

/// Longest list of relocations that is read; the largest browsers have fewer.
const RELOCATIONS_MAX: usize = 1 << 22;

/// Kinds of relocations that are the address of a name and nothing else (`elf.h`).
#[cfg(target_arch = "x86_64")]
const PLAIN_KINDS: [u32; 3] = [1, 6, 7]; // R_X86_64_64, GLOB_DAT, JUMP_SLOT
#[cfg(target_arch = "aarch64")]
const PLAIN_KINDS: [u32; 3] = [257, 1025, 1026]; // R_AARCH64_ABS64, GLOB_DAT, JUMP_SLOT
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const PLAIN_KINDS: [u32; 0] = [];

/// Entries of the dynamic section (`elf.h`).
const DT_NULL: i64 = 0;
const DT_PLTRELSZ: i64 = 2;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_RELA: i64 = 7;
const DT_RELASZ: i64 = 8;
const DT_STRSZ: i64 = 10;
const DT_JMPREL: i64 = 23;

/// What SQLite's VFS cannot do without; a library that asks libc for one of each may be SQLite.
const NEEDS: [&[&CStr]; 3] =
    [&[c"fcntl", c"fcntl64"], &[c"fsync", c"fdatasync"], &[c"ftruncate", c"ftruncate64"]];

/// Functions here that stand in front of libc's.
static NAMES: [&CStr; 32] = [
    c"open",
    c"open64",
    c"openat",
    c"openat64",
    c"__open_2",
    c"__open64_2",
    c"__openat_2",
    c"__openat64_2",
    c"fcntl",
    c"fcntl64",
    c"fsync",
    c"fdatasync",
    c"ftruncate",
    c"ftruncate64",
    c"flock",
    c"fstat",
    c"fstat64",
    c"read",
    c"pread",
    c"pread64",
    c"write",
    c"pwrite",
    c"pwrite64",
    c"stat",
    c"stat64",
    c"access",
    c"close",
    c"rename",
    c"unlink",
    c"mmap",
    c"mmap64",
    c"munmap",
];

/// Where they are; null for what is not known yet, and for what this library does not have.
static FUNCTIONS: [AtomicPtr<c_void>; NAMES.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; NAMES.len()];

/// Begins to look, from this process on, where this library was preloaded: only then does it stand
/// in front of libc for libraries that are loaded as usual.
pub(super) fn prepare() {
    let Some(own) = Own::find() else { return };
    if own.is_preloaded() {
        for (name, function) in NAMES.into_iter().zip(&FUNCTIONS) {
            function.store(own.function(name), Ordering::Relaxed);
        }
        LOOKS.store(true, Ordering::Relaxed);
        // SAFETY: a function that takes no arguments, for as long as the process lives.
        unsafe { libc::pthread_atfork(None, None, Some(in_forked)) };
    }
}

extern "C" fn in_forked() {
    LOOKS.store(false, Ordering::Relaxed);
}

/// Looks whether libraries were loaded since the last time, and stands in front of those that may
/// be SQLite.
pub(super) fn look() {
    if !LOOKS.load(Ordering::Relaxed) {
        return;
    }
    let mut adds = 0_u64;
    // SAFETY: a function that reads what it is given, and a place for its answer.
    unsafe { libc::dl_iterate_phdr(Some(count), (&raw mut adds).cast()) };
    if SEEN.swap(adds, Ordering::Relaxed) != adds {
        // SAFETY: a function that uses what it is given while the loader holds it.
        unsafe { libc::dl_iterate_phdr(Some(stand_before), ptr::null_mut()) };
    }
}

/// # Safety
/// As `dl_iterate_phdr` calls it, with a place for the count.
unsafe extern "C" fn count(info: *mut dl_phdr_info, _: size_t, adds: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { *adds.cast::<u64>() = (*info).dlpi_adds };
    1
}

/// # Safety
/// As `dl_iterate_phdr` calls it.
unsafe extern "C" fn stand_before(info: *mut dl_phdr_info, _: size_t, _: *mut c_void) -> c_int {
    // SAFETY: the loader's own description of what is loaded, which stays while this runs.
    if let Some(library) = unsafe { Library::of(&*info) }
        && library.may_be_sqlite()
    {
        library.stand_before();
    }
    0
}

/// `Elf64_Sym`.
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    bytes: u64,
}

/// `Elf64_Rela`.
#[repr(C)]
struct Relocation {
    offset: u64,
    info: u64,
    addend: i64,
}

/// A loaded library, by what its dynamic section says.
///
/// 1. All of it is mapped for as long as the loader holds it: as long as `dl_iterate_phdr` runs.
/// 2. `texts` is `texts_bytes` long.
struct Library<'a> {
    base: usize,
    symbols: *const Symbol,
    texts: *const c_char,
    texts_bytes: usize,
    relocations: [&'a [Relocation]; 2],
    /// What the loader has made read-only after it was done: from, and bytes.
    sealed: (usize, usize),
}

impl Library<'_> {
    /// # Safety
    /// `info` is what `dl_iterate_phdr` gives.
    unsafe fn of(info: &dl_phdr_info) -> Option<Self> {
        let base = usize::try_from(info.dlpi_addr).ok()?;
        // SAFETY: the caller's promise.
        let headers =
            unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let found = |kind: u32| {
            let header = headers.iter().find(|header| header.p_type == kind)?;
            let start = base.checked_add(usize::try_from(header.p_vaddr).ok()?)?;
            Some((start, usize::try_from(header.p_memsz).ok()?))
        };
        let (dynamic, dynamic_bytes) = found(libc::PT_DYNAMIC)?;
        let dynamic = ptr::with_exposed_provenance::<(i64, u64)>(dynamic);
        // SAFETY: the dynamic section, pairs of words, as its header says.
        let entries =
            unsafe { std::slice::from_raw_parts(dynamic, dynamic_bytes / size_of::<(i64, u64)>()) };
        let entry = |tag: i64| {
            let mut entries = entries.iter().take_while(|entry| entry.0 != DT_NULL);
            entries.find(|entry| entry.0 == tag).and_then(|entry| usize::try_from(entry.1).ok())
        };
        // The loader adds the base to addresses in here, except in sections that are read-only.
        let address = |tag: i64| {
            entry(tag).map(|address| if address < base { base + address } else { address })
        };
        let relocations = |tag: i64, bytes: i64| {
            let count = entry(bytes).unwrap_or(0) / size_of::<Relocation>();
            match address(tag) {
                Some(start) if count <= RELOCATIONS_MAX => {
                    let start = ptr::with_exposed_provenance(start);
                    // SAFETY: the list that the loader itself has worked off.
                    unsafe { std::slice::from_raw_parts(start, count) }
                }
                _ => &[],
            }
        };
        Some(Library {
            base,
            symbols: ptr::with_exposed_provenance(address(DT_SYMTAB)?),
            texts: ptr::with_exposed_provenance(address(DT_STRTAB)?),
            texts_bytes: entry(DT_STRSZ)?,
            relocations: [relocations(DT_RELA, DT_RELASZ), relocations(DT_JMPREL, DT_PLTRELSZ)],
            sealed: found(libc::PT_GNU_RELRO).unwrap_or_default(),
        })
    }

    /// Where the addresses of functions of other libraries stand, with the names of these.
    fn imports(&self) -> impl Iterator<Item = (usize, &CStr)> {
        self.relocations.iter().copied().flatten().filter_map(|relocation| {
            let (symbol, kind) = ((relocation.info >> 32) as usize, relocation.info as u32);
            if symbol == 0 || relocation.addend != 0 || !PLAIN_KINDS.contains(&kind) {
                return None;
            }
            // SAFETY: a symbol that the loader has looked up for this relocation.
            let symbol = unsafe { &*self.symbols.add(symbol) };
            let at = usize::try_from(symbol.name).ok().filter(|at| *at < self.texts_bytes)?;
            // SAFETY: within the library's names, each of which ends in NUL.
            let name = unsafe { CStr::from_ptr(self.texts.add(at)) };
            let place = self.base.checked_add(usize::try_from(relocation.offset).ok()?)?;
            // What a library defines itself is its own.
            (symbol.section == 0).then_some((place, name))
        })
    }

    fn may_be_sqlite(&self) -> bool {
        let mut has = [false; NEEDS.len()];
        for (_, name) in self.imports() {
            for (has, names) in has.iter_mut().zip(NEEDS) {
                *has |= names.contains(&name);
            }
        }
        has == [true; NEEDS.len()]
    }

    fn stand_before(&self) {
        for (place, name) in self.imports() {
            let own = NAMES.iter().position(|own| *own == name);
            let own = own.and_then(|own| FUNCTIONS.get(own));
            let address = own.map_or(ptr::null_mut(), |own| own.load(Ordering::Relaxed));
            if address.is_null() || !place.is_multiple_of(size_of::<usize>()) {
                continue;
            }
            let slot = ptr::with_exposed_provenance_mut(place);
            // SAFETY: a whole word of the library, which other threads read as one.
            let slot = unsafe { AtomicPtr::<c_void>::from_ptr(slot) };
            if slot.load(Ordering::Relaxed) != address && self.unseal(place) {
                slot.store(address, Ordering::Relaxed);
                self.seal(place);
            }
        }
    }

    fn unseal(&self, place: usize) -> bool {
        !self.is_sealed(place) || protect(place, libc::PROT_READ | libc::PROT_WRITE)
    }

    fn seal(&self, place: usize) {
        if self.is_sealed(place) {
            protect(place, libc::PROT_READ);
        }
    }

    fn is_sealed(&self, place: usize) -> bool {
        place.checked_sub(self.sealed.0).is_some_and(|offset| offset < self.sealed.1)
    }
}

fn protect(place: usize, protection: c_int) -> bool {
    // SAFETY: no pointer is involved.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Ok(page_bytes) = usize::try_from(page_bytes) else { return false };
    let page = ptr::with_exposed_provenance_mut(place - place % page_bytes);
    // SAFETY: a page of the library's data, which the loader had writable while it did the same.
    unsafe { libc::mprotect(page, page_bytes, protection) == 0 }
}

//! SQLite's own VFS, with functions put before its own: which of its files go to an owner is
//! decided by path when a main database is opened, and everything else is handed on as it came.

use super::Doorway;
use crate::ffi::abi::{File, Vfs};
use crate::ffi::vfs::{bytes, delete_group, flag, get_last_error, open_at_owner, waited_for_turn};
use crate::ffi::{ERROR, Guest, Host, LAST_ERROR, OK, guarded};
use crate::groups;
use crate::names::database_of_super_journal;
use crate::wanted::Way;
use libc::{c_char, c_int};
use std::sync::atomic::{AtomicPtr, Ordering};
use tombolo_door::Address;

/// `SQLITE_CANTOPEN`.
const CANTOPEN: c_int = 14;

type Open = unsafe extern "C" fn(*mut Vfs, *const c_char, *mut File, c_int, *mut c_int) -> c_int;
type Delete = unsafe extern "C" fn(*mut Vfs, *const c_char, c_int) -> c_int;
type Access = unsafe extern "C" fn(*mut Vfs, *const c_char, c_int, *mut c_int) -> c_int;
type Sleep = unsafe extern "C" fn(*mut Vfs, c_int) -> c_int;
type GetLastError = unsafe extern "C" fn(*mut Vfs, c_int, *mut c_char) -> c_int;

/// What stood in a VFS before.
#[derive(Clone, Copy, Debug)]
struct Stock {
    open: Open,
    delete: Delete,
    access: Access,
    sleep: Sleep,
    get_last_error: Option<GetLastError>,
}

/// A VFS that was patched. It stays in the list for as long as the process lives.
#[derive(Debug)]
struct Patched {
    vfs: *const Vfs,
    /// What tells copies of the structure: some programs register one under another name.
    data: usize,
    stock: Stock,
    host: &'static Host,
    next: *const Patched,
}

/// The one that was patched last, from where the others follow.
static NEWEST: AtomicPtr<Patched> = AtomicPtr::new(std::ptr::null_mut());

/// Whether a VFS is patched already.
///
/// # Safety
/// `vfs` is a VFS that is registered.
pub(super) unsafe fn is_patched(vfs: *mut Vfs) -> bool {
    // SAFETY: the caller's promise.
    let current = unsafe { (*vfs).open };
    current.is_some_and(|function| std::ptr::fn_addr_eq(function, open as Open))
}

/// Patches a VFS, once.
///
/// # Safety
/// `vfs` is a VFS that is registered in the SQLite of `host` and stays where it is.
pub(super) unsafe fn patch(vfs: *mut Vfs, host: &'static Host) -> Doorway {
    // SAFETY: the caller's promise.
    if unsafe { is_patched(vfs) } {
        return Doorway::Open;
    }
    // SAFETY: as above.
    let current = unsafe { &mut *vfs };
    let room = usize::try_from(current.file_bytes).unwrap_or(0);
    let (Some(stock_open), Some(stock_delete), Some(stock_access), Some(stock_sleep)) =
        (current.open, current.delete, current.access, current.sleep)
    else {
        return Doorway::Shut;
    };
    // SQLite may have read the size of a file before; ours must do with the room of its own.
    if room < size_of::<File>() {
        return Doorway::Shut;
    }
    let stock = Stock {
        open: stock_open,
        delete: stock_delete,
        access: stock_access,
        sleep: stock_sleep,
        get_last_error: current.get_last_error,
    };
    let next = NEWEST.load(Ordering::Acquire);
    let entry = Patched { vfs, data: current.data.addr(), stock, host, next };
    NEWEST.store(Box::leak(Box::new(entry)), Ordering::Release);
    current.delete = Some(delete);
    current.access = Some(access);
    current.sleep = Some(sleep);
    current.get_last_error = Some(last_error);
    current.open = Some(open);
    Doorway::Open
}

/// What stood in a VFS.
fn patched(vfs: *mut Vfs) -> Option<&'static Patched> {
    let all = || {
        let mut next = NEWEST.load(Ordering::Acquire).cast_const();
        std::iter::from_fn(move || {
            // SAFETY: null or an entry of the list, which is never freed.
            let entry = unsafe { next.as_ref() }?;
            next = entry.next;
            Some(entry)
        })
    };
    // SAFETY: SQLite calls with a VFS.
    let data = unsafe { (*vfs).data.addr() };
    all().find(|entry| entry.vfs == vfs).or_else(|| all().find(|entry| entry.data == data))
}

impl Patched {
    fn guest(&self, is: impl Fn(&Guest) -> bool) -> bool {
        self.host.guests().iter().any(is)
    }

    /// Whether a name is one by which SQLite asks for the journal or the log of a guest.
    fn is_companion(&self, name: *const c_char) -> bool {
        !name.is_null() && self.guest(|guest| guest.companions.contains(&name.addr()))
    }

    /// Whether a name is one by which SQLite makes a super-journal for a guest.
    fn is_super_journal(&self, path: &[u8]) -> bool {
        database_of_super_journal(path)
            .is_some_and(|database| self.guest(|guest| guest.path == database))
    }

    /// The way of a main database, and the owner's address as the door reads it.
    ///
    /// # Safety
    /// `name` is the name of a main database as SQLite gives it to `xOpen`.
    unsafe fn way(&self, name: *const c_char) -> (Way, Option<Vec<u8>>) {
        // SAFETY: the caller's promise.
        let (path, asked) = unsafe {
            let asked = self
                .host
                .routines
                .uri_parameter
                .is_some_and(|find| !find(name, c"owner".as_ptr()).is_null());
            (bytes(name), asked)
        };
        if asked {
            return (Way::Door(None), None);
        }
        let way = super::wanted().map_or(Way::Stock, |wanted| wanted.way(path));
        let address = match &way {
            Way::Door(Some(Address::Unix(socket))) => {
                Some([b"unix:", socket.as_os_str().as_encoded_bytes()].concat())
            }
            _ => None,
        };
        (way, address)
    }

    /// The names of a main database and of its companions.
    ///
    /// # Safety
    /// As for [`Self::way`].
    unsafe fn names(&self, name: *const c_char) -> Guest {
        let companion = |find: Option<crate::ffi::abi::Filename>| {
            // SAFETY: SQLite's own function on its own name.
            find.map_or(0, |find| unsafe { find(name) }.addr())
        };
        let routines = &self.host.routines;
        let companions = [companion(routines.filename_journal), companion(routines.filename_wal)];
        // SAFETY: the caller's promise.
        let path = unsafe { bytes(name) }.to_vec();
        Guest { path, database: name.addr(), companions }
    }
}

unsafe extern "C" fn open(
    vfs: *mut Vfs,
    name: *const c_char,
    file: *mut File,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let Some(patched) = patched(vfs) else { return CANTOPEN };
    let mut answer = None;
    let code = guarded(|| {
        let host = patched.host;
        // SAFETY: SQLite calls `xOpen` of its VFS, with a name of its own; it is a database's
        // with this flag alone.
        answer = unsafe {
            if flags & flag::MAIN_DB != 0 && !name.is_null() {
                match patched.way(name) {
                    (Way::Stock, _) => None,
                    (Way::Door(_), address) => {
                        let address = address.as_deref();
                        let code = open_at_owner(host, name, file, flags, flags_out, address);
                        if code == OK {
                            host.guests().push(patched.names(name));
                            super::opened(bytes(name));
                        }
                        Some(code)
                    }
                }
            } else if patched.is_companion(name)
                || (flags & flag::SUPER_JOURNAL != 0 && patched.is_super_journal(bytes(name)))
            {
                Some(open_at_owner(host, name, file, flags, flags_out, None))
            } else {
                None
            }
        };
        OK
    });
    if code != OK {
        return code;
    }
    answer.unwrap_or_else(|| {
        LAST_ERROR.set((0, String::new()));
        // SAFETY: the VFS gets what it would have got.
        unsafe { (patched.stock.open)(vfs, name, file, flags, flags_out) }
    })
}

unsafe extern "C" fn delete(vfs: *mut Vfs, name: *const c_char, sync: c_int) -> c_int {
    let Some(patched) = patched(vfs) else { return ERROR };
    if patched.is_companion(name) {
        return OK;
    }
    let mut answer = None;
    let code = guarded(|| {
        // SAFETY: SQLite gives a path.
        answer = delete_group(patched.host, unsafe { bytes(name) }, sync);
        answer.unwrap_or(OK)
    });
    if code != OK || answer.is_some() {
        return code;
    }
    // SAFETY: the VFS gets what it would have got.
    unsafe { (patched.stock.delete)(vfs, name, sync) }
}

unsafe extern "C" fn access(
    vfs: *mut Vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    let Some(patched) = patched(vfs) else { return ERROR };
    if patched.is_companion(name) {
        // SAFETY: SQLite gives a place for the answer.
        unsafe { *answer = 0 };
        return OK;
    }
    // SAFETY: SQLite gives a path.
    if groups::exists(unsafe { bytes(name) }) {
        // SAFETY: and a place for the answer.
        unsafe { *answer = 1 };
        return OK;
    }
    // SAFETY: the VFS gets what it would have got.
    unsafe { (patched.stock.access)(vfs, name, flags, answer) }
}

unsafe extern "C" fn sleep(vfs: *mut Vfs, microseconds: c_int) -> c_int {
    if waited_for_turn(microseconds) {
        return microseconds;
    }
    // SAFETY: the VFS gets what it would have got.
    patched(vfs).map_or(0, |patched| unsafe { (patched.stock.sleep)(vfs, microseconds) })
}

unsafe extern "C" fn last_error(vfs: *mut Vfs, room: c_int, into: *mut c_char) -> c_int {
    let is_ours = LAST_ERROR.with_borrow(|(_, text)| !text.is_empty());
    let stock = patched(vfs).and_then(|patched| patched.stock.get_last_error);
    match stock {
        // SAFETY: the VFS gets what it would have got.
        Some(stock) if !is_ours => unsafe { stock(vfs, room, into) },
        // SAFETY: SQLite gives room for `room` bytes.
        _ => unsafe { get_last_error(vfs, room, into) },
    }
}

//! `open`: which files are SQLite's.

use super::bytes_of;
use super::exclusive::status;
use super::log;
use super::next::set_errno;
use super::recorder::{State, set_file_of, state, timed};
use libc::{c_char, c_int};
use std::ffi::{CStr, CString};
use tombolo_core::sqlite::header::{MAGIC, is_sqlite_header};
use tombolo_core::trace::files::{joined, opens_like_sqlite};
use tombolo_core::trace::record::Operation;

/// `open`.
///
/// # Safety
/// `path` is null or ends in NUL.
pub(super) unsafe fn opened(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let Some(state) = state().filter(|state| state.is_own()) else { return call() };
    let ended = timed(call);
    set_file_of(ended.answer, 0);
    // SAFETY: the caller's promise.
    let given = unsafe { bytes_of(path) };
    let path = match ended.answer {
        descriptor if descriptor >= 0 => state.recognise(descriptor, given, flags),
        _ => state.wanted_by_name(directory, given, flags),
    };
    let file = path.and_then(|path| state.inner().number(&path));
    let Some(file) = file else {
        set_errno(ended.errno);
        return ended.answer;
    };
    set_file_of(ended.answer, file);
    let descriptor = (ended.answer >= 0).then_some(ended.answer);
    let operation = Operation::Open { flags: flags.unsigned_abs() };
    log::ask_once();
    ended.record(state, file, descriptor, operation)
}

impl State {
    /// The path of a file that was opened, if it is SQLite's.
    fn recognise(&self, descriptor: c_int, given: &[u8], flags: c_int) -> Option<Vec<u8>> {
        let status = status(descriptor)?;
        if status.st_mode & libc::S_IFMT != libc::S_IFREG {
            return None;
        }
        let path = path_of(descriptor).filter(|path| !path.starts_with(b"/memfd:"));
        let path = path.unwrap_or_else(|| given.to_vec());
        let by_name = self.inner().files.is_ours_by_name(&path, &self.wanted);
        let new = || status.st_size == 0 && opens_like_sqlite(flags.unsigned_abs());
        let ours = by_name.unwrap_or_else(|| has_header(descriptor) || new());
        ours.then_some(path)
    }

    /// The path of a file that could not be opened, if it is SQLite's.
    fn wanted_by_name(&self, directory: c_int, given: &[u8], flags: c_int) -> Option<Vec<u8>> {
        let base = match directory {
            libc::AT_FDCWD => current_directory(),
            descriptor => path_of(descriptor),
        };
        let path = joined(&base.unwrap_or_default(), given);
        let flags = flags.unsigned_abs();
        self.inner().files.is_ours_unopened(&path, flags, &self.wanted).then_some(path)
    }
}

fn current_directory() -> Option<Vec<u8>> {
    let mut buffer = [0; 4096];
    link_target(c"/proc/self/cwd", &mut buffer).map(<[u8]>::to_vec)
}

pub(super) fn path_of(descriptor: c_int) -> Option<Vec<u8>> {
    let link = CString::new(format!("/proc/self/fd/{descriptor}")).ok()?;
    let mut buffer = [0; 4096];
    link_target(&link, &mut buffer).map(<[u8]>::to_vec)
}

pub(super) fn link_target<'a>(link: &CStr, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: a path that ends in NUL; the pointer and the length are of one buffer.
    let length = unsafe {
        libc::readlink(link.as_ptr(), buffer.as_mut_ptr().cast::<c_char>(), buffer.len())
    };
    buffer.get(..usize::try_from(length).ok()?)
}

fn has_header(descriptor: c_int) -> bool {
    let mut start = [0_u8; MAGIC.len()];
    // SAFETY: the pointer and the length are of one buffer. Not by `pread`, which is wrapped here.
    let read = unsafe {
        libc::syscall(libc::SYS_pread64, descriptor, start.as_mut_ptr(), start.len(), 0_i64)
    };
    usize::try_from(read).is_ok_and(|read| read == start.len()) && is_sqlite_header(&start)
}

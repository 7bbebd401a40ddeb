//! Hidden directories for experiments beside a user's file.
//!
//! The path may hang at any moment, so this process never touches it. A child of its own, the
//! holder, removes what killed runs have left, makes the directory, holds it by `flock`, and
//! removes it when this process has no more need of it or is gone, by whatever death. A holder that
//! sleeps in the kernel does its work when the mount answers again.
//!
//! The same holds for a directory in which doctors on several kernels meet. The one that makes it
//! removes it; the others find it by the last field of its name.
//!
//! A scratch directory is flat. A later run on the same kernel removes one that was left behind;
//! what another kernel left is touched only when it is two days old.

mod maker;
mod meeting;
mod place;
mod sweep;

pub use meeting::{
    NotMet, enter as enter_meeting, find as find_meeting, find_named as find_named_meeting,
    remove_here,
};
pub use place::Place;

use crate::error::CallError;
use crate::mount_table::Viewer;
use crate::namespace;
use crate::worker::{Companion, End, Lifeline, Outbox, pause};
use maker::{Maker, Purpose};
use place::{is_our_file, is_ours, open_directory};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno as RawErrno;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};
use sweep::sweep;
use tombolo_core::errno::Errno;

/// How the names of scratch directories begin.
pub const PREFIX: &str = ".tombolo-probe-";

/// How the names of directories begin in which doctors meet.
pub const MEETING_PREFIX: &str = ".tombolo-peer-";

/// Most entries that are removed from one directory, and most directories looked at by a sweep.
const ENTRIES_MAX: usize = 4096;

/// Whether a directory of this name is one of ours.
#[must_use]
pub fn is_scratch_name(name: &[u8]) -> bool {
    [PREFIX, MEETING_PREFIX].iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// How often a directory with more entries than that is gone through.
const ROUNDS_MAX: u32 = 4;

/// Most names tried for a fresh directory.
const ATTEMPTS_MAX: u32 = 16;

/// How often the holder tries to remove the directory: a child that was killed may still be writing
/// its last file.
const REMOVALS_MAX: u32 = 20;

/// Why there is no scratch directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call was refused: a read-only or full file system, missing permission.
    #[error("{text}")]
    Refused {
        /// The call and what it was called on.
        text: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// The holder gave no answer.
    #[error("a scratch directory beside the target could not be made: {0}")]
    NoAnswer(End),
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        Error::Refused { text: error.to_string(), errno: error.errno }
    }
}

/// A fresh directory; removed, with the files in it, when dropped.
#[derive(Debug)]
pub struct Scratch {
    place: Place,
    holder: Companion,
}

/// What became of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Gone,
    /// It could not be removed, or not yet; a later run will.
    Left,
}

/// What the holder says, as the first byte of a message.
mod word {
    /// The [`Place`](super::Place) follows.
    pub(super) const MADE: u8 = b'm';
    /// The error number follows, in four bytes, and the text.
    pub(super) const REFUSED: u8 = b'r';
    /// The directory is removed.
    pub(super) const GONE: u8 = b'g';
}

impl Scratch {
    /// Makes one in `parent` as `viewer` sees it, accessible to the caller's user alone.
    ///
    /// # Errors
    /// See [`Error`]. A holder that has not answered by then is let go, and removes what it makes.
    pub fn new(parent: &Path, viewer: Viewer, deadline: Instant) -> Result<Self, Error> {
        Self::made_for(Purpose::Probes, parent, viewer, deadline)
    }

    /// The same, as a directory in which others find this process by `code`, a word of letters and
    /// digits.
    ///
    /// # Errors
    /// As [`Scratch::new`].
    pub fn meeting(
        parent: &Path,
        viewer: Viewer,
        code: &str,
        deadline: Instant,
    ) -> Result<Self, Error> {
        Self::made_for(Purpose::Meeting(code), parent, viewer, deadline)
    }

    fn made_for(
        purpose: Purpose<'_>,
        parent: &Path,
        viewer: Viewer,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let request = Request { purpose, parent, viewer, deadline };
        let mut holder = Companion::start(|outbox, lifeline| hold(&request, outbox, lifeline))?;
        let message = holder.message(deadline).map_err(Error::NoAnswer)?;
        match message.split_first() {
            Some((&word::MADE, place)) => {
                let place = Place::from_bytes(place).ok_or(Error::NoAnswer(End::MessageLost))?;
                Ok(Scratch { place, holder })
            }
            Some((&word::REFUSED, rest)) => Err(refusal(rest)),
            _ => Err(Error::NoAnswer(End::NotKnown)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its name when it was made.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Has it removed, and waits for that until the deadline.
    #[must_use]
    pub fn remove(mut self, deadline: Instant) -> Removal {
        self.holder.let_go();
        match self.holder.message(deadline) {
            Ok(message) if message == [word::GONE] => Removal::Gone,
            _ => Removal::Left,
        }
    }
}

fn refusal(message: &[u8]) -> Error {
    let (number, text) = message.split_first_chunk().unwrap_or((&[0; 4], message));
    Error::Refused {
        text: String::from_utf8_lossy(text).into_owned(),
        errno: Errno::from_raw(i32::from_le_bytes(*number)),
    }
}

/// What a holder is started for.
struct Request<'a> {
    purpose: Purpose<'a>,
    parent: &'a Path,
    viewer: Viewer,
    deadline: Instant,
}

/// The holder's whole life.
fn hold(request: &Request<'_>, outbox: &mut Outbox, lifeline: &Lifeline) {
    let Request { purpose, parent, viewer, deadline } = *request;
    let mut refuse = |text: &str, errno: Errno| {
        let number = errno.raw().to_le_bytes();
        outbox.send(&[&[word::REFUSED], number.as_slice(), text.as_bytes()].concat());
    };
    // Reads our own `/proc`, which is out of sight afterwards.
    let maker = Maker::here();
    if let Viewer::Process(pid) = viewer
        && let Err(error) = namespace::enter(Path::new("/proc"), pid)
    {
        return refuse(&error.to_string(), error.errno());
    }
    let mut made = make(parent, &maker, purpose);
    let owner = made.as_ref().ok().and_then(|(_, held)| rustix::fs::fstat(held).ok());
    let owner = owner.map_or_else(|| rustix::process::geteuid().as_raw(), |status| status.st_uid);
    let go_on = || Instant::now() < deadline && !lifeline.is_cut();
    let swept = sweep(parent, &maker, owner, &go_on);
    if made.is_err() && swept > 0 {
        made = make(parent, &maker, purpose);
    }
    match made {
        Ok((place, held)) => {
            outbox.send(&[&[word::MADE], place.to_bytes().as_slice()].concat());
            lifeline.wait();
            if remove_patiently(place.path(), &held) {
                outbox.send(&[word::GONE]);
            }
        }
        Err(error) => refuse(&error.to_string(), error.errno),
    }
}

fn make(parent: &Path, maker: &Maker, purpose: Purpose<'_>) -> Result<(Place, OwnedFd), CallError> {
    let mut taken = CallError::from_rustix("mkdir", parent, RawErrno::EXIST);
    for _ in 0..ATTEMPTS_MAX {
        let path = parent.join(maker.name_for(purpose));
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            Ok(()) => {}
            Err(RawErrno::EXIST) => continue,
            Err(errno) => return Err(CallError::from_rustix("mkdir", &path, errno)),
        }
        let refused = |call| {
            let path = path.clone();
            move |errno| CallError::from_rustix(call, &path, errno)
        };
        let held = open_directory(&path).map_err(refused("open"))?;
        let status = rustix::fs::fstat(&held).map_err(refused("fstat"))?;
        if !is_ours(&held, &status) {
            let _ = rustix::fs::rmdir(&path);
            taken = refused("open")(RawErrno::EXIST);
            continue;
        }
        match rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
            // Someone who cannot see this process took it for an abandoned one; it is theirs now.
            Err(RawErrno::WOULDBLOCK) => taken = refused("flock")(RawErrno::WOULDBLOCK),
            // Where `flock` is refused, a sweep goes by the process in the name.
            Ok(()) | Err(_) => match rustix::fs::stat(&path) {
                Ok(_) => return Ok((Place::new(path, &status), held)),
                Err(errno) => taken = refused("stat")(errno),
            },
        }
    }
    Err(taken)
}

fn remove_patiently(path: &Path, held: &OwnedFd) -> bool {
    for _ in 0..REMOVALS_MAX {
        match remove(path, held) {
            Ok(()) | Err(RawErrno::NOENT) => return true,
            Err(RawErrno::NOTEMPTY | RawErrno::EXIST | RawErrno::BUSY | RawErrno::INTR) => {
                pause(Duration::from_millis(50));
            }
            Err(_) => return false,
        }
    }
    false
}

/// Removes our files from a scratch directory, then the directory. Never follows a link, never goes
/// deeper than into a directory that is named like ours: anything else in it was not ours, and
/// stays. Directories of ours are names that were raced for, what the VFS `unix-dotfile` makes in
/// place of a lock, and the one of [`crate::mailbox`].
fn remove(path: &Path, held: &OwnedFd) -> rustix::io::Result<()> {
    for _ in 0..ROUNDS_MAX {
        let ours = our_entries(held);
        for (name, kind) in &ours {
            if *kind == FileType::Directory {
                remove_below(held, name);
            } else {
                let _ = rustix::fs::unlinkat(held, name, AtFlags::empty());
            }
        }
        if ours.len() < ENTRIES_MAX {
            break;
        }
    }
    rustix::fs::rmdir(path)
}

fn remove_below(held: &OwnedFd, name: &CString) {
    if rustix::fs::unlinkat(held, name, AtFlags::REMOVEDIR).is_ok() {
        return;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Ok(below) = rustix::fs::openat(held, name, flags, Mode::empty()) {
        for (name, _) in our_entries(&below) {
            let _ = rustix::fs::unlinkat(&below, &name, AtFlags::empty());
        }
    }
    let _ = rustix::fs::unlinkat(held, name, AtFlags::REMOVEDIR);
}

fn our_entries(directory: &OwnedFd) -> Vec<(CString, FileType)> {
    let Ok(entries) = rustix::fs::Dir::read_from(directory) else { return Vec::new() };
    let ours =
        entries.filter_map(Result::ok).filter(|entry| is_our_file(entry.file_name().to_bytes()));
    let named = ours.map(|entry| (entry.file_name().to_owned(), entry.file_type()));
    named.take(ENTRIES_MAX).collect()
}

/// Creates a new file in a scratch directory, readable and writable. Its name must begin with
/// `probe.`, or it stays behind.
///
/// # Errors
/// What `open` said.
pub fn create(path: &Path) -> Result<File, CallError> {
    let options = File::options().read(true).write(true).create_new(true).open(path);
    options.map_err(|error| CallError::new("open", path, &error))
}

#[cfg(test)]
mod tests;

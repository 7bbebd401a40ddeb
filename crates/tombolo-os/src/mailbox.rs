//! Messages as names of empty files ([`tombolo_core::peer`]), in a directory of their own within
//! the one where the sides meet.
//!
//! Making and listing names tells a kernel's caches what has changed in a directory and, as NFS
//! reads attributes along with names, in all that stands there. What is measured must not be
//! freshened by talk, so it stands elsewhere.
//!
//! A name that has served is moved to the next one: a server that holds a descriptor of each file
//! that its clients remember would run out of them, were each message a new file.

use crate::worker::pause;
use rustix::fs::{AtFlags, CWD, Dir, DirEntry, Mode, OFlags};
use rustix::io::Errno as RawErrno;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::peer::part::{PREFIX, Part, PeerId};

/// Most entries of the directory that are read.
const ENTRIES_MAX: usize = 32 * 1024;

/// Most files that are kept for further names.
const SPARE_MAX: usize = 64;

/// The directory of the messages.
const NAME: &str = "peer.mail";

/// Between two looks for it.
const PAUSE: Duration = Duration::from_millis(50);

/// One side's way to the names of all.
#[derive(Debug)]
pub struct Mailbox {
    directory: OwnedFd,
    own: PeerId,
    lists: u64,
    /// The file that is moved before each list.
    look: Option<String>,
    /// Files that have served, by their names.
    spare: Vec<String>,
    spares: u64,
}

impl Mailbox {
    /// Makes the directory of the messages. The working directory must be the one in which the
    /// sides meet.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn make(own: PeerId) -> Result<Self, Errno> {
        rustix::fs::mkdirat(CWD, NAME, Mode::RWXU).map_err(errno)?;
        Self::enter(own)
    }

    /// Finds it, once another side has made it. It is not looked up before it is listed, because
    /// its absence may be remembered.
    ///
    /// # Errors
    /// What the kernel said; `ENOENT` where it is not there in time.
    pub fn find(own: PeerId, deadline: Instant) -> Result<Self, Errno> {
        let is_it = |entry: &DirEntry| entry.file_name().to_bytes() == NAME.as_bytes();
        while !read(&open(CWD, ".").map_err(errno)?)?.iter().any(is_it) {
            if Instant::now() > deadline {
                return Err(Errno::ENOENT);
            }
            pause(PAUSE);
        }
        Self::enter(own)
    }

    fn enter(own: PeerId) -> Result<Self, Errno> {
        let directory = open(CWD, NAME).map_err(errno)?;
        Ok(Mailbox { directory, own, lists: 0, look: None, spare: Vec::new(), spares: 0 })
    }

    /// Makes a name.
    ///
    /// # Errors
    /// What the kernel said; `ENOENT` where the directory was removed.
    pub fn put(&mut self, name: &str) -> Result<(), Errno> {
        match self.spare.pop() {
            Some(spare) if self.rename(&spare, name) => Ok(()),
            _ => self.create(name),
        }
    }

    /// Whether a file could be moved. One that could not is removed: it may be gone, and some
    /// servers move nothing.
    fn rename(&self, from: &str, to: &str) -> bool {
        let moved = rustix::fs::renameat(&self.directory, from, &self.directory, to).is_ok();
        if !moved {
            let _ = rustix::fs::unlinkat(&self.directory, from, AtFlags::empty());
        }
        moved
    }

    fn create(&self, name: &str) -> Result<(), Errno> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::openat(&self.directory, name, flags, mode).map(drop).map_err(errno)
    }

    /// Removes a name of one's own. One that is gone already has served.
    pub fn remove(&mut self, name: &str) {
        self.spares += 1;
        let spare = format!("{PREFIX}{}.spare.{}", self.own.0, self.spares);
        if self.spare.len() < SPARE_MAX && self.rename(name, &spare) {
            self.spare.push(spare);
        } else {
            let _ = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
        }
    }

    /// All messages that can be seen. A name is changed first: that tells this kernel's own caches
    /// that the directory has changed (NFS holds a listing for up to a minute else: `acdirmax` of
    /// nfs(5)).
    ///
    /// # Errors
    /// What the kernel said.
    pub fn list(&mut self) -> Result<Vec<Part>, Errno> {
        self.lists += 1;
        let fresh = format!("{PREFIX}{}.look.{}", self.own.0, self.lists);
        let moved = self.look.take().is_some_and(|look| self.rename(&look, &fresh));
        if !moved {
            self.create(&fresh)?;
        }
        self.look = Some(fresh);
        let entries = read(&open(&self.directory, ".").map_err(errno)?)?;
        let parts = entries.iter().filter_map(|entry| Part::parse(entry.file_name().to_bytes()));
        Ok(parts.collect())
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        for name in self.look.iter().chain(&self.spare) {
            let _ = rustix::fs::unlinkat(&self.directory, name.as_str(), AtFlags::empty());
        }
    }
}

fn open(directory: impl std::os::fd::AsFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

fn read(directory: &OwnedFd) -> Result<Vec<DirEntry>, Errno> {
    let entries = Dir::read_from(directory).map_err(errno)?;
    entries.take(ENTRIES_MAX).collect::<Result<_, RawErrno>>().map_err(errno)
}

fn errno(errno: RawErrno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker;
    use std::path::Path;
    use std::time::{Duration, Instant};
    use tombolo_core::peer::link::Link;
    use tombolo_core::peer::part::LEADER;

    /// Runs in a process of its own, because the working directory is the whole process's.
    fn within(directory: &std::path::Path, test: impl FnOnce()) {
        let body = |_: &mut worker::Outbox| {
            rustix::process::chdir(directory).expect("entered");
            test();
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        let end = worker::run(deadline, body, &mut |_| {}).expect("a process");
        assert_eq!(end, worker::End::Finished);
    }

    #[test]
    fn a_message_is_seen_until_it_is_removed_and_other_names_are_passed_over() {
        let directory = tempfile::tempdir().expect("a directory");
        within(directory.path(), || {
            let mut mailbox = Mailbox::make(LEADER).expect("made");
            std::fs::write("peer.mail/probe.1", b"").expect("written");
            let names = Link::new(LEADER, PeerId(7), 0).say(b"hello", 0).expect("fits");
            for name in &names {
                mailbox.put(name).expect("made");
            }
            let seen = mailbox.list().expect("listed");
            assert_eq!(seen.iter().map(Part::name).collect::<Vec<_>>(), names);
            assert_eq!(mailbox.put(&names[0]), Err(Errno::EEXIST));
            mailbox.remove(&names[0]);
            assert_eq!(mailbox.list(), Ok(Vec::new()));
        });
        let left = std::fs::read_dir(directory.path().join(NAME)).expect("readable");
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn a_long_conversation_makes_few_files() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        within(directory.path(), || {
            let mut mailbox = Mailbox::make(LEADER).expect("made");
            let mut link = Link::new(LEADER, PeerId(7), 0);
            let mut files = std::collections::BTreeSet::new();
            for round in 0..200 {
                let names = link.say(b"hello", round).expect("fits");
                names.iter().for_each(|name| mailbox.put(name).expect("made"));
                assert_eq!(mailbox.list().expect("listed").len(), names.len());
                for entry in std::fs::read_dir(NAME).expect("readable") {
                    let entry = entry.expect("readable");
                    files.insert(entry.metadata().expect("a status").ino());
                }
                names.iter().for_each(|name| mailbox.remove(name));
            }
            assert!(files.len() <= 3, "{} files", files.len());
        });
    }

    /// As on a server that moves nothing, or when somebody else tidies up.
    #[test]
    fn a_file_that_cannot_be_moved_is_made_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        within(directory.path(), || {
            let mut mailbox = Mailbox::make(LEADER).expect("made");
            mailbox.put("peer.one").expect("made");
            mailbox.remove("peer.one");
            mailbox.list().expect("listed");
            for entry in std::fs::read_dir(NAME).expect("readable") {
                std::fs::remove_file(entry.expect("readable").path()).expect("removed");
            }
            mailbox.put("peer.two").expect("made");
            mailbox.list().expect("listed");
            assert!(Path::new(NAME).join("peer.two").exists());
        });
    }

    #[test]
    fn a_directory_that_was_removed_is_told_from_an_empty_one() {
        let directory = tempfile::tempdir().expect("a directory");
        within(directory.path(), || {
            let soon = Instant::now() + Duration::from_millis(1);
            assert_eq!(Mailbox::find(PeerId(7), soon).err(), Some(Errno::ENOENT));
            Mailbox::make(LEADER).expect("made");
            let mut mailbox = Mailbox::find(PeerId(7), soon).expect("found");
            assert_eq!(mailbox.list(), Ok(Vec::new()));
            std::fs::remove_dir_all(NAME).expect("removed");
            assert_eq!(mailbox.list(), Err(Errno::ENOENT));
        });
    }
}

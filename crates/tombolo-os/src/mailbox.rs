//! Messages as names of empty files in the working directory ([`tombolo_core::peer`]).

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno as RawErrno;
use tombolo_core::errno::Errno;
use tombolo_core::peer::part::{PREFIX, Part, PeerId};

/// Most entries of the directory that are read; a race leaves thousands for a while.
const ENTRIES_MAX: usize = 32 * 1024;

/// One side's way to the names of all.
#[derive(Debug)]
pub struct Mailbox {
    own: PeerId,
    lists: u64,
}

impl Mailbox {
    /// The mailbox of this side. The working directory must be the one in which the sides meet.
    #[must_use]
    pub fn new(own: PeerId) -> Self {
        Mailbox { own, lists: 0 }
    }

    /// Makes a name.
    ///
    /// # Errors
    /// What the kernel said; `ENOENT` where the directory was removed.
    pub fn put(&mut self, name: &str) -> Result<(), Errno> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, name, flags, Mode::RUSR | Mode::WUSR).map(drop).map_err(errno)
    }

    /// Removes a name of one's own. One that is gone already has served.
    pub fn remove(&mut self, name: &str) {
        let _ = rustix::fs::unlinkat(CWD, name, AtFlags::empty());
    }

    /// All messages that can be seen. A name is made and removed first: that tells this kernel's
    /// own caches that the directory has changed (NFS holds a listing for up to a minute else:
    /// `acdirmax` of nfs(5)).
    ///
    /// # Errors
    /// What the kernel said.
    pub fn list(&mut self) -> Result<Vec<Part>, Errno> {
        self.lists += 1;
        let fresh = format!("{PREFIX}{}.look.{}", self.own.0, self.lists);
        self.put(&fresh)?;
        self.remove(&fresh);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, ".", flags, Mode::empty()).map_err(errno)?;
        let mut parts = Vec::new();
        for entry in rustix::fs::Dir::new(directory).map_err(errno)?.take(ENTRIES_MAX) {
            parts.extend(Part::parse(entry.map_err(errno)?.file_name().to_bytes()));
        }
        Ok(parts)
    }
}

fn errno(errno: RawErrno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker;
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
        std::fs::write(directory.path().join("probe.1"), b"").expect("written");
        within(directory.path(), || {
            let mut mailbox = Mailbox::new(LEADER);
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
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_directory_that_was_removed_is_told_from_an_empty_one() {
        let directory = tempfile::tempdir().expect("a directory");
        within(directory.path(), || {
            let mut mailbox = Mailbox::new(LEADER);
            assert_eq!(mailbox.list(), Ok(Vec::new()));
            std::fs::remove_dir(directory.path()).expect("removed");
            assert_eq!(mailbox.list(), Err(Errno::ENOENT));
        });
    }
}

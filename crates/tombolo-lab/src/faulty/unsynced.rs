//! What a server has not written to its disk: gone when it crashes.
//!
//! What is written goes to the directory behind the mount at once, where every process of the
//! server sees it, as in its page cache. Kept here is what the disk has: the contents of each
//! changed file when it was last synced.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files of tests are small; nothing larger is held in memory.
const LARGEST_BYTES: u64 = 256 << 20;

#[derive(Debug)]
struct OnDisk {
    file: File,
    contents: Vec<u8>,
}

/// The contents on the disk of every file that has other contents by now.
#[derive(Debug, Default)]
pub(super) struct Memory {
    files: Mutex<HashMap<u64, OnDisk>>,
}

impl Memory {
    /// Runs `change` on a file that is not to be believed until it is synced.
    pub(super) fn change(
        &self,
        inode: u64,
        file: &File,
        change: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        // Held over the change: a sync at the same time is before it or after it.
        let mut files = self.files();
        if let Entry::Vacant(place) = files.entry(inode) {
            place.insert(OnDisk { file: file.try_clone()?, contents: contents(file)? });
        }
        change()
    }

    /// Runs `sync`, after which the file is on the disk.
    pub(super) fn sync(&self, inode: u64, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut files = self.files();
        sync()?;
        files.remove(&inode);
        Ok(())
    }

    /// Puts back what is on the disk; answers how many files had other contents.
    pub(super) fn crash(&self) -> io::Result<usize> {
        let lost = std::mem::take(&mut *self.files());
        for OnDisk { file, contents } in lost.values() {
            file.set_len(0)?;
            file.write_all_at(contents, 0)?;
        }
        Ok(lost.len())
    }

    fn files(&self) -> MutexGuard<'_, HashMap<u64, OnDisk>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn contents(file: &File) -> io::Result<Vec<u8>> {
    let size_bytes = file.metadata()?.len();
    if size_bytes > LARGEST_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut contents = vec![0; usize::try_from(size_bytes).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut contents, 0)?;
    Ok(contents)
}

//! Open files and directories.

use fuser::{FileHandle, FileType, INodeNo};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A name in a directory, as it was when the directory was opened.
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) kind: FileType,
    pub(super) name: OsString,
}

#[derive(Clone)]
enum Open {
    File { inode: INodeNo, file: Arc<File>, writes: bool },
    Directory(Arc<Vec<Entry>>),
}

#[derive(Default)]
struct Table {
    last: u64,
    open: HashMap<u64, Open>,
}

/// What is open, by the number that the kernel was told.
#[derive(Default)]
pub(super) struct Handles {
    table: Mutex<Table>,
}

impl Handles {
    pub(super) fn add_file(&self, inode: INodeNo, file: File, writes: bool) -> FileHandle {
        self.add(Open::File { inode, file: Arc::new(file), writes })
    }

    /// Whether somebody has the file open for writing.
    pub(super) fn is_written(&self, wanted: INodeNo) -> bool {
        let is_it = |open: &Open| match open {
            Open::File { inode, writes, .. } => *writes && *inode == wanted,
            Open::Directory(_) => false,
        };
        self.table().open.values().any(is_it)
    }

    /// With those of its names that are to be shown.
    pub(super) fn add_directory(
        &self,
        directory: &File,
        is_shown: impl Fn(&OsStr) -> bool,
    ) -> Result<FileHandle, Errno> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") && !is_shown(OsStr::from_bytes(name)) {
                continue;
            }
            entries.push(Entry {
                number: entry.ino(),
                kind: super::inodes::kind(entry.file_type()),
                name: OsStr::from_bytes(name).to_owned(),
            });
        }
        Ok(self.add(Open::Directory(Arc::new(entries))))
    }

    pub(super) fn file(&self, handle: FileHandle) -> Result<Arc<File>, Errno> {
        match self.table().open.get(&handle.0) {
            Some(Open::File { file, .. }) => Ok(file.clone()),
            _ => Err(Errno::BADF),
        }
    }

    pub(super) fn directory(&self, handle: FileHandle) -> Result<Arc<Vec<Entry>>, Errno> {
        match self.table().open.get(&handle.0) {
            Some(Open::Directory(entries)) => Ok(entries.clone()),
            _ => Err(Errno::BADF),
        }
    }

    /// Answers the file, so that its inode number is not used again before the caller has done
    /// with it; nothing for a directory.
    pub(super) fn close(&self, handle: FileHandle) -> Option<Arc<File>> {
        match self.table().open.remove(&handle.0) {
            Some(Open::File { file, .. }) => Some(file),
            Some(Open::Directory(_)) | None => None,
        }
    }

    /// Whoever has `inode` open has `file` from now on.
    pub(super) fn replace(&self, inode: INodeNo, file: &Arc<File>) {
        for open in self.table().open.values_mut() {
            match open {
                Open::File { inode: number, file: held, .. } if *number == inode => {
                    *held = file.clone();
                }
                _ => {}
            }
        }
    }

    fn add(&self, open: Open) -> FileHandle {
        let mut table = self.table();
        table.last += 1;
        let handle = table.last;
        table.open.insert(handle, open);
        FileHandle(handle)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

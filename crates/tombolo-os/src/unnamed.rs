//! Files without a name, gone with their descriptor.

use rustix::fs::{MemfdFlags, Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A file without a name, in `$TMPDIR` or `/var/tmp`, as SQLite's own temporary files; in memory
/// where no directory takes one.
#[derive(Debug)]
pub struct UnnamedFile {
    file: File,
}

impl UnnamedFile {
    /// An empty file.
    ///
    /// # Errors
    /// `open(2)` with `O_TMPFILE`, and `memfd_create(2)`.
    pub fn new() -> io::Result<Self> {
        let directory = std::env::var_os("TMPDIR").unwrap_or_else(|| "/var/tmp".into());
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let found = rustix::fs::open(&directory, flags, mode)
            .or_else(|_| rustix::fs::open("/tmp", flags, mode))
            .or_else(|_| rustix::fs::memfd_create("tombolo", MemfdFlags::CLOEXEC))?;
        Ok(UnnamedFile { file: found.into() })
    }

    /// An empty file in this directory, or none at all.
    ///
    /// # Errors
    /// `open(2)` with `O_TMPFILE`: `EOPNOTSUPP` where the file system has no such files.
    pub fn within(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(UnnamedFile { file: file.into() })
    }

    /// Reads bytes; how many there were.
    ///
    /// # Errors
    /// `pread(2)`.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            let rest = into.get_mut(done..).unwrap_or_default();
            match self.file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// `pwrite(2)`.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Cuts it.
    ///
    /// # Errors
    /// `ftruncate(2)`.
    pub fn truncate(&self, size: u64) -> io::Result<()> {
        if self.size_bytes()? > size { self.file.set_len(size) } else { Ok(()) }
    }

    /// Its length.
    ///
    /// # Errors
    /// `fstat(2)`.
    pub fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

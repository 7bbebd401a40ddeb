//! Journals and temporary files: in memory as long as they are small, then in a file without a
//! name. They never go through another VFS, which would look at the database beside them.

use std::io;
use tombolo_os::unnamed::UnnamedFile;

/// Bytes from which on a file goes to disk.
const MEMORY_BYTES: usize = 4 << 20;

/// A file that is gone with its handle.
#[derive(Debug)]
pub(crate) enum Scratch {
    Memory(Vec<u8>),
    Disk(UnnamedFile),
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch::Memory(Vec::new())
    }
}

impl Scratch {
    /// Reads bytes; how many there were.
    pub(crate) fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Scratch::Memory(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let there = bytes.get(from..).unwrap_or_default();
                let count = there.len().min(into.len());
                for (place, byte) in into.iter_mut().zip(there) {
                    *place = *byte;
                }
                Ok(count)
            }
            Scratch::Disk(file) => file.read(offset, into),
        }
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if let Scratch::Memory(memory) = self {
            match usize::try_from(end) {
                Ok(end) if end <= MEMORY_BYTES => {
                    if memory.len() < end {
                        memory.resize(end, 0);
                    }
                    let from = end - bytes.len();
                    if let Some(place) = memory.get_mut(from..end) {
                        place.copy_from_slice(bytes);
                    }
                    return Ok(());
                }
                _ => {
                    let file = UnnamedFile::new()?;
                    file.write(0, memory)?;
                    *self = Scratch::Disk(file);
                }
            }
        }
        match self {
            Scratch::Disk(file) => file.write(offset, bytes),
            Scratch::Memory(_) => Ok(()),
        }
    }

    pub(crate) fn truncate(&mut self, size: u64) -> io::Result<()> {
        match self {
            Scratch::Memory(bytes) => {
                bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
                Ok(())
            }
            Scratch::Disk(file) => file.truncate(size),
        }
    }

    pub(crate) fn size_bytes(&self) -> io::Result<u64> {
        match self {
            Scratch::Memory(bytes) => Ok(bytes.len() as u64),
            Scratch::Disk(file) => file.size_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_file_in_memory_and_on_disk() {
        let mut scratch = Scratch::default();
        let far = MEMORY_BYTES as u64 - 2;
        scratch.write(5, b"hello").expect("memory");
        scratch.write(far, b"x").expect("memory");
        assert!(matches!(scratch, Scratch::Memory(_)));
        scratch.write(far, b"across").expect("disk");
        assert!(matches!(scratch, Scratch::Disk(_)));
        let mut bytes = [9; 12];
        assert_eq!(scratch.read(0, &mut bytes).expect("read"), 12);
        assert_eq!(&bytes, b"\0\0\0\0\0hello\0\0");
        assert_eq!(scratch.read(far, &mut bytes).expect("read"), 6);
        assert_eq!(scratch.size_bytes().expect("size"), far + 6);
        scratch.truncate(7).expect("cut");
        assert_eq!(scratch.read(5, &mut bytes).expect("read"), 2);
    }
}

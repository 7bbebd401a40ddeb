//! Transactions that are larger than memory is to be: the rest of their pages is in a file without
//! a name, on a local disk.

use super::cannot;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tombolo_core::owner::buffer::{Buffer, Found, Store};
use tombolo_core::owner::engine::{EachPage, EngineError, PageNumber};
use tombolo_core::owner::limits::Limits;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_os::unnamed::UnnamedFile;

/// Where temporary files are put unless somebody says otherwise, in the order of SQLite's own
/// (`unixTempFileInit` in os_unix.c).
const DIRECTORIES: [&str; 2] = ["/var/tmp", "/tmp"];

/// The directory for temporary files that the environment names, or the system has.
#[must_use]
pub(super) fn default_directory() -> PathBuf {
    let named = ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os);
    let mut known = named.map(PathBuf::from).chain(DIRECTORIES.map(PathBuf::from));
    known.find(|path| path.is_dir()).unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Makes buffers for transactions.
#[derive(Debug)]
pub(super) struct Buffers {
    limits: Limits,
    directory: Arc<Path>,
}

impl Buffers {
    pub(super) fn new(limits: Limits, directory: &Path) -> Self {
        Buffers { limits, directory: directory.into() }
    }
}

impl Store for Buffers {
    type Buffer = SpillBuffer;

    fn buffer(&mut self, _page_size_bytes: u32) -> SpillBuffer {
        SpillBuffer {
            pages: BTreeMap::new(),
            memory_bytes: 0,
            bytes: 0,
            file: None,
            limits: self.limits,
            directory: Arc::clone(&self.directory),
        }
    }
}

/// Where a page is.
#[derive(Debug)]
enum Place {
    Memory(Box<[u8]>),
    File { offset: u64, length: usize },
}

/// The pages of one transaction.
#[derive(Debug)]
pub(super) struct SpillBuffer {
    pages: BTreeMap<PageNumber, Place>,
    memory_bytes: u64,
    /// Bytes of all pages, those in the file included.
    bytes: u64,
    file: Option<(UnnamedFile, u64)>,
    limits: Limits,
    directory: Arc<Path>,
}

impl SpillBuffer {
    /// Writes a page at the end of the file.
    fn spill(&mut self, page: &[u8]) -> io::Result<Place> {
        let (file, end) = match self.file.take() {
            Some(open) => open,
            None => (UnnamedFile::within(&self.directory)?, 0),
        };
        let written = file.write(end, page);
        let place = Place::File { offset: end, length: page.len() };
        let next = if written.is_ok() { end + page.len() as u64 } else { end };
        self.file = Some((file, next));
        written.map(|()| place)
    }

    fn failed(&self, error: &io::Error) -> EngineError {
        let directory = self.directory.display();
        tracing::warn!(%directory, %error, "a large transaction cannot be kept");
        cannot(error, &format!("the owner cannot keep a transaction in {directory}"))
    }
}

/// Appends a page to `into`.
fn fetch(place: &Place, file: Option<&UnnamedFile>, into: &mut Vec<u8>) -> io::Result<()> {
    match (place, file) {
        (Place::Memory(page), _) => into.extend_from_slice(page),
        (Place::File { offset, length }, Some(file)) => {
            let begin = into.len();
            into.resize(begin + length, 0);
            let count = file.read(*offset, into.get_mut(begin..).unwrap_or_default())?;
            if count != *length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        (Place::File { .. }, None) => return Err(io::ErrorKind::NotFound.into()),
    }
    Ok(())
}

impl Buffer for SpillBuffer {
    fn put(&mut self, number: PageNumber, page: &[u8]) -> Result<(), EngineError> {
        let length = page.len() as u64;
        match self.pages.get_mut(&number) {
            Some(Place::Memory(old)) if old.len() == page.len() => {
                old.copy_from_slice(page);
                return Ok(());
            }
            Some(Place::File { offset, length }) if *length == page.len() => {
                let offset = *offset;
                let file = self.file.as_ref().map(|(file, _)| file);
                let written = file.map_or(Ok(()), |file| file.write(offset, page));
                return written.map_err(|error| self.failed(&error));
            }
            _ => {}
        }
        if self.bytes + length > self.limits.transaction_bytes_max {
            let message =
                format!("a transaction of more than {} bytes", self.limits.transaction_bytes_max);
            return Err(EngineError { code: ResultCode::FULL, errno: None, message });
        }
        let place = if self.memory_bytes + length <= self.limits.transaction_memory_bytes {
            self.memory_bytes += length;
            Place::Memory(page.into())
        } else {
            self.spill(page).map_err(|error| self.failed(&error))?
        };
        self.bytes += length;
        self.pages.insert(number, place);
        Ok(())
    }

    fn get(&mut self, number: PageNumber, into: &mut Vec<u8>) -> Result<Found, EngineError> {
        let Some(place) = self.pages.get(&number) else { return Ok(Found::NotWritten) };
        let file = self.file.as_ref().map(|(file, _)| file);
        fetch(place, file, into).map_err(|error| self.failed(&error))?;
        Ok(Found::Here)
    }

    fn for_each(&mut self, last: PageNumber, each: EachPage<'_>) -> Result<(), EngineError> {
        let file = self.file.as_ref().map(|(file, _)| file);
        let mut page = Vec::new();
        for (number, place) in self.pages.range(..=last) {
            match place {
                Place::Memory(page) => each(*number, page)?,
                Place::File { .. } => {
                    page.clear();
                    fetch(place, file, &mut page).map_err(|error| self.failed(&error))?;
                    each(*number, &page)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 512;

    fn buffer(memory_pages: u64, pages_max: u64) -> SpillBuffer {
        let limits = Limits {
            transaction_memory_bytes: memory_pages * PAGE as u64,
            transaction_bytes_max: pages_max * PAGE as u64,
            ..Limits::default()
        };
        Buffers::new(limits, &default_directory()).buffer(PAGE as u32)
    }

    fn page(byte: u8) -> Vec<u8> {
        vec![byte; PAGE]
    }

    fn all(buffer: &mut SpillBuffer, last: PageNumber) -> Vec<(PageNumber, u8)> {
        let mut seen = Vec::new();
        let mut each = |number, page: &[u8]| {
            assert!(page.len() == PAGE && page.iter().all(|byte| *byte == page[0]));
            seen.push((number, page[0]));
            Ok(())
        };
        buffer.for_each(last, &mut each).expect("readable");
        seen
    }

    #[test]
    fn what_has_no_room_in_memory_is_in_a_file_and_comes_back_in_order() {
        let mut buffer = buffer(2, 6);
        for (number, byte) in [(9, 9), (3, 3), (7, 7), (5, 5), (7, 70), (9, 90)] {
            buffer.put(number, &page(byte)).expect("taken");
        }
        assert!(buffer.file.as_ref().is_some_and(|(_, end)| *end == 2 * PAGE as u64));
        assert_eq!(all(&mut buffer, u32::MAX), [(3, 3), (5, 5), (7, 70), (9, 90)]);
        assert_eq!(all(&mut buffer, 5), [(3, 3), (5, 5)], "what is cut off is left out");
        let mut bytes = Vec::new();
        assert_eq!(buffer.get(7, &mut bytes), Ok(Found::Here));
        assert_eq!(bytes, page(70));
        assert_eq!(buffer.get(8, &mut bytes), Ok(Found::NotWritten));
    }

    #[test]
    fn a_transaction_that_is_too_large_is_a_full_disk() {
        let mut buffer = buffer(1, 3);
        for number in 1..=3 {
            buffer.put(number, &page(1)).expect("taken");
        }
        buffer.put(2, &page(2)).expect("it was there");
        let error = buffer.put(4, &page(1)).expect_err("one too many");
        assert_eq!(error.code, ResultCode::FULL, "{error}");
        assert_eq!(all(&mut buffer, 9).len(), 3);
    }

    #[test]
    fn a_directory_that_takes_no_file_is_an_error_of_that_transaction() {
        let mut buffer = buffer(1, 3);
        buffer.directory = PathBuf::from("/proc").into();
        buffer.put(1, &page(1)).expect("in memory");
        let error = buffer.put(2, &page(1)).expect_err("no file");
        assert_eq!(error.code, ResultCode::IOERR, "{error}");
        assert!(error.errno.is_some());
    }
}

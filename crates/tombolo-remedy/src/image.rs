//! What a database says: its pages, with those of its log laid over them.
//!
//! Read without SQLite, so that it can be held against what SQLite has made of a copy. A hot
//! rollback journal is not looked at; where one stands, only SQLite knows what the database says.

use crate::copy::{Attend, hexadecimal, read_error};
use crate::error::Error;
use crate::files;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tombolo_core::sqlite::header::{HEADER_BYTES, Header};
use tombolo_core::sqlite::wal::{
    FRAME_HEADER_BYTES, FrameHeader, Progress, Summariser, WAL_HEADER_BYTES, WalHeader,
};
use tombolo_os::read::{self, Opened};

/// What the header of page 1 says of the file rather than of the database: versions for reading and
/// writing (offsets 18 and 19), the change counter (24), the size (28), for which change the size
/// holds (92), and the library that wrote last (96). File format, section 1.3.
const VOLATILE: [std::ops::Range<usize>; 3] = [18..20, 24..32, 92..100];

/// Takes the number of a page, and its bytes.
type OnPage<'a> = dyn FnMut(u32, &[u8]) -> Result<(), Error> + 'a;

/// A database, to be read page by page.
#[derive(Debug)]
pub(crate) struct Image {
    database: Opened,
    path: PathBuf,
    log: Option<Log>,
    page_size_bytes: u32,
    size_pages: u32,
}

/// The committed part of a log.
#[derive(Debug)]
struct Log {
    file: Opened,
    page_size_bytes: u32,
    /// Where the newest committed frame of a page begins, by its number.
    frames: HashMap<u32, u64>,
    size_pages: u32,
}

impl Image {
    /// Looks at a database and its log.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the header makes no sense, and what the kernel said.
    pub(crate) fn open(database: &Path, attend: &mut dyn Attend) -> Result<Self, Error> {
        let log = Log::open(&files::beside(database, "-wal"), attend)?;
        let opened = read::open(database).map_err(read_error)?;
        let size_bytes = opened.status().size_bytes;
        let (page_size_bytes, size_pages) = match &log {
            Some(log) => (log.page_size_bytes, log.size_pages),
            None if size_bytes == 0 => (0, 0),
            None => {
                let bytes = opened.bytes_at(0, HEADER_BYTES)?;
                let header =
                    Header::read(&bytes).map_err(|fault| Error::Damaged(fault.to_string()))?;
                let size_pages = size_bytes / u64::from(header.page_size_bytes());
                let size_pages = u32::try_from(size_pages).map_err(|_| {
                    Error::Damaged("it has more pages than SQLite can count".to_owned())
                })?;
                (header.page_size_bytes(), size_pages)
            }
        };
        Ok(Image { database: opened, path: database.to_owned(), log, page_size_bytes, size_pages })
    }

    /// Fills `page` with a page, from 1.
    fn read(&self, number: u32, page: &mut [u8]) -> Result<(), Error> {
        let frame = self.log.as_ref().and_then(|log| Some((log, *log.frames.get(&number)?)));
        let count = match frame {
            Some((log, offset)) => log.file.read_at(page, offset + FRAME_HEADER_BYTES as u64)?,
            None => {
                let offset = u64::from(number - 1) * u64::from(self.page_size_bytes);
                self.database.read_at(page, offset)?
            }
        };
        if count < page.len() {
            let path = self.path.display();
            return Err(Error::Damaged(format!("page {number} of {path} is not whole")));
        }
        if number == 1 {
            for range in VOLATILE {
                page.get_mut(range).unwrap_or_default().fill(0);
            }
        }
        Ok(())
    }

    /// Calls `on_page` with each page, the volatile parts of the first one zeroed.
    fn each_page(&self, attend: &mut dyn Attend, on_page: &mut OnPage<'_>) -> Result<(), Error> {
        let mut page = vec![0; self.page_size_bytes as usize];
        for number in 1..=self.size_pages {
            attend.pass()?;
            self.read(number, &mut page)?;
            on_page(number, &page)?;
            attend.worked(u64::from(self.page_size_bytes));
        }
        Ok(())
    }

    /// A digest of the content: equal for two databases whose pages are equal, whatever of them is
    /// in a log.
    pub(crate) fn digest(&self, attend: &mut dyn Attend) -> Result<String, Error> {
        let mut digest = Sha256::new();
        digest.update(self.page_size_bytes.to_be_bytes());
        digest.update(self.size_pages.to_be_bytes());
        self.each_page(attend, &mut |_, page| {
            digest.update(page);
            Ok(())
        })?;
        Ok(hexadecimal(&digest.finalize()))
    }

    /// Compares a copy page by page.
    ///
    /// # Errors
    /// [`Error::Differs`] with the first page that differs.
    pub(crate) fn compare(&self, copy: &Image, attend: &mut dyn Attend) -> Result<(), Error> {
        let differs = |difference: String| Error::Differs {
            original: self.path.clone(),
            copy: copy.path.clone(),
            difference,
        };
        let shapes = [self, copy].map(|image| (image.size_pages, image.page_size_bytes));
        let [(own_pages, own_bytes), (copy_pages, copy_bytes)] = shapes;
        if shapes[0] != shapes[1] {
            return Err(differs(format!(
                "{copy_pages} pages of {copy_bytes} bytes instead of {own_pages} of {own_bytes}"
            )));
        }
        let mut copied = vec![0; copy.page_size_bytes as usize];
        self.each_page(attend, &mut |number, page| {
            copy.read(number, &mut copied)?;
            if copied == page { Ok(()) } else { Err(differs(format!("page {number}"))) }
        })
    }
}

impl Log {
    /// Reads which frames of a log are committed; `None` without any.
    fn open(path: &Path, attend: &mut dyn Attend) -> Result<Option<Self>, Error> {
        let file = match read::open(path) {
            Ok(file) => file,
            Err(error) if error.errno() == Some(tombolo_core::errno::Errno::ENOENT) => {
                return Ok(None);
            }
            Err(error) => return Err(read_error(error)),
        };
        // SQLite takes a log with such a header for empty as well.
        let Ok(header) = WalHeader::read(&file.bytes_at(0, WAL_HEADER_BYTES)?) else {
            return Ok(None);
        };
        let frame_bytes = header.frame_bytes();
        let mut summariser = Summariser::new(header);
        let mut frame = vec![0; usize::try_from(frame_bytes).unwrap_or_default()];
        let mut offset = WAL_HEADER_BYTES as u64;
        while file.read_at(&mut frame, offset)? == frame.len() {
            attend.pass()?;
            if summariser.feed(&frame) == Progress::Done {
                break;
            }
            offset += frame_bytes;
        }
        let summary = summariser.finish();
        let Some(size_pages) = summary.committed_size_pages else { return Ok(None) };
        let mut frames = HashMap::new();
        for place in 0..summary.committed_frames {
            let offset = WAL_HEADER_BYTES as u64 + place * frame_bytes;
            let bytes = file.bytes_at(offset, FRAME_HEADER_BYTES)?;
            if let Some(frame) = FrameHeader::parse(&bytes) {
                frames.insert(frame.page_number, offset);
            }
        }
        Ok(Some(Log { file, page_size_bytes: header.page_size_bytes, frames, size_pages }))
    }
}

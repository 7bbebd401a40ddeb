//! What a session has sent of a transaction that is not committed.

use super::engine::{EachPage, EngineError, PageNumber, Transaction};
use crate::sqlite::result_code::ResultCode;
use std::collections::BTreeMap;

/// Gathers pages.
pub trait Buffer {
    /// Takes a page; one that was taken before is replaced.
    ///
    /// # Errors
    ///
    /// `SQLITE_FULL` where there is no room; that of a file.
    fn put(&mut self, number: PageNumber, page: &[u8]) -> Result<(), EngineError>;

    /// Appends a page to `into`, if it was taken.
    ///
    /// # Errors
    ///
    /// That of a file.
    fn get(&mut self, number: PageNumber, into: &mut Vec<u8>) -> Result<Found, EngineError>;

    /// As [`Transaction::for_each`], of the pages up to a number.
    ///
    /// # Errors
    ///
    /// As there.
    fn for_each(&mut self, last: PageNumber, each: EachPage<'_>) -> Result<(), EngineError>;
}

/// Whether a page was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was.
    Here,
    /// It is as it was in the snapshot.
    NotWritten,
}

/// Makes buffers.
pub trait Store {
    /// What it makes.
    type Buffer: Buffer;

    /// A buffer for pages of this size.
    fn buffer(&mut self, page_size_bytes: u32) -> Self::Buffer;
}

/// A buffer in memory.
#[derive(Debug, Default)]
pub struct MemoryBuffer {
    pages: BTreeMap<PageNumber, Box<[u8]>>,
    bytes: u64,
    bytes_max: u64,
}

impl MemoryBuffer {
    /// An empty one that takes so many bytes of pages.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        MemoryBuffer { bytes_max, ..MemoryBuffer::default() }
    }
}

impl Buffer for MemoryBuffer {
    fn put(&mut self, number: PageNumber, page: &[u8]) -> Result<(), EngineError> {
        if let Some(place) = self.pages.get_mut(&number) {
            *place = page.into();
            return Ok(());
        }
        self.bytes += page.len() as u64;
        if self.bytes > self.bytes_max {
            return Err(EngineError {
                code: ResultCode::FULL,
                errno: None,
                message: format!("a transaction of more than {} bytes", self.bytes_max),
            });
        }
        self.pages.insert(number, page.into());
        Ok(())
    }

    fn get(&mut self, number: PageNumber, into: &mut Vec<u8>) -> Result<Found, EngineError> {
        let Some(page) = self.pages.get(&number) else { return Ok(Found::NotWritten) };
        into.extend_from_slice(page);
        Ok(Found::Here)
    }

    fn for_each(&mut self, last: PageNumber, each: EachPage<'_>) -> Result<(), EngineError> {
        self.pages.range(..=last).try_for_each(|(number, page)| each(*number, page))
    }
}

/// A buffer with what its commit says of it.
#[derive(Debug)]
pub(super) struct Complete<'a, B> {
    pub(super) buffer: &'a mut B,
    pub(super) size_pages: u32,
    pub(super) page_size_bytes: u32,
}

impl<B: Buffer> Transaction for Complete<'_, B> {
    fn page_size_bytes(&self) -> u32 {
        self.page_size_bytes
    }

    fn size_pages(&self) -> u32 {
        self.size_pages
    }

    fn for_each(&mut self, each: EachPage<'_>) -> Result<(), EngineError> {
        self.buffer.for_each(self.size_pages, each)
    }
}

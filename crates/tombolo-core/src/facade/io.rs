//! Bytes of the file.

use super::ladder::State;
use super::written::{Fit, Place, UnderLock};
use super::{Facade, Refusal, page_one};
use crate::owner::engine::PageNumber;
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Settled, Turn};
use crate::wire::request::Pages;

/// Bytes of the longest window that is read ahead: what an owner can send over a Unix socket
/// without waiting until the other side reads.
const WINDOW_BYTES_MAX: u32 = 256 << 10;
/// Pages of a window from which on the next one is asked for before anybody wants it: whoever has
/// read so many behind each other scans, and asks in vain for one window only.
const SCAN_PAGES: u32 = 16;

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// All bytes are there.
    Whole,
    /// The file ends before; what is missing was filled with zeros (`SQLITE_IOERR_SHORT_READ`).
    Short,
    /// The version is not durable yet, and only a writer may see it: the owner has to be asked to
    /// answer when it is ([`crate::wire::Request::Settle`]), and then once more for the bytes.
    Unsettled,
    /// The turn that was taken along is not wanted, as the transaction goes on reading: the owner
    /// has to be told what [`Facade::give_turn_back`] says; then the bytes are asked for once more.
    TurnUnused,
    /// The owner has to be asked for these pages, and then once more for the bytes. The reply goes
    /// to [`Facade::pages_arrived`].
    Missing {
        /// The first.
        first: PageNumber,
        /// How many.
        count: u32,
    },
}

/// One page of what is read, or a part of it.
#[derive(Clone, Copy, Debug)]
struct Part {
    number: PageNumber,
    /// Where it begins in the page, in bytes.
    from: usize,
}

impl Facade {
    fn page_size(&self) -> u64 {
        u64::from(self.shape.page_size_bytes)
    }

    /// Bytes of the file as its transaction sees it.
    #[must_use]
    pub fn file_size_bytes(&self) -> u64 {
        u64::from(self.file_pages()) * self.page_size()
    }

    fn file_pages(&self) -> u32 {
        match &self.state {
            State::Writing(_, written) => written.file_pages.unwrap_or(self.shape.size_pages),
            _ => self.shape.size_pages,
        }
    }

    fn part(&self, offset: u64) -> Option<Part> {
        let number = PageNumber::try_from(offset / self.page_size() + 1).ok()?;
        Some(Part { number, from: usize::try_from(offset % self.page_size()).ok()? })
    }

    /// Reads bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// `SQLITE_IOERR` after a lost connection, or without a lock.
    pub fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<Read, Refusal> {
        match self.state {
            State::Broken => return Err(Refusal::broken()),
            State::Idle => return self.read_header(offset, into),
            State::Reading(_) | State::Writing(..) => {}
        }
        let mut done = 0;
        while done < into.len() {
            let rest = into.get_mut(done..).unwrap_or_default();
            let Some(part) = self.part(offset + done as u64) else { break };
            if part.number > self.file_pages() {
                break;
            }
            if part.number != 1 {
                self.is_told_busy = false;
                // A transaction that writes asks for the lock after page 1.
                if self.has_turn_in_vain() {
                    return Ok(Read::TurnUnused);
                }
                if self.is_withheld() {
                    return Ok(Read::Unsettled);
                }
            }
            let page_size = self.shape.page_size_bytes as usize;
            let length = rest.len().min(page_size - part.from);
            let place = rest.get_mut(..length).unwrap_or_default();
            if !self.read_part(part, place) {
                return Ok(self.missing(part.number));
            }
            done += length;
        }
        let rest = into.get_mut(done..).unwrap_or_default();
        rest.fill(0);
        Ok(if rest.is_empty() { Read::Whole } else { Read::Short })
    }

    fn has_turn_in_vain(&self) -> bool {
        matches!(&self.state, State::Reading(snapshot) if snapshot.turn == Turn::Granted)
    }

    /// Whether what is in the file is not to be seen yet. Page 1 is: SQLite reads it before it asks
    /// for the lock to write.
    fn is_withheld(&self) -> bool {
        matches!(&self.state, State::Reading(snapshot) if snapshot.state == Settled::No)
    }

    /// What SQLite reads before it has a lock: the page size.
    fn read_header(&mut self, offset: u64, into: &mut [u8]) -> Result<Read, Refusal> {
        if self.shape.size_pages == 0 {
            into.fill(0);
            return Ok(Read::Short);
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(bytes) = self.header.get(from..).and_then(|rest| rest.get(..into.len())) else {
            return Err(Refusal::no_lock());
        };
        into.copy_from_slice(bytes);
        self.counter.show(self.header.as_slice(), self.shape.size_pages, from, into);
        Ok(Read::Whole)
    }

    /// Copies a part of a page if it is at hand.
    fn read_part(&mut self, part: Part, into: &mut [u8]) -> bool {
        let written = match &self.state {
            State::Writing(_, written) => written.place(part.number),
            _ => Place::NotWritten,
        };
        let (page, is_shown) = match written {
            // What SQLite wrote itself it reads as it wrote it.
            Place::Here(page) => (page, false),
            // A hole, as in a file: SQLite writes no page that it has freed again, and may read it.
            Place::NotWritten if part.number > self.shape.size_pages => {
                into.fill(0);
                return true;
            }
            Place::WithOwner | Place::NotWritten => match self.cache.get(part.number) {
                Some(page) => (page, part.number == 1),
                None => return false,
            },
        };
        match page.get(part.from..).and_then(|rest| rest.get(..into.len())) {
            Some(bytes) => into.copy_from_slice(bytes),
            None => into.fill(0),
        }
        if is_shown {
            self.counter.show(page, self.shape.size_pages, part.from, into);
        }
        true
    }

    fn missing(&mut self, first: PageNumber) -> Read {
        let is_sent = match &self.state {
            State::Writing(_, written) => matches!(written.place(first), Place::WithOwner),
            _ => false,
        };
        let scans = first == self.ahead.next && !is_sent;
        let count = if scans { self.window(first) } else { 1 };
        self.ahead = super::ReadAhead { next: first.saturating_add(count), pages: count };
        Read::Missing { first, count }
    }

    /// Pages of the next window of a scan, which begins here.
    fn window(&self, first: PageNumber) -> u32 {
        let most = (WINDOW_BYTES_MAX / self.shape.page_size_bytes).max(1);
        let left = self.file_pages().saturating_sub(first).saturating_add(1);
        (self.ahead.pages * 2).min(most).min(left).max(1)
    }

    /// The window that a scan will want when it has read the one that has just arrived, where that
    /// is a long one: its first page, and how many.
    #[must_use]
    pub fn next_window(&self) -> Option<(PageNumber, u32)> {
        let first = self.ahead.next;
        let goes_on = self.ahead.pages >= SCAN_PAGES && first <= self.file_pages();
        goes_on.then(|| (first, self.window(first)))
    }

    /// The owner's answer to a read.
    ///
    /// # Errors
    ///
    /// `SQLITE_IOERR` where it is not the first of the pages that were asked for.
    pub fn pages_arrived(&mut self, first: PageNumber, bytes: &[u8]) -> Result<(), Refusal> {
        let page_size = self.shape.page_size_bytes as usize;
        if bytes.len() < page_size || !bytes.len().is_multiple_of(page_size) {
            return Err(Refusal::unexpected());
        }
        let is_long = bytes.len() >= SCAN_PAGES as usize * page_size;
        let is_scan = is_long && matches!(self.state, State::Reading(_));
        if is_scan && !self.cache.has_room_for(bytes.len()) {
            self.cache.keep_window(first, page_size, bytes);
            return Ok(());
        }
        for (number, page) in (first..).zip(bytes.chunks_exact(page_size)) {
            // Behind the first, the owner answers with pages as they were before the transaction.
            let is_outdated = match &self.state {
                State::Writing(_, written) => {
                    number != first && matches!(written.place(number), Place::WithOwner)
                }
                _ => false,
            };
            if !is_outdated {
                self.cache.insert(number, page);
            }
        }
        Ok(())
    }

    /// Writes bytes at `offset`. What is returned is to be sent to the owner, which does not
    /// answer: pages of a transaction that has become large.
    ///
    /// # Errors
    ///
    /// `SQLITE_IOERR` after a lost connection, or without the lock to write.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        if self.shape.size_pages == 0 && self.may_take_page_size(bytes.len()) {
            self.shape.page_size_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        }
        let part = self.part(offset);
        let file_pages = self.file_pages();
        let page_size = self.shape.page_size_bytes as usize;
        let written = match &mut self.state {
            State::Writing(_, written) => written,
            State::Broken => return Err(Refusal::broken()),
            State::Idle | State::Reading(_) => return Err(Refusal::no_lock()),
        };
        let Some(Part { number, from: 0 }) = part.filter(|_| bytes.len() == page_size) else {
            written.fit = Fit::Misfit;
            return Ok(None);
        };
        if number == 1 {
            self.counter.written(page_one::counter(bytes));
        }
        written.put(number, bytes);
        written.file_pages = Some(file_pages.max(number));
        let piece = written.take_piece();
        if let Some(piece) = &piece {
            self.uncache(piece);
        }
        Ok(piece)
    }

    /// What is with the owner only is read from there.
    fn uncache(&mut self, piece: &[u8]) {
        let pages = Pages::new(self.shape.page_size_bytes, piece);
        for (number, _) in pages.iter().flat_map(Pages::iter) {
            self.cache.remove(number);
        }
    }

    /// Sends ahead what was written, however little it is.
    #[cfg(test)]
    pub(crate) fn send_ahead(&mut self) -> Vec<u8> {
        let State::Writing(_, written) = &mut self.state else { return Vec::new() };
        let piece = written.take_all_but_page_one();
        self.uncache(&piece);
        piece
    }

    /// Whether a database without pages takes its page size from a page of this length: the first
    /// that is written, which is page 3 where SQLite's cache is too small for a transaction.
    fn may_take_page_size(&self, length: usize) -> bool {
        let valid = length.is_power_of_two() && (512..=65_536).contains(&length);
        valid && matches!(&self.state, State::Writing(_, written) if written.is_empty())
    }

    /// Cuts the file.
    ///
    /// # Errors
    ///
    /// As [`Facade::write`].
    pub fn truncate(&mut self, size_bytes: u64) -> Result<(), Refusal> {
        let pages = size_bytes.div_ceil(self.page_size());
        let pages = u32::try_from(pages)
            .map_err(|_| Refusal::new(ResultCode::IOERR, "the file would have too many pages"))?;
        match &mut self.state {
            State::Writing(_, written) => {
                // SQLite rolls back what is committed, and its cache with it.
                if written.under_lock == UnderLock::Committed && pages != self.shape.size_pages {
                    self.counter.advance();
                }
                written.file_pages = Some(pages);
                Ok(())
            }
            State::Broken => Err(Refusal::broken()),
            // After a commit the size that page 1 names is that of the file, without this call.
            State::Idle | State::Reading(_) => Ok(()),
        }
    }
}

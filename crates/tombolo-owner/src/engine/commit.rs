//! Writing: SQLite's write lock, and a transaction of a session as one of SQLite's.

use super::error::{during, error};
use super::page_one::{self, PageOneFault};
use super::readers::lock_page;
use super::{StockEngine, WriteLock, place};
use crate::ffi::{Connection, Failure, Sql, Value};
use rusqlite::ffi as sqlite;
use tombolo_core::owner::engine::{EngineError, PageNumber, Reserved, Transaction, Version};
use tombolo_core::sqlite::header::ParsedHeader;
use tombolo_core::sqlite::result_code::ResultCode;

/// How often the write lock is asked for when somebody committed between the two steps that
/// SQLite takes it in (BUSY_SNAPSHOT).
const ATTEMPTS: usize = 8;

impl StockEngine {
    pub(super) fn take_write_lock(&mut self) -> Result<Reserved, EngineError> {
        if matches!(self.lock, WriteLock::Held { .. }) {
            return Ok(Reserved::At(self.known.version));
        }
        let begun = match self.begin_writing() {
            // As a reader may, this connection may have come to hate the database, as when its
            // text encoding was changed by a restored backup; a fresh one then decides.
            Err(failure) if failure.is_about_schema() => {
                self.writer = self.place.connect()?;
                self.writer_schema = None;
                self.begin_writing()
            }
            result => result,
        };
        let begun = begun.map_err(during("the write lock cannot be had"))?;
        let Some(first) = begun else { return Ok(Reserved::Busy) };
        self.lock = WriteLock::Held { first };
        self.observe().map(Reserved::At).inspect_err(|_| self.give_write_lock())
    }

    /// Page 1 under the write lock; `None` where somebody else has the lock.
    fn begin_writing(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        for _ in 0..ATTEMPTS {
            match place::begin(&mut self.writer, Sql::BeginImmediate) {
                Ok(first) if self.has_read_schema(&first) => return Ok(Some(first)),
                Ok(_) => {
                    self.writer.run(Sql::Rollback, &[])?;
                    // Page 1 will be written and then read for its schema once more, as cutting
                    // the file is a statement of its own.
                    self.writer.forget_pages();
                }
                Err(failure) if failure.code == sqlite::SQLITE_BUSY_SNAPSHOT => {}
                Err(failure) if failure.primary() == sqlite::SQLITE_BUSY => return Ok(None),
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    /// Whether the writer had read this schema before the transaction began. If SQLite came upon
    /// something corrupt while it read it within, it says nothing and refuses to write to the end
    /// of the transaction.
    fn has_read_schema(&mut self, first: &[u8]) -> bool {
        let cookie = page_one::schema_cookie(first);
        std::mem::replace(&mut self.writer_schema, cookie) == cookie
    }

    pub(super) fn give_write_lock(&mut self) {
        self.lock = WriteLock::Free;
        if self.writer.in_transaction() {
            let _ = self.writer.run(Sql::Rollback, &[]);
        }
    }

    pub(super) fn commit_transaction(
        &mut self,
        transaction: &mut dyn Transaction,
    ) -> Result<Version, EngineError> {
        let WriteLock::Held { first } = std::mem::replace(&mut self.lock, WriteLock::Free) else {
            return Err(error(ResultCode::MISUSE, "a commit without the write lock"));
        };
        if let Err(elsewhere) = self.place.check() {
            self.give_write_lock();
            return Err(elsewhere);
        }
        let before = self.known.header;
        let written = write(&mut self.writer, first, before.size_pages, transaction);
        // Nothing was committed where this rolls back; after a commit it does nothing.
        self.give_write_lock();
        if written.as_ref().is_ok_and(|written| written.pages.contains(&1)) {
            self.writer.forget_pages();
        }
        match written {
            Ok(written) if written.pages.is_empty() => Ok(self.known.version),
            Ok(written) => Ok(self.register_own(before, written.pages, written.size_pages)),
            Err(failure) => {
                self.mend_writer();
                Err(failure)
            }
        }
    }

    /// After a failure the connection must be as good as new.
    fn mend_writer(&mut self) {
        if self.writer.in_transaction()
            && let Ok(writer) = self.place.connect()
        {
            self.writer = writer;
            self.writer_schema = None;
        }
    }
}

/// What a transaction wrote: each page once, in the order of writing.
struct Written {
    pages: Vec<PageNumber>,
    size_pages: u32,
}

/// Writes a transaction and commits it.
///
/// Page 1 goes last, although it comes first: with it the schema changes, and SQLite would read
/// that anew, from pages half written, before the next statement. Cutting the file is the last
/// statement: any write after it would cancel it (`dbpageUpdate` in dbpage.c). It is one of its
/// own: one that writes page 1 as well would be a statement of two rows, which has a savepoint, and
/// whose end makes SQLite believe the new size of page 1 (`sqlite3BtreeSavepoint`), so that nothing
/// is left to cut. A transaction that grows does not cut; that would be ignored (`dbpageSync`).
fn write(
    writer: &mut Connection,
    current: Vec<u8>,
    log_size_pages: u32,
    transaction: &mut dyn Transaction,
) -> Result<Written, EngineError> {
    let size_before = page_one::size_pages(&current, log_size_pages);
    let size_after = transaction.size_pages();
    let mut writing = Writing::new(writer, current, size_before, size_after);
    transaction.for_each(&mut |number, bytes| writing.page(number, bytes))?;
    writing.finish()
}

struct Writing<'a> {
    writer: &'a mut Connection,
    /// Page 1 before.
    current: Vec<u8>,
    /// Page 1 after, where it is sent and differs.
    first: Option<Vec<u8>>,
    size_before: u32,
    size_after: u32,
    page_size_bytes: u32,
    lock_page: PageNumber,
    /// The last page that was sent; 0 before the first, with which page 1 is checked.
    last: PageNumber,
    /// Pages behind the old end up to this one are written, with zeros where none was sent.
    filled: PageNumber,
    zeros: u32,
    pages: Vec<PageNumber>,
}

impl<'a> Writing<'a> {
    fn new(
        writer: &'a mut Connection,
        current: Vec<u8>,
        size_before: u32,
        size_after: u32,
    ) -> Self {
        let page_size_bytes = u32::try_from(current.len()).unwrap_or(u32::MAX);
        Writing {
            writer,
            current,
            first: None,
            size_before,
            size_after,
            page_size_bytes,
            lock_page: lock_page(page_size_bytes),
            last: 0,
            filled: size_before,
            zeros: 0,
            pages: Vec::new(),
        }
    }

    /// One page of the session, in rising order.
    fn page(&mut self, number: PageNumber, bytes: &[u8]) -> Result<(), EngineError> {
        if number <= self.last {
            return Err(error(ResultCode::MISUSE, "the pages are not in rising order"));
        }
        if bytes.len() != self.current.len() {
            let message = format!("page {number} has {} bytes", bytes.len());
            return Err(error(ResultCode::READONLY, message));
        }
        if self.last == 0 {
            self.check_first(number, bytes)?;
        }
        self.last = number;
        if number == 1 || number == self.lock_page || number > self.size_after {
            return Ok(());
        }
        self.fill_up_to(number - 1)?;
        self.write(number, Value::Bytes(bytes))?;
        self.filled = self.filled.max(number);
        Ok(())
    }

    /// Before anything is touched.
    fn check_first(&mut self, number: PageNumber, bytes: &[u8]) -> Result<(), EngineError> {
        let refused = |fault: PageOneFault| error(ResultCode::READONLY, fault.to_string());
        if self.size_after == self.lock_page {
            let message = "the database would end with the page that is locked";
            return Err(error(ResultCode::READONLY, message));
        }
        if number != 1 {
            return self.check_size_stays();
        }
        page_one::check(bytes, &self.current, self.size_after).map_err(refused)?;
        let mut page = bytes.to_vec();
        page_one::restore(&mut page, &self.current);
        if page != self.current {
            self.first = Some(page);
        }
        Ok(())
    }

    fn check_size_stays(&self) -> Result<(), EngineError> {
        let blank = page_one::is_blank(&self.current);
        let same = self.size_after == self.size_before && !blank;
        if same || (blank && self.size_after == 0 && self.last == 0) {
            return Ok(());
        }
        let (before, after) = (self.size_before, self.size_after);
        let message = format!("the size goes from {before} pages to {after} without page 1");
        Err(error(ResultCode::READONLY, message))
    }

    /// Writes zeros to the new pages that were not sent. SQLite does not send a page that was
    /// appended and then freed, whose contents mean nothing; but without a frame of its own, the
    /// page could show what was there before the database once shrank. No transaction of SQLite
    /// has more of them than there are free pages, which bounds what a hostile size can cost.
    fn fill_up_to(&mut self, end: PageNumber) -> Result<(), EngineError> {
        let page = self.first.as_deref().unwrap_or(&self.current);
        let zeros_max = ParsedHeader::parse(page).map_or(0, |fields| fields.freelist_pages);
        while self.filled < end {
            let number = self.filled + 1;
            if number != self.lock_page {
                if self.zeros >= zeros_max {
                    let message = format!("new page {number} was not sent and is not free");
                    return Err(error(ResultCode::READONLY, message));
                }
                self.zeros += 1;
                self.write(number, Value::Zeros(self.page_size_bytes))?;
            }
            self.filled = number;
        }
        Ok(())
    }

    fn write(&mut self, number: PageNumber, bytes: Value<'_>) -> Result<(), EngineError> {
        let failed = during("a page cannot be written");
        self.writer.run(Sql::WritePage, &[Value::Page(number), bytes]).map_err(failed)?;
        self.pages.push(number);
        Ok(())
    }

    fn finish(mut self) -> Result<Written, EngineError> {
        if self.last == 0 {
            self.check_size_stays()?;
        }
        self.fill_up_to(self.size_after)?;
        if let Some(first) = self.first.take() {
            self.write(1, Value::Bytes(&first))?;
            if self.size_after < self.size_before {
                let cut = Value::Page(self.size_after.saturating_add(1));
                self.writer.run(Sql::Cut, &[cut]).map_err(during("the end cannot be cut off"))?;
            }
        }
        let size_pages = self.size_after;
        if !self.pages.is_empty() {
            let failed = during("the transaction cannot be committed");
            self.writer.run(Sql::Commit, &[]).map_err(failed)?;
        }
        Ok(Written { pages: self.pages, size_pages })
    }
}

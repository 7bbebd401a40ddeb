//! Connections that read: one for each version that somebody holds.

use super::error::{during, error};
use super::{StockEngine, page_one, place};
use crate::ffi::{Connection, Sql, Value};
use tombolo_core::owner::engine::{EngineError, PageNumber, Shape, Version};
use tombolo_core::sqlite::lock_bytes;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::sqlite::wal_index::{COPY_BYTES, WalIndexHeader};

/// Connections without a version that are kept for the next one.
const IDLE_MAX: usize = 8;
/// What SQLite keeps of a version, for each of them: whoever reads one page again asks a cache
/// above the engine.
const CACHE_KIB: u32 = 256;
/// Bytes that are read from the file by one call: what fits in SQLite's `int` with room.
const RUN_BYTES_MAX: u32 = 1 << 24;

/// Page 1, and what names the snapshot that it was read from.
type Begun = (Vec<u8>, Option<[u8; COPY_BYTES]>);

/// A connection that only reads.
#[derive(Debug)]
pub(super) struct Reader {
    connection: Connection,
}

impl Reader {
    /// Begins to read the newest version. Page 1 is read first, not the snapshot: that way SQLite
    /// takes read mark 0 if all frames are in the file, under which the log can be restarted.
    fn begin(&mut self) -> Result<Begun, EngineError> {
        let failed = during("a version cannot be read");
        let page = place::begin(&mut self.connection, Sql::Begin).map_err(&failed)?;
        Ok((page, self.connection.snapshot().map_err(&failed)?))
    }

    /// Ends it, if it was begun.
    fn end(&mut self) {
        if self.connection.in_transaction() {
            // What fails here is seen by the next begin, which then drops the connection.
            let _ = self.connection.run(Sql::Rollback, &[]);
        }
    }
}

/// Connections for versions to come.
#[derive(Debug, Default)]
pub(super) struct Idle(Vec<Reader>);

impl Idle {
    /// Takes a connection back whose transaction has ended.
    fn give(&mut self, reader: Reader) {
        if self.0.len() < IDLE_MAX {
            self.0.push(reader);
        }
    }

    fn take(&mut self) -> Option<Reader> {
        self.0.pop()
    }
}

/// A version that is held.
///
/// 1. `reader` has a read transaction open, and its snapshot is the one of `header`.
#[derive(Debug)]
pub(super) struct Pinned {
    reader: Reader,
    header: WalIndexHeader,
    shape: Shape,
    count: u64,
}

impl StockEngine {
    pub(super) fn pin_version(&mut self, version: Version) -> Result<(), EngineError> {
        if let Some(pinned) = self.pinned.get_mut(&version) {
            pinned.count += 1;
            return Ok(());
        }
        if version != self.known.version {
            return Err(gone(version));
        }
        let (reader, (page, snapshot)) = self.begin_reader()?;
        if snapshot != Some(self.known.bytes) {
            self.put_back(reader);
            self.observe()?;
            return Err(gone(version));
        }
        let header = self.known.header;
        let size_pages = match page_one::size_pages(&page, header.size_pages) {
            1 if page_one::is_blank(&page) => 0,
            size_pages => size_pages,
        };
        let shape = Shape { page_size_bytes: self.page_size_bytes, size_pages };
        self.pinned.insert(version, Pinned { reader, header, shape, count: 1 });
        Ok(())
    }

    /// A connection that has begun to read. One that was idle may have come to hate its database,
    /// as when the text encoding was changed by a restored backup; a fresh one then decides.
    pub(super) fn begin_reader(&mut self) -> Result<(Reader, Begun), EngineError> {
        if let Some(mut reader) = self.idle.take()
            && let Ok(begun) = reader.begin()
        {
            return Ok((reader, begun));
        }
        let mut connection = self.place.connect()?;
        let sized = connection.once(&format!("PRAGMA cache_size=-{CACHE_KIB}"));
        sized.map_err(during("a version cannot be read"))?;
        let mut reader = Reader { connection };
        let begun = reader.begin()?;
        Ok((reader, begun))
    }

    pub(super) fn put_back(&mut self, mut reader: Reader) {
        reader.end();
        self.idle.give(reader);
    }

    pub(super) fn unpin_version(&mut self, version: Version) {
        let Some(pinned) = self.pinned.get_mut(&version) else { return };
        pinned.count -= 1;
        if pinned.count == 0
            && let Some(pinned) = self.pinned.remove(&version)
        {
            self.put_back(pinned.reader);
        }
    }

    /// Moves those who read the newest version to a reader that has just begun: if all frames are
    /// in the file by now it has read mark 0, which lets the log be begun anew.
    pub(super) fn renew_newest(&mut self) {
        let version = self.known.version;
        if !self.pinned.contains_key(&version) {
            return;
        }
        let Ok((reader, (_, snapshot))) = self.begin_reader() else { return };
        let is_same = snapshot == Some(self.known.bytes);
        let old = match self.pinned.get_mut(&version) {
            Some(pinned) if is_same => std::mem::replace(&mut pinned.reader, reader),
            _ => reader,
        };
        self.put_back(old);
    }

    pub(super) fn shape_of(&self, version: Version) -> Result<Shape, EngineError> {
        self.pinned.get(&version).map(|pinned| pinned.shape).ok_or_else(|| gone(version))
    }

    pub(super) fn read_pages(
        &mut self,
        version: Version,
        first: PageNumber,
        count: u32,
        into: &mut Vec<u8>,
    ) -> Result<(), EngineError> {
        let Some(pinned) = self.pinned.get_mut(&version) else { return Err(gone(version)) };
        let Shape { page_size_bytes, size_pages } = pinned.shape;
        let lock_page = lock_page(page_size_bytes);
        let end = first.max(1).saturating_add(count).min(size_pages.saturating_add(1));
        let length_before = into.len();
        let mut page = first.max(1);
        while page < end {
            let most = end.min(page.saturating_add(RUN_BYTES_MAX / page_size_bytes));
            let in_file = |page: PageNumber| {
                page != lock_page && self.framed.is_in_file(&pinned.header, page)
            };
            let run = (page..most).take_while(|page| in_file(*page)).count();
            let run = u32::try_from(run).unwrap_or(0);
            let connection = &mut pinned.reader.connection;
            let result = match run {
                _ if page == lock_page => {
                    into.resize(into.len() + page_size_bytes as usize, 0);
                    Ok(())
                }
                0 => read_page(connection, page, page_size_bytes, into),
                run => read_run(connection, page, run, page_size_bytes, into),
            };
            if let Err(error) = result {
                into.truncate(length_before);
                return Err(error);
            }
            page += run.max(1);
        }
        Ok(())
    }
}

/// One page by way of SQLite, from the log or from the file.
fn read_page(
    connection: &mut Connection,
    page: PageNumber,
    page_size_bytes: u32,
    into: &mut Vec<u8>,
) -> Result<(), EngineError> {
    let shown = connection.row(Sql::ReadPage, &[Value::Page(page)], |bytes| {
        into.extend_from_slice(bytes);
        bytes.len()
    });
    match shown.map_err(during("a page cannot be read"))? {
        Some(length) if length == page_size_bytes as usize => Ok(()),
        _ => Err(error(ResultCode::CORRUPT, format!("SQLite does not show page {page}"))),
    }
}

/// Pages that lie side by side in the file.
fn read_run(
    connection: &mut Connection,
    first: PageNumber,
    count: u32,
    page_size_bytes: u32,
    into: &mut Vec<u8>,
) -> Result<(), EngineError> {
    let begin = into.len();
    into.resize(begin + count as usize * page_size_bytes as usize, 0);
    let place = into.get_mut(begin..).unwrap_or_default();
    let offset = u64::from(first - 1) * u64::from(page_size_bytes);
    connection.read_file(offset, place).map_err(during("the file cannot be read"))
}

/// The page that holds the bytes which SQLite locks; it is never written.
pub(super) fn lock_page(page_size_bytes: u32) -> PageNumber {
    let page = lock_bytes::PENDING / u64::from(page_size_bytes) + 1;
    PageNumber::try_from(page).unwrap_or(PageNumber::MAX)
}

fn gone(version: Version) -> EngineError {
    error(ResultCode::ERROR_SNAPSHOT, format!("version {} is gone", version.0))
}

//! The first 100 bytes of a database (file format, section 1.3).
//!
//! [`ParsedHeader`] is what the bytes say, [`Header`] is one that SQLite would open. Only the
//! second has a page size and a journal mode.

use super::words;

/// Length of the header.
pub const HEADER_BYTES: usize = 100;

/// How every database begins (section 1.3.1).
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Whether a file that begins with these bytes is a database of SQLite, for scanning trees. Only
/// the magic counts, so that a database with a damaged header is found as well.
#[must_use]
pub fn is_sqlite_header(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Whether SQLite takes a file of this size for a new, empty database. One byte counts as none:
/// `os_unix.c` writes one into an empty file to work around a file system, and forgives it when it
/// asks for the size.
#[must_use]
pub fn is_empty_database(file_size_bytes: u64) -> bool {
    file_size_bytes <= 1
}

fn page_size_field(bytes: &[u8]) -> Option<u16> {
    bytes.get(16..18)?.try_into().ok().map(u16::from_be_bytes)
}

/// Why bytes are not the header of a database that SQLite would open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// Fewer than 100 bytes.
    #[error("the file has {0} bytes, a header has 100")]
    TooShort(usize),
    /// Another first 16 bytes: not a database, an encrypted one, or one overwritten at its start.
    #[error("the first 16 bytes are not SQLite's")]
    Magic,
    /// Not a power of two from 512 to 65536.
    #[error("the page size field is {0}")]
    PageSize(u16),
    /// Read version above 2 (section 1.3.3): SQLite says "file is not a database".
    #[error("the read version is {0}, SQLite knows 1 and 2")]
    ReadVersion(u8),
    /// Fewer than 480 usable bytes in a page (section 1.3.4).
    #[error("{reserved_bytes} reserved bytes leave too little of a page of {page_size_bytes}")]
    ReservedBytes {
        /// Bytes of a page.
        page_size_bytes: u32,
        /// Bytes at the end of each page that SQLite does not use.
        reserved_bytes: u8,
    },
    /// Payload fractions other than 64, 32, 32 (section 1.3.5).
    #[error("the payload fractions are {0:?}, not [64, 32, 32]")]
    PayloadFractions([u8; 3]),
    /// Schema format above 4 (section 1.3.10): "unsupported file format". SQLite looks at its
    /// lowest byte only.
    #[error("the schema format is {0}, SQLite knows 1 to 4")]
    SchemaFormat(u32),
}

/// What the 100 bytes say, believed in nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedHeader {
    /// Offset 16: size of a page; 1 stands for 65536.
    pub page_size_field: u16,
    /// Offset 18: 1 for a rollback journal, 2 for WAL; above 2 SQLite does not write.
    pub write_version: u8,
    /// Offset 19: as above; above 2 SQLite does not read.
    pub read_version: u8,
    /// Offset 20: unused bytes at the end of each page.
    pub reserved_bytes: u8,
    /// Offsets 21 to 23: always 64, 32, 32.
    pub payload_fractions: [u8; 3],
    /// Offset 24: counts transactions, but not those in WAL mode.
    pub change_counter: u32,
    /// Offset 28: size of the database in pages; see [`Header::size_pages`].
    pub size_pages_field: u32,
    /// Offset 32: page number of the first page of the list of free pages, 0 if there is none.
    pub freelist_first_page: u32,
    /// Offset 36: number of free pages.
    pub freelist_pages: u32,
    /// Offset 40: changes whenever the schema does.
    pub schema_cookie: u32,
    /// Offset 44: 1 to 4; 0 before the first table.
    pub schema_format: u32,
    /// Offset 56: 1 UTF-8, 2 UTF-16le, 3 UTF-16be; 0 before the first table.
    pub text_encoding: u32,
    /// Offset 60: `PRAGMA user_version`.
    pub user_version: u32,
    /// Offset 68: `PRAGMA application_id`.
    pub application_id: u32,
    /// Offset 92: the change counter when `size_pages_field` and `writer_version` were written.
    pub version_valid_for: u32,
    /// Offset 96: `SQLITE_VERSION_NUMBER` of the library that wrote last.
    pub writer_version: u32,
}

impl ParsedHeader {
    /// Reads the fields.
    ///
    /// # Errors
    ///
    /// [`HeaderFault::TooShort`] and [`HeaderFault::Magic`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let too_short = HeaderFault::TooShort(bytes.len());
        if !bytes.starts_with(MAGIC) {
            let whole = bytes.len() >= HEADER_BYTES;
            return Err(if whole { HeaderFault::Magic } else { too_short });
        }
        let page_size_field = page_size_field(bytes).ok_or(too_short)?;
        let small = bytes.get(18..24).and_then(<[u8]>::first_chunk::<6>).ok_or(too_short)?;
        let words = bytes.get(24..).and_then(words::big_endian::<19>).ok_or(too_short)?;
        let [write_version, read_version, reserved_bytes, payload_fractions @ ..] = *small;
        let [change_counter, size_pages_field, freelist_first_page, freelist_pages, rest @ ..] =
            words;
        let [schema_cookie, schema_format, _, _, text_encoding, user_version, rest @ ..] = rest;
        let [_, application_id, _, _, _, _, _, version_valid_for, writer_version] = rest;
        Ok(ParsedHeader {
            page_size_field,
            write_version,
            read_version,
            reserved_bytes,
            payload_fractions,
            change_counter,
            size_pages_field,
            freelist_first_page,
            freelist_pages,
            schema_cookie,
            schema_format,
            text_encoding,
            user_version,
            application_id,
            version_valid_for,
            writer_version,
        })
    }

    /// Whether SQLite would open it: the checks of `lockBtree` and `sqlite3InitOne`.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub fn judge(self) -> Result<Header, HeaderFault> {
        if self.read_version > 2 {
            return Err(HeaderFault::ReadVersion(self.read_version));
        }
        if self.payload_fractions != [64, 32, 32] {
            return Err(HeaderFault::PayloadFractions(self.payload_fractions));
        }
        let page_size_bytes = words::page_size_bytes(self.page_size_field)
            .ok_or(HeaderFault::PageSize(self.page_size_field))?;
        if page_size_bytes - u32::from(self.reserved_bytes) < 480 {
            let reserved_bytes = self.reserved_bytes;
            return Err(HeaderFault::ReservedBytes { page_size_bytes, reserved_bytes });
        }
        if self.schema_format & 0xff > 4 {
            return Err(HeaderFault::SchemaFormat(self.schema_format));
        }
        Ok(Header { fields: self, page_size_bytes })
    }
}

/// What SQLite does with a database by its header bytes 18 and 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalMode {
    /// Read version 0 or 1: a rollback journal.
    Rollback,
    /// Read version 2: a write-ahead log.
    Wal,
}

/// How the size of a file fits what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeFit {
    /// As many pages as the header says.
    Exact,
    /// The header names no size that holds, so that the size of the file decides.
    HeaderSilent,
    /// Pages beyond those of the header; SQLite ignores them.
    Longer {
        /// Bytes by the header.
        expected_bytes: u64,
    },
    /// Pages are missing: SQLite says "database disk image is malformed", unless a WAL or a hot
    /// journal holds them.
    Shorter {
        /// Bytes by the header.
        expected_bytes: u64,
    },
}

/// A header that SQLite would open. Only [`ParsedHeader::judge`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    fields: ParsedHeader,
    page_size_bytes: u32,
}

impl Header {
    /// Parses and judges in one step.
    ///
    /// # Errors
    ///
    /// See [`ParsedHeader::parse`] and [`ParsedHeader::judge`].
    pub fn read(bytes: &[u8]) -> Result<Self, HeaderFault> {
        ParsedHeader::parse(bytes)?.judge()
    }

    /// The fields as they stand in the file.
    #[must_use]
    pub fn fields(&self) -> &ParsedHeader {
        &self.fields
    }

    /// Bytes of a page: a power of two from 512 to 65536.
    #[must_use]
    pub fn page_size_bytes(&self) -> u32 {
        self.page_size_bytes
    }

    /// The journal mode.
    #[must_use]
    pub fn journal_mode(&self) -> JournalMode {
        if self.fields.read_version == 2 { JournalMode::Wal } else { JournalMode::Rollback }
    }

    /// Size in pages; `None` where a library older than 3.7.0 wrote last, which left a stale
    /// number there (section 1.3.7).
    #[must_use]
    pub fn size_pages(&self) -> Option<u32> {
        let fields = &self.fields;
        let holds =
            fields.size_pages_field > 0 && fields.version_valid_for == fields.change_counter;
        holds.then_some(fields.size_pages_field)
    }

    /// Version of the library that wrote last, such as `3045001`; `None` where an older library,
    /// which does not leave its number, wrote after it.
    #[must_use]
    pub fn writer_version(&self) -> Option<u32> {
        let fields = &self.fields;
        let holds = fields.writer_version > 0 && fields.version_valid_for == fields.change_counter;
        holds.then_some(fields.writer_version)
    }

    /// How a file of this size fits. An incomplete last page counts as one, as in
    /// `pagerPagecount`.
    #[must_use]
    pub fn fit(&self, file_size_bytes: u64) -> SizeFit {
        let Some(pages) = self.size_pages() else { return SizeFit::HeaderSilent };
        let page_size_bytes = u64::from(self.page_size_bytes);
        let expected_bytes = u64::from(pages) * page_size_bytes;
        match file_size_bytes.div_ceil(page_size_bytes).cmp(&u64::from(pages)) {
            std::cmp::Ordering::Less => SizeFit::Shorter { expected_bytes },
            std::cmp::Ordering::Equal => SizeFit::Exact,
            std::cmp::Ordering::Greater => SizeFit::Longer { expected_bytes },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&4096_u16.to_be_bytes());
        bytes[18..24].copy_from_slice(&[2, 2, 0, 64, 32, 32]);
        for (offset, word) in [(24, 7_u32), (28, 3), (44, 4), (56, 1), (92, 7), (96, 3_045_001)] {
            bytes[offset..offset + 4].copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    #[test]
    fn a_good_header_is_read() {
        let header = Header::read(&sample()).unwrap();
        assert_eq!(header.page_size_bytes(), 4096);
        assert_eq!(header.journal_mode(), JournalMode::Wal);
        assert_eq!(header.size_pages(), Some(3));
        assert_eq!(header.writer_version(), Some(3_045_001));
        assert!(is_sqlite_header(&sample()));
    }

    #[test]
    fn each_check_of_sqlite_has_its_fault() {
        for (offset, value, fault) in [
            (0, b's', HeaderFault::Magic),
            (16, 0x11, HeaderFault::PageSize(0x1100)),
            (19, 3, HeaderFault::ReadVersion(3)),
            (21, 65, HeaderFault::PayloadFractions([65, 32, 32])),
            (47, 5, HeaderFault::SchemaFormat(5)),
        ] {
            let mut bytes = sample();
            bytes[offset] = value;
            assert_eq!(Header::read(&bytes), Err(fault));
        }
        let mut small = sample();
        small[16..18].copy_from_slice(&512_u16.to_be_bytes());
        small[20] = 33;
        let fault = HeaderFault::ReservedBytes { page_size_bytes: 512, reserved_bytes: 33 };
        assert_eq!(Header::read(&small), Err(fault));
        assert_eq!(Header::read(&sample()[..99]), Err(HeaderFault::TooShort(99)));
    }

    #[test]
    fn a_stale_size_does_not_count() {
        let mut bytes = sample();
        bytes[27] = 8;
        let header = Header::read(&bytes).unwrap();
        assert_eq!((header.size_pages(), header.writer_version()), (None, None));
        assert_eq!(header.fit(4096), SizeFit::HeaderSilent);
    }

    #[test]
    fn sizes_are_compared_in_pages() {
        let header = Header::read(&sample()).unwrap();
        let expected_bytes = 3 * 4096;
        assert_eq!(header.fit(expected_bytes), SizeFit::Exact);
        assert_eq!(header.fit(expected_bytes - 1), SizeFit::Exact);
        assert_eq!(header.fit(2 * 4096), SizeFit::Shorter { expected_bytes });
        assert_eq!(header.fit(expected_bytes + 1), SizeFit::Longer { expected_bytes });
        assert!(is_empty_database(1) && !is_empty_database(2));
    }
}

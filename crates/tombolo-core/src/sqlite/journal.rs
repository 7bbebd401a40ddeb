//! The rollback journal (file format, section 3), and the super-journal that a transaction over
//! several databases names at its end (`pager.c`, `writeSuperJournal`).

use super::words;

/// How the header of a journal begins.
pub const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// The fields of a header; it fills a whole sector.
pub const JOURNAL_HEADER_BYTES: usize = 28;
/// Longest name of a super-journal that is read here. SQLite's own VFS for Unix takes 512 bytes.
pub const SUPER_JOURNAL_BYTES_MAX: usize = 4096;
/// Bytes at the end of a journal that decide whether it names a super-journal.
pub const TAIL_BYTES_MAX: usize = SUPER_JOURNAL_BYTES_MAX + SUPER_JOURNAL_TRAILER_BYTES;

/// Behind the name: its length, its checksum, and the magic.
const SUPER_JOURNAL_TRAILER_BYTES: usize = 16;
/// Largest sector size that SQLite believes in (`MAX_SECTOR_SIZE` in `pager.c`).
const SECTOR_BYTES_MAX: u32 = 0x1_0000;

/// The header of a journal that SQLite would play back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalHeader {
    /// How many pages follow.
    pub records: RecordCount,
    /// Start of the checksum of each page.
    pub nonce: u32,
    /// Size of the database in pages before the transaction, to which playing back truncates it.
    pub initial_size_pages: u32,
    /// Bytes of a sector, hence of the header.
    pub sector_bytes: u32,
    /// Bytes of a page; `None` from a library before 3.5.8, which left 0 there.
    pub page_size_bytes: Option<u32>,
}

/// How many pages a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordCount {
    /// So many. 0 until the journal was synced: then playing back changes no page.
    Exact(u32),
    /// All up to the end of the file (-1, written with `synchronous=OFF`).
    UntilEndOfFile,
}

/// What the next program to open the database will do with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalContent {
    /// Ignore it: it is empty, or its first byte is 0 (`journal_mode=PERSIST` and `TRUNCATE`).
    Cold,
    /// Play it back, unless the writer lives and holds RESERVED, or the super-journal is gone.
    Hot(JournalHeader),
    /// Throw it away: it looks hot, and holds nothing that can be played back.
    Unreadable(JournalFault),
}

/// Why nothing of a journal can be played back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalFault {
    /// The file ends inside the header.
    #[error("the file has {0} bytes, less than a header")]
    TooShort(u64),
    /// The first 8 bytes are not a journal's.
    #[error("the first 8 bytes are not a journal's")]
    Magic,
    /// Not a power of two from 32 to 65536.
    #[error("the sector size is {0}")]
    SectorSize(u32),
    /// Not a power of two from 512 to 65536.
    #[error("the page size is {0}")]
    PageSize(u32),
}

/// Judges a journal by its first 28 bytes (fewer, if it has fewer) and its size, in the way of
/// `hasHotJournal` and `readJournalHdr`.
#[must_use]
pub fn judge(start: &[u8], file_size_bytes: u64) -> JournalContent {
    if file_size_bytes == 0 || start.first().is_none_or(|byte| *byte == 0) {
        return JournalContent::Cold;
    }
    match read(start, file_size_bytes) {
        Ok(header) => JournalContent::Hot(header),
        Err(fault) => JournalContent::Unreadable(fault),
    }
}

fn read(start: &[u8], file_size_bytes: u64) -> Result<JournalHeader, JournalFault> {
    let too_short = JournalFault::TooShort(file_size_bytes);
    let (magic, fields) = start.split_first_chunk::<8>().ok_or(too_short)?;
    if *magic != JOURNAL_MAGIC {
        return Err(JournalFault::Magic);
    }
    let [records, nonce, initial_size_pages, sector_bytes, page_size_bytes] =
        words::big_endian::<5>(fields).ok_or(too_short)?;
    if !sector_bytes.is_power_of_two() || !(32..=SECTOR_BYTES_MAX).contains(&sector_bytes) {
        return Err(JournalFault::SectorSize(sector_bytes));
    }
    if page_size_bytes != 0 && !words::is_page_size(page_size_bytes) {
        return Err(JournalFault::PageSize(page_size_bytes));
    }
    if file_size_bytes < u64::from(sector_bytes) {
        return Err(too_short);
    }
    let records = match records {
        u32::MAX => RecordCount::UntilEndOfFile,
        count => RecordCount::Exact(count),
    };
    let page_size_bytes = (page_size_bytes != 0).then_some(page_size_bytes);
    Ok(JournalHeader { records, nonce, initial_size_pages, sector_bytes, page_size_bytes })
}

/// The name of a super-journal, as a journal has it: an absolute path without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuperJournalName(Vec<u8>);

impl SuperJournalName {
    /// The bytes of the path.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The super-journal that a journal names, by its last bytes: up to [`TAIL_BYTES_MAX`] of them.
///
/// `None` where SQLite would find none (`readSuperJournal`), and also for a name that is not an
/// absolute path, holds control characters or is longer than [`SUPER_JOURNAL_BYTES_MAX`]: no VFS
/// for files writes such a name, and nobody should be made to look it up.
#[must_use]
pub fn super_journal(tail: &[u8]) -> Option<SuperJournalName> {
    let (before, trailer) = tail.split_last_chunk::<SUPER_JOURNAL_TRAILER_BYTES>()?;
    let [length, checksum] = words::big_endian::<2>(trailer)?;
    if !trailer.ends_with(&JOURNAL_MAGIC) {
        return None;
    }
    let length =
        usize::try_from(length).ok().filter(|length| *length <= SUPER_JOURNAL_BYTES_MAX)?;
    let name = before.get(before.len().checked_sub(length)?..)?;
    let fits = name.first() == Some(&b'/') && !name.iter().any(u8::is_ascii_control);
    // SQLite sums up `char`s, which are signed on some machines and not on others.
    let unsigned = name.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    let signed =
        name.iter().fold(0_u32, |sum, byte| sum.wrapping_add_signed(i32::from(byte.cast_signed())));
    (fits && (checksum == unsigned || checksum == signed)).then(|| SuperJournalName(name.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> [u8; JOURNAL_HEADER_BYTES] {
        let mut bytes = [0; JOURNAL_HEADER_BYTES];
        bytes[..8].copy_from_slice(&JOURNAL_MAGIC);
        for (offset, word) in [(8, 2_u32), (12, 0xabcd), (16, 7), (20, 512), (24, 4096)] {
            bytes[offset..offset + 4].copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    fn named(name: &[u8], checksum: u32) -> Vec<u8> {
        let mut tail = vec![0; 64];
        tail.extend_from_slice(name);
        tail.extend_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
        tail.extend_from_slice(&checksum.to_be_bytes());
        tail.extend_from_slice(&JOURNAL_MAGIC);
        tail
    }

    fn sum(name: &[u8]) -> u32 {
        name.iter().map(|byte| u32::from(*byte)).sum()
    }

    #[test]
    fn a_whole_header_is_hot() {
        let JournalContent::Hot(header) = judge(&sample(), 8192) else { panic!("not hot") };
        assert_eq!(header.records, RecordCount::Exact(2));
        assert_eq!((header.initial_size_pages, header.sector_bytes), (7, 512));
        assert_eq!(header.page_size_bytes, Some(4096));
        let mut endless = sample();
        endless[8..12].fill(0xff);
        let JournalContent::Hot(header) = judge(&endless, 8192) else { panic!("not hot") };
        assert_eq!(header.records, RecordCount::UntilEndOfFile);
    }

    #[test]
    fn empty_and_zeroed_journals_are_cold() {
        assert_eq!(judge(&[], 0), JournalContent::Cold);
        assert_eq!(judge(&[0; 28], 9000), JournalContent::Cold);
    }

    #[test]
    fn what_cannot_be_played_back_is_unreadable() {
        let change = |offset: usize, value: u8| {
            let mut bytes = sample();
            bytes[offset] = value;
            judge(&bytes, 8192)
        };
        use JournalFault::{Magic, PageSize, SectorSize, TooShort};
        assert_eq!(change(7, 0), JournalContent::Unreadable(Magic));
        assert_eq!(change(22, 3), JournalContent::Unreadable(SectorSize(768)));
        assert_eq!(change(27, 1), JournalContent::Unreadable(PageSize(4097)));
        assert_eq!(judge(&sample(), 511), JournalContent::Unreadable(TooShort(511)));
        assert_eq!(judge(&sample()[..20], 20), JournalContent::Unreadable(TooShort(20)));
    }

    #[test]
    fn a_super_journal_is_read_from_the_tail() {
        let name = b"/data/app.db-mj4C2B1A9F0";
        let found = super_journal(&named(name, sum(name))).unwrap();
        assert_eq!(found.as_bytes(), name);
        let accented = "/d\u{e9}/a-mj4C2B1A9F0".as_bytes();
        let signed = sum(accented).wrapping_sub(2 * 256);
        assert!(super_journal(&named(accented, sum(accented))).is_some());
        assert!(super_journal(&named(accented, signed)).is_some());
    }

    #[test]
    fn a_name_that_nobody_should_look_up_is_none() {
        for name in [&b""[..], b"relative-mj", b"/a\nb", b"/a\0b", &[b'/'; 4097]] {
            assert_eq!(super_journal(&named(name, sum(name))), None);
        }
        let name = b"/data/app.db-mj4C2B1A9F0";
        assert_eq!(super_journal(&named(name, 1)), None);
        let whole = named(name, sum(name));
        assert_eq!(super_journal(&whole[whole.len() - 30..]), None, "a name longer than the tail");
        assert_eq!(super_journal(&whole[..whole.len() - 1]), None);
    }
}

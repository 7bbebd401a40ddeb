//! Page 1, which says what the file is: a bad one would disable the engine for everybody.

use std::ops::Range;
use tombolo_core::sqlite::header::{HEADER_BYTES, Header, HeaderFault, MAGIC, ParsedHeader};

/// Read and write version: 2 and 2 on disk, 1 and 1 for a session.
const VERSIONS: Range<usize> = 18..20;
/// What SQLite's pager sets whenever it writes page 1 (`pager_write_changecounter`): the change
/// counter; the counter for which the size holds, and the number of the library. A session's
/// library has another number than the owner's, which would overwrite it, so that a difference in
/// it alone is no reason to write the page.
const SET_BY_THE_PAGER: [Range<usize>; 2] = [24..28, 92..100];

/// Why a page 1 is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PageOneFault {
    #[error("page 1 is none that SQLite would open: {0}")]
    Header(#[from] HeaderFault),
    #[error("page 1 names pages of {0} bytes, and the database has others")]
    PageSize(u32),
    #[error("page 1 reserves {new} bytes of each page, and the database {current}")]
    ReservedBytes { new: u8, current: u8 },
    #[error("write version {write} and read version {read} of page 1 are not 1 or 2")]
    Versions { write: u8, read: u8 },
    #[error("page 1 names a size of {named} pages, and the transaction {size_pages}")]
    Size { named: u32, size_pages: u32 },
    #[error("page 1 names text encoding {new}, and the database {current}")]
    TextEncoding { new: u32, current: u32 },
}

/// Whether a page 1 can take the place of the current one, with a new size of the database.
pub(super) fn check(new: &[u8], current: &[u8], size_pages: u32) -> Result<(), PageOneFault> {
    let header = Header::read(new)?;
    let fields = *header.fields();
    if usize::try_from(header.page_size_bytes()) != Ok(current.len()) || new.len() != current.len()
    {
        return Err(PageOneFault::PageSize(header.page_size_bytes()));
    }
    let (write, read) = (fields.write_version, fields.read_version);
    if !(1..=2).contains(&write) || !(1..=2).contains(&read) {
        return Err(PageOneFault::Versions { write, read });
    }
    if fields.size_pages_field != size_pages {
        return Err(PageOneFault::Size { named: fields.size_pages_field, size_pages });
    }
    let old = ParsedHeader::parse(current)?;
    if fields.text_encoding > 3 {
        return Err(PageOneFault::TextEncoding { new: fields.text_encoding, current: 0 });
    }
    if is_blank(current) {
        return Ok(());
    }
    if fields.reserved_bytes != old.reserved_bytes {
        let (new, current) = (fields.reserved_bytes, old.reserved_bytes);
        return Err(PageOneFault::ReservedBytes { new, current });
    }
    if old.text_encoding != 0 && fields.text_encoding != old.text_encoding {
        let (new, current) = (fields.text_encoding, old.text_encoding);
        return Err(PageOneFault::TextEncoding { new, current });
    }
    Ok(())
}

/// Puts back what belongs on disk: a session is shown versions and counters of its own.
pub(super) fn restore(new: &mut [u8], current: &[u8]) {
    for range in SET_BY_THE_PAGER {
        if let (Some(to), Some(from)) = (new.get_mut(range.clone()), current.get(range)) {
            to.copy_from_slice(from);
        }
    }
    if let Some(versions) = new.get_mut(VERSIONS) {
        versions.fill(2);
    }
}

/// Whether this is page 1 as SQLite makes it when a database is brought into WAL mode before
/// anything was written (`newDatabase` in btree.c). To a session that is a database of no pages:
/// it makes page 1 itself, with the settings that it wants.
pub(super) fn is_blank(page: &[u8]) -> bool {
    let Some((header, rest)) = page.split_at_checked(HEADER_BYTES) else { return false };
    let mut blank = [0; HEADER_BYTES];
    let page_size_field = match page.len() {
        65_536 => 1,
        length => u16::try_from(length).unwrap_or(0),
    };
    let parts: [(usize, &[u8]); 4] = [
        (0, MAGIC),
        (16, &page_size_field.to_be_bytes()),
        (18, &[2, 2, 0, 64, 32, 32]),
        (28, &1_u32.to_be_bytes()),
    ];
    for (offset, bytes) in parts {
        if let Some(place) = blank.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
    for range in SET_BY_THE_PAGER {
        if let (Some(to), Some(from)) = (blank.get_mut(range.clone()), header.get(range)) {
            to.copy_from_slice(from);
        }
    }
    // An empty leaf of a table: no cell, and the area of cells begins where the page ends.
    let content = u16::try_from(page.len()).unwrap_or(0).to_be_bytes();
    let [high, low] = content;
    let leaf = [0x0d, 0, 0, 0, 0, high, low, 0];
    header == blank && rest.starts_with(&leaf) && rest.iter().skip(8).all(|byte| *byte == 0)
}

/// Pages of the database at a snapshot of `log_size_pages`, as `lockBtree` reckons them.
pub(super) fn size_pages(page: &[u8], log_size_pages: u32) -> u32 {
    let named = Header::read(page).ok().and_then(|header| header.size_pages());
    named.unwrap_or(log_size_pages).min(log_size_pages)
}

/// The number that changes whenever the schema does; `None` where this is no page 1.
pub(super) fn schema_cookie(page: &[u8]) -> Option<u32> {
    ParsedHeader::parse(page).ok().map(|fields| fields.schema_cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank(length: usize) -> Vec<u8> {
        let mut page = vec![0; length];
        page[..16].copy_from_slice(MAGIC);
        let field = if length == 65_536 { 1 } else { u16::try_from(length).unwrap() };
        page[16..18].copy_from_slice(&field.to_be_bytes());
        page[18..24].copy_from_slice(&[2, 2, 0, 64, 32, 32]);
        page[31] = 1;
        page[100] = 0x0d;
        let content = if length == 65_536 { 0 } else { field };
        page[105..107].copy_from_slice(&content.to_be_bytes());
        page
    }

    fn used() -> Vec<u8> {
        let mut page = blank(4096);
        page[31] = 7;
        page[47] = 4;
        page[59] = 1;
        page
    }

    #[test]
    fn each_rule_has_its_fault() {
        let current = used();
        let mut good = used();
        good[18..20].fill(1);
        good[27] = 99;
        good[95] = 99;
        assert_eq!(check(&good, &current, 7), Ok(()));
        let with = |offset: usize, value: u8| {
            let mut page = good.clone();
            page[offset] = value;
            check(&page, &current, 7)
        };
        assert_eq!(with(0, 0), Err(PageOneFault::Header(HeaderFault::Magic)));
        assert_eq!(with(16, 0x20), Err(PageOneFault::PageSize(8192)));
        assert_eq!(with(18, 3), Err(PageOneFault::Versions { write: 3, read: 1 }));
        assert_eq!(with(19, 0), Err(PageOneFault::Versions { write: 1, read: 0 }));
        assert_eq!(with(19, 3), Err(PageOneFault::Header(HeaderFault::ReadVersion(3))));
        assert_eq!(with(20, 8), Err(PageOneFault::ReservedBytes { new: 8, current: 0 }));
        assert!(matches!(with(22, 33), Err(PageOneFault::Header(_))));
        assert_eq!(with(31, 8), Err(PageOneFault::Size { named: 8, size_pages: 7 }));
        assert_eq!(with(47, 5), Err(PageOneFault::Header(HeaderFault::SchemaFormat(5))));
        assert_eq!(with(59, 2), Err(PageOneFault::TextEncoding { new: 2, current: 1 }));
        assert_eq!(with(59, 4), Err(PageOneFault::TextEncoding { new: 4, current: 0 }));
        assert!(check(&good[..50], &current, 7).is_err());
    }

    #[test]
    fn a_blank_database_takes_other_settings() {
        let current = blank(4096);
        let mut new = used();
        new[20] = 32;
        new[59] = 3;
        assert_eq!(check(&new, &current, 7), Ok(()));
    }

    #[test]
    fn blank_is_what_nobody_wrote_to() {
        for length in [512, 4096, 65_536] {
            let mut page = blank(length);
            page[27] = 5;
            page[92..100].fill(9);
            assert!(is_blank(&page), "{length}");
            for offset in [31, 43, 63, 71, 107, length - 1] {
                let mut other = page.clone();
                other[offset] ^= 1;
                assert!(!is_blank(&other), "{length} {offset}");
            }
        }
        assert!(!is_blank(&[0; 99]));
    }

    #[test]
    fn restoring_leaves_nothing_of_the_sessions_counters() {
        let mut current = used();
        current[24..28].fill(1);
        current[92..100].fill(2);
        let mut new = used();
        new[18..20].fill(1);
        new[24..28].fill(7);
        new[92..100].fill(7);
        restore(&mut new, &current);
        assert!(new == current);
    }

    #[test]
    fn the_size_is_that_of_page_one_where_it_holds() {
        let mut page = used();
        assert_eq!(size_pages(&page, 9), 7);
        assert_eq!(size_pages(&page, 5), 5);
        page[95] = 1;
        assert_eq!(size_pages(&page, 9), 9, "an older library wrote last");
    }
}

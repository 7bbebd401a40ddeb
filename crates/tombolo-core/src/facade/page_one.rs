//! The fields of page 1 that a program sees otherwise than they are on disk (file format,
//! section 1.3).
//!
//! SQLite takes its page cache for good as long as bytes 24 to 39 are as it left them, and commits
//! in WAL mode do not change these. So the file shows a counter of its own there.

use crate::sqlite::header::HEADER_BYTES;

/// Offsets 18 and 19: 1 for a rollback journal, 2 for WAL.
const FORMATS: std::ops::Range<usize> = 18..20;
/// Offset 24: the change counter.
const COUNTER: std::ops::Range<usize> = 24..28;
/// Offset 28: pages of the database.
const SIZE: std::ops::Range<usize> = 28..32;
/// Offset 92: the change counter for which the size in the header holds.
const VALID_FOR: std::ops::Range<usize> = 92..96;

const ROLLBACK: [u8; 2] = [1, 1];

/// The counter that page 1 shows.
///
/// 1. It differs from every value that SQLite has seen of this file at another version, but for one
///    after 2^32 versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    shown: u32,
    /// The last that SQLite was shown or wrote.
    last: u32,
}

fn word(page: &[u8], range: std::ops::Range<usize>) -> u32 {
    page.get(range).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The counter that stands in a page 1.
pub(super) fn counter(page: &[u8]) -> u32 {
    word(page, COUNTER)
}

/// Pages of the database, as page 1 says.
pub(super) fn size_pages(page: &[u8]) -> u32 {
    word(page, SIZE)
}

/// Whether bytes begin as a page 1 does that the program may see: anything else is shown as it is.
fn is_page_one(page: &[u8]) -> bool {
    page.starts_with(crate::sqlite::header::MAGIC)
}

impl Counter {
    pub(super) fn of_header(header: &[u8; HEADER_BYTES]) -> Self {
        let counter = counter(header);
        Counter { shown: counter, last: counter }
    }

    /// Another version is shown from now on.
    pub(super) fn advance(&mut self) {
        self.last = self.last.wrapping_add(1);
        self.shown = self.last;
    }

    /// SQLite wrote a page 1 with this counter.
    pub(super) fn written(&mut self, counter: u32) {
        self.last = counter;
    }

    /// What SQLite wrote was committed.
    pub(super) fn committed(&mut self) {
        self.shown = self.last;
    }

    /// Whether a page 1 that SQLite wrote carries another counter than it was shown: so do those of
    /// commits, and those of rollbacks do not.
    pub(super) fn is_moved_by(self, page: &[u8]) -> bool {
        counter(page) != self.shown
    }

    /// Puts what the program must see into bytes `from..` of page 1.
    ///
    /// The size as well: where an old library wrote last, the size on disk does not count, since
    /// the two counters there differ; here they are equal.
    pub(super) fn show(self, page: &[u8], size_pages: u32, from: usize, into: &mut [u8]) {
        if !is_page_one(page) {
            return;
        }
        let counter = self.shown.to_be_bytes();
        overlay(from, into, FORMATS, &ROLLBACK);
        overlay(from, into, COUNTER, &counter);
        overlay(from, into, SIZE, &size_pages.to_be_bytes());
        overlay(from, into, VALID_FOR, &counter);
    }
}

/// Copies `value`, which stands at `range` of a page, into what is shown of the page.
fn overlay(from: usize, into: &mut [u8], range: std::ops::Range<usize>, value: &[u8]) {
    for (at, byte) in range.zip(value) {
        if let Some(place) = at.checked_sub(from).and_then(|at| into.get_mut(at)) {
            *place = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<u8> {
        let mut page = vec![0xaa; HEADER_BYTES];
        page[..16].copy_from_slice(crate::sqlite::header::MAGIC);
        page[24..28].copy_from_slice(&7u32.to_be_bytes());
        page
    }

    #[test]
    fn every_cut_of_page_one_shows_a_rollback_journal_and_our_counter() {
        let page = page();
        let mut counter = Counter { shown: 7, last: 7 };
        counter.advance();
        let mut whole = page.clone();
        counter.show(&page, 5, 0, &mut whole);
        assert_eq!(whole[18..20], [1, 1]);
        assert_eq!(whole[24..28], 8u32.to_be_bytes());
        assert_eq!(whole[92..96], 8u32.to_be_bytes());
        assert_eq!(whole[28..32], 5u32.to_be_bytes());
        for from in 0..page.len() {
            for end in from..page.len() {
                let mut part = page[from..end].to_vec();
                counter.show(&page, 5, from, &mut part);
                assert_eq!(part, whole[from..end], "{from}..{end}");
            }
        }
    }

    #[test]
    fn a_counter_that_was_written_in_vain_is_not_shown_later() {
        let mut counter = Counter { shown: 7, last: 7 };
        counter.written(8);
        assert_eq!(counter.shown, 7, "not committed");
        counter.advance();
        assert_eq!(counter.shown, 9, "SQLite may remember 8");
        counter.written(10);
        counter.committed();
        assert_eq!(counter.shown, 10, "its own commit leaves SQLite's cache alone");
    }

    #[test]
    fn garbage_is_shown_as_it_is() {
        let garbage = vec![0xaa; HEADER_BYTES];
        let mut shown = garbage.clone();
        Counter { shown: 7, last: 7 }.show(&garbage, 5, 0, &mut shown);
        assert_eq!(shown, garbage);
    }
}

//! A set of page numbers: one bit each, in pieces that are made when they are needed.

use std::collections::HashMap;
use tombolo_core::owner::engine::PageNumber;

const WORDS: usize = 64;
const PIECE_PAGES: u32 = 64 * 64;

/// Pages, at most one bit for each that a database can have.
#[derive(Debug, Default)]
pub(super) struct PageSet {
    pieces: HashMap<u32, Box<[u64; WORDS]>>,
}

impl PageSet {
    fn place(page: PageNumber) -> (u32, usize, u64) {
        let inside = page % PIECE_PAGES;
        (page / PIECE_PAGES, inside as usize / 64, 1 << (inside % 64))
    }

    /// Puts a page in.
    pub(super) fn insert(&mut self, page: PageNumber) {
        let (piece, word, bit) = Self::place(page);
        let words = self.pieces.entry(piece).or_insert_with(|| Box::new([0; WORDS]));
        if let Some(word) = words.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether a page is in it.
    pub(super) fn contains(&self, page: PageNumber) -> bool {
        let (piece, word, bit) = Self::place(page);
        let words = self.pieces.get(&piece).and_then(|words| words.get(word));
        words.is_some_and(|word| word & bit != 0)
    }

    /// Takes all out.
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_put_in_and_nothing_else() {
        let pages = [1, 63, 64, 65, 4095, 4096, 4097, 70_000, u32::MAX];
        let mut set = PageSet::default();
        for page in pages {
            assert!(!set.contains(page));
            set.insert(page);
        }
        for page in (0..10_000).chain([69_999, 70_000, 70_001, u32::MAX - 1, u32::MAX]) {
            assert_eq!(set.contains(page), pages.contains(&page), "{page}");
        }
        set.clear();
        assert!(!pages.iter().any(|page| set.contains(*page)));
    }
}

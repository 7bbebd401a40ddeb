//! What is kept of the bytes that a call has read or written: enough to tell them from others, and
//! none of them.

use super::record::FileKind;

/// Bytes 24 to 27 of a database (fileformat2.html, section 1.3.9).
const CHANGE_COUNTER: u64 = 24;
/// Bytes of the header of a WAL, and of a frame's (fileformat2.html, section 4.1).
const WAL_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// What is kept of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The [`digest`] of all of them.
    pub digest: u64,
    /// What they say of the state of the database.
    pub mark: Mark,
}

/// What some bytes say of the state of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    None,
    /// The file change counter: how often the database was changed.
    ChangeCounter(u32),
    /// The header of a WAL, with the salts that its frames have.
    WalHeader {
        /// Both of them.
        salts: u64,
    },
    /// The header of a frame of a WAL.
    Frame {
        /// The page.
        page: u32,
        /// Pages of the database after the transaction that ends here; 0 within one.
        commit_pages: u32,
        /// The salts of the WAL.
        salts: u64,
    },
}

/// Numbers of a content in a record.
pub(super) type Numbers = [u64; 4];

impl Content {
    /// What is kept of bytes at an offset of a file; `None` for files of whose contents nothing is.
    #[must_use]
    #[inline]
    pub fn of(kind: FileKind, offset: Option<u64>, bytes: &[u8]) -> Option<Self> {
        let mark = match kind {
            FileKind::Database => counter(offset, bytes),
            FileKind::Wal => wal(offset, bytes),
            FileKind::WalIndex | FileKind::Journal => return None,
        };
        (!bytes.is_empty()).then(|| Content { digest: digest(bytes), mark })
    }

    pub(super) fn numbers(self) -> Numbers {
        match self.mark {
            Mark::None => [self.digest, 0, 0, 0],
            Mark::ChangeCounter(counter) => [self.digest, 1, u64::from(counter), 0],
            Mark::WalHeader { salts } => [self.digest, 2, salts, 0],
            Mark::Frame { page, commit_pages, salts } => {
                [self.digest, 3, u64::from(page) << 32 | u64::from(commit_pages), salts]
            }
        }
    }

    /// `None` where nothing was kept.
    pub(super) fn from_numbers([digest, kind, first, second]: Numbers) -> Option<Self> {
        let mark = match kind {
            0 => Mark::None,
            1 => Mark::ChangeCounter(u32::try_from(first).ok()?),
            2 => Mark::WalHeader { salts: first },
            3 => Mark::Frame {
                page: (first >> 32) as u32,
                commit_pages: first as u32,
                salts: second,
            },
            _ => return None,
        };
        (digest != 0).then_some(Content { digest, mark })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn salts(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(number(bytes, at)?) << 32 | u64::from(number(bytes, at + 4)?))
}

fn counter(offset: Option<u64>, bytes: &[u8]) -> Mark {
    let at = offset.and_then(|offset| CHANGE_COUNTER.checked_sub(offset));
    let at = at.and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| number(bytes, at)).map_or(Mark::None, Mark::ChangeCounter)
}

fn wal(offset: Option<u64>, bytes: &[u8]) -> Mark {
    let mark = match (offset, bytes.len()) {
        (Some(0), WAL_HEADER_BYTES..) => salts(bytes, 16).map(|salts| Mark::WalHeader { salts }),
        (Some(1..), FRAME_HEADER_BYTES) => frame(bytes),
        _ => None,
    };
    mark.unwrap_or(Mark::None)
}

fn frame(bytes: &[u8]) -> Option<Mark> {
    let (page, commit_pages) = (number(bytes, 0)?, number(bytes, 4)?);
    Some(Mark::Frame { page, commit_pages, salts: salts(bytes, 8)? })
}

/// Tells contents apart: 56 bits, never 0. It is made to be fast, as it is taken within the calls
/// of other programs, and not to withstand who means to deceive it.
#[must_use]
#[inline]
pub fn digest(bytes: &[u8]) -> u64 {
    const LANES: usize = 8;
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |lane: u64, word: u64| (lane ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let mut lanes = [1_u64, 2, 3, 4, 5, 6, 7, 8];
    let (blocks, rest) = bytes.as_chunks::<{ 8 * LANES }>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let mut last = [0_u8; 8 * LANES];
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    let (words, _) = last.as_chunks::<8>();
    let tail = lanes.iter().copied().chain(words.iter().map(|word| u64::from_le_bytes(*word)));
    let whole = tail.fold(bytes.len() as u64, step);
    let mixed = (whole ^ whole >> 32).wrapping_mul(FACTOR);
    (mixed >> 8).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_are_found_where_they_stand() {
        let mut page = [0_u8; 4096];
        page[24..28].copy_from_slice(&7_u32.to_be_bytes());
        let of = |offset, bytes: &[u8]| {
            Content::of(FileKind::Database, offset, bytes).map(|content| content.mark)
        };
        assert_eq!(of(Some(0), &page), Some(Mark::ChangeCounter(7)));
        assert_eq!(of(Some(24), &page[24..40]), Some(Mark::ChangeCounter(7)));
        assert_eq!(of(Some(4096), &page), Some(Mark::None));
        assert_eq!(of(None, &page), Some(Mark::None));
        assert_eq!(of(Some(0), &[]), None);
        assert_eq!(Content::of(FileKind::Journal, Some(0), &page), None);
        let frame: Vec<u8> = [3_u32, 9, 0x11, 0x22, 5, 6].map(u32::to_be_bytes).concat();
        let mark = Mark::Frame { page: 3, commit_pages: 9, salts: 0x11_0000_0022 };
        let found = Content::of(FileKind::Wal, Some(32), &frame).map(|content| content.mark);
        assert_eq!(found, Some(mark));
    }

    proptest! {
        #[test]
        fn every_byte_counts(
            bytes in prop::collection::vec(any::<u8>(), 1..300),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let mut other = bytes.clone();
            let index = place.index(other.len());
            other[index] ^= 1 << bit;
            prop_assert_ne!(digest(&bytes), digest(&other));
            prop_assert_ne!(digest(&bytes), digest(&bytes[1..]));
            prop_assert!(digest(&bytes) < 1 << 56);
        }

        #[test]
        fn contents_come_back(
            digest in 1..1_u64 << 56,
            page in any::<u32>(),
            salts in any::<u64>(),
        ) {
            for mark in [
                Mark::None,
                Mark::ChangeCounter(page),
                Mark::WalHeader { salts },
                Mark::Frame { page, commit_pages: page ^ 5, salts },
            ] {
                let content = Content { digest, mark };
                prop_assert_eq!(Content::from_numbers(content.numbers()), Some(content));
            }
        }
    }
}

//! 32-bit words out of bytes.

/// The first `N` big-endian words; `None` when there are fewer bytes.
pub(super) fn big_endian<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let (words, _) = bytes.as_chunks::<4>();
    words.first_chunk::<N>().map(|words| words.map(u32::from_be_bytes))
}

/// The size of a page by a 16-bit field in which 1 stands for 65536 (file format, section 1.3.2;
/// the wal-index does the same), if it is one that SQLite accepts.
pub(super) fn page_size_bytes(field: u16) -> Option<u32> {
    match field {
        1 => Some(65_536),
        size => is_page_size(size.into()).then_some(size.into()),
    }
}

/// Whether SQLite accepts this size of a page: a power of two from 512 to 65536.
pub(super) fn is_page_size(size_bytes: u32) -> bool {
    size_bytes.is_power_of_two() && (512..=65_536).contains(&size_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_need_their_bytes() {
        assert_eq!(big_endian::<2>(&[0, 0, 0, 1, 0xff, 0, 0, 0, 9]), Some([1, 0xff00_0000]));
        assert_eq!(big_endian::<2>(&[0; 7]), None);
    }

    #[test]
    fn page_sizes_are_powers_of_two_and_one_means_64_kib() {
        for field in 0..=u16::MAX {
            let expected = match field {
                1 => Some(65_536),
                512 | 1024 | 2048 | 4096 | 8192 | 16_384 | 32_768 => Some(u32::from(field)),
                _ => None,
            };
            assert_eq!(page_size_bytes(field), expected, "{field}");
        }
    }
}

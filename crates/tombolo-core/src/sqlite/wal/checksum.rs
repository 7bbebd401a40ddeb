//! The checksum of the log (file format, section 4.2): two running sums over pairs of words.

/// Byte order in which the words of a checksum are read: that of the machine which began the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumOrder {
    /// Magic 0x377f0682.
    LittleEndian,
    /// Magic 0x377f0683.
    BigEndian,
}

/// The two sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checksum {
    /// `s0` of the file format.
    pub first: u32,
    /// `s1` of the file format.
    pub second: u32,
}

impl Checksum {
    /// Goes on over these bytes. Bytes beyond the last multiple of 8 do not count; SQLite never
    /// has any.
    #[must_use]
    pub fn over(self, bytes: &[u8], order: ChecksumOrder) -> Self {
        let (pairs, _) = bytes.as_chunks::<8>();
        match order {
            ChecksumOrder::LittleEndian => self.fold(pairs, u32::from_le_bytes),
            ChecksumOrder::BigEndian => self.fold(pairs, u32::from_be_bytes),
        }
    }

    /// Each word waits for the two sums before it, so that nothing here can run in parallel; the
    /// word is added to the older sum first, which leaves one addition to wait for.
    fn fold(self, pairs: &[[u8; 8]], word: impl Fn([u8; 4]) -> u32) -> Self {
        let Checksum { mut first, mut second } = self;
        for &[a, b, c, d, e, f, g, h] in pairs {
            first = first.wrapping_add(word([a, b, c, d])).wrapping_add(second);
            second = second.wrapping_add(word([e, f, g, h])).wrapping_add(first);
        }
        Checksum { first, second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_follow_the_definition_in_both_orders() {
        let bytes = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0];
        let little = Checksum::default().over(&bytes, ChecksumOrder::LittleEndian);
        // s0 = 1, s1 = 2 + 1; s0 = 1 + 3 + 3, s1 = 3 + 4 + 7.
        assert_eq!(little, Checksum { first: 7, second: 14 });
        let big = Checksum::default().over(&bytes, ChecksumOrder::BigEndian);
        assert_eq!(big, Checksum { first: 7 << 24, second: 14 << 24 });
    }

    #[test]
    fn it_can_be_taken_in_pieces_and_wraps_around() {
        let bytes = [0xff; 64];
        let whole = Checksum::default().over(&bytes, ChecksumOrder::LittleEndian);
        let (left, right) = bytes.split_at(24);
        let order = ChecksumOrder::LittleEndian;
        assert_eq!(Checksum::default().over(left, order).over(right, order), whole);
    }
}

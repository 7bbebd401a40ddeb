//! A digest of rows that does not depend on their order.
//!
//! Each row has a digest of its values in one canonical form. The digest of a table is the sum of
//! them: both databases may give their rows in any order, and a part that is done adds up with the
//! rest.

use super::value::Cell;
use sha2::{Digest as _, Sha256};

/// The sum of the digests of rows, in four lanes of 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    pub(super) fn add(&mut self, row: RowDigest) {
        let bytes = row.0.finalize();
        for (lane, part) in self.0.iter_mut().zip(bytes.chunks_exact(8)) {
            let part = u64::from_le_bytes(part.try_into().unwrap_or_default());
            *lane = lane.wrapping_add(part);
        }
    }

    pub(super) fn to_text(self) -> String {
        self.0.iter().map(|lane| format!("{lane:016x}")).collect()
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        let lane =
            |index: usize| u64::from_str_radix(text.get(index * 16..(index + 1) * 16)?, 16).ok();
        (text.len() == 64).then_some(())?;
        Some(Sum([lane(0)?, lane(1)?, lane(2)?, lane(3)?]))
    }
}

/// The digest of one row, value by value.
#[derive(Debug, Default)]
pub(super) struct RowDigest(Sha256);

impl RowDigest {
    /// Adds a value. Numbers that are equal are the same, whatever type they have; a type and a
    /// length before each value keep rows apart that only look alike when run together.
    pub(super) fn add(&mut self, cell: &Cell<'_>) {
        match cell {
            Cell::Null => self.0.update(b"n"),
            Cell::Boolean(value) => self.integer(i64::from(*value)),
            Cell::Integer(value) => self.integer(*value),
            Cell::Real(value) => match exact_integer(*value) {
                Some(value) => self.integer(value),
                None => self.tagged(b'r', &value.to_bits().to_le_bytes()),
            },
            Cell::Text(text) => self.sized(b't', text.as_bytes()),
            Cell::Bytes(bytes) => self.sized(b'b', bytes),
            Cell::Moment(us, _) => self.tagged(b'm', &us.to_le_bytes()),
        }
    }

    fn integer(&mut self, value: i64) {
        self.tagged(b'i', &value.to_le_bytes());
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8; 8]) {
        let mut all = [tag; 9];
        all[1..].copy_from_slice(bytes);
        self.0.update(all);
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) {
        self.tagged(tag, &(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

/// The integer that a real is.
fn exact_integer(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within range")]
    let integer = value as i64;
    (value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value)).then_some(integer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn sum(rows: &[&[Cell<'_>]]) -> Sum {
        let mut sum = Sum::default();
        for row in rows {
            let mut digest = RowDigest::default();
            row.iter().for_each(|cell| digest.add(cell));
            sum.add(digest);
        }
        sum
    }

    #[test]
    fn order_does_not_count_and_everything_else_does() {
        let text = |text: &'static str| Cell::Text(Cow::Borrowed(text));
        let (a, b) = ([text("a"), Cell::Null], [Cell::Integer(1), text("")]);
        assert_eq!(sum(&[&a, &b]), sum(&[&b, &a]));
        assert_ne!(sum(&[&a]), sum(&[&a, &a]));
        assert_ne!(sum(&[&[text("ab"), text("c")]]), sum(&[&[text("a"), text("bc")]]));
        assert_ne!(sum(&[&[text("1")]]), sum(&[&[Cell::Integer(1)]]));
        assert_eq!(sum(&[&[Cell::Real(-0.0)]]), sum(&[&[Cell::Integer(0)]]));
        assert_eq!(sum(&[&[Cell::Real(1e15)]]), sum(&[&[Cell::Integer(1_000_000_000_000_000)]]));
        assert_ne!(sum(&[&[Cell::Real(9.3e18)]]), sum(&[&[Cell::Integer(i64::MAX)]]));
        let whole = sum(&[&a, &b]);
        assert_eq!(Sum::from_text(&whole.to_text()), Some(whole));
        assert_eq!(Sum::from_text("00"), None);
    }
}

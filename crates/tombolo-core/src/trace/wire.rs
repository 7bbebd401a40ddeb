//! Numbers and bytes of a record: LEB128, at most ten bytes each.

/// Fills a buffer; what does not fit makes the whole record void.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
    full: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(buffer: &'a mut [u8]) -> Self {
        Writer { buffer, length: 0, full: false }
    }

    /// The bytes written; `None` if some did not fit.
    pub(super) fn finish(self) -> Option<usize> {
        (!self.full).then_some(self.length)
    }

    pub(super) fn byte(&mut self, byte: u8) {
        match self.buffer.get_mut(self.length) {
            Some(place) => {
                *place = byte;
                self.length += 1;
            }
            None => self.full = true,
        }
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.byte((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    /// What follows the last number of a record.
    pub(super) fn rest(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.buffer.get_mut(self.length..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length = end;
            }
            None => self.full = true,
        }
    }
}

/// Reads what [`Writer`] wrote; `None` where the bytes end or make no number.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.bytes
    }
}

/// Small for numbers near zero on both sides.
pub(super) fn zigzag(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)) as u32)
}

pub(super) fn from_zigzag(number: u32) -> i32 {
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(
            number in any::<u64>(),
            signed in any::<i32>(),
            tail in any::<Vec<u8>>(),
        ) {
            let mut buffer = vec![0; 20 + tail.len()];
            let mut writer = Writer::new(&mut buffer);
            writer.number(number);
            writer.number(zigzag(signed));
            writer.rest(&tail);
            let length = writer.finish().expect("room");
            let mut reader = Reader::new(&buffer[..length]);
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.small().map(from_zigzag), Some(signed));
            prop_assert_eq!(reader.rest(), &tail[..]);
        }
    }

    #[test]
    fn what_does_not_fit_is_void_and_what_is_no_number_is_refused() {
        let mut room = [0; 1];
        let mut writer = Writer::new(&mut room);
        writer.number(128);
        assert_eq!(writer.finish(), None);
        assert_eq!(Reader::new(&[0xff; 11]).number(), None);
        assert_eq!(Reader::new(&[0x80]).number(), None);
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).small(), None);
    }
}

//! Fields of a message.

use super::Malformed;

/// Writes one frame at the end of a buffer.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    into: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(into: &'a mut Vec<u8>, kind: u8) -> Self {
        let start = into.len();
        into.extend_from_slice(&[0, 0, 0, 0, kind]);
        Writer { into, start }
    }

    pub(super) fn byte(&mut self, value: u8) -> &mut Self {
        self.into.push(value);
        self
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u128(&mut self, value: u128) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Bytes whose number the reader knows otherwise.
    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.into.extend_from_slice(value);
        self
    }

    /// A text with its length, cut to `bytes_max`.
    pub(super) fn text(&mut self, value: &[u8], bytes_max: usize) -> &mut Self {
        let value = value.get(..bytes_max).unwrap_or(value);
        self.u16(u16::try_from(value.len()).unwrap_or(u16::MAX)).bytes(value)
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let length = self.into.len() - self.start - 4;
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if let Some(place) = self.into.get_mut(self.start..self.start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
}

/// Reads the fields of one frame.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(kind: u8, fields: &'a [u8]) -> Self {
        Reader { kind, rest: fields }
    }

    pub(super) fn invalid(&self) -> Malformed {
        Malformed::Value(self.kind)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(Malformed::CutShort(self.kind))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| Malformed::CutShort(self.kind))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Result<u128, Malformed> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.invalid()),
        }
    }

    pub(super) fn text(&mut self, bytes_max: usize) -> Result<&'a [u8], Malformed> {
        let length = usize::from(self.u16()?);
        if length > bytes_max {
            return Err(self.invalid());
        }
        self.bytes(length)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn end<T>(self, message: T) -> Result<T, Malformed> {
        match self.rest.len() {
            0 => Ok(message),
            rest => Err(Malformed::Rest(self.kind, rest)),
        }
    }
}

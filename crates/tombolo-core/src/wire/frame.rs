//! Frames out of a stream of bytes.

use super::{Malformed, limits::FRAME_BYTES_MAX};

/// Bytes of the length and of the kind.
const START_BYTES: usize = 5;
/// A buffer that is empty and larger than this is given back, so that idle sessions cost little.
const KEPT_BYTES: usize = 16 << 10;

/// One whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: u8,
    /// Its fields.
    pub fields: &'a [u8],
}

/// Gathers bytes until they are frames.
///
/// 1. It never holds more than one longest frame and what came along with its end.
#[derive(Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    used: usize,
    frame_bytes_max: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader::with_limit(FRAME_BYTES_MAX)
    }
}

impl FrameReader {
    /// One that takes shorter frames only, without their lengths.
    #[must_use]
    pub fn with_limit(frame_bytes_max: usize) -> Self {
        FrameReader { buffer: Vec::new(), used: 0, frame_bytes_max }
    }

    /// From now on frames may be as long as any.
    pub fn lift_limit(&mut self) {
        self.frame_bytes_max = FRAME_BYTES_MAX;
    }

    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`] for a frame that nobody sends: empty, or longer than the limit.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let waiting = self.buffer.get(self.used..).unwrap_or_default();
        let Some(length) = waiting.first_chunk::<4>() else { return Ok(None) };
        let announced = u32::from_le_bytes(*length);
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if length == 0 || length > self.frame_bytes_max {
            return Err(Malformed::Length(announced));
        }
        let Some(frame) = waiting.get(4..4 + length) else { return Ok(None) };
        self.used += 4 + length;
        let (kind, fields) = frame.split_first().ok_or(Malformed::Length(announced))?;
        Ok(Some(Frame { kind: *kind, fields }))
    }

    /// How many bytes are missing to the end of the frame that has begun; of none, those of the
    /// start of one.
    #[must_use]
    pub fn missing_bytes(&self) -> usize {
        let waiting = self.buffer.get(self.used..).unwrap_or_default();
        let whole = waiting.first_chunk::<4>().map_or(START_BYTES, |length| {
            4usize.saturating_add(u32::from_le_bytes(*length) as usize)
        });
        whole.saturating_sub(waiting.len()).clamp(1, FRAME_BYTES_MAX)
    }

    /// Whether there are bytes that are not taken as a frame.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.used < self.buffer.len()
    }

    /// Forgets all bytes, as after a new connection.
    pub fn clear(&mut self) {
        *self = FrameReader::with_limit(self.frame_bytes_max);
    }

    fn compact(&mut self) {
        if self.used == self.buffer.len() {
            self.buffer.clear();
            if self.buffer.capacity() > KEPT_BYTES {
                self.buffer.shrink_to(0);
            }
        } else {
            self.buffer.drain(..self.used);
        }
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(fields: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        super::super::fields::Writer::new(&mut bytes, 7).bytes(fields);
        bytes
    }

    #[test]
    fn frames_come_out_however_the_bytes_are_cut() {
        let bytes = [frame(b"first"), frame(b""), frame(b"third")].concat();
        for piece in 1..bytes.len() {
            let mut reader = FrameReader::default();
            let mut seen = Vec::new();
            for part in bytes.chunks(piece) {
                reader.push(part);
                while let Some(frame) = reader.next_frame().expect("well formed") {
                    assert_eq!(frame.kind, 7);
                    seen.push(frame.fields.to_vec());
                }
            }
            assert_eq!(seen, [b"first".to_vec(), b"".to_vec(), b"third".to_vec()], "{piece}");
        }
    }

    #[test]
    fn a_frame_that_nobody_sends_is_refused_before_it_is_gathered() {
        for length in [0, FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
            let mut reader = FrameReader::default();
            reader.push(&length.to_le_bytes());
            assert_eq!(reader.next_frame(), Err(Malformed::Length(length)));
        }
    }

    #[test]
    fn it_says_how_much_is_missing() {
        let bytes = frame(b"12345");
        let mut reader = FrameReader::default();
        assert_eq!(reader.missing_bytes(), 5);
        reader.push(&bytes[..6]);
        assert_eq!(reader.missing_bytes(), 4);
    }
}

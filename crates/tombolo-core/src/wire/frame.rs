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
    /// What has arrived, up to `filled`; what is behind it is room.
    buffer: Vec<u8>,
    used: usize,
    frame_bytes_max: usize,
    filled: usize,
    kept_bytes: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader::keeping(KEPT_BYTES)
    }
}

impl FrameReader {
    /// One that keeps a buffer of so many bytes while it is empty.
    #[must_use]
    pub fn keeping(kept_bytes: usize) -> Self {
        let (buffer, frame_bytes_max) = (Vec::new(), FRAME_BYTES_MAX);
        FrameReader { buffer, used: 0, filled: 0, kept_bytes, frame_bytes_max }
    }

    /// One that takes shorter frames only, without their lengths.
    #[must_use]
    pub fn with_limit(frame_bytes_max: usize) -> Self {
        FrameReader { frame_bytes_max, ..FrameReader::default() }
    }

    /// From now on frames may be as long as any.
    pub fn lift_limit(&mut self) {
        self.frame_bytes_max = FRAME_BYTES_MAX;
    }

    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.room(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.arrived(bytes.len());
    }

    /// Room for what arrives: `least` bytes or more. For the rest of a frame that has begun there
    /// is as much as has arrived of it, so that to announce a long one costs nothing.
    /// [`FrameReader::arrived`] says how many bytes did.
    pub fn room(&mut self, least: usize) -> &mut [u8] {
        self.compact();
        let end = self.filled + least.max(self.missing_bytes().min(self.filled));
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// So many bytes of [`FrameReader::room`] hold what has arrived now.
    pub fn arrived(&mut self, count: usize) {
        self.filled = self.filled.saturating_add(count).min(self.buffer.len());
    }

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.used..self.filled).unwrap_or_default()
    }

    /// Whether [`FrameReader::next_frame`] has something to say.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let waiting = self.waiting();
        waiting.first_chunk::<4>().is_some_and(|length| {
            let length = u32::from_le_bytes(*length) as usize;
            length == 0 || length > self.frame_bytes_max || waiting.len() >= 4 + length
        })
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    ///
    /// [`Malformed::Length`] for a frame that nobody sends: empty, or longer than the limit.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let waiting = self.buffer.get(self.used..self.filled).unwrap_or_default();
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
        let waiting = self.waiting();
        let whole = waiting.first_chunk::<4>().map_or(START_BYTES, |length| {
            4usize.saturating_add(u32::from_le_bytes(*length) as usize)
        });
        whole.saturating_sub(waiting.len()).clamp(1, FRAME_BYTES_MAX)
    }

    /// Whether there are bytes that are not taken as a frame.
    #[must_use]
    pub fn has_rest(&self) -> bool {
        self.used < self.filled
    }

    /// Forgets all bytes, as after a new connection.
    pub fn clear(&mut self) {
        (self.buffer, self.used, self.filled) = (Vec::new(), 0, 0);
    }

    fn compact(&mut self) {
        if self.used < self.filled {
            self.buffer.copy_within(self.used..self.filled, 0);
        } else if self.buffer.len() > self.kept_bytes {
            self.buffer = Vec::new();
        }
        self.filled -= self.used;
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
    fn room_grows_with_what_arrives_and_is_given_back() {
        let bytes = frame(&[3; 1000]);
        let mut reader = FrameReader::keeping(50);
        let mut sent = 0;
        while sent < bytes.len() {
            assert!(!reader.is_ready());
            let room = reader.room(8);
            let count = room.len().min(bytes.len() - sent);
            assert!((1..=sent.max(8)).contains(&count), "{count} after {sent}");
            room[..count].copy_from_slice(&bytes[sent..sent + count]);
            reader.arrived(count);
            sent += count;
        }
        assert!(reader.is_ready());
        let length = reader.next_frame().map(|frame| frame.map(|one| one.fields.len()));
        assert_eq!(length, Ok(Some(1000)));
        assert!(!reader.is_ready());
        assert!(reader.room(8).len() < 50, "a large buffer is not kept");
        reader.push(&0u32.to_le_bytes());
        assert!(reader.is_ready(), "with an error");
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

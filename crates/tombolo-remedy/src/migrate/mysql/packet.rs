//! Packets of the protocol and the fields in them,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html>.

use crate::error::Error;
use crate::migrate::stream::{Stream, lost, refused};
use std::io::{BufReader, Read as _, Write as _};

/// Bytes of one packet; a longer message goes on in the next one.
const PACKET_BYTES_MAX: usize = 0xff_ffff;
/// Bytes of a message before the login is done: names, and what passwords are mixed with.
const LOGIN_BYTES_MAX: usize = 64 * 1024;
/// Bytes that are read at a time.
const READ_BYTES: usize = 256 * 1024;

/// A stream of packets.
pub(super) struct Packets {
    stream: BufReader<Box<dyn Stream>>,
    sequence: u8,
    longest_bytes: usize,
}

impl Packets {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        let stream = BufReader::with_capacity(READ_BYTES, stream);
        Packets { stream, sequence: 0, longest_bytes: LOGIN_BYTES_MAX }
    }

    /// From now on messages of so many bytes are taken in.
    pub(super) fn take_up_to(&mut self, longest_bytes: usize) {
        self.longest_bytes = longest_bytes;
    }

    /// The next message is the first one of a command.
    pub(super) fn begin(&mut self) {
        self.sequence = 0;
    }

    /// Reads a message in place of what is in `into`.
    pub(super) fn read(&mut self, during: &'static str, into: &mut Vec<u8>) -> Result<(), Error> {
        into.clear();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).map_err(|error| lost(during, &error))?;
            let [low, middle, high, sequence] = header;
            if sequence != self.sequence {
                return Err(refused(during, "its packets are out of order"));
            }
            self.sequence = self.sequence.wrapping_add(1);
            let length = u32::from_le_bytes([low, middle, high, 0]);
            let before = into.len();
            if before.saturating_add(length as usize) > self.longest_bytes {
                return Err(refused(during, "a message is longer than any answer can be"));
            }
            let mut packet = (&mut self.stream).take(u64::from(length));
            packet.read_to_end(into).map_err(|error| lost(during, &error))?;
            let length = length as usize;
            if into.len() - before != length {
                return Err(lost(during, &std::io::ErrorKind::UnexpectedEof.into()));
            }
            if length < PACKET_BYTES_MAX {
                return Ok(());
            }
        }
    }

    /// Sends a message.
    pub(super) fn write(&mut self, during: &'static str, message: &[u8]) -> Result<(), Error> {
        let mut rest = message;
        loop {
            let (packet, after) = rest.split_at(rest.len().min(PACKET_BYTES_MAX));
            let [low, middle, high, ..] = (packet.len() as u64).to_le_bytes();
            let header = [low, middle, high, self.sequence];
            self.sequence = self.sequence.wrapping_add(1);
            let stream = self.stream.get_mut();
            let written = stream.write_all(&header).and_then(|()| stream.write_all(packet));
            written.map_err(|error| lost(during, &error))?;
            rest = after;
            if packet.len() < PACKET_BYTES_MAX {
                return self.stream.get_mut().flush().map_err(|error| lost(during, &error));
            }
        }
    }
}

impl Packets {
    /// Goes on in another stream, which is made of this one where nothing that was read is left.
    pub(super) fn map(
        self,
        during: &'static str,
        map: impl FnOnce(Box<dyn Stream>) -> Result<Box<dyn Stream>, Error>,
    ) -> Result<Self, Error> {
        if !self.stream.buffer().is_empty() {
            return Err(refused(during, "it sent something that was not asked for"));
        }
        let Packets { stream, sequence, longest_bytes } = self;
        let stream = map(stream.into_inner())?;
        Ok(Packets { sequence, longest_bytes, ..Packets::new(stream) })
    }
}

/// The fields of a message, one after the other. `None` where it ends too early.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number whose first byte says how many follow. NULL is none.
    pub(super) fn number(&mut self) -> Option<u64> {
        Some(match self.byte()? {
            short @ ..=0xfa => u64::from(short),
            0xfc => u64::from(self.u16()?),
            0xfd => {
                let [low, middle, high] = self.array()?;
                u64::from(u32::from_le_bytes([low, middle, high, 0]))
            }
            0xfe => u64::from_le_bytes(self.array()?),
            _ => return None,
        })
    }

    /// Bytes after their number.
    pub(super) fn sized(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.bytes(count)
    }

    /// Bytes after their number, or NULL.
    pub(super) fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&0xfb) {
            self.0 = &self.0[1..];
            return Some(None);
        }
        self.sized().map(Some)
    }

    /// Bytes before a NUL, or all where there is none.
    pub(super) fn ended(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0);
        let (bytes, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let mut fields = Fields(&bytes);
            while fields.number().is_some() {}
            let mut fields = Fields(&bytes);
            while fields.nullable().is_some() {}
            Fields(&bytes).ended();
            Fields(&bytes).array::<8>();
        }
    }

    #[test]
    fn numbers_say_how_long_they_are() {
        let mut fields =
            Fields(&[1, 0xfc, 1, 2, 0xfd, 1, 2, 3, 0xfb, 2, b'a', b'b', b'c', 0, b'd']);
        assert_eq!((fields.number(), fields.number()), (Some(1), Some(0x201)));
        assert_eq!((fields.number(), fields.nullable()), (Some(0x3_0201), Some(None)));
        assert_eq!(fields.nullable(), Some(Some(&b"ab"[..])));
        assert_eq!((fields.ended(), fields.ended(), fields.number()), (&b"c"[..], &b"d"[..], None));
    }
}

//! One name, and what stands in it.
//!
//! `peer.FROM.TO.SEQUENCE.HEARD.TRY.PART.PARTS.PAYLOAD`, all numbers in decimal, the payload in the
//! letters of [`super::alphabet`]. A name is not longer than [`NAME_BYTES_MAX`]: file systems that
//! encrypt names take no more than 143 bytes (eCryptfs, Documentation/filesystems/ecryptfs.rst).

use super::alphabet;

/// How the names of messages begin.
pub const PREFIX: &str = "peer.";

/// Longest name.
pub const NAME_BYTES_MAX: usize = 140;

/// Bytes of a message that one name takes.
pub const PAYLOAD_BYTES_MAX: usize = 54;

/// Most names of one message.
pub const PARTS_MAX: u8 = 99;

/// Longest message.
pub const MESSAGE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX * PARTS_MAX as usize;

/// Most messages of one side to another in one conversation.
pub const SEQUENCE_MAX: u32 = 999_999;

/// Most attempts to say the same.
pub const TRY_MAX: u8 = 99;

/// One side of a conversation. The one that began it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

/// The side that began.
pub const LEADER: PeerId = PeerId(0);

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who says it.
    pub from: PeerId,
    /// To whom.
    pub to: PeerId,
    /// Which message it is of: 1 for the first of this sender to this side.
    pub sequence: u32,
    /// The last message of the other side that the sender has heard; 0 for none.
    pub heard: u32,
    /// How often the sender has tried before: a name that may have been looked up in vain is not
    /// used again, because its absence may be remembered.
    pub attempt: u8,
    /// Its place in the message, from 0.
    pub part: u8,
    /// How many there are.
    pub parts: u8,
    /// The bytes.
    pub payload: Vec<u8>,
}

impl Part {
    /// The name.
    #[must_use]
    pub fn name(&self) -> String {
        let Part { from, to, sequence, heard, attempt, part, parts, payload } = self;
        let (from, to, payload) = (from.0, to.0, alphabet::encode(payload));
        format!("{PREFIX}{from}.{to}.{sequence}.{heard}.{attempt}.{part}.{parts}.{payload}")
    }

    /// `None` where the name is none that [`Part::name`] writes.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let mut fields = name.strip_prefix(PREFIX.as_bytes())?.split(|byte| *byte == b'.');
        let part = Part {
            from: PeerId(number(fields.next()?)?),
            to: PeerId(number(fields.next()?)?),
            sequence: number(fields.next()?).filter(|n| (1..=SEQUENCE_MAX).contains(n))?,
            heard: number(fields.next()?).filter(|n| *n <= SEQUENCE_MAX)?,
            attempt: small(fields.next()?).filter(|n| *n <= TRY_MAX)?,
            part: small(fields.next()?)?,
            parts: small(fields.next()?).filter(|n| *n <= PARTS_MAX)?,
            payload: alphabet::decode(fields.next()?)?,
        };
        let whole = fields.next().is_none()
            && part.part < part.parts
            && (1..=PAYLOAD_BYTES_MAX).contains(&part.payload.len())
            && part.from != part.to;
        whole.then_some(part)
    }
}

/// As it is written: no sign, no zeros in front.
fn number(text: &[u8]) -> Option<u32> {
    let plain = text.iter().all(u8::is_ascii_digit) && (text.len() == 1 || !text.starts_with(b"0"));
    std::str::from_utf8(text).ok().filter(|_| plain)?.parse().ok()
}

fn small(text: &[u8]) -> Option<u8> {
    number(text).and_then(|number| u8::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_name_fits() {
        let part = Part {
            from: PeerId(u32::MAX),
            to: PeerId(u32::MAX - 1),
            sequence: SEQUENCE_MAX,
            heard: SEQUENCE_MAX,
            attempt: TRY_MAX,
            part: PARTS_MAX - 1,
            parts: PARTS_MAX,
            payload: vec![0xff; PAYLOAD_BYTES_MAX],
        };
        let name = part.name();
        assert!(name.len() <= NAME_BYTES_MAX, "{}", name.len());
        assert_eq!(Part::parse(name.as_bytes()), Some(part));
    }

    #[test]
    fn names_that_nobody_writes_are_none() {
        assert!(Part::parse(b"peer.1.2.3.0.0.0.1.00").is_some());
        for name in [
            "peer.1.2.3.0.0.0.1.",
            "peer.1.2.3.0.0.0.1.00.x",
            "peer.1.2.3.0.0.0.1.0u",
            "peer.1.2.3.0.0.1.1.00",
            "peer.1.2.3.0.0.0.0.00",
            "peer.1.2.0.0.0.0.1.00",
            "peer.1.2.03.0.0.0.1.00",
            "peer.+1.2.3.0.0.0.1.00",
            "peer.1.1.3.0.0.0.1.00",
            "peer.1.2.3.0.0.0.100.00",
            "peer.1.2.3.0",
            "probe.1",
            "",
        ] {
            assert_eq!(Part::parse(name.as_bytes()), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_part_comes_back(
            (from, to) in (any::<u32>(), any::<u32>()).prop_filter("apart", |(a, b)| a != b),
            sequence in 1..=SEQUENCE_MAX,
            heard in 0..=SEQUENCE_MAX,
            attempt in 0..=TRY_MAX,
            (part, parts) in (1..=PARTS_MAX).prop_flat_map(|parts| (0..parts, Just(parts))),
            payload in proptest::collection::vec(any::<u8>(), 1..=PAYLOAD_BYTES_MAX),
        ) {
            let (from, to) = (PeerId(from), PeerId(to));
            let said = Part { from, to, sequence, heard, attempt, part, parts, payload };
            prop_assert_eq!(Part::parse(said.name().as_bytes()), Some(said));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(name: Vec<u8>) {
            if let Some(part) = Part::parse(&name) {
                let written = part.name();
                prop_assert_eq!(written.as_bytes(), name);
            }
        }

        #[test]
        fn so_it_is_for_names_that_look_like_one(name in "peer(\\.[0-9]{1,3}){7}\\.[0-9a-z]{0,8}") {
            if let Some(part) = Part::parse(name.as_bytes()) {
                prop_assert_eq!(part.name(), name);
            }
        }
    }
}

//! Bytes as letters.
//!
//! Crockford's base 32 in lower case: no letter is taken for another by a reader, and a file system
//! that does not tell upper from lower case keeps all of them apart.

const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Letters of a [`Code`]: 50 bits, which nobody guesses while two doctors talk.
pub const CODE_LETTERS: usize = 10;

/// Five bits for each letter, the last one filled up with zeros.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

/// `None` where a letter is none of ours, or the text is none that [`encode`] writes.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for letter in text {
        let value = LETTERS.iter().position(|known| known == letter)?;
        held = (held << 5 | u32::try_from(value).ok()?) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    let filled = held & ((1 << bits) - 1);
    (bits < 5 && filled == 0).then_some(bytes)
}

/// What people have typed, without what does not count: dashes and the case of letters.
pub(super) fn typed(text: &str) -> String {
    text.chars().filter(|letter| *letter != '-').map(|l| l.to_ascii_lowercase()).collect()
}

fn letter(value: u32) -> char {
    char::from(LETTERS[(value & 31) as usize])
}

/// The word by which the sides of one conversation find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code(String);

/// What was given is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has {CODE_LETTERS} letters and digits, as in k3v9-x0q2-7d; i, l, o and u are none")]
pub struct NoCode;

impl Code {
    /// A code of random bits; those beyond 50 are not used.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Code((0..CODE_LETTERS).map(|place| letter((bits >> (5 * place)) as u32)).collect())
    }

    /// As it was typed: dashes and the case of letters do not count.
    ///
    /// # Errors
    /// Where anything else than letters of the alphabet, or not [`CODE_LETTERS`] of them, is left.
    pub fn parse(text: &str) -> Result<Self, NoCode> {
        let letters = typed(text);
        let known = letters.bytes().all(|letter| LETTERS.contains(&letter));
        if known && letters.len() == CODE_LETTERS { Ok(Code(letters)) } else { Err(NoCode) }
    }

    /// The bare letters, as they stand in the name of the directory.
    #[must_use]
    pub fn letters(&self) -> &str {
        &self.0
    }
}

/// For people, in groups.
impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, rest) = self.0.split_at(4);
        let (second, third) = rest.split_at(4);
        write!(formatter, "{first}-{second}-{third}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_as_it_is_written_and_as_people_type_it() {
        let code = Code::from_bits(0x3_dead_beef_1234);
        assert_eq!(Code::parse(&code.to_string()), Ok(code.clone()));
        assert_eq!(Code::parse(&code.letters().to_uppercase()), Ok(code));
        for wrong in
            ["", "k3v9-x0q2-7", "k3v9-x0q2-7dd", "k3v9-x0q2-7u", "../../../x", "k3v9/x0q27"]
        {
            assert_eq!(Code::parse(wrong), Err(NoCode), "{wrong}");
        }
    }

    #[test]
    fn codes_of_different_bits_differ() {
        assert_ne!(Code::from_bits(0), Code::from_bits(1 << 49));
        assert_eq!(Code::from_bits(0), Code::from_bits(1 << 50), "50 bits are used");
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(text: Vec<u8>) {
            if let Some(bytes) = decode(&text) {
                let written = encode(&bytes);
                prop_assert_eq!(written.as_bytes(), text);
            }
        }
    }
}

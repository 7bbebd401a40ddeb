//! The files by which both sides of a network know each other.
//!
//! Each side has a pair of keys of Ed25519 (RFC 8032), of which 32 random bytes are the secret
//! half. The owner's file has both secrets, so that the other file can be made from it; the file
//! for doors, the credentials, has the secret of the doors and the public key of the owner.

use std::fmt;

/// Bytes of a secret, and of a public key (RFC 8032, 5.1.5).
pub const KEY_BYTES: usize = 32;
/// Longest file that is read.
pub const FILE_BYTES_MAX: usize = 4096;

const OWNER_FORM: &str = "tombolo-owner-key";
const DOOR_FORM: &str = "tombolo-credentials";
const VERSION: &str = "1";

/// A secret. It is in no text but that of its file.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; KEY_BYTES]);

impl Secret {
    /// Of random bytes.
    #[must_use]
    pub fn new(random: [u8; KEY_BYTES]) -> Self {
        Secret(random)
    }

    /// It.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; KEY_BYTES]);

/// What only the owner has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerKeys {
    /// The owner's.
    pub owner: Secret,
    /// That of its doors.
    pub door: Secret,
}

/// What a door has: who has it is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Whom it means to reach.
    pub owner: PublicKey,
    /// What it shows there.
    pub door: Secret,
}

/// The file is none of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not of the form `{0} {VERSION}`")]
pub struct NoKeys(&'static str);

impl OwnerKeys {
    /// The file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (owner, door) = (hexadecimal(&self.owner.0), hexadecimal(&self.door.0));
        format!(
            "# The keys of an owner. Nobody else needs them.\n\
             {OWNER_FORM} {VERSION}\nowner-secret {owner}\ndoor-secret {door}\n"
        )
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub fn parse(text: &[u8]) -> Result<Self, NoKeys> {
        let [owner, door] = two_keys(text, OWNER_FORM, ["owner-secret", "door-secret"])?;
        Ok(OwnerKeys { owner: Secret(owner), door: Secret(door) })
    }
}

impl Credentials {
    /// The file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (owner, door) = (hexadecimal(&self.owner.0), hexadecimal(&self.door.0));
        format!(
            "# Who has this may read and write what the owner serves.\n\
             {DOOR_FORM} {VERSION}\nowner-public {owner}\ndoor-secret {door}\n"
        )
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`NoKeys`].
    pub fn parse(text: &[u8]) -> Result<Self, NoKeys> {
        let [owner, door] = two_keys(text, DOOR_FORM, ["owner-public", "door-secret"])?;
        Ok(Credentials { owner: PublicKey(owner), door: Secret(door) })
    }
}

fn two_keys(
    text: &[u8],
    form: &'static str,
    names: [&str; 2],
) -> Result<[[u8; KEY_BYTES]; 2], NoKeys> {
    let read = || {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= FILE_BYTES_MAX)?;
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        if lines.next()?.split_once(' ')? != (form, VERSION) {
            return None;
        }
        let mut keys = [[0; KEY_BYTES]; 2];
        for (name, key) in names.into_iter().zip(&mut keys) {
            let (found, digits) = lines.next()?.split_once(' ')?;
            *key = (found == name).then(|| bytes(digits))??;
        }
        lines.next().is_none().then_some(keys)
    };
    read().ok_or(NoKeys(form))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Option<[u8; KEY_BYTES]> {
    if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; KEY_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_come_back_and_show_nothing_elsewhere() {
        let keys = OwnerKeys { owner: Secret::new([0xab; 32]), door: Secret::new([7; 32]) };
        assert_eq!(OwnerKeys::parse(keys.to_text().as_bytes()), Ok(keys.clone()));
        let credentials = Credentials { owner: PublicKey([1; 32]), door: Secret::new([0xcd; 32]) };
        assert_eq!(Credentials::parse(credentials.to_text().as_bytes()), Ok(credentials.clone()));
        assert!(OwnerKeys::parse(credentials.to_text().as_bytes()).is_err());
        assert!(Credentials::parse(keys.to_text().as_bytes()).is_err());
        let shown = format!("{keys:?} {credentials:?}");
        assert!(!shown.contains("171") && !shown.contains("205"), "{shown}");
    }

    #[test]
    fn what_is_cut_or_has_more_is_no_file() {
        let keys = OwnerKeys { owner: Secret::new([3; 32]), door: Secret::new([7; 32]) };
        let text = keys.to_text();
        let whole = text.trim_end().len();
        for end in 0..whole {
            assert!(OwnerKeys::parse(&text.as_bytes()[..end]).is_err(), "cut to {end}");
        }
        assert!(OwnerKeys::parse((text.clone() + "more 1\n").as_bytes()).is_err());
        assert!(OwnerKeys::parse((text.clone() + &"#".repeat(FILE_BYTES_MAX)).as_bytes()).is_err());
        assert!(OwnerKeys::parse(text.replace("key 1", "key 2").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = OwnerKeys::parse(&bytes);
            let _ = Credentials::parse(&bytes);
        }
    }
}

//! An authenticated stream between two sides, over a connection that anybody may open, read, cut or
//! change.
//!
//! Whoever does not know the [`Secret`] can neither say anything nor repeat or reorder what was
//! said. Nothing is hidden: who can read the connection reads along.
//!
//! 1. The caller sends a call: a word that names the protocol, a fresh nonce, and a tag.
//! 2. The listener says nothing to a call with a wrong tag. To a right one it answers with a nonce
//!    of its own, and a tag over both. A call that was recorded and is sent again gets that far.
//! 3. Each direction has a key of its own, made of the secret and both nonces. All that follows is
//!    frames: the length in one byte, so many bytes, and a tag over the number of the frame in its
//!    direction, the length and the bytes. A frame from another connection, of the other direction
//!    or out of its order has a wrong tag.
//!
//! All tags are HMAC-SHA-256 (RFC 2104, FIPS 180-4) in full length.

use super::alphabet;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

/// Bytes of a [`Secret`]: 128 bits.
pub const SECRET_BYTES: usize = 16;

/// Letters of a [`Secret`].
pub const SECRET_LETTERS: usize = (SECRET_BYTES * 8).div_ceil(5);

/// Bytes of a nonce, which must be fresh and random for each connection.
pub const NONCE_BYTES: usize = 16;

/// Bytes of a tag.
const TAG_BYTES: usize = 32;

/// Tells the protocol and its version from whatever else calls at a port.
const WORD: &[u8; 8] = b"tombolo1";

/// Bytes of a call.
pub const CALL_BYTES: usize = WORD.len() + NONCE_BYTES + TAG_BYTES;

/// Bytes of the answer to it.
pub const ANSWER_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Longest content of a frame: its length is one byte.
pub const CONTENT_BYTES_MAX: usize = u8::MAX as usize;

/// Longest frame.
pub const FRAME_BYTES_MAX: usize = 1 + CONTENT_BYTES_MAX + TAG_BYTES;

type Tag = [u8; TAG_BYTES];
type Nonce = [u8; NONCE_BYTES];

/// What the sides of one conversation know and nobody else does.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl Secret {
    /// A secret of random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Secret(bytes)
    }

    /// `None` where these are not the letters of a secret.
    #[must_use]
    pub fn from_letters(letters: &str) -> Option<Self> {
        alphabet::decode(letters.as_bytes())?.try_into().ok().map(Secret)
    }

    /// The letters by which it is handed on.
    #[must_use]
    pub fn letters(&self) -> String {
        alphabet::encode(&self.0)
    }
}

/// A secret is not for logs.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// What each tag is for, so that none can stand for another.
mod purpose {
    pub(super) const CALL: &[u8] = b"tombolo peer: call";
    pub(super) const ANSWER: &[u8] = b"tombolo peer: answer";
    pub(super) const TO_LISTENER: &[u8] = b"tombolo peer: key to the listener";
    pub(super) const TO_CALLER: &[u8] = b"tombolo peer: key to the caller";
}

/// A key is followed by zeros up to a block (RFC 2104, section 2, step 1).
fn keyed<const BYTES: usize>(key: &[u8; BYTES]) -> Hmac<Sha256> {
    const { assert!(BYTES <= 64) };
    let mut block = [0; 64];
    block[..BYTES].copy_from_slice(key);
    Hmac::new(&block.into())
}

fn tag_of(key: &Hmac<Sha256>, pieces: &[&[u8]]) -> Hmac<Sha256> {
    let mut tag = key.clone();
    for piece in pieces {
        tag.update(piece);
    }
    tag
}

/// Takes the same time wherever the two differ.
fn is_tag(tag: Hmac<Sha256>, given: &[u8]) -> bool {
    tag.verify_slice(given).is_ok()
}

fn bytes(tag: Hmac<Sha256>) -> Tag {
    tag.finalize().into_bytes().into()
}

/// The caller's side, until the answer comes.
#[derive(Debug)]
pub struct Call {
    secret: Secret,
    nonce: Nonce,
}

impl Call {
    /// Begins with a nonce that was never used before.
    #[must_use]
    pub fn new(secret: &Secret, nonce: [u8; NONCE_BYTES]) -> Self {
        Call { secret: secret.clone(), nonce }
    }

    /// What is sent.
    #[must_use]
    pub fn bytes(&self) -> [u8; CALL_BYTES] {
        let tag = bytes(tag_of(&keyed(&self.secret.0), &[purpose::CALL, &self.nonce]));
        let mut call = [0; CALL_BYTES];
        let (word, rest) = call.split_at_mut(WORD.len());
        let (nonce, place) = rest.split_at_mut(NONCE_BYTES);
        word.copy_from_slice(WORD);
        nonce.copy_from_slice(&self.nonce);
        place.copy_from_slice(&tag);
        call
    }

    /// `None` where whoever answers does not know the secret.
    #[must_use]
    pub fn answered(self, answer: &[u8; ANSWER_BYTES]) -> Option<Channel> {
        let (theirs, tag) = answer.split_first_chunk::<NONCE_BYTES>()?;
        let key = keyed(&self.secret.0);
        let wanted = tag_of(&key, &[purpose::ANSWER, &self.nonce, theirs]);
        is_tag(wanted, tag).then(|| {
            let [to_listener, to_caller] = keys(&key, &self.nonce, theirs);
            Channel::new(to_listener, to_caller)
        })
    }
}

/// The listener's answer to a call, and its end of the channel; `None` where the caller does not
/// know the secret, and is to be told nothing.
#[must_use]
pub fn answer(
    secret: &Secret,
    call: &[u8; CALL_BYTES],
    nonce: [u8; NONCE_BYTES],
) -> Option<([u8; ANSWER_BYTES], Channel)> {
    let (theirs, tag) = call.strip_prefix(WORD)?.split_first_chunk::<NONCE_BYTES>()?;
    let key = keyed(&secret.0);
    if !is_tag(tag_of(&key, &[purpose::CALL, theirs]), tag) {
        return None;
    }
    let mut answer = [0; ANSWER_BYTES];
    let (own, place) = answer.split_at_mut(NONCE_BYTES);
    own.copy_from_slice(&nonce);
    place.copy_from_slice(&bytes(tag_of(&key, &[purpose::ANSWER, theirs, &nonce])));
    let [to_listener, to_caller] = keys(&key, theirs, &nonce);
    Some((answer, Channel::new(to_caller, to_listener)))
}

/// To the listener, and to the caller.
fn keys(key: &Hmac<Sha256>, callers: &Nonce, listeners: &Nonce) -> [Direction; 2] {
    [purpose::TO_LISTENER, purpose::TO_CALLER].map(|purpose| {
        let key = keyed(&bytes(tag_of(key, &[purpose, callers, listeners])));
        Direction { key, frames: 0 }
    })
}

/// One direction of a channel.
struct Direction {
    key: Hmac<Sha256>,
    /// How many there have been.
    frames: u64,
}

impl Direction {
    fn next_tag(&mut self, length: u8, content: &[u8]) -> Hmac<Sha256> {
        let number = self.frames.to_be_bytes();
        self.frames += 1;
        tag_of(&self.key, &[&number, &[length], content])
    }
}

/// What has arrived was not said by the other side, or not now. The connection is worth nothing
/// any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bytes on the connection are not of the other side")]
pub struct Forged;

/// One end of an authenticated stream. It is bytes in and bytes out; the connection is somebody
/// else's.
pub struct Channel {
    sends: Direction,
    /// `None` after the first frame that was forged: what follows cannot be trusted either.
    receives: Option<Direction>,
    /// A frame of which not all has arrived: shorter than [`FRAME_BYTES_MAX`].
    begun: Vec<u8>,
}

/// Without its keys.
impl fmt::Debug for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl Channel {
    fn new(sends: Direction, receives: Direction) -> Self {
        Channel { sends, receives: Some(receives), begun: Vec::new() }
    }

    /// The next frame. `None` where the content is empty or longer than [`CONTENT_BYTES_MAX`].
    pub fn seal(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        let length = u8::try_from(content.len()).ok().filter(|length| *length > 0)?;
        let tag = bytes(self.sends.next_tag(length, content));
        Some([&[length], content, &tag].concat())
    }

    /// Takes what has arrived, cut anywhere: the contents of the frames that are whole now.
    ///
    /// # Errors
    /// At the first frame that is forged, and ever after. What was said before it is lost with it,
    /// if it came in the same bytes.
    pub fn open(&mut self, arrived: &[u8]) -> Result<Vec<Vec<u8>>, Forged> {
        let mut direction = self.receives.take().ok_or(Forged)?;
        self.begun.extend_from_slice(arrived);
        let mut contents = Vec::new();
        let mut rest = self.begun.as_slice();
        while let Some((length, after)) = rest.split_first() {
            let content_bytes = usize::from(*length);
            let Some((frame, later)) = after.split_at_checked(content_bytes + TAG_BYTES) else {
                break;
            };
            let (content, tag) = frame.split_at(content_bytes);
            if content.is_empty() || !is_tag(direction.next_tag(*length, content), tag) {
                self.begun = Vec::new();
                return Err(Forged);
            }
            contents.push(content.to_vec());
            rest = later;
        }
        let left = rest.len();
        self.begun.drain(..self.begun.len() - left);
        self.receives = Some(direction);
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const SECRET: [u8; SECRET_BYTES] = [7; SECRET_BYTES];

    fn pair_by(call_nonce: u8, answer_nonce: u8) -> (Channel, Channel) {
        let secret = Secret::from_bytes(SECRET);
        let call = Call::new(&secret, [call_nonce; NONCE_BYTES]);
        let (answer, listener) =
            answer(&secret, &call.bytes(), [answer_nonce; NONCE_BYTES]).expect("known");
        (call.answered(&answer).expect("known"), listener)
    }

    fn pair() -> (Channel, Channel) {
        pair_by(1, 2)
    }

    #[test]
    fn a_tag_is_the_one_of_the_standard() {
        // RFC 4231, test case 2.
        let tag = bytes(tag_of(&keyed(b"Jefe"), &[b"what do ya want ", b"for nothing?"]));
        let text: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn what_is_said_is_heard_in_both_directions() {
        let (mut caller, mut listener) = pair();
        for (content, back) in [(&b"one"[..], &b"eins"[..]), (b"two", b"zwei")] {
            let frame = caller.seal(content).expect("fits");
            assert_eq!(listener.open(&frame), Ok(vec![content.to_vec()]));
            let frame = listener.seal(back).expect("fits");
            assert_eq!(caller.open(&frame), Ok(vec![back.to_vec()]));
        }
    }

    #[test]
    fn without_the_secret_there_is_no_channel_on_either_side() {
        let (secret, other) = (Secret::from_bytes(SECRET), Secret::from_bytes([8; SECRET_BYTES]));
        let call = Call::new(&other, [1; NONCE_BYTES]);
        assert!(answer(&secret, &call.bytes(), [2; NONCE_BYTES]).is_none());
        let (false_answer, _) = answer(&other, &call.bytes(), [2; NONCE_BYTES]).expect("known");
        let call = Call::new(&secret, [1; NONCE_BYTES]);
        assert!(call.answered(&false_answer).is_none());
        let mut of_another_protocol = Call::new(&secret, [1; NONCE_BYTES]).bytes();
        of_another_protocol[7] = b'2';
        assert!(answer(&secret, &of_another_protocol, [2; NONCE_BYTES]).is_none());
    }

    #[test]
    fn an_answer_to_one_call_is_none_to_another() {
        let secret = Secret::from_bytes(SECRET);
        let first = Call::new(&secret, [1; NONCE_BYTES]);
        let (answer, _) = answer(&secret, &first.bytes(), [2; NONCE_BYTES]).expect("known");
        assert!(Call::new(&secret, [3; NONCE_BYTES]).answered(&answer).is_none());
    }

    #[test]
    fn frames_are_bound_to_connection_direction_and_order() {
        let (mut caller, mut listener) = pair();
        let [first, second] = [b"first", b"later"].map(|text| caller.seal(text).expect("fits"));
        let (_, mut of_another_call) = pair_by(3, 2);
        assert_eq!(of_another_call.open(&first), Err(Forged));
        // A call that was recorded gets a fresh nonce for an answer.
        let (_, mut of_another_answer) = pair_by(1, 4);
        assert_eq!(of_another_answer.open(&first), Err(Forged));
        assert_eq!(caller.open(&first), Err(Forged), "sent back");
        assert_eq!(listener.open(&first), Ok(vec![b"first".to_vec()]));
        assert_eq!(pair().1.open(&second), Err(Forged), "one is missing");
        assert_eq!(listener.open(&first), Err(Forged), "sent again");
        assert_eq!(listener.open(&second), Err(Forged), "nothing follows what was forged");
    }

    #[test]
    fn what_is_empty_or_too_long_is_not_said() {
        let (mut caller, mut listener) = pair();
        assert_eq!(caller.seal(b""), None);
        assert_eq!(caller.seal(&[0; CONTENT_BYTES_MAX + 1]), None);
        let longest = [9; CONTENT_BYTES_MAX];
        let frame = caller.seal(&longest).expect("fits");
        assert_eq!(frame.len(), FRAME_BYTES_MAX);
        assert_eq!(listener.open(&frame), Ok(vec![longest.to_vec()]));
        assert_eq!(listener.open(&[0; 1 + TAG_BYTES]), Err(Forged));
    }

    #[test]
    fn a_secret_comes_back_from_its_letters_and_stays_out_of_logs() {
        let secret = Secret::from_bytes([0xa5; SECRET_BYTES]);
        let letters = secret.letters();
        assert_eq!(letters.len(), SECRET_LETTERS);
        assert_eq!(Secret::from_letters(&letters), Some(secret.clone()));
        assert_eq!(Secret::from_letters(&letters[1..]), None);
        let (channel, _) = pair();
        assert_eq!(format!("{secret:?} {channel:?}"), "Secret(..) Channel { .. }");
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_contents_come_back(
            contents in vec(vec(any::<u8>(), 1..=CONTENT_BYTES_MAX), 1..12),
            cuts in vec(1_usize..400, 1..40),
        ) {
            let (mut caller, mut listener) = pair();
            let sealed = contents.iter().filter_map(|content| caller.seal(content));
            let stream: Vec<u8> = sealed.flatten().collect();
            let (mut rest, mut heard) = (stream.as_slice(), Vec::new());
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let length = cuts.next().map_or(1, |cut| (*cut).min(rest.len()));
                let (now, later) = rest.split_at(length);
                heard.extend(listener.open(now).expect("not forged"));
                prop_assert!(listener.begun.len() < FRAME_BYTES_MAX);
                rest = later;
            }
            prop_assert_eq!(heard, contents);
        }

        #[test]
        fn one_changed_bit_is_one_too_many(
            content in vec(any::<u8>(), 1..=CONTENT_BYTES_MAX),
            place: prop::sample::Index,
            bit in 0..8_u8,
        ) {
            let (mut caller, mut listener) = pair();
            let mut frame = caller.seal(&content).expect("fits");
            let place = place.index(frame.len());
            frame[place] ^= 1 << bit;
            // Where the length was changed to a longer one, the rest of the frame never comes.
            let heard = listener.open(&frame);
            prop_assert!(heard == Err(Forged) || (place == 0 && heard == Ok(Vec::new())));
            frame.resize(FRAME_BYTES_MAX, 0);
            prop_assert_eq!(listener.open(&frame), Err(Forged));
        }

        #[test]
        fn bytes_of_anybody_are_never_said_by_the_other_side(arrived: Vec<u8>) {
            let (_, mut listener) = pair();
            let heard = listener.open(&arrived);
            prop_assert!(heard == Err(Forged) || heard == Ok(Vec::new()));
            prop_assert!(listener.begun.len() < FRAME_BYTES_MAX);
        }

        #[test]
        fn calls_of_anybody_are_not_answered(call: [u8; CALL_BYTES]) {
            let secret = Secret::from_bytes(SECRET);
            prop_assert!(answer(&secret, &call, [2; NONCE_BYTES]).is_none());
        }
    }
}

//! Messages and steps as bytes: short, because each name of a message takes a few dozen.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tombolo_core::peer::message::Message;
use tombolo_core::peer::part::MESSAGE_BYTES_MAX;

/// `None` where it is longer than [`MESSAGE_BYTES_MAX`].
pub(super) fn to_bytes(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    postcard::to_slice(value, &mut buffer).ok().map(|used| used.to_vec())
}

/// `None` where the bytes mean nothing.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

/// A message of another side; `None` where it means nothing or goes beyond its bounds.
#[must_use]
pub fn message(bytes: &[u8]) -> Option<Message> {
    from_bytes(bytes).filter(Message::is_bounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tombolo_core::peer::message::{Did, HandEnd};
    use tombolo_core::peer::step::{Answer, Look, Opening, Step};

    #[test]
    fn a_usual_message_takes_one_name() {
        let steps = vec![
            Step::Open(0, 300, Opening::New),
            Step::Write(0, 0, 4096, 7),
            Step::Sync(0),
            Step::Until(Look::ByteUnderLock(0, 4095), 7, 2000),
        ];
        let said = Message::Do(300, true, steps);
        let bytes = to_bytes(&said).expect("it fits");
        assert!(bytes.len() <= tombolo_core::peer::part::PAYLOAD_BYTES_MAX, "{}", bytes.len());
        assert_eq!(message(&bytes), Some(said));
    }

    #[test]
    fn what_goes_beyond_its_bounds_is_no_message() {
        let wild = Message::Do(1, false, vec![Step::Map(0, u32::MAX)]);
        assert_eq!(message(&to_bytes(&wild).expect("it fits")), None);
        assert_eq!(to_bytes(&Message::Evidence("x".repeat(MESSAGE_BYTES_MAX))), None);
        let did = Did { answers: vec![Answer::Done], ended: Some(HandEnd::Killed(7)) };
        let did = Message::Did(1, did);
        assert_eq!(message(&to_bytes(&did).expect("it fits")), Some(did));
    }

    proptest! {
        #[test]
        fn bytes_of_anybody_do_no_harm(bytes: Vec<u8>) {
            if let Some(message) = message(&bytes) {
                prop_assert!(message.is_bounded());
            }
        }
    }
}

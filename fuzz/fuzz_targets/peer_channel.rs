//! What arrives at a port where a doctor waits for others, and codes as people type them: anybody
//! may call and type. The input also says which bytes of a true conversation are changed and where
//! it is cut; whatever is heard must have been said.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::peer::channel::{
    ANSWER_BYTES, CALL_BYTES, CONTENT_BYTES_MAX, Call, Channel, Secret, answer,
};
use tombolo_core::peer::invitation::Invitation;

fn pair() -> (Channel, Channel) {
    let secret = Secret::from_bytes([1; 16]);
    let call = Call::new(&secret, [2; 16]);
    let (bytes, listener) = answer(&secret, &call.bytes(), [3; 16]).expect("it knows the secret");
    (call.answered(&bytes).expect("it knows the secret"), listener)
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(invitation) = String::from_utf8_lossy(bytes).parse::<Invitation>() {
        assert_eq!(invitation.to_string().parse(), Ok(invitation));
    }
    let secret = Secret::from_bytes([1; 16]);
    if let Some(call) = bytes.first_chunk::<CALL_BYTES>() {
        assert!(answer(&secret, call, [3; 16]).is_none(), "a call of nobody");
    }
    if let Some(bytes) = bytes.first_chunk::<ANSWER_BYTES>() {
        assert!(Call::new(&secret, [2; 16]).answered(bytes).is_none(), "an answer of nobody");
    }
    assert!(
        pair().1.open(bytes).is_ok_and(|heard| heard.is_empty()) || pair().1.open(bytes).is_err()
    );

    // Two bytes for each change: where, and what is added to the byte there.
    let (mut caller, mut listener) = pair();
    let Some((cut, changes)) = bytes.split_first() else { return };
    let said: Vec<&[u8]> = changes
        .chunks(1 + usize::from(*cut))
        .map(|c| &c[..c.len().min(CONTENT_BYTES_MAX)])
        .collect();
    let mut stream: Vec<u8> =
        said.iter().filter_map(|content| caller.seal(content)).flatten().collect();
    for change in changes.chunks_exact(2).take(usize::from(*cut) % 3) {
        let length = stream.len();
        if let Some(byte) = stream.get_mut(usize::from(change[0]) * 7 % length.max(1)) {
            *byte = byte.wrapping_add(change[1]);
        }
    }
    let mut heard = Vec::new();
    for piece in stream.chunks(1 + usize::from(*cut) * 3) {
        match listener.open(piece) {
            Ok(contents) => heard.extend(contents),
            Err(_) => break,
        }
    }
    assert!(heard.len() <= said.len() && heard.iter().zip(&said).all(|(one, other)| one == other));
});

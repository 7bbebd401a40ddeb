//! What comes over a connection between a door and an owner: whoever can connect chooses it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::wire::{FrameReader, Reply, Request};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = FrameReader::default();
    for piece in bytes.chunks(7) {
        reader.push(piece);
        loop {
            let frame = match reader.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return,
            };
            if let Ok(request) = Request::decode(frame) {
                let mut again = Vec::new();
                request.encode(&mut again);
                assert_eq!(again.get(4..).map(|rest| &rest[1..]), Some(frame.fields));
            }
            if let Ok(reply) = Reply::decode(frame) {
                let mut again = Vec::new();
                reply.encode(&mut again);
                let mut second = FrameReader::default();
                second.push(&again);
                let frame = second.next_frame().expect("well formed").expect("whole");
                assert_eq!(Reply::decode(frame), Ok(reply));
            }
        }
    }
});

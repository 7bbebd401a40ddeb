//! Names in the directory in which doctors meet, and the messages in them: whoever may write there
//! chooses both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::peer::link::Link;
use tombolo_core::peer::part::{LEADER, Part, PeerId};
use tombolo_doctor::peer;

fuzz_target!(|bytes: &[u8]| {
    let parts: Vec<Part> = bytes.split(|byte| *byte == b'\n').filter_map(Part::parse).collect();
    for part in &parts {
        assert_eq!(Part::parse(part.name().as_bytes()).as_ref(), Some(part));
    }
    let mut link = Link::new(LEADER, PeerId(1), 0);
    let heard = link.hear(&parts, 0);
    assert!(link.hear(&parts, 1).messages.is_empty(), "a message is heard once");
    for message in &heard.messages {
        let _ = peer::message(message);
    }
    if let Some(message) = peer::message(bytes) {
        assert!(message.is_bounded());
    }
});

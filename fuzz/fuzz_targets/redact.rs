//! Texts of a report, whose names are taken out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::redact::Redactor;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut redactor = Redactor::new();
    // The first line is the source of a mount, as the kernel's table has it.
    let mut fields = text.lines().next().unwrap_or_default().splitn(2, ' ');
    redactor.learn_source(fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    redactor.learn(&text);
    let shown = redactor.redact(&text);
    assert!(redactor.survivors(&shown).is_empty(), "{shown}");
    let mut stranger = Redactor::new();
    stranger.learn(&shown);
    assert_eq!(stranger.redact(&shown), shown, "nothing is left to be replaced");
});

//! A trace: any record, and any bytes behind a sound header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::trace::failure;
use tombolo_core::trace::layout::{BlockStart, Header};
use tombolo_core::trace::read::Trace;
use tombolo_core::trace::record::{RECORD_BYTES_MAX, Record};
use tombolo_core::trace::summary::Summary;

fuzz_target!(|input: &[u8]| {
    let _ = Trace::read(input);
    if let Some(record) = Record::decode(input) {
        let mut buffer = vec![0; input.len() + RECORD_BYTES_MAX];
        let length = record.encode(&mut buffer).expect("room");
        assert_eq!(Record::decode(&buffer[..length]), Some(record));
    }
    let mut bytes = Header { limit_blocks: 1, ..Header::default() }.to_bytes();
    bytes.extend(BlockStart { process: 1, began_ns: u64::MAX - 9 }.to_bytes());
    bytes.extend_from_slice(input);
    let trace = Trace::read(&bytes).expect("a trace");
    let summary = Summary::of(&trace);
    let calls: u64 = summary.files.iter().map(|file| file.calls).sum();
    assert_eq!(calls, trace.events.len() as u64);
    assert!(failure::report(&trace).lines().count() <= 2 * 64);
});

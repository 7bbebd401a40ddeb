//! Edits of configuration files: what is not understood is refused, the rest stays byte for byte,
//! and twice is once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_remedy::config::{
    BindMount, Change, Kind, Selector, Waits, bind, edit, edited, recognise, unbind, unified_diff,
};

fn changes(choice: u8) -> Vec<Change> {
    let option = |text: &str| text.parse().expect("plain");
    match choice % 5 {
        0 => vec![Change::Set(option("cache=mmap")), Change::Drop(option("soft"))],
        1 => vec![Change::Drop(option("a")), Change::Set(option("vers=4.2"))],
        2 => vec![Change::BindDirectory],
        3 => vec![Change::NamedVolume("data".parse().expect("plain"))],
        _ => vec![Change::Virtiofs],
    }
}

/// A line is added once, and can be taken out again.
fn mounted_over(text: &str) {
    let path = |text: &str| text.parse().expect("a path");
    let mount = BindMount { from: path("/new"), over: path("/d d"), waits: Waits::ForDisks };
    let Ok(found) = bind(text, &mount) else { return };
    let after = edited(text, &found.edits).expect("edits of this text");
    assert!(bind(&after, &mount).expect("not refused").edits.is_empty());
    let gone = unbind(&after, &mount).expect("there is one");
    let before = edited(&after, &gone.edits).expect("edits of this text");
    assert!(unbind(&before, &mount).expect("none").edits.is_empty());
}

fuzz_target!(|input: (u8, u8, &str)| {
    let (kind, choice, text) = input;
    mounted_over(text);
    let _ = recognise("a.conf", text);
    let _ = recognise("a", text);
    let kind = Kind::ALL[usize::from(kind) % Kind::ALL.len()];
    let changes = changes(choice);
    let selector = Selector {
        mount_point: Some("/d".to_owned()),
        source: Some("t".to_owned()),
        path: Some("/srv/d/x.db".to_owned()),
        base: Some("/srv".to_owned()),
    };
    let Ok(found) = edit(kind, text, &selector, &changes) else { return };
    let after = edited(text, &found.edits).expect("edits of this text");
    let again = edit(kind, &after, &selector, &changes).expect("not refused after it was written");
    assert!(again.edits.is_empty());
    assert_eq!(unified_diff("x", text, &found.edits).is_empty(), found.edits.is_empty());
});

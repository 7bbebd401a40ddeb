//! Edits of configuration files as people write them: comments, odd spacing, quotes, anchors, line
//! ends of both kinds, and files that do not end in one.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

mod containers;
mod kubernetes;
mod machines;
mod properties;
mod tables;

use tombolo_remedy::config::{Change, Kind, Refusal, Selector, edit, edited};

/// The mount of a name.
fn named(name: &str) -> Selector {
    Selector {
        mount_point: Some(name.to_owned()),
        source: Some(name.to_owned()),
        ..Selector::default()
    }
}

/// The mount that shows a path, in a file of `/srv/stack`.
fn showing(path: &str) -> Selector {
    Selector {
        path: Some(path.to_owned()),
        base: Some("/srv/stack".to_owned()),
        ..Selector::default()
    }
}

fn set(option: &str) -> Change {
    Change::Set(option.parse().unwrap())
}

fn without(option: &str) -> Change {
    Change::Drop(option.parse().unwrap())
}

fn volume(name: &str) -> Change {
    Change::NamedVolume(name.parse().unwrap())
}

fn changed(kind: Kind, text: &str, selector: &Selector, changes: &[Change]) -> String {
    match edit(kind, text, selector, changes) {
        Ok(found) => edited(text, &found.edits).unwrap(),
        Err(refusal) => panic!("{refusal}\n{text}"),
    }
}

/// The text becomes what it is with each of the pieces replaced, and nothing else changes: with
/// line ends of either kind, and with or without the last one.
#[track_caller]
fn assert_becomes(
    kind: Kind,
    text: &str,
    selector: &Selector,
    changes: &[Change],
    pieces: &[(&str, &str)],
) {
    let wanted = pieces.iter().fold(text.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old:?} stands there once");
        text.replacen(old, new, 1)
    });
    let windows = |text: &str| text.replace('\n', "\r\n");
    for (before, after) in [
        (text.to_owned(), wanted.clone()),
        (windows(text), windows(&wanted)),
        (text.trim_end().to_owned(), wanted.trim_end().to_owned()),
    ] {
        let result = changed(kind, &before, selector, changes);
        assert_eq!(result, after);
        assert_eq!(changed(kind, &result, selector, changes), after, "twice is once");
    }
}

#[track_caller]
fn assert_refused(
    kind: Kind,
    text: &str,
    selector: &Selector,
    changes: &[Change],
    words: &str,
) -> Refusal {
    let refusal = edit(kind, text, selector, changes).expect_err(words);
    let said = refusal.to_string();
    assert!(said.contains(words), "{said:?} says {words:?}");
    refusal
}

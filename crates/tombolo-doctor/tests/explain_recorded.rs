//! `explain` on what real runtimes print when an error of SQLite ends a program.
//!
//! The texts are recorded, not written: `tombolo-lab record` makes the faults. Most
//! of them do not tell the cause; what is asked for then is an answer that says so.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tombolo_doctor::explain::{CauseCode, explain};

const RUNTIMES: &[&str] = &[
    "go-mattn",
    "java-sqlite-jdbc",
    "node-better-sqlite3",
    "node-sqlite",
    "perl-dbd-sqlite",
    "php-pdo",
    "python-apsw",
    "python-sqlite3",
    "ruby-sqlite3",
    "rust-rusqlite",
    "sqlite3-shell",
];

/// Words of the faults that every runtime has to have met.
const FAULTS: &[&str] = &[
    "map of -shm refused with EINVAL",
    "map of -shm refused with ENODEV",
    "ENOLCK",
    "EACCES",
    "read-only file system",
    "ENOSPC",
    "EDQUOT",
    "ESTALE",
    "read of the database fails with EIO",
    "write to the database fails with EIO",
    "sync of the database fails with EIO",
    "truncation of the database fails with EIO",
    "-wal removed",
    "-journal removed",
    "lock held by another process for ever",
];

#[derive(Deserialize)]
struct Recording {
    runtime: String,
    version: String,
    recorded: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    fault: String,
    journal: String,
    true_cause: String,
    expect_first: Option<String>,
    expect_among_two: Option<String>,
    why: String,
    text: String,
}

fn recordings() -> Vec<Recording> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let read = |name: &&str| {
        let path = directory.join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path).expect("the recording is there");
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    RUNTIMES.iter().map(read).collect()
}

fn code(name: &str) -> CauseCode {
    CauseCode::from_name(name).unwrap_or_else(|| panic!("{name} is no cause"))
}

/// What is wrong with the causes named, best first; `None` where nothing is.
fn complaint(row: &Recorded, named: &[CauseCode]) -> Option<String> {
    let first = named.first().copied();
    let (want, is_right) = match (&row.expect_first, &row.expect_among_two) {
        (Some(want), None) => (want, first == Some(code(want))),
        (None, Some(want)) => {
            let among_two = named.iter().take(2).any(|named| *named == code(want));
            (want, among_two || first == Some(CauseCode::NeedsFacts))
        }
        _ => return Some("one expectation is wanted".to_owned()),
    };
    (!is_right).then(|| format!("want {want} ({}), got {named:?}", row.why))
}

#[test]
fn recorded_texts_get_an_honest_answer() {
    let mut missed = Vec::new();
    for recording in recordings() {
        for row in &recording.recorded {
            let explanation = explain(&row.text);
            let named: Vec<CauseCode> = explanation.causes.iter().map(|it| it.code).collect();
            if let Some(complaint) = complaint(row, &named) {
                let (runtime, fault, journal) = (&recording.runtime, &row.fault, &row.journal);
                missed.push(format!("{runtime}: {fault} ({journal}): {complaint}"));
            }
        }
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn a_bare_message_is_not_asked_to_tell_more_than_it_does() {
    let row = |first: bool| Recorded {
        fault: String::new(),
        journal: String::new(),
        true_cause: "NOT_FS".to_owned(),
        expect_first: first.then(|| "NOT_FS".to_owned()),
        expect_among_two: (!first).then(|| "NOT_FS".to_owned()),
        why: String::new(),
        text: String::new(),
    };
    use CauseCode::{MmapRefused, NeedsFacts, NotFilesystem, StaleHandle};
    assert_eq!(complaint(&row(true), &[NotFilesystem, NeedsFacts]), None);
    assert!(complaint(&row(true), &[NeedsFacts, NotFilesystem]).is_some());
    assert_eq!(complaint(&row(false), &[NeedsFacts, MmapRefused]), None);
    assert_eq!(complaint(&row(false), &[MmapRefused, NotFilesystem]), None);
    assert!(complaint(&row(false), &[MmapRefused, StaleHandle, NotFilesystem]).is_some());
    assert!(complaint(&row(false), &[]).is_some());
}

#[test]
fn every_runtime_met_every_fault() {
    for Recording { runtime, version, recorded } in recordings() {
        assert!(version.contains("SQLite"), "{runtime}: {version}");
        for fault in FAULTS {
            let met = recorded.iter().filter(|row| row.fault.contains(fault));
            assert!(met.count() >= 1, "{runtime} was not recorded under {fault}");
        }
        let truths: BTreeSet<_> = recorded.iter().map(|row| code(&row.true_cause)).collect();
        assert!(truths.len() >= 7, "{runtime}: {truths:?}");
        for row in recorded {
            assert!(row.text.len() > 10, "{runtime}: {} ({})", row.fault, row.journal);
        }
    }
}

#[test]
fn no_recording_shows_whose_machine_it_was() {
    for Recording { runtime, recorded, .. } in recordings() {
        for row in recorded {
            for place in ["/tmp/", "/root/", "/home/", "tombolo"] {
                assert!(!row.text.contains(place), "{runtime}: {place} in {}", row.text);
            }
        }
    }
}

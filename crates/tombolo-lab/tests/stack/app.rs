//! The app of the stack, and what became of the database that it works on.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use tombolo_lab::{Charge, Integrity, Invariant, Verdict, judge};

/// Debian's, with Debian's SQLite.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// The app, at the same path on the host, in the guest and in containers.
pub(crate) const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/media_server.py");

/// Runs the app on the host, which must succeed; with the items that it has acknowledged.
pub(crate) fn run_app(database: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new(PYTHON);
    command.args(["-I", APP]).arg(database).args(arguments);
    let output = command.output().expect("it ran (package python3)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    added(&String::from_utf8_lossy(&output.stdout))
}

/// What stock SQLite says of the database at `path`, of which these items were acknowledged.
pub(crate) fn judge_app(path: &Path, items: &[String]) -> Verdict {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let text = items.iter().fold(String::new(), |mut text, item| {
        let _ = writeln!(text, "{item}");
        text
    });
    std::fs::write(log.path(), text).expect("written");
    let counted = Invariant {
        name: "each library counts its items",
        question: "SELECT count(*) FROM Libraries WHERE ItemCount <> \
                   (SELECT count(*) FROM Items WHERE LibraryId = Libraries.Id);"
            .to_owned(),
        answer: "0".to_owned(),
    };
    let charge = Charge {
        acknowledgements: vec![log.path().to_owned()],
        rows: "SELECT Path FROM Items;".to_owned(),
        invariants: vec![counted],
    };
    judge(path, &charge).expect("judged")
}

/// Everything that was acknowledged is there, once, and nothing else.
pub(crate) fn assert_whole(verdict: &Verdict, items: usize) {
    assert!(verdict.is_clean() && verdict.unacknowledged.is_empty(), "{verdict:?}");
    assert_eq!((verdict.acknowledged, &verdict.integrity), (items, &Integrity::Sound));
}

/// The items that the app has acknowledged in its output.
pub(crate) fn added(output: &str) -> Vec<String> {
    output.lines().filter_map(|line| line.strip_prefix("added ")).map(str::to_owned).collect()
}

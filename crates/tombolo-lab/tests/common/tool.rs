//! The tool `tombolo` and its libraries, which are of other packages.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Cargo's own answer to where it has put the program: nothing older is tried by mistake.
pub(crate) fn built() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| one_of(&["tombolo", "tombolo-preload"], "tombolo"))
}

/// The library that SQLite loads.
#[allow(dead_code, reason = "not each test has programs at a door")]
pub(crate) fn library() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| one_of(&["tombolo-vfs"], "libtombolo.so"))
}

fn one_of(packages: &[&str], name: &str) -> String {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--message-format=json"]);
    for package in packages {
        build.args(["--package", package]);
    }
    let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("Cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let made = messages.filter_map(|message| match message["executable"].as_str() {
        Some(program) => Some(vec![PathBuf::from(program)]),
        None => {
            let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
            Some(files.map(PathBuf::from).collect())
        }
    });
    let found = made.flatten().find(|path: &PathBuf| path.file_name() == Some(name.as_ref()));
    let found = found.expect("Cargo has built it");
    assert!(Path::new(&found).is_file());
    found.to_str().expect("UTF-8").to_owned()
}

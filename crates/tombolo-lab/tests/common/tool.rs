//! The tool `tombolo` and its preload library, which are of other packages.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Cargo's own answer to where it has put the program: nothing older is tried by mistake.
pub(crate) fn built() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "tombolo", "--package", "tombolo-preload"]);
        build.arg("--message-format=json");
        let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("Cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let messages = String::from_utf8_lossy(&output.stdout).into_owned();
        let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let programs = messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
        let program: Option<PathBuf> =
            programs.into_iter().find(|path: &PathBuf| path.ends_with("tombolo"));
        let program = program.expect("Cargo has built it");
        assert!(Path::new(&program).is_file());
        program.to_str().expect("UTF-8").to_owned()
    })
}

//! `cargo xtask fuzz`: every fuzz target for a while; a crash is a failure.

use crate::shell::{self, Failure, cargo};
use clap::Args;
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// The targets; all of them without an argument
    targets: Vec<String>,
}

pub(crate) fn run(arguments: &FuzzArguments) -> Result<(), Failure> {
    if !shell::available("cargo", &["fuzz", "--version"]) {
        shell::run(&mut cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    let targets = match arguments.targets.as_slice() {
        [] => targets_in(&shell::root().join("fuzz/fuzz_targets"))?,
        named => named.to_vec(),
    };
    for target in &targets {
        // cargo-fuzz needs `-Z sanitizer`, which a stable compiler has but refuses by default.
        shell::run(
            cargo(&["fuzz", "run", target, "--"])
                .arg(format!("-max_total_time={}", arguments.seconds))
                .env("RUSTC_BOOTSTRAP", "1"),
        )?;
    }
    println!("fuzz: {} targets, {} s each, no crash", targets.len(), arguments.seconds);
    Ok(())
}

/// The names of the target files, sorted; a directory without any is a failure.
fn targets_in(directory: &Path) -> Result<Vec<String>, Failure> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Failure::file(directory))? {
        let path = entry.map_err(Failure::file(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    if targets.is_empty() {
        return Err(Failure::Check(format!("no fuzz target in {}", directory.display())));
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_rust_files() {
        let directory = tempfile::tempdir().unwrap();
        assert!(targets_in(directory.path()).is_err());
        for name in ["wal.rs", "header.rs", "notes.md"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(targets_in(directory.path()).unwrap(), ["header", "wal"]);
    }
}

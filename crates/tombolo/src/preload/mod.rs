//! What is common to the commands that start a program with the preload library.

mod program;
mod wait;

pub(crate) use program::{Program, Reach, in_path};
pub(crate) use wait::{attend, attend_by, code};

use crate::exit::{Exit, Failure};
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The library that stands in front of libc.
pub(crate) const CALLS: &str = "libtombolo_preload.so";
/// The library with the VFS.
pub(crate) const DOOR: &str = "libtombolo.so";
/// Exit code where the program could not be started, or was not reached: the one by which env(1)
/// and timeout(1) tell their own failures from those of the program.
pub(crate) const OWN_FAILURE: u8 = 125;

/// Where a library is: beside this program, or in the directory that Cargo builds it into.
pub(crate) fn library(name: &str) -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::new(Exit::NotExamined, error))?;
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|directory| {
            [
                directory.join(name),
                directory.join("deps").join(name),
                directory.join("lib").join(name),
            ]
        })
        .filter_map(|path| {
            Some((path.metadata().ok().filter(|s| s.is_file())?.modified().ok(), path))
        })
        // Cargo leaves older builds in one of its directories.
        .max_by(|first, second| first.0.cmp(&second.0))
        .map(|(_, path)| path);
    found.ok_or_else(|| {
        let text = format!("{name} is not beside {}", own.display());
        Failure::new(Exit::NotExamined, text).hint("keep the two files together")
    })
}

/// Whether a process has the library that stands in front of libc.
pub(crate) fn is_in(pid: i32) -> bool {
    let mappings = tombolo_os::process::mappings(Path::new("/proc"), pid).unwrap_or_default();
    mappings.iter().any(|mapping| mapping.path.ends_with(CALLS.as_bytes()))
}

/// A library, and what the user has preloaded already.
pub(crate) fn libraries(name: &str) -> Result<OsString, Failure> {
    let mut value = library(name)?.into_os_string();
    if let Some(before) = std::env::var_os("LD_PRELOAD").filter(|before| !before.is_empty()) {
        value.push(":");
        value.push(before);
    }
    Ok(value)
}

/// A list of paths as the library reads it.
pub(crate) fn joined(databases: &[PathBuf]) -> OsString {
    let paths: Vec<&std::ffi::OsStr> = databases.iter().map(|path| path.as_os_str()).collect();
    paths.join(std::ffi::OsStr::from_bytes(b"\n"))
}

/// Says something on standard error, beside what the program says.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "tombolo: {text}");
}

//! The program that is to be started, and whether a preload can reach it.

use crate::exit::{Exit, Failure};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tombolo_core::elf::{self, Linking, START_BYTES};
use tombolo_os::read;

/// Set-user-ID and set-group-ID (inode(7)): the loader then takes no library from the environment.
const PRIVILEGED_BITS: u32 = 0o6000;

/// A program and its arguments.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// Finds the program that a command names, as execvp(3) does.
    pub(super) fn find(command: &[OsString]) -> Result<Self, Failure> {
        let Some((name, arguments)) = command.split_first() else {
            return Err(Failure::new(Exit::Usage, "a command is needed"));
        };
        let Some(path) = in_path(name) else {
            let text = format!("{} was not found", name.display());
            return Err(Failure::new(Exit::NotExamined, text));
        };
        check_reachable(&path)?;
        Ok(Program { path, arguments: arguments.to_vec() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }
}

fn in_path(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(name.into());
    }
    let directories = std::env::var_os("PATH")?;
    let is_program = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|status| status.is_file() && status.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&directories).map(|directory| directory.join(name)).find(is_program)
}

/// A preload reaches only what a loader starts with this user's rights.
fn check_reachable(path: &Path) -> Result<(), Failure> {
    let unreachable = |why: &str| {
        let text = format!("{} cannot be reached by a preload: {why}", path.display());
        let failure = Failure::new(Exit::NotExamined, text);
        Err(failure.hint("use the program's own setting for vfs=unix-excl, or move the database"))
    };
    let start = start_of(path)?;
    let program = match elf::interpreter(&start) {
        Some(interpreter) => Path::new(OsStr::from_bytes(interpreter)).to_owned(),
        None => path.to_owned(),
    };
    let start = start_of(&program)?;
    if elf::linking(&start) == Some(Linking::Static) {
        return unreachable("it is linked statically");
    }
    let status = program.metadata().map_err(|error| Failure::new(Exit::NotExamined, error))?;
    if status.mode() & PRIVILEGED_BITS != 0 {
        return unreachable("it runs with another user's rights");
    }
    Ok(())
}

fn start_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let opened = read::open(path).map_err(|error| Failure::new(Exit::NotExamined, error))?;
    opened.bytes_at(0, START_BYTES).map_err(|error| Failure::new(Exit::NotExamined, error))
}

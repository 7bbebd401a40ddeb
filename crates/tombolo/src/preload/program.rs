//! The program that is to be started, and whether it can be reached.

use crate::exit::{Exit, Failure};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tombolo_core::elf::{self, Linking, START_BYTES};
use tombolo_os::read;

/// Set-user-ID and set-group-ID (inode(7)): the loader then takes no library from the environment.
const PRIVILEGED_BITS: u32 = 0o6000;

/// How a program is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach<'a> {
    /// By a library that its loader takes in; the hint is for one that is linked statically.
    Preload(&'a str),
    /// By its system calls.
    Calls,
}

/// A program and its arguments.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// Finds the program that a command names, as execvp(3) does.
    pub(crate) fn find(command: &[OsString], reach: Reach<'_>) -> Result<Self, Failure> {
        let Some((name, arguments)) = command.split_first() else {
            return Err(Failure::new(Exit::Usage, "a command is needed"));
        };
        let Some(path) = in_path(name) else {
            let text = format!("{} was not found", name.display());
            return Err(Failure::new(Exit::NotExamined, text));
        };
        check_reachable(&path, reach)?;
        Ok(Program { path, arguments: arguments.to_vec() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }
}

/// The file of the program that a command names, as execvp(3) finds it.
pub(crate) fn in_path(name: &OsStr) -> Option<PathBuf> {
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

/// A loader takes libraries from the environment, and the kernel lets calls be watched, only where
/// the program has this user's rights.
fn check_reachable(path: &Path, reach: Reach<'_>) -> Result<(), Failure> {
    let start = start_of(path)?;
    let program = match elf::interpreter(&start) {
        Some(interpreter) => Path::new(OsStr::from_bytes(interpreter)).to_owned(),
        None => path.to_owned(),
    };
    let start = start_of(&program)?;
    let status = program.metadata().map_err(|error| Failure::new(Exit::NotExamined, error))?;
    let refused = |text: String| Failure::new(Exit::NotExamined, text);
    let path = path.display();
    if status.mode() & PRIVILEGED_BITS != 0 {
        let text = format!("{path} cannot be reached: it runs with another user's rights");
        return Err(refused(text).hint("start it as that user, by a copy without the set-ID bits"));
    }
    match reach {
        Reach::Preload(hint) if elf::linking(&start) == Some(Linking::Static) => {
            let text = format!("{path} cannot be reached by a preload: it is linked statically");
            Err(refused(text).hint(hint))
        }
        _ => Ok(()),
    }
}

fn start_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let opened = read::open(path).map_err(|error| Failure::new(Exit::NotExamined, error))?;
    opened.bytes_at(0, START_BYTES).map_err(|error| Failure::new(Exit::NotExamined, error))
}

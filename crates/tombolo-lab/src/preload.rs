//! Faults without a mount: calls of libc that a preload library refuses in a stock program.

use crate::error::LabError;
use nix::errno::Errno;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARY: &str = "libtombolo_lab_preload.so";
/// The variable that the library reads; its own documentation has the form of the rules.
const VARIABLE: &str = "TOMBOLO_LAB_FAULTS";

/// A kind of call that can be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// `open` in any form.
    Open,
    /// `open` for writing, as on a read-only mount.
    OpenWrite,
    /// Byte-range locks by `fcntl`; giving one back is always granted.
    Lock,
    /// `flock`.
    Flock,
    /// Shared maps.
    Map,
    /// `read`, `pread`.
    Read,
    /// `write`, `pwrite`.
    Write,
    /// `fsync`, `fdatasync`.
    Sync,
    /// `ftruncate`.
    Truncate,
    /// `unlink`, `unlinkat`.
    Remove,
    /// `stat` in any form, `access`.
    Stat,
}

impl Refused {
    fn name(self) -> &'static str {
        match self {
            Refused::Open => "open",
            Refused::OpenWrite => "open-write",
            Refused::Lock => "lock",
            Refused::Flock => "flock",
            Refused::Map => "map",
            Refused::Read => "read",
            Refused::Write => "write",
            Refused::Sync => "sync",
            Refused::Truncate => "truncate",
            Refused::Remove => "remove",
            Refused::Stat => "stat",
        }
    }
}

/// Which of the calls, counted from 1 in each process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// This one alone.
    Only(u32),
    /// This one and all after it.
    From(u32),
}

/// Refusals for programs to come.
#[derive(Clone, Debug)]
pub struct Preload {
    object: PathBuf,
    log: PathBuf,
    rules: Vec<String>,
    behind: Vec<PathBuf>,
}

impl Preload {
    /// No refusal yet. The answers are noted in the file `log`.
    ///
    /// # Errors
    /// When the library was not built beside the running program.
    pub fn new(log: &Path) -> Result<Self, LabError> {
        let object = library()?;
        Ok(Preload { object, log: log.to_owned(), rules: Vec::new(), behind: Vec::new() })
    }

    /// Refuses calls on files whose name ends in `suffix`, which holds neither comma nor semicolon.
    #[must_use]
    pub fn refuse(mut self, call: Refused, suffix: &str, errno: Errno, times: Times) -> Self {
        let times = match times {
            Times::Only(number) => number.to_string(),
            Times::From(number) => format!("{number}+"),
        };
        // The name of the constant, as the library wants it.
        self.rules.push(format!("{},{suffix},{errno:?},{times}", call.name()));
        self
    }

    /// Lets calls count only while there is a file of this name.
    #[must_use]
    pub fn when(mut self, path: &Path) -> Self {
        self.rules.push(format!("when={}", path.display()));
        self
    }

    /// Preloads another library, too, behind the first: one that a program would load with
    /// `RTLD_DEEPBIND`, past every preloaded function (PHP does it with its modules).
    #[must_use]
    pub fn with(mut self, library: &Path) -> Self {
        self.behind.push(library.to_owned());
        self
    }

    /// Makes a program meet the refusals, and all programs that it starts.
    pub fn apply(&self, command: &mut Command) {
        let mut libraries = OsString::from(&self.object);
        for library in &self.behind {
            libraries.push(":");
            libraries.push(library);
        }
        command.env("LD_PRELOAD", libraries);
        if !self.rules.is_empty() {
            let log = format!("log={}", self.log.display());
            command.env(VARIABLE, format!("{};{log}", self.rules.join(";")));
        }
    }

    /// The answers so far, such as `map -shm EINVAL`, in order; empty where no rule was ever used.
    #[must_use]
    pub fn answers(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

/// Where Cargo has put the library: beside the tests, or one directory below the programs.
fn library() -> Result<PathBuf, LabError> {
    let missing = || LabError::Missing {
        what: LIBRARY.to_owned(),
        how: "build it: cargo build -p tombolo-lab-preload",
    };
    let program =
        std::env::current_exe().map_err(LabError::call("readlink", Path::new("/proc")))?;
    let directories = program.ancestors().skip(1).take(2);
    let mut places = directories
        .flat_map(|directory| [directory.join("deps").join(LIBRARY), directory.join(LIBRARY)]);
    places.find(|place| place.is_file()).ok_or_else(missing)
}

//! Why the lab could not make what a test needs, or what became of it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Something that could not be made, or that ended otherwise than it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The machine lacks something; the text says what would bring it.
    #[error("this machine has no {what}: {how}")]
    Missing {
        /// What is not there.
        what: String,
        /// How to get it.
        how: &'static str,
    },
    /// A system call failed.
    #[error("{call} {}: {source}", path.display())]
    Call {
        /// The call.
        call: &'static str,
        /// What it was about.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A program such as `mkfs.xfs` failed.
    #[error("{program}: {output}")]
    Program {
        /// Its name.
        program: String,
        /// What it wrote on standard error.
        output: String,
    },
    /// A guest is no longer there.
    #[error("guest {guest} {how}; its console ended with:\n{console}\n(whole: {})", path.display())]
    GuestEnded {
        /// Its name.
        guest: String,
        /// What became of it.
        how: GuestEnd,
        /// The last lines of its console.
        console: String,
        /// The file with all of them; it is deleted when the lab ends well.
        path: PathBuf,
    },
    /// A server of the rig is no longer there, and nobody killed it.
    #[error("{server} has ended; its log ends with:\n{log}")]
    ServerEnded {
        /// Its name.
        server: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// Something did not happen in time.
    #[error("{what}: nothing within {} s{detail}", after.as_secs_f32())]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        after: Duration,
        /// What was seen meanwhile; empty or beginning with a separator.
        detail: String,
    },
    /// A guest could not do what it was asked to.
    #[error("guest {guest}: {message}")]
    Refused {
        /// Its name.
        guest: String,
        /// What it says.
        message: String,
        /// The error number in the guest, where there is one.
        errno: Option<i32>,
    },
    /// A command in a guest ended otherwise than with 0.
    #[error("guest {guest}: `{command}` ended with {status}: {output}")]
    Unsuccessful {
        /// The guest's name.
        guest: String,
        /// The command, in words.
        command: String,
        /// How it ended.
        status: String,
        /// The last lines that it wrote.
        output: String,
    },
    /// QEMU did not do what its monitor was told.
    #[error("QEMU of guest {guest}: `{command}`: {message}")]
    Monitor {
        /// The guest's name.
        guest: String,
        /// The command of the monitor.
        command: String,
        /// What QEMU says.
        message: String,
    },
    /// A request that makes no sense.
    #[error("{0}")]
    Request(String),
}

/// What became of a guest that is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestEnd {
    /// Its kernel panicked.
    Panicked,
    /// The lab was told to kill it.
    Killed,
    /// QEMU ended by itself.
    Ended,
}

impl std::fmt::Display for GuestEnd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            GuestEnd::Panicked => "panicked",
            GuestEnd::Killed => "was killed",
            GuestEnd::Ended => "ended",
        })
    }
}

impl LabError {
    /// For `map_err` after a system call on `path`.
    pub(crate) fn call<E: Into<io::Error>>(
        call: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> LabError {
        move |source| LabError::Call { call, path: path.to_owned(), source: source.into() }
    }
}

//! Why the lab could not make what a test needs.

use std::io;
use std::path::{Path, PathBuf};

/// A mount that could not be made.
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

//! The owner as a process: connections in, replies out.
//!
//! * `front`: accepts connections and finds out which database they want.
//! * `database`: one thread for each database, which does all that is asked of it.
//! * `connection`: one connection, never waited for.
//! * `sync`: a second thread for each database, which waits for the disk.
//! * `place`: where socket and lock file of an owner are.

mod connection;
mod database;
mod front;
mod place;
mod sync;

use crate::engine::EngineKind;
use std::io;
use std::path::PathBuf;
use tombolo_core::owner::engine::EngineError;
use tombolo_core::owner::limits::Limits;

pub use front::Server;
pub use place::Served;

/// What is served, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A database, or a directory of databases.
    pub path: PathBuf,
    /// Which engine.
    pub kind: EngineKind,
    /// How much is allowed.
    pub limits: Limits,
    /// Where to listen instead of beside the database.
    pub socket: Option<PathBuf>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A system call failed.
    #[error("{path}: {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// How.
        #[source]
        error: io::Error,
    },
    /// Another owner of this kernel serves the same.
    #[error("{0} is served already: its lock file is held")]
    ServedAlready(PathBuf),
    /// The database does not open.
    #[error("{path} does not open")]
    Engine {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: EngineError,
    },
}

impl ServeError {
    fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| ServeError::Io { path, error }
    }
}

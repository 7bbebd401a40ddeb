//! The owner as a process: connections in, replies out.
//!
//! * `entrance`: where connections come in; `keys`: how they are known on a network.
//! * `checkpoints`: a third thread for each database, which copies its log.
//! * `front`: accepts connections and finds out which database they want.
//! * `database`: one thread for each database, which does all that is asked of it.
//! * `connection`: one connection, never waited for.
//! * `registry`: the databases that are open, and their ends.
//! * `groups`: transactions over several databases.
//! * `room`: whether connections can be accepted.
//! * `spill`: transactions that are larger than memory is to be.
//! * `teller`: a thread that asks them how they are.
//! * `sync`: a second thread for each database, which waits for the disk.
//! * `worker`: what those two threads have in common.
//! * `place`: where socket and lock file of an owner are.

mod checkpoints;
mod connection;
mod database;
mod entrance;
mod front;
mod groups;
mod keys;
mod place;
mod registry;
mod room;
mod spill;
mod sync;
mod teller;
mod worker;

use crate::engine::EngineKind;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tombolo_core::owner::engine::EngineError;
use tombolo_core::owner::limits::Limits;
use tombolo_core::owner::status::{DATABASES_SHOWN_MAX, DatabaseStatus, SCHEMA, Status};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::address::NetworkAddress;

use tombolo_os::unnamed::UnnamedFile;

pub use database::Stopped;
pub use front::Server;
pub use keys::KeysError;
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
    /// A directory on a local disk for what transactions take beyond their share of memory; without
    /// one, that for temporary files.
    pub spill_directory: Option<PathBuf>,
    /// Where to listen for other kernels.
    pub network: Network,
}

/// How other kernels reach an owner.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Where it listens.
    pub listen: Vec<NetworkAddress>,
    /// The directory of its keys, instead of that of its socket beside the database.
    pub keys: Option<PathBuf>,
}

impl Settings {
    /// The directory for large transactions, which was tried.
    fn spill_directory(&self) -> Result<PathBuf, ServeError> {
        let directory = self.spill_directory.clone().unwrap_or_else(spill::default_directory);
        match UnnamedFile::within(&directory) {
            Ok(_) => Ok(directory),
            Err(error) => Err(ServeError::Io { path: directory, error }),
        }
    }

    fn path_is_database(&self) -> bool {
        !self.path.is_dir()
    }
}

/// The kernel of this process.
fn boot_id() -> Option<String> {
    tombolo_os::kernel::boot_id(Path::new("/"))
}

/// What is told of this process and some of its databases.
fn status(
    uptime_ms: u64,
    newcomer_count: Option<u64>,
    database_count: usize,
    mut databases: Vec<DatabaseStatus>,
) -> Status {
    databases.truncate(DATABASES_SHOWN_MAX);
    Status {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        boot_id: boot_id(),
        uptime_ms,
        newcomer_count,
        database_count: database_count as u64,
        silent_count: 0,
        databases,
    }
}

/// An error of the file system, as a session is told of it.
fn cannot(error: &io::Error, what: &str) -> EngineError {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let code = if full { ResultCode::FULL } else { ResultCode::IOERR };
    EngineError { code, errno: error.raw_os_error(), message: format!("{what}: {error}") }
}

/// It as JSON.
fn document(status: &Status) -> Vec<u8> {
    // There is no map in it whose keys are no texts, so it cannot fail.
    serde_json::to_vec(status).unwrap_or_default()
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
    /// The keys for a network cannot be had.
    #[error("nobody can be let in over a network")]
    Keys(#[from] KeysError),
    /// The database does not open.
    #[error("{path} does not open")]
    Engine {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: EngineError,
    },
    /// A database is served no longer, and without it nothing is, or the end is not what it should
    /// be.
    #[error("{path} is served no longer")]
    Stopped {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        why: Stopped,
    },
}

impl ServeError {
    fn engine(path: &Path) -> impl FnOnce(EngineError) -> Self {
        let path = path.to_owned();
        move |error| ServeError::Engine { path, error }
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| ServeError::Io { path, error }
    }
}

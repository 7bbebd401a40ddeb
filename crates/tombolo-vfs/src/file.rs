//! What a file handle of SQLite is here.

use crate::groups;
use crate::scratch::Scratch;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tombolo_core::facade::Refusal;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::limits::PATH_BYTES_MAX;
use tombolo_core::wire::request::Access;
use tombolo_door::{Address, Door, ReadOutcome};

/// The environment variable that names the owner.
pub(crate) const OWNER_VARIABLE: &str = "TOMBOLO_OWNER";
/// The environment variable that names the file of credentials for an owner on a network.
const CREDENTIALS_VARIABLE: &str = "TOMBOLO_CREDENTIALS";

/// An open file.
#[derive(Debug)]
pub(crate) enum OpenFile {
    /// A database, at its owner.
    Database(Box<Door>),
    /// A journal or a temporary file.
    Scratch(Scratch),
    /// A super-journal.
    SuperJournal {
        /// Its path.
        path: Vec<u8>,
        /// Names of journals, each with a NUL behind it.
        names: Scratch,
    },
}

/// Longest list of names: `SQLITE_MAX_ATTACHED` is 125 at most.
const NAMES_BYTES_MAX: u64 = 128 * (PATH_BYTES_MAX as u64 + 16);

/// What a program said of the owner of a database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said<'a> {
    /// Its address.
    pub(crate) owner: Option<&'a [u8]>,
    /// The file of credentials.
    pub(crate) credentials: Option<&'a [u8]>,
}

/// Opens a database.
pub(crate) fn open_database(path: &[u8], said: Said<'_>, access: Access) -> Result<Door, Refusal> {
    let (owner, file) = (variable(OWNER_VARIABLE), variable(CREDENTIALS_VARIABLE));
    let owner = said.owner.or(owner.as_ref().map(|value| value.as_encoded_bytes()));
    let file = said.credentials.or(file.as_ref().map(|value| value.as_encoded_bytes()));
    let address = match owner {
        Some(text) => {
            let address = Address::parse(text)?;
            match file {
                Some(file) => address.with_credentials(OsStr::from_bytes(file).into()),
                None => address,
            }
        }
        None => {
            let path = Path::new(OsStr::from_bytes(path));
            Address::find(path).ok_or_else(|| {
                let message = format!(
                    "nobody serves {}: start `tombolo serve`, or name the owner by `owner=` or \
                     {OWNER_VARIABLE}",
                    path.display()
                );
                Refusal::new(ResultCode::CANTOPEN, &message)
            })?
        }
    };
    Door::open(&address, path, access)
}

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

impl OpenFile {
    pub(crate) fn read(&mut self, offset: u64, into: &mut [u8]) -> Result<ReadOutcome, Refusal> {
        match self {
            OpenFile::Database(door) => door.read(offset, into),
            OpenFile::Scratch(scratch) | OpenFile::SuperJournal { names: scratch, .. } => {
                let count = scratch.read(offset, into).map_err(|error| failed("read", &error))?;
                let rest = into.get_mut(count..).unwrap_or_default();
                rest.fill(0);
                Ok(if rest.is_empty() { ReadOutcome::Whole } else { ReadOutcome::Short })
            }
        }
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Refusal> {
        match self {
            OpenFile::Database(door) => door.write(offset, bytes),
            OpenFile::Scratch(scratch) | OpenFile::SuperJournal { names: scratch, .. } => {
                scratch.write(offset, bytes).map_err(|error| failed("write", &error))
            }
        }
    }

    pub(crate) fn truncate(&mut self, size: u64) -> Result<(), Refusal> {
        match self {
            OpenFile::Database(door) => door.truncate(size),
            OpenFile::Scratch(scratch) | OpenFile::SuperJournal { names: scratch, .. } => {
                scratch.truncate(size).map_err(|error| failed("truncate", &error))
            }
        }
    }

    /// What was written is to last.
    pub(crate) fn sync(&mut self) -> Result<(), Refusal> {
        match self {
            OpenFile::SuperJournal { path, names } => {
                let size = names.size_bytes().map_err(|error| failed("stat", &error))?;
                let mut text = vec![0; usize::try_from(size.min(NAMES_BYTES_MAX)).unwrap_or(0)];
                names.read(0, &mut text).map_err(|error| failed("read", &error))?;
                groups::written(path, &text)
            }
            // A commit is made when SQLite announces it, before this call, which is left out with
            // `synchronous=OFF`.
            OpenFile::Database(_) | OpenFile::Scratch(_) => Ok(()),
        }
    }

    pub(crate) fn size_bytes(&self) -> Result<u64, Refusal> {
        match self {
            OpenFile::Database(door) => Ok(door.file_size_bytes()),
            OpenFile::Scratch(scratch) | OpenFile::SuperJournal { names: scratch, .. } => {
                scratch.size_bytes().map_err(|error| failed("stat", &error))
            }
        }
    }
}

fn failed(what: &str, error: &io::Error) -> Refusal {
    let message = format!("a temporary file: {what}: {error}");
    Refusal { code: ResultCode::IOERR, errno: error.raw_os_error(), message }
}

//! Where the owner of a database is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::facade::Refusal;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::place;

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// As it is written: a path, or `unix:` and a path.
    ///
    /// # Errors
    ///
    /// `SQLITE_CANTOPEN` with what is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let path = text.strip_prefix(b"unix:").unwrap_or(text);
        if path.starts_with(b"/") {
            return Ok(Address::Unix(Path::new(OsStr::from_bytes(path)).to_owned()));
        }
        let text = String::from_utf8_lossy(text);
        let message = format!("`{text}` is no address of an owner: unix:/absolute/path");
        Err(Refusal::new(ResultCode::CANTOPEN, &message))
    }

    /// The owner of a database that is to be found by its path: beside it, or in a directory above.
    #[must_use]
    pub fn find(database: &Path) -> Option<Self> {
        let beside = socket_beside(database);
        let within = database.ancestors().skip(1).map(socket_within);
        std::iter::once(beside).chain(within).find(|socket| socket.exists()).map(Address::Unix)
    }
}

/// The socket of an owner of one database.
#[must_use]
pub fn socket_beside(database: &Path) -> PathBuf {
    place::beside(database).join(place::SOCKET)
}

/// The socket of an owner of a directory.
#[must_use]
pub fn socket_within(directory: &Path) -> PathBuf {
    place::within(directory).join(place::SOCKET)
}

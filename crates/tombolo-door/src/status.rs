//! What an owner says of itself, without opening a file.

use crate::Address;
use crate::address::Owner;
use crate::connection::Connection;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tombolo_core::facade::Refusal;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::{Reply, Request};

/// A connection to an owner that opens no database.
#[derive(Debug)]
pub struct OwnerStatus {
    connection: Connection,
}

impl OwnerStatus {
    /// Connects, and says who it is. Credentials are looked for beside `path` and above it, unless
    /// the address has them.
    ///
    /// # Errors
    ///
    /// `SQLITE_CANTOPEN` where no owner answers, or it lets nobody in with these credentials.
    pub fn connect(address: &Address, path: &Path) -> Result<Self, Refusal> {
        let (owner, _) = Owner::of(address, path.as_os_str().as_bytes())?;
        Ok(OwnerStatus { connection: Connection::new(&owner)? })
    }

    /// The document `tombolo.status/1`, as JSON, at this moment.
    ///
    /// # Errors
    ///
    /// The owner's, or that the connection is lost.
    pub fn ask(&mut self) -> Result<Vec<u8>, Refusal> {
        match self.connection.ask(&Request::Status).map_err(|lost| lost.refusal())? {
            Reply::Status(text) => Ok(text),
            Reply::Failed(error) => Err(error.into()),
            _ => Err(Refusal::new(ResultCode::IOERR, "the owner answered something else")),
        }
    }
}

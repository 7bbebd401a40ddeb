//! What an owner says of itself, without opening a file.

use crate::Address;
use crate::connection::Connection;
use tombolo_core::facade::Refusal;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::{Reply, Request};

/// A connection to an owner that opens no database.
#[derive(Debug)]
pub struct OwnerStatus {
    connection: Connection,
}

impl OwnerStatus {
    /// Connects, and says who it is.
    ///
    /// # Errors
    ///
    /// `SQLITE_CANTOPEN` where no owner answers.
    pub fn connect(address: &Address) -> Result<Self, Refusal> {
        Ok(OwnerStatus { connection: Connection::new(address)? })
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

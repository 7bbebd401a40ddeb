//! Why the file does not do what it is asked.

use crate::owner::engine::EngineError;
use crate::sqlite::result_code::ResultCode;

/// A code for SQLite, and a sentence for its log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    /// What SQLite is told.
    pub code: ResultCode,
    /// The error number of the system call below, where there is one.
    pub errno: Option<i32>,
    /// What its log is told.
    pub message: String,
}

impl Refusal {
    /// Of a code and a sentence.
    #[must_use]
    pub fn new(code: ResultCode, message: &str) -> Self {
        Refusal { code, errno: None, message: message.to_owned() }
    }

    /// `SQLITE_IOERR`: what belongs to a connection that is gone cannot go on.
    #[must_use]
    pub fn broken() -> Self {
        let message = "the connection to the owner was lost during this transaction";
        Refusal::new(ResultCode::IOERR, message)
    }

    pub(super) fn unexpected() -> Self {
        Refusal::new(ResultCode::IOERR, "the owner answered something else than was asked")
    }

    pub(super) fn no_lock() -> Self {
        Refusal::new(ResultCode::MISUSE, "the file is used without the lock that this needs")
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Refusal { code: error.code, errno: error.errno, message: error.message }
    }
}

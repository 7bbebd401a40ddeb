//! From what SQLite or the kernel says to what an owner is told.

use crate::ffi::Failure;
use std::io;
use tombolo_core::owner::engine::EngineError;
use tombolo_core::sqlite::result_code::ResultCode;

/// An error of ours, with the code that fits best.
pub(super) fn error(code: ResultCode, message: impl Into<String>) -> EngineError {
    EngineError { code, errno: None, message: message.into() }
}

/// Turns a failure of SQLite into an error that begins with what was being done.
pub(super) fn during(what: &str) -> impl Fn(Failure) -> EngineError {
    move |failure| {
        let number = |number: i32| u32::try_from(number).ok().and_then(ResultCode::from_number);
        let code = number(failure.code).or_else(|| number(failure.primary()));
        EngineError {
            code: code.unwrap_or(ResultCode::ERROR),
            errno: failure.errno,
            message: format!("{what}: {}", failure.message),
        }
    }
}

/// The same of the kernel.
pub(super) fn system(code: ResultCode, what: &str) -> impl Fn(io::Error) -> EngineError {
    move |failure| EngineError {
        code,
        errno: failure.raw_os_error(),
        message: format!("{what}: {failure}"),
    }
}

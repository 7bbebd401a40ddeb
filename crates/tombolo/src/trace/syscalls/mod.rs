//! `tombolo trace --syscalls`: the calls of programs that a preload does not reach.

mod recorder;
mod writer;

use crate::exit::{Exit, Failure};
use crate::preload::{self, say};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::Command;
use tombolo_core::trace::files::Wanted;
use tombolo_os::ptrace::{self, Ended, Error};

/// Runs a program to its end, and records its calls and those of all that it starts; its exit code,
/// `None` where it could not be told.
pub(super) fn record(
    command: Command,
    file: File,
    limit_blocks: u64,
    databases: &[PathBuf],
) -> Result<Option<u8>, Failure> {
    let wanted = match databases {
        [] => Wanted::every(),
        _ => Wanted::parse(preload::joined(databases).as_bytes()),
    };
    let mut recorder = recorder::Recorder::new(writer::Writer::new(file, limit_blocks), wanted);
    let watched = preload::attend_by(|started| ptrace::watch(command, &mut recorder, started));
    match watched {
        Ok(Ended { status, left }) => {
            if left > 0 {
                say(&format!("{left} processes go on, and are recorded no further"));
            }
            Ok(preload::code(status))
        }
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Refused(obstacle) => Failure::new(Exit::NotExamined, obstacle).hint(obstacle.hint()),
        other => Failure::new(Exit::NotExamined, other),
    }
}

//! `tombolo run`: a program in which something of SQLite is other than it would be by itself.

mod copies;
mod door;
mod exclusive;
mod watch;

use crate::args::RunArguments;
use crate::exit::Failure;
use std::process::ExitCode;

pub(crate) fn run(arguments: &RunArguments) -> Result<ExitCode, Failure> {
    if arguments.exclusive { exclusive::run(arguments) } else { door::run(arguments) }
}

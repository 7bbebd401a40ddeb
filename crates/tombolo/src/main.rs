//! The `tombolo` command: the only crate that prints or picks an exit code.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod codes;
mod exit;
mod explain;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    let result = match arguments.command {
        Command::Explain(explain) => explain::run(&explain),
        Command::Codes(codes) => codes::run(&codes),
    };
    exit::from(result)
}

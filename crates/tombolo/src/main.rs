//! The `tombolo` command: the only crate that prints or picks an exit code.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod answer;
mod args;
mod codes;
mod doctor;
mod examine;
mod exit;
mod explain;
mod fix;
mod log;
mod manual;
mod migrate;
mod preload;
mod progress;
mod render;
mod report;
mod run;
mod serve;
mod status;
mod trace;
mod unused;

use args::{Arguments, Color, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    match arguments.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    exit::from(match &arguments.command {
        Command::Run(run) => return run::run(run).unwrap_or_else(exit::failed),
        Command::Trace(trace) => return trace::run(trace).unwrap_or_else(exit::failed),
        Command::Doctor(doctor) => doctor::run(doctor),
        Command::Explain(explain) => explain::run(explain),
        Command::Fix(fix) => fix::run(fix),
        Command::Migrate(migrate) => migrate::run(migrate),
        Command::Report(report) => report::run(report),
        Command::Serve(serve) => serve::run(serve),
        Command::Status(status) => status::run(status),
        Command::Codes(codes) => codes::run(codes),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { command } => manual::man(command.as_deref()),
    })
}

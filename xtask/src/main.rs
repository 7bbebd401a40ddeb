//! The project's own scripts, in Rust: `cargo xtask COMMAND`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod ci;
mod dist;
mod elf;
mod fuzz;
mod lab;
mod shell;
mod suites;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Tombolo's own scripts")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Test the house itself: arrows, sizes, documentation
    Tidy,
    /// Run the checks that every change must pass
    Ci(ci::CiArguments),
    /// Build the static binary and try it in an empty root directory
    Dist,
    /// Run the fuzz targets for a while
    Fuzz(fuzz::FuzzArguments),
    /// Several real kernels: `quick`, or whatever `tombolo-lab` can do
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// Measure the speed that is promised, as ratios to standard tools
    Bench(bench::BenchArguments),
    /// Run tests of SQLite and its clients through the door, which takes long
    Suites(suites::SuitesArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Tidy => tidy::run(),
        Command::Ci(arguments) => ci::run(&arguments),
        Command::Dist => dist::run(),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Lab(command) => lab::run(&command),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Suites(arguments) => suites::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

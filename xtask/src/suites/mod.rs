//! `cargo xtask suites`: SQLite's own test programs and its clients, with the VFS `tombolo` against
//! an owner, beside the stock VFS. It takes long, and fetches packages; `./setup suites` installs
//! what it needs, and runs it.
//!
//! * `source`: SQLite's source, and building of it.
//! * `owner`: serving.
//! * `tcl`, `mptest`: SQLite's own suites.
//! * `clients`: those of other programs and libraries.
//! * `outcome`, `expected`: what came of a file, and what is known to differ.

mod clients;
mod expected;
mod mptest;
mod outcome;
mod owner;
mod source;
mod tcl;

use crate::shell::Failure;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct SuitesArguments {
    #[command(subcommand)]
    suite: Option<Suite>,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Programs and libraries that use SQLite, with their own tests
    Clients {
        /// Names of suites instead of all
        names: Vec<String>,
    },
    /// Several processes on one database
    Mptest,
    /// The TCL tests that are listed in suites.toml
    Tcl {
        /// Names of files, without `.test`, instead of all that are listed. With SUITES_OUTPUT=DIR
        /// in the environment, what they print is kept there
        files: Vec<String>,
    },
}

pub(crate) fn run(arguments: &SuitesArguments) -> Result<(), Failure> {
    let tombolo = owner::Tombolo::built()?;
    match &arguments.suite {
        Some(Suite::Clients { names }) => clients::run(&tombolo, names),
        Some(Suite::Mptest) => mptest::run(&source::Programs::fetched()?, &tombolo),
        Some(Suite::Tcl { files }) => tcl::run(&source::Programs::fetched()?, &tombolo, files),
        None => {
            let programs = source::Programs::fetched()?;
            mptest::run(&programs, &tombolo)?;
            tcl::run(&programs, &tombolo, &[])?;
            clients::run(&tombolo, &[])
        }
    }
}

/// Why there is no directory for a run.
fn no_directory(source: std::io::Error) -> Failure {
    Failure::Check(format!("a temporary directory cannot be made: {source}"))
}

//! `cargo xtask lab`: several real kernels on one machine.

use crate::shell::{self, Failure, cargo};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Run all tests of the lab, those that boot guests included
    Quick,
    /// Run the tests that boot guests alone, but for those of mount options over a network
    Guests,
    /// Hold the FUSE mounts that imitate shares against what the shares did, which takes minutes
    Imitations,
    /// Call `tombolo-lab`: `cargo xtask lab doctor --install`
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// The module of their tests.
const IMITATIONS: &str = "imitations::";
/// The module of tests that take more minutes than continuous integration has.
const TUNE_NETWORK: &str = "tune_network::";

/// Installs what the lab needs, and runs the tests that boot guests or take minutes.
pub(crate) fn check() -> Result<(), Failure> {
    run(&LabCommand::Other(vec!["doctor".to_owned(), "--install".to_owned()]))?;
    run(&LabCommand::Guests)?;
    run(&LabCommand::Imitations)
}

pub(crate) fn run(command: &LabCommand) -> Result<(), Failure> {
    match command {
        LabCommand::Quick => shell::run(&mut cargo(&[
            "test",
            "--package",
            "tombolo-lab",
            "--locked",
            "--no-fail-fast",
            "--",
            "--include-ignored",
        ])),
        LabCommand::Guests => shell::run(&mut cargo(&[
            "test",
            "--package",
            "tombolo-lab",
            "--locked",
            "--no-fail-fast",
            "--test",
            "guests",
            "--test",
            "stack",
            "--test",
            "scenarios",
            "--test",
            "matrix",
            "--",
            "--ignored",
            "--skip",
            IMITATIONS,
            "--skip",
            TUNE_NETWORK,
        ])),
        LabCommand::Imitations => shell::run(&mut cargo(&[
            "test",
            "--package",
            "tombolo-lab",
            "--locked",
            "--no-fail-fast",
            "--test",
            "matrix",
            "--",
            "--ignored",
            IMITATIONS,
        ])),
        // A program of its own, since it is also what runs in its guests.
        LabCommand::Other(arguments) => {
            if arguments.first().is_some_and(|command| command == "matrix") {
                // It runs the doctor, and finds it beside itself.
                shell::run(&mut cargo(&["build", "--quiet", "--package", "tombolo", "--locked"]))?;
            }
            let mut command = cargo(&["run", "--quiet", "--package", "tombolo-lab", "--"]);
            shell::run(command.args(arguments))
        }
    }
}

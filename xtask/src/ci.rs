//! `cargo xtask ci`: what every change must pass. Continuous integration calls this and adds
//! nothing of its own.

use crate::shell::{self, Failure, cargo};
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct CiArguments {
    /// The jobs to run; all of them without an argument
    #[arg(value_enum)]
    jobs: Vec<Job>,
    /// Count a job whose tool is missing as failed
    #[arg(long)]
    require: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Job {
    Fmt,
    Clippy,
    Tidy,
    Doc,
    Deny,
    Dist,
    Lab,
    Browser,
    Test,
}

/// Any of these shows the pages of `tombolo report`.
const BROWSERS: [&str; 4] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// How a job ended. A job that did not run is neither passed nor failed, and is always named.
#[derive(Debug)]
enum Ended {
    Passed,
    Failed(Failure),
    NotRun(&'static str),
}

pub(crate) fn run(arguments: &CiArguments) -> Result<(), Failure> {
    // The tests come last, so that their summary stands at the end of a log.
    let jobs = if arguments.jobs.is_empty() { Job::value_variants() } else { &arguments.jobs };
    let ended: Vec<(Job, Ended)> = jobs
        .iter()
        .map(|&job| {
            eprintln!("\n== {job:?}");
            (job, perform(job))
        })
        .collect();
    eprintln!();
    for (job, ended) in &ended {
        match ended {
            Ended::Passed => eprintln!("ci: {job:?} passed"),
            Ended::NotRun(reason) => eprintln!("ci: {job:?} DID NOT RUN: {reason}"),
            Ended::Failed(failure) => eprintln!("ci: {job:?} FAILED: {failure}"),
        }
    }
    let bad = ended.iter().filter(|(_, ended)| counts_as_failed(ended, arguments.require)).count();
    match bad {
        0 => Ok(()),
        count => Err(Failure::Check(format!("{count} of {} jobs failed", ended.len()))),
    }
}

fn counts_as_failed(ended: &Ended, require: bool) -> bool {
    match ended {
        Ended::Passed => false,
        Ended::NotRun(_) => require,
        Ended::Failed(_) => true,
    }
}

fn perform(job: Job) -> Ended {
    let result = match job {
        Job::Fmt if !shell::available("cargo", &["fmt", "--version"]) => {
            return Ended::NotRun("no rustfmt (Debian: rustfmt-web)");
        }
        Job::Clippy if !shell::available("cargo", &["clippy", "--version"]) => {
            return Ended::NotRun("no clippy (Debian: rust-web-clippy)");
        }
        Job::Deny if !shell::available("cargo", &["deny", "--version"]) => {
            return Ended::NotRun("no cargo-deny (`cargo install --locked cargo-deny`)");
        }
        Job::Browser if !BROWSERS.iter().any(|name| shell::available(name, &["--version"])) => {
            return Ended::NotRun("no browser (Debian: chromium)");
        }
        // Ignored by a plain test run, which needs no browser.
        Job::Browser => shell::run(&mut cargo(&[
            "test",
            "--package=tombolo",
            "--bin=tombolo",
            "--locked",
            "--",
            "--ignored",
            "browser",
        ])),
        Job::Fmt => shell::run(&mut cargo(&["fmt", "--all", "--check"])),
        Job::Clippy => shell::run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ])),
        Job::Tidy => crate::tidy::run(),
        Job::Doc => shell::run(
            cargo(&["doc", "--workspace", "--no-deps", "--locked"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        ),
        // Not `advisories`: they need a network and change under an unchanged tree.
        Job::Deny => shell::run(&mut cargo(&["deny", "check", "bans", "licenses", "sources"])),
        Job::Dist => crate::dist::run(),
        Job::Lab => crate::lab::check(),
        // Plain `cargo test`, not a faster runner: it is there wherever Rust is, so a report of a
        // failure can be repeated by everybody.
        Job::Test => shell::run(&mut cargo(&["test", "--workspace", "--locked", "--no-fail-fast"])),
    };
    result.map_or_else(Ended::Failed, |()| Ended::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_fails_only_where_it_is_required() {
        let missing = Ended::NotRun("no tool");
        assert!(!counts_as_failed(&missing, false));
        assert!(counts_as_failed(&missing, true));
        assert!(counts_as_failed(&Ended::Failed(Failure::Check("x".into())), false));
    }

    #[test]
    fn tests_are_the_last_job() {
        assert_eq!(Job::value_variants().last(), Some(&Job::Test));
    }
}

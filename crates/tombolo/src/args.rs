//! The command line, before the world is consulted.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Tells whether a path is safe for SQLite, explains SQLite's errors, and names the way out.
#[derive(Debug, Parser)]
#[command(name = "tombolo", version, about, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Explain an error message, a log, a trace or a whole bug report
    Explain(ExplainArguments),
    /// Print the manual page of a finding, or list all codes
    Codes(CodesArguments),
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs; the schema is named in the output
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// A file to read, `-` for standard input, or the text itself
    #[arg(value_name = "FILE|-|TEXT")]
    pub(crate) input: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CodesArguments {
    /// The code, such as TMB-MMAP-001
    pub(crate) code: Option<String>,
}

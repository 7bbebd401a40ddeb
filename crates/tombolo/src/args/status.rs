//! The arguments of `tombolo status`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How to print what an owner says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    #[default]
    Text,
    /// For programs; the schema is named in the output
    Json,
    /// For Prometheus and what reads its text format
    Prometheus,
}

/// Show how an owner is.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// A database that is served, or a directory; without one, the current directory
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Where the owner listens, instead of looking beside PATH: unix:/absolute/path,
    /// tcp://IP:PORT, vsock://CID:PORT; the last two with insecure- before them where nothing is
    /// encrypted
    #[arg(long, value_name = "ADDRESS", env = "TOMBOLO_OWNER")]
    pub(crate) owner: Option<String>,
    /// The file of credentials for tcp:// and vsock://, instead of looking beside PATH
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CREDENTIALS")]
    pub(crate) credentials: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: StatusFormat,
    /// Go on, once a second, until it is interrupted or the owner ends
    #[arg(long)]
    pub(crate) watch: bool,
}

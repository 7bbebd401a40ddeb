//! The arguments of `tombolo serve`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// What the doctor's experiments allow
    #[default]
    Auto,
    /// Programs of this kernel may go on using the file itself; needs a local file system
    Shared,
    /// Nobody else opens the file; works on a share
    Sole,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// How grave what is logged is at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What ends the service of a database
    Error,
    /// What somebody should know
    Warn,
    /// Beginnings and ends
    #[default]
    Info,
    /// Sessions and checkpoints as well
    Debug,
}

/// Own a database.
#[derive(Debug, Args)]
#[command(after_help = "\
Programs reach it by the SQLite VFS `tombolo`, of libtombolo.so:
  sqlite3 -cmd '.load ./libtombolo' 'file:app.db?vfs=tombolo'")]
pub(crate) struct ServeArguments {
    /// A database, which may be new, or a directory of databases
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Which engine does the work
    #[arg(long, value_enum, default_value_t)]
    pub(crate) engine: EngineChoice,
    /// Where to listen, instead of beside the database: unix:/absolute/path
    #[arg(long, value_name = "ADDRESS", value_parser = socket)]
    pub(crate) listen: Option<PathBuf>,
    /// Where transactions go that are larger than memory is to be: on a local disk [default:
    /// $SQLITE_TMPDIR, $TMPDIR, /var/tmp or /tmp]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) spill_directory: Option<PathBuf>,
    /// How lines of the log are written, on standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// What is logged: this and what is graver; sessions are told at `debug`
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL", env = "TOMBOLO_LOG_LEVEL")]
    pub(crate) log_level: LogLevel,
}

fn socket(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text.strip_prefix("unix:").unwrap_or(text));
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("an address is unix: and an absolute path".to_owned())
    }
}

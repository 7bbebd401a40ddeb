//! The arguments of `tombolo serve`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use tombolo_core::wire::address::{Endpoint, NetworkAddress, Protection};
use tombolo_door::Address;

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
  sqlite3 -cmd '.load ./libtombolo' 'file:app.db?vfs=tombolo'
Those of another kernel by an address, and credentials that are in the directory they share:
  tombolo serve /srv/app.db --listen tcp://192.0.2.1:7000
  sqlite3 -cmd '.load ./libtombolo' 'file:/mnt/app.db?vfs=tombolo&owner=tcp://192.0.2.1:7000'")]
pub(crate) struct ServeArguments {
    /// A database, which may be new, or a directory of databases
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Which engine does the work
    #[arg(long, value_enum, default_value_t)]
    pub(crate) engine: EngineChoice,
    /// Where transactions go that are larger than memory is to be: on a local disk [default:
    /// $SQLITE_TMPDIR, $TMPDIR, /var/tmp or /tmp]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) spill_directory: Option<PathBuf>,
    /// Where to listen: unix:/absolute/path, instead of beside the database; tcp://IP:PORT and
    /// vsock://CID:PORT (CID `any` is every guest), besides it. May be given several times
    #[arg(long, value_name = "ADDRESS", value_parser = listen)]
    pub(crate) listen: Vec<Listen>,
    /// The directory of the keys for tcp:// and vsock://, instead of beside the database; for this
    /// user alone
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) keys: Option<PathBuf>,
    /// Nothing is encrypted at tcp:// and vsock://, and whoever reaches the port is let in; only on
    /// addresses that no other machine reaches
    #[arg(long)]
    pub(crate) insecure: bool,
    /// With --insecure: also on addresses that other machines reach
    #[arg(long, requires = "insecure")]
    pub(crate) insecure_for_others: bool,
    /// How lines of the log are written, on standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// What is logged: this and what is graver; sessions are told at `debug`
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL", env = "TOMBOLO_LOG_LEVEL")]
    pub(crate) log_level: LogLevel,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// At a Unix socket.
    Unix(PathBuf),
    /// On a network.
    Network(Endpoint),
}

pub(super) fn listen(text: &str) -> Result<Listen, String> {
    // Whether a network is encrypted is for a flag of its own to say.
    match Address::parse(text.as_bytes()).map_err(|refusal| refusal.message)? {
        Address::Unix(path) => Ok(Listen::Unix(path)),
        Address::Network(NetworkAddress { endpoint, protection: Protection::Tls }, _) => {
            Ok(Listen::Network(endpoint))
        }
        Address::Network(..) => Err("say --insecure besides an address without it".to_owned()),
    }
}

//! The arguments of `tombolo fix`.

use super::Format;
use super::serve::{Listen, listen};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use tombolo_core::wire::address::Endpoint;
use tombolo_remedy::config::{HostPath, Kind, MountOption, VolumeName};
use tombolo_remedy::protocol::Protocol;
use tombolo_remedy::service::ServiceName;

#[derive(Debug, Args)]
#[command(after_long_help = "\
A run keeps its record and the saved originals in a directory .tombolo-fix-NAME beside the \
database, beside the configuration file that is changed, or, with move --bind, beside the \
directory that is mounted over. After a crash, a power failure or \
Ctrl-C the same command with --apply finishes it, and with --undo takes it back.")]
pub(crate) struct FixArguments {
    /// The database
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// What to do; without it, the ways out that the doctor finds
    #[command(subcommand)]
    pub(crate) remedy: Option<FixRemedy>,
    #[command(flatten)]
    pub(crate) run: FixRun,
}

/// How far a remedy goes.
#[derive(Debug, Args)]
pub(crate) struct FixRun {
    /// Show every step, with what it reads, writes and could break (the default)
    #[arg(long, global = true, conflicts_with_all = ["apply", "undo", "forget"])]
    pub(crate) plan: bool,
    /// Carry it out, or finish a run that was cut off
    #[arg(long, global = true, conflicts_with_all = ["undo", "forget"])]
    pub(crate) apply: bool,
    /// Take back what the last run has done
    #[arg(long, global = true, conflicts_with = "forget")]
    pub(crate) undo: bool,
    /// Remove the saved originals of a run that is done; it cannot be undone any more
    #[arg(long, global = true)]
    pub(crate) forget: bool,
    /// Do not look for signs of another kernel, nor stop where programs may not be looked at: you
    /// know that nobody uses the database
    #[arg(long, global = true)]
    pub(crate) assume_unused: bool,
    /// Output format
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

/// What can be carried out.
#[derive(Debug, Subcommand)]
pub(crate) enum FixRemedy {
    /// From WAL mode to a rollback journal, also where WAL mode cannot be opened
    LeaveWal,
    /// From a rollback journal to WAL mode, where the doctor finds that it works
    EnterWal,
    /// To another directory, with a link or a mount in its old place
    Move(MoveArguments),
    /// Other options of its mount, in the file that defines the mount
    Mount(MountArguments),
    /// Another protocol for its share: both ends, what gets better and what stays unsafe
    Protocol(ProtocolArguments),
    /// Its owner as a service of systemd or of a Compose file, looked at from an app's side
    Serve(ServiceArguments),
    /// Fewer kernels: where the program or its database could go, and what that changes
    Simplify(SimplifyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct MoveArguments {
    /// The directory; it must exist
    #[arg(long, value_name = "DIR", required_unless_present_any = ["undo", "forget"])]
    pub(crate) to: Option<PathBuf>,
    /// Leave no link: the program is told the new path by its own settings
    #[arg(long)]
    pub(crate) no_link: bool,
    /// Mount the new directory over the old one, now and whenever the machine starts; takes root
    ///
    /// For programs and containers that do not follow a link. Nothing else may be in either
    /// directory, since it would be hidden or shown. A line for the mount is added to the table of
    /// file systems.
    #[arg(long, conflicts_with = "no_link")]
    pub(crate) bind: bool,
    /// With --bind: the table of file systems
    #[arg(long, value_name = "FILE", default_value = "/etc/fstab", requires = "bind")]
    pub(crate) fstab: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Without --set and --drop, the doctor examines PATH, and the first of its ways out is taken that \
can be written into the file. Only the file is changed, no mount: the plan says how the change \
takes effect. The record of the run is kept beside the file.")]
pub(crate) struct MountArguments {
    /// The file that defines the mount: fstab, a mount unit, a Compose file, a script with docker
    /// run or QEMU, YAML of Kubernetes or Lima, a domain of libvirt, a .conf of Proxmox
    #[arg(long, value_name = "FILE", required_unless_present = "tune")]
    pub(crate) config: Option<PathBuf>,
    /// Try sets of options, and rank them by what was measured; takes root
    ///
    /// The same source is mounted with each of them where no other program sees it, examined as by
    /// the doctor, and measured by some hundred transactions and reads of a scratch database, which
    /// is removed. Nothing is changed; the command that writes the best of them is printed. What
    /// several kernels do cannot be measured so.
    #[arg(long, conflicts_with_all = ["set", "drop", "way"])]
    pub(crate) tune: bool,
    /// With --tune: mount this in place of the source, such as a second tag of the same directory
    #[arg(long, value_name = "SOURCE", requires = "tune")]
    pub(crate) source: Option<String>,
    /// With --tune: an option that every trial has as well, and that the mount table does not show,
    /// such as port=4450
    #[arg(long, value_name = "OPTION[=VALUE]", requires = "tune")]
    #[arg(value_parser = str::parse::<MountOption>)]
    pub(crate) with: Vec<MountOption>,
    /// With --tune: the file with the name and password for a server of SMB, as in mount.cifs(8)
    #[arg(long, value_name = "FILE", requires = "tune")]
    pub(crate) credentials: Option<PathBuf>,
    /// What the file is, where its name and content do not tell
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) kind: Option<ConfigKind>,
    /// The mount, by its mount point, source, tag or volume name as it stands in the file
    ///
    /// Without it, it is the mount that holds PATH, or the one that shows PATH to a container.
    #[arg(long, value_name = "NAME")]
    pub(crate) mount: Option<String>,
    /// Take this way out, by the name that `tombolo fix PATH` prints
    #[arg(long, value_name = "NAME", conflicts_with_all = ["set", "drop"])]
    pub(crate) way: Option<String>,
    /// Set an option of the mount
    #[arg(long, value_name = "OPTION[=VALUE]", value_parser = str::parse::<MountOption>)]
    pub(crate) set: Vec<MountOption>,
    /// Take an option of the mount out; without a value, with any value
    #[arg(long, value_name = "OPTION[=VALUE]", value_parser = str::parse::<MountOption>)]
    pub(crate) drop: Vec<MountOption>,
    /// The name of a new volume, where a volume is the way out
    #[arg(long, value_name = "NAME", default_value = "sqlite-data")]
    #[arg(value_parser = str::parse::<VolumeName>)]
    pub(crate) volume: VolumeName,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
What belongs on the server and on the client is printed, or written to files with --write-to. With \
--config, the change is planned in that file, as `mount` does it: virtiofs in place of 9p, in an \
fstab, a mount unit, a domain of libvirt, a script with QEMU or YAML of Lima.")]
pub(crate) struct ProtocolArguments {
    /// The protocol; block is a disk of the virtual machine's own
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    #[arg(required_unless_present_any = ["undo", "forget"])]
    pub(crate) to: Option<ProtocolName>,
    /// A file that defines one end, in which the change is made
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What the file is, where its name and content do not tell
    #[arg(long, value_enum, value_name = "KIND", requires = "config")]
    pub(crate) kind: Option<ConfigKind>,
    /// A share by 9p, by its tag, where PATH is not below it on this machine
    #[arg(long, value_name = "NAME")]
    pub(crate) mount: Option<String>,
    /// The directory on the server
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<String>,
    /// The server's name or address, as this machine reaches it
    #[arg(long, value_name = "HOST")]
    pub(crate) server: Option<String>,
    /// Write each piece to a new file in this directory, which is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) write_to: Option<PathBuf>,
}

/// A service that owns a directory of databases.
#[derive(Debug, Args)]
#[command(after_long_help = "\
It is refused where `tombolo serve` would refuse, and where an owner answers already. Programs \
that have the database open need not stop where it is on a local file system. Where nothing here \
runs services, a Compose file is written all the same, and --check looks at the owner later, also \
from another kernel.")]
pub(crate) struct ServiceArguments {
    /// A new unit of systemd (the default), for the machine as root, else for this user
    #[arg(long, value_enum, value_name = "WHOSE", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "own")]
    pub(crate) unit: Option<UnitOf>,
    /// A service in this Compose file, which may be new
    #[arg(long, value_name = "FILE", conflicts_with = "unit")]
    pub(crate) compose: Option<PathBuf>,
    /// The directory that is served: the one that holds the database, or one above it
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// The name of the service
    #[arg(long, value_name = "NAME", default_value = "tombolo")]
    #[arg(value_parser = str::parse::<ServiceName>)]
    pub(crate) name: ServiceName,
    /// Where the owner listens as well, for apps on other kernels: tcp://IP:PORT or
    /// vsock://CID:PORT; can be given several times
    #[arg(long, value_name = "ADDRESS", value_parser = endpoint)]
    pub(crate) listen: Vec<Endpoint>,
    /// With --listen: the directory of its keys, instead of the one that is served
    #[arg(long, value_name = "DIR", requires = "listen", value_parser = str::parse::<HostPath>)]
    pub(crate) keys: Option<HostPath>,
    /// Only look at the database from an app's side, at the owner that serves it
    #[arg(long, conflicts_with_all = ["unit", "compose", "directory", "listen"])]
    pub(crate) check: bool,
    /// With --check: where that owner is, as TOMBOLO_OWNER has it
    #[arg(long, value_name = "ADDRESS", requires = "check")]
    pub(crate) owner: Option<String>,
    /// With --check: the file that lets in there
    #[arg(long, value_name = "FILE", requires = "owner")]
    pub(crate) credentials: Option<PathBuf>,
}

/// Whose systemd runs a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnitOf {
    /// The machine's as root, else this user's
    Own,
    /// The machine's
    System,
    /// This user's
    User,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    match listen(text)? {
        Listen::Network(endpoint) => Ok(endpoint),
        Listen::Unix(_) => {
            Err("a service has its Unix socket in the directory that it serves".to_owned())
        }
    }
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Proposals are ranked by what must be moved. Nothing is changed: what a file would have to say is \
shown as a difference, in Compose files, scripts with docker run, fstab and domains of libvirt.")]
pub(crate) struct SimplifyArguments {
    /// A file that defines the container, the virtual machine or the mount; can be given several
    /// times
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// The mount in them, by its mount point, source, tag or volume name
    #[arg(long, value_name = "NAME")]
    pub(crate) mount: Option<String>,
    /// The directory as it is called on the machine that owns the files
    #[arg(long, value_name = "DIR", value_parser = str::parse::<HostPath>)]
    pub(crate) directory: Option<HostPath>,
    /// The name of a new volume for the database
    #[arg(long, value_name = "NAME", default_value = "sqlite-data")]
    #[arg(value_parser = str::parse::<VolumeName>)]
    pub(crate) volume: VolumeName,
}

/// A protocol, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProtocolName(pub(crate) Protocol);

impl ValueEnum for ProtocolName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [ProtocolName; 4] = [
            ProtocolName(Protocol::Virtiofs),
            ProtocolName(Protocol::Nfs),
            ProtocolName(Protocol::Smb),
            ProtocolName(Protocol::Block),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.as_str()))
    }
}

/// What a configuration file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConfigKind(Kind);

impl ValueEnum for ConfigKind {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [ConfigKind; 9] = [
            ConfigKind(Kind::Fstab),
            ConfigKind(Kind::SystemdMount),
            ConfigKind(Kind::Compose),
            ConfigKind(Kind::DockerRun),
            ConfigKind(Kind::Kubernetes),
            ConfigKind(Kind::Libvirt),
            ConfigKind(Kind::Qemu),
            ConfigKind(Kind::Proxmox),
            ConfigKind(Kind::Lima),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.as_str()))
    }
}

impl From<ConfigKind> for Kind {
    fn from(kind: ConfigKind) -> Self {
        kind.0
    }
}

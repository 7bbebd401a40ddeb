//! The command line, before the world is consulted.

mod fix;
mod serve;
mod status;

pub(crate) use fix::*;
pub(crate) use serve::*;
pub(crate) use status::*;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::{path::PathBuf, time::Duration};
use tombolo_doctor::peer::{self, Invitation};
use tombolo_remedy::migrate::Address;

/// Most other sides that can be waited for.
const OTHERS_MAX: i64 = peer::OTHERS_MAX as i64;

/// Tells whether a path is safe for SQLite, by measuring.
#[derive(Debug, Parser)]
#[command(name = "tombolo", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 nothing wrong, 1 findings, 2 could not examine, 3 usage.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Examine a database, a directory, or a path that does not exist yet; without a path, every
    /// database that a running program has open
    Doctor(DoctorArguments),
    /// Explain an error message, a log, a trace or a whole bug report
    ///
    /// Exit code: 0 nothing is wrong, 1 a cause was found or facts are missing, 2 the input could
    /// not be read, 3 no text was given.
    Explain(ExplainArguments),
    /// Carry out a way out, or show what it would do
    ///
    /// Exit code: 0 done or shown, 1 refused and nothing was changed, 2 stopped half-way (run it
    /// again, or undo it), 3 usage.
    Fix(FixArguments),
    /// Make a report for an issue tracker or a forum, without names and secrets
    ///
    /// Exit code: 0 written, whatever was found, 1 not wanted and nothing was written, 2 could not
    /// be written, 3 usage, or nobody could be asked and --yes was not given.
    Report(ReportArguments),
    /// Run an unmodified program whose databases are opened at their owner, or are its own alone
    ///
    /// Exit code: the program's, or 125 where a SQLite was not reached, none was seen, or a
    /// database that was named was not opened through this door; what is refused beforehand has the
    /// exit codes of `tombolo fix`.
    Run(RunArguments),
    /// Record what a program's SQLite asks of the kernel, or show such a trace
    ///
    /// Exit code: the program's, or 125 where no call on a SQLite file was recorded. Of `show`: 0
    /// no call failed, 1 one did, 2 there is nothing to show; of several traces: 0 nothing was
    /// found, 1 something was, 2 nothing ties them together.
    Trace(TraceArguments),
    /// Carry a database over to PostgreSQL, with a report of all that does not arrive as it was
    ///
    /// Exit code: 0 all of it is there as it was, 1 the report names what is not, or nothing was
    /// done, 2 stopped half-way (run it again), 3 usage.
    Migrate(MigrateArguments),
    /// Own a database, or all below a directory: do all input and output on it, for programs of
    /// several kernels
    ///
    /// Exit code: 0 ended as it was told to, 1 refused, 2 it could not go on, 3 usage.
    Serve(ServeArguments),
    /// Show how an owner is: its databases, sessions, queues, rates and latencies
    ///
    /// Exit code: 0 shown, 2 no owner answered, 3 usage.
    Status(StatusArguments),
    /// Print the manual page of a finding, or list all codes
    Codes(CodesArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page, in roff
    Man {
        /// The command that it is about; without one, all of tombolo
        command: Option<String>,
    },
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

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// When the output is a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
Nothing is ever changed: user databases are read byte by byte, never opened by SQLite and never \
locked. Experiments run on scratch files in a hidden directory .tombolo-probe-* beside the \
database, which is removed afterwards.")]
pub(crate) struct DoctorArguments {
    /// Database files, directories, or paths that do not exist yet
    ///
    /// Without one, every SQLite database is looked at that any running program has open, in
    /// containers too. Nothing is written beside them.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
    /// Seconds that the examination of one path, or of the whole machine, may take [default: 30]
    ///
    /// Without it, experiments go on for up to 90 seconds more as long as each of them comes to its
    /// end, as on a busy machine. A mount that does not answer is given up all the same.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// See the paths as this process does; a relative one is below its root directory
    ///
    /// Its mount namespace is entered from outside: nothing has to be installed in a container.
    /// This needs root.
    #[arg(long, value_name = "PID", requires = "paths", conflicts_with = "container")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) pid: Option<i32>,
    /// See the paths as this container does, by its name or the beginning of its id
    ///
    /// Containers of Docker, Podman, CRI-O, containerd, LXC, systemd-nspawn, crun and runc are
    /// found by the state that these keep on disk and by control groups; one of a Kubernetes pod
    /// also by POD/NAME or NAMESPACE/POD/NAME. This needs root.
    #[arg(long, value_name = "NAME", requires = "paths")]
    pub(crate) container: Option<String>,
    /// Measure together with other sides, each under a kernel of its own, and wait for them
    ///
    /// The command for the other side is printed on standard error. Both work on scratch files in a
    /// hidden directory .tombolo-peer-* beside the database, which is removed afterwards. With a
    /// number, so many other sides are waited for. --timeout is also how long a side may be silent.
    #[arg(long, value_name = "SIDES", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "1", requires = "paths")]
    #[arg(conflicts_with_all = ["join", "no_probes"])]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=OTHERS_MAX))]
    pub(crate) peer: Option<u8>,
    /// With --peer: wait at this address, where names in the directory do not cross
    ///
    /// An IP address of this machine that the other side reaches, with or without a port; without
    /// one, any free port is taken. Only what the sides say to each other goes over TCP: what is
    /// measured stays in the directory. The code that is printed then holds the address, and a
    /// secret by which every message is authenticated. Nothing is encrypted: whoever can read the
    /// connection sees host names, kernel versions, boot ids, the type of the file system and the
    /// results. The arguments of a program are seen by all users of its machine; who knows the code
    /// can take part in this one run. Behind an address translation, replace the address in the
    /// code by the one that the other side reaches.
    #[arg(long, value_name = "ADDRESS[:PORT]", requires = "peer")]
    #[arg(conflicts_with = "join", value_parser = listen_address)]
    pub(crate) peer_listen: Option<SocketAddr>,
    /// Join a side that waits, by the code that it has printed
    ///
    /// Both sides must run as the same user, as the share has it. A code with an address is called
    /// there.
    #[arg(long, value_name = "CODE", requires = "paths", conflicts_with = "no_probes")]
    #[arg(value_parser = str::parse::<Invitation>)]
    pub(crate) join: Option<Invitation>,
    /// Look only; make no scratch files
    #[arg(long)]
    pub(crate) no_probes: bool,
    /// Print all evidence and all remedies
    #[arg(short, long)]
    pub(crate) verbose: bool,
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
#[command(after_long_help = "\
User names, host names, addresses, identifiers, passwords and tokens are replaced, equal ones by \
equal stand-ins. Names of directories and files stay, unless --hide names them. What is replaced \
is shown before anything is written; read the report before you post it. `tombolo explain FILE` \
reads both forms back.")]
pub(crate) struct ReportArguments {
    /// The database, a directory, or a path that does not exist yet
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Where to write the text, in Markdown; without this and --html, to standard output
    ///
    /// A file that exists is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Where to write one page for a browser, which needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Replace this word as well, wherever it stands alone; can be given several times
    #[arg(long, value_name = "WORD", value_parser = hidden_word)]
    pub(crate) hide: Vec<String>,
    /// Seconds that the examination may take
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Look only; make no scratch files
    #[arg(long)]
    pub(crate) no_probes: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
A library that is preloaded puts itself before the VFS of each SQLite, in the program and in what \
it starts, whose symbols can be looked up: in libraries that the program is linked with or loads \
later. Databases whose owner is found (`tombolo serve`), and those named by --db, are then opened \
at the owner; all other files are opened as without it. With TOMBOLO_OWNER set and no --db, every \
database is that owner's.

With --exclusive, the -shm of each database is memory of the one process that opens it, so WAL \
mode works where shared maps are refused. Other processes of this kernel are kept out: those of \
the same program are refused and told why, others get \"database is locked\". Programs of other \
kernels are not kept out.")]
pub(crate) struct RunArguments {
    /// Without an owner: one process has the databases for itself
    #[arg(long)]
    pub(crate) exclusive: bool,
    /// A database that is to be opened at its owner; * and ? stand for bytes of a name, and a
    /// pattern without / is for files of that name anywhere. With --exclusive: a database, which
    /// must exist
    #[arg(long = "db", value_name = "GLOB", required_if_eq("exclusive", "true"))]
    pub(crate) databases: Vec<PathBuf>,
    /// Run the program, then list each SQLite in it and whether the databases of that one go to
    /// their owner
    #[arg(long, conflicts_with = "exclusive")]
    pub(crate) check: bool,
    /// Do not look for signs of another kernel: you know that nobody uses the databases
    #[arg(long, requires = "exclusive")]
    pub(crate) assume_unused: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_long_help = "\
A library that is preloaded records each call of libc on a database, its -wal, -shm and -journal: \
file, arguments, result, errno, thread, start and duration; and SQLite's error log where its \
library can be asked for it. Of contents only digests and counters are recorded. What the program \
starts is recorded as well, also a SQLite that is loaded past the library (RTLD_DEEPBIND, as by \
PHP). A SQLite whose program drops LD_PRELOAD is recorded once it has loaded the extension at \
$TOMBOLO_TRACE_EXTENSION, but for syncs. Programs that are linked statically need --syscalls; \
those that run with another user's rights are refused. With --db, a program that has the database \
open and is not recorded is named.")]
pub(crate) struct TraceArguments {
    #[command(subcommand)]
    pub(crate) command: Option<TraceCommand>,
    /// Where to write the trace; a file of that name must not exist
    #[arg(short, long, value_name = "FILE", default_value = "tombolo.trace")]
    pub(crate) output: PathBuf,
    /// Record this database only; it need not exist yet [default: every database]
    #[arg(long = "db", value_name = "PATH")]
    pub(crate) databases: Vec<PathBuf>,
    /// Watch system calls by ptrace, and not by a preloaded library: for programs that are linked
    /// statically or do not call libc
    ///
    /// Each call of the program then stops it twice. SQLite's error log is not seen. What is still
    /// running when the program has ended goes on, and is recorded no further.
    #[arg(long)]
    pub(crate) syscalls: bool,
    /// Size at which the trace is full; what comes later is counted
    #[arg(long, value_name = "MIB", default_value_t = 128)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) limit_mib: u16,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) program: Vec<std::ffi::OsString>,
}

/// What is done with a trace.
#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Show a trace: the first failure and its explanation, files, locks, slowest calls, timeline
    Show(ShowArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The trace; several of the same database, also of different kernels, become one timeline
    #[arg(value_name = "FILE", required = true, num_args = 1..=16)]
    pub(crate) files: Vec<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: TraceFormat,
    /// Print every line of the locks and of the timeline
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// How a trace is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceFormat {
    /// For people
    #[default]
    Text,
    /// For programs; the schema is named in the output
    Json,
    /// For Perfetto and chrome://tracing
    Chrome,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
The database is never changed. The target gets two tables more: tombolo_migration, by which the \
same command goes on after a cut, and tombolo_migration_value, which keeps each value that \
could not arrive as it was. A password comes from the address or from PGPASSWORD, for MySQL and \
MariaDB from MYSQL_PWD.")]
pub(crate) struct MigrateArguments {
    /// The database
    #[arg(value_name = "DB")]
    pub(crate) path: PathBuf,
    /// Where to: postgres://USER@HOST:PORT/DATABASE; likewise mysql:// and mariadb://
    ///
    /// HOST is an IP address or localhost. By a Unix socket:
    /// postgres://USER@/DATABASE?host=DIRECTORY, mysql://USER@/DATABASE?socket=FILE. The database
    /// must exist.
    ///
    /// With TLS where HOST is not this machine, unless the address ends in ?sslmode=disable; a
    /// server that has none is refused. sslmode=require encrypts, whoever the server is;
    /// sslmode=verify-full also wants a certificate with the name of HOST, vouched for by those in
    /// sslrootcert=FILE or by the system's; verify-ca wants no name; prefer takes what there is.
    /// MySQL's names, as ssl-mode=REQUIRED and ssl-ca=FILE, mean the same. hostaddr=IP beside a
    /// name for HOST says where it is.
    #[arg(long, value_name = "URL", value_parser = Address::parse)]
    pub(crate) to: Address,
    /// Say what would be done, without asking the target
    #[arg(long, conflicts_with = "replace")]
    pub(crate) dry_run: bool,
    /// This table only; can be given several times
    #[arg(long, value_name = "TABLE")]
    pub(crate) only: Vec<String>,
    /// Not this table; can be given several times
    #[arg(long, value_name = "TABLE")]
    pub(crate) exclude: Vec<String>,
    /// Drop the tables that an earlier migration has made there, and begin anew
    #[arg(long)]
    pub(crate) replace: bool,
    /// A local directory for a copy, where the database cannot be read in place
    #[arg(long, value_name = "DIR", env = "TMPDIR", default_value = "/var/tmp")]
    pub(crate) scratch: PathBuf,
    /// Do not look for signs of another kernel: you know that nobody writes to the database
    #[arg(long)]
    pub(crate) assume_unused: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CodesArguments {
    /// The code, such as TMB-MMAP-001
    pub(crate) code: Option<String>,
}

/// A word of two letters at least: a single one stands everywhere.
fn hidden_word(text: &str) -> Result<String, String> {
    match text.trim() {
        word if word.chars().count() >= 2 => Ok(word.to_owned()),
        _ => Err("a word of two letters at least is wanted".to_owned()),
    }
}

/// Seconds, with a fraction if need be: from a tenth of a second to a day.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    if (0.1..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("a number of seconds from 0.1 to 86400 is wanted".to_owned())
    }
}

/// An address to listen at; port 0 where none was given.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let bare = || text.trim_matches(['[', ']']).parse().map(|ip: IpAddr| SocketAddr::new(ip, 0));
    match text.parse().or_else(|_| bare()) {
        Ok(address) if address.ip().is_unspecified() => {
            Err("name one address of this machine, which the other side can call".to_owned())
        }
        Ok(address) => Ok(address),
        Err(_) => {
            Err("an IP address is wanted, as 192.0.2.7, 192.0.2.7:4711 or [2001:db8::7]:4711"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_viewpoint_needs_a_path_and_there_is_one_of_them() {
        let parsed = |arguments: &[&str]| {
            let all = ["tombolo", "doctor"].iter().chain(arguments);
            Arguments::try_parse_from(all).map_err(|error| error.kind())
        };
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
        assert!(parsed(&["--pid", "7", "/data"]).is_ok());
        assert!(parsed(&["--container", "web", "/data"]).is_ok());
        let wrong = |arguments: &[&str]| parsed(arguments).expect_err("refused");
        assert_eq!(wrong(&["--pid", "7"]), MissingRequiredArgument);
        assert_eq!(wrong(&["--container", "web"]), MissingRequiredArgument);
        assert_eq!(wrong(&["--pid", "0", "/data"]), ValueValidation);
        assert_eq!(wrong(&["--pid", "7", "--container", "web", "/data"]), ArgumentConflict);
    }

    #[test]
    fn a_side_waits_for_others_or_joins_one() {
        let parsed = |arguments: &[&str]| {
            let all = ["tombolo", "doctor"].iter().chain(arguments);
            match Arguments::try_parse_from(all).map(|all| all.command) {
                Ok(Command::Doctor(doctor)) => Ok((doctor.peer, doctor.join.is_some())),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.kind()),
            }
        };
        assert_eq!(parsed(&["--peer", "/data"]), Ok((Some(1), false)), "the path is no number");
        assert_eq!(parsed(&["/data", "--peer=3"]), Ok((Some(3), false)));
        assert_eq!(parsed(&["/data", "--join", "k3v9-x0q2-7d"]), Ok((None, true)));
        for wrong in [
            &["--peer"][..],
            &["--join", "k3v9-x0q2-7d"],
            &["/data", "--peer=0"],
            &["/data", "--peer=9"],
            &["/data", "--join", "k3v9"],
            &["/data", "--peer", "--join", "k3v9-x0q2-7d"],
            &["/data", "--peer", "--no-probes"],
            &["/data", "--peer-listen", "192.0.2.7"],
            &["/data", "--join", "k3v9-x0q2-7d", "--peer-listen", "192.0.2.7"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_to_listen_at_is_one_that_can_be_called() {
        for (text, wanted) in [
            ("192.0.2.7", "192.0.2.7:0"),
            ("192.0.2.7:4711", "192.0.2.7:4711"),
            ("2001:db8::7", "[2001:db8::7]:0"),
            ("[2001:db8::7]", "[2001:db8::7]:0"),
            ("[2001:db8::7]:4711", "[2001:db8::7]:4711"),
        ] {
            assert_eq!(listen_address(text), Ok(wanted.parse().expect("an address")), "{text}");
        }
        for wrong in ["", "host.example", "0.0.0.0:4711", "::", "192.0.2.7:99999", "192.0.2.7:"] {
            assert!(listen_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_program_is_traced_or_a_trace_is_shown() {
        let parsed = |arguments: &[&str]| {
            let all = ["tombolo", "trace"].iter().chain(arguments);
            match Arguments::try_parse_from(all).map(|all| all.command) {
                Ok(Command::Trace(trace)) => Ok((trace.program.len(), trace.command.is_some())),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.kind()),
            }
        };
        assert_eq!(parsed(&["--db", "a.db", "--", "show", "b"]), Ok((2, false)));
        assert_eq!(parsed(&["show", "a.trace"]), Ok((0, true)));
        for wrong in [&[][..], &["--db", "a.db"], &["app"], &["--limit-mib", "0", "--", "app"]] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_time_out_is_a_sane_number_of_seconds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "nan", "inf", "1e9", "soon"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}

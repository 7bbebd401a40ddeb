//! `tombolo trace`: what a program's SQLite asks of the kernel.

mod chrome;
mod show;
mod syscalls;
mod together;

use crate::args::{TraceArguments, TraceCommand};
use crate::exit::{self, Exit, Failure};
use crate::preload::{self, OWN_FAILURE, Program, Reach, say};
use crate::unused::Kernel;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tombolo_core::trace::layout::{self, BLOCK_BYTES, HEADER_BYTES, Header};
use tombolo_core::trace::read::Trace;
use tombolo_os::kernel;
use tombolo_os::map::SharedMap;
use tombolo_remedy::guard::Watch as _;

/// What the library reads; its own documentation says what is in them.
const TRACE_VARIABLE: &str = "TOMBOLO_TRACE";
const DATABASES_VARIABLE: &str = "TOMBOLO_TRACE_DATABASES";
const EXTENSION_VARIABLE: &str = "TOMBOLO_TRACE_EXTENSION";

/// For programs that a preload does not reach.
const OTHER_WAY: &str = "`tombolo trace --syscalls` records the calls of such a program as well";

/// Longest trace that is read: the largest that can be asked for, and some.
const TRACE_BYTES_MAX: u64 = (1 << 30) + (1 << 20);

pub(crate) fn run(arguments: &TraceArguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Some(TraceCommand::Show(arguments)) => show::run(arguments).map(ExitCode::from),
        None => record(arguments),
    }
}

fn record(arguments: &TraceArguments) -> Result<ExitCode, Failure> {
    let reach = if arguments.syscalls { Reach::Calls } else { Reach::Preload(OTHER_WAY) };
    let program = Program::find(&arguments.program, reach)?;
    let databases =
        arguments.databases.iter().map(|path| resolved(path)).collect::<Result<Vec<_>, _>>()?;
    let mut command = Command::new(program.path());
    command.args(program.arguments());
    let output = std::path::absolute(&arguments.output).map_err(not_examined)?;
    let status = match reach {
        Reach::Calls => by_calls(command, &output, arguments, &databases)?,
        Reach::Preload(_) => by_preload(command, &output, arguments, &databases)?,
    };
    let trace = read(&output)?;
    let reached = tell(&trace, &arguments.output, &databases, reach);
    Ok(match status {
        Some(code) if reached => ExitCode::from(code),
        _ => ExitCode::from(OWN_FAILURE),
    })
}

fn by_preload(
    mut command: Command,
    output: &Path,
    arguments: &TraceArguments,
    databases: &[PathBuf],
) -> Result<Option<u8>, Failure> {
    command
        .env("LD_PRELOAD", preload::libraries(preload::CALLS)?)
        .env(TRACE_VARIABLE, output)
        .env(EXTENSION_VARIABLE, preload::library(preload::CALLS)?)
        .env_remove(DATABASES_VARIABLE);
    if !databases.is_empty() {
        command.env(DATABASES_VARIABLE, preload::joined(databases));
    }
    let file = make(output, arguments)?;
    let mut told = BTreeSet::new();
    // The programs write through such maps.
    if let Err(errno) = SharedMap::new(&file, HEADER_BYTES) {
        let _ = std::fs::remove_file(output);
        let text = format!("{} cannot be mapped: {errno}", output.display());
        let failure = Failure::new(Exit::NotExamined, text);
        return Err(failure.hint("write the trace to a local file system, by --output"));
    }
    preload::attend(command, &mut || {
        for database in databases {
            for opener in Kernel.look(database).unwrap_or_default().openers {
                if !preload::is_in(opener.pid) && told.insert((opener.pid, database)) {
                    say(&format!(
                        "{} (process {}) has {} open and is not recorded; {OTHER_WAY}",
                        opener.program,
                        opener.pid,
                        database.display()
                    ));
                }
            }
        }
    })
}

fn by_calls(
    command: Command,
    output: &Path,
    arguments: &TraceArguments,
    databases: &[PathBuf],
) -> Result<Option<u8>, Failure> {
    let file = make(output, arguments)?;
    let status = syscalls::record(command, file, limit_blocks(arguments), databases);
    if status.is_err() {
        // Nothing was recorded.
        let _ = std::fs::remove_file(output);
    }
    status
}

fn not_examined(error: std::io::Error) -> Failure {
    Failure::new(Exit::NotExamined, error)
}

/// The path of a database as SQLite opens it, which need not exist.
fn resolved(path: &Path) -> Result<PathBuf, Failure> {
    if let Ok(resolved) = path.canonicalize() {
        return Ok(resolved);
    }
    let whole = std::path::absolute(path).map_err(not_examined)?;
    match (whole.parent().map(Path::canonicalize), whole.file_name()) {
        (Some(Ok(directory)), Some(name)) => Ok(directory.join(name)),
        _ => {
            let text = format!("the directory of {} does not exist", path.display());
            Err(Failure::new(Exit::NotExamined, text))
        }
    }
}

fn limit_blocks(arguments: &TraceArguments) -> u64 {
    (u64::from(arguments.limit_mib) << 20) / BLOCK_BYTES as u64
}

/// Makes an empty trace.
fn make(output: &Path, arguments: &TraceArguments) -> Result<File, Failure> {
    let header = Header {
        limit_blocks: limit_blocks(arguments),
        lost: 0,
        boot_id: kernel::identify(Path::new("/")).boot_id.unwrap_or_default(),
        command: arguments.program.iter().map(|word| word.as_bytes().to_vec()).collect(),
    };
    let refused = |error: std::io::Error| {
        let text = format!("{}: {error}", output.display());
        Failure::new(Exit::NotExamined, text).hint("name another file by --output")
    };
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(output);
    let mut file = file.map_err(refused)?;
    file.write_all(&header.to_bytes()).map_err(refused)?;
    Ok(file)
}

fn read(path: &Path) -> Result<Trace, Failure> {
    let wrong = |text: String| {
        Err(Failure::new(Exit::NotExamined, text).hint("give a file that `tombolo trace` has made"))
    };
    let mut bytes = Vec::new();
    let opened =
        File::open(path).and_then(|file| file.take(TRACE_BYTES_MAX).read_to_end(&mut bytes));
    if let Err(error) = opened {
        return wrong(format!("{}: {error}", path.display()));
    }
    match Trace::read(&bytes) {
        Some(trace) => Ok(trace),
        None if layout::version(&bytes).is_some_and(|version| version > layout::VERSION) => {
            let text = format!("{} was made by a later version of tombolo", path.display());
            Err(Failure::new(Exit::NotExamined, text).hint("show it with that version"))
        }
        None => wrong(format!("{} is no trace", path.display())),
    }
}

/// Says what was recorded and what was not; whether all that was asked for was reached.
fn tell(trace: &Trace, output: &Path, databases: &[PathBuf], reach: Reach<'_>) -> bool {
    let output = output.display();
    say(&format!(
        "{} calls of {} processes on {} files are in {output}; `tombolo trace show {output}` shows \
         them",
        trace.events.len(),
        trace.processes.len(),
        trace.files.len()
    ));
    if trace.header.lost > 0 {
        say(&format!("{} more found no room: raise --limit-mib", trace.header.lost));
    }
    let called = |path: &PathBuf| {
        let wanted = tombolo_core::text::printable(path.as_os_str().as_bytes());
        let is_it = |place: usize| trace.files.get(place).is_some_and(|file| file.path == wanted);
        trace.events.iter().any(|event| is_it(event.file))
    };
    let why_not = match reach {
        Reach::Preload(_) => "the program did not use one, or its SQLite does not call libc",
        Reach::Calls => "the program did not use one",
    };
    let missed: Vec<&PathBuf> = databases.iter().filter(|path| !called(path)).collect();
    for path in &missed {
        say(&format!("no call on {} was recorded: {why_not}", path.display()));
    }
    if databases.is_empty() && trace.events.is_empty() {
        say(&format!("no call on a SQLite file was recorded: {why_not}"));
    }
    missed.is_empty() && !trace.events.is_empty()
}

/// A trace on standard output.
fn printed(
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(anstream::stdout().lock());
    exit::printed(write(&mut out).and_then(|()| out.flush()))
}

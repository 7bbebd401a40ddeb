//! What a program does while it runs: what it claims, and who opens a database past it.

use crate::exit::{Exit, Failure};
use crate::unused::Kernel;
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tombolo_os::signal;
use tombolo_remedy::guard::Watch as _;

/// How often it is looked who has the databases open.
const PERIOD: Duration = Duration::from_secs(1);
/// How often it is looked whether the program has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// A report that programs add lines to: a file in memory, which they reach through `/proc`.
#[derive(Debug)]
pub(super) struct Report {
    file: File,
}

impl Report {
    pub(super) fn new() -> Result<Self, Failure> {
        let made = memfd_create("tombolo-report", MemfdFlags::CLOEXEC);
        let file = File::from(made.map_err(|errno| Failure::new(Exit::NotExamined, errno))?);
        Ok(Report { file })
    }

    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }

    /// `claimed PID PATH` and `refused PID PATH`, one a line.
    fn lines(&self) -> Vec<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
        match read {
            Ok(_) => bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Whether a process has claimed a database.
    pub(super) fn claimed(&self, database: &Path) -> bool {
        !self.claimers(database).is_empty()
    }

    fn claimers(&self, database: &Path) -> BTreeSet<i32> {
        let lines = self.lines();
        let claims = lines.iter().filter_map(|line| {
            let rest = line.strip_prefix(b"claimed ")?;
            let space = rest.iter().position(|byte| *byte == b' ')?;
            let (pid, path) = rest.split_at(space);
            (path.get(1..)? == database.as_os_str().as_bytes()).then_some(pid)
        });
        claims.filter_map(|pid| std::str::from_utf8(pid).ok()?.parse().ok()).collect()
    }
}

/// Starts a program and waits for its end; its exit code, `None` where it could not be told.
///
/// A signal that would end this process is for the program: it ends, and this process after it.
pub(super) fn attend(
    mut command: Command,
    report: &Report,
    databases: &[PathBuf],
) -> Result<Option<u8>, Failure> {
    signal::catch_stop();
    let started = command.spawn();
    let mut child = started.map_err(|error| Failure::new(Exit::NotExamined, error))?;
    let mut told = BTreeSet::new();
    let (mut waited, mut passed_on) = (Duration::ZERO, false);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(code(status)),
            Ok(None) => {}
            Err(error) => return Err(Failure::new(Exit::NotExamined, error)),
        }
        if signal::stop_wanted() && !passed_on {
            passed_on = true;
            // A terminal sends it to the program as well; twice does no harm.
            let pid = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        std::thread::park_timeout(PAUSE);
        waited += PAUSE;
        if waited >= PERIOD {
            waited = Duration::ZERO;
            for database in databases {
                tell_of_others(database, report, &mut told);
            }
        }
    }
}

fn code(status: ExitStatus) -> Option<u8> {
    /// As a shell tells of a signal.
    const SIGNALLED: i32 = 128;
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok())
}

/// Names each program that has a database open and has not claimed it.
fn tell_of_others(database: &Path, report: &Report, told: &mut BTreeSet<i32>) {
    let Ok(programs) = Kernel.look(database) else { return };
    let claimers = report.claimers(database);
    for opener in programs.openers {
        if !claimers.contains(&opener.pid) && told.insert(opener.pid) {
            say(&format!(
                "{} (process {}) has {} open past this door; it is locked out while another \
                 process has the database",
                opener.program,
                opener.pid,
                database.display()
            ));
        }
    }
}

/// Says something on standard error, beside what the program says.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "tombolo: {text}");
}

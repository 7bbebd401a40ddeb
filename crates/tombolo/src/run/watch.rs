//! What a program reports while it runs, and who opens a database past it.

use crate::exit::{Exit, Failure};
use crate::preload::say;
use crate::unused::Kernel;
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tombolo_remedy::guard::Watch as _;

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

    /// A word, a process and a text, one of each on each line.
    pub(super) fn lines(&self) -> Vec<Vec<u8>> {
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

/// Names each program that has a database open and has not claimed it.
pub(super) fn tell_of_others(database: &Path, report: &Report, told: &mut BTreeSet<i32>) {
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

//! What the doctor is measured against.

use super::time_of;
use crate::shell::Failure;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Bytes that each rival reads of a file: as many as the header of a database has.
const START_BYTES: usize = 100;

/// Other software that does a part of the same work.
pub(super) struct Rival<'a> {
    pub(super) name: &'static str,
    pub(super) work: Box<dyn Fn() -> Result<Duration, Failure> + 'a>,
}

impl Rival<'_> {
    pub(super) fn time(&self) -> Result<Duration, Failure> {
        (self.work)()
    }
}

/// Three ways to read the first bytes of every file of a tree: a plain loop of this program, which
/// starts no process; `find` with as few processes of `head` as possible; and both side by side.
pub(super) fn of_tree(tree: &Path) -> [Rival<'_>; 3] {
    let walk = move || {
        let started = Instant::now();
        let mut read_bytes = 0;
        read_starts(tree, &mut read_bytes)?;
        if read_bytes == 0 {
            return Err(Failure::Check("the plain loop read nothing".into()));
        }
        Ok(started.elapsed())
    };
    let exec = move || {
        let mut command = Command::new("find");
        let head = ["-type", "f", "-exec", "head", "-qc100", "{}", "+"];
        time_of(command.arg(tree).args(head))
    };
    let xargs = move || {
        let mut command = Command::new("sh");
        let script = r#"find "$1" -type f -print0 | xargs -0 head -qc100"#;
        time_of(command.args(["-c", script, "sh"]).arg(tree))
    };
    [
        Rival { name: "a plain loop of read_dir, open and read", work: Box::new(walk) },
        Rival { name: "find -type f -exec head -qc100 {} +", work: Box::new(exec) },
        Rival { name: "find -type f -print0 | xargs -0 head -qc100", work: Box::new(xargs) },
    ]
}

fn read_starts(directory: &Path, read_bytes: &mut usize) -> Result<(), Failure> {
    for entry in fs::read_dir(directory).map_err(Failure::file(directory))? {
        let entry = entry.map_err(Failure::file(directory))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(Failure::file(&path))?;
        if kind.is_dir() {
            read_starts(&path, read_bytes)?;
        } else if kind.is_file() {
            let mut start = [0; START_BYTES];
            let mut file = File::open(&path).map_err(Failure::file(&path))?;
            *read_bytes += file.read(&mut start).map_err(Failure::file(&path))?;
        }
    }
    Ok(())
}

/// `cat FILE > /dev/null`.
pub(super) fn cat(file: &Path) -> Rival<'_> {
    let work = move || time_of(Command::new("cat").arg(file));
    Rival { name: "cat to /dev/null", work: Box::new(work) }
}

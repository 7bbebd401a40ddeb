//! The record of a run: lines of JSON, each on disk before what it announces is done.
//!
//! The first line holds the plan; the others say which step was begun or done, forwards or
//! backwards. A line that was cut off while it was written is as if it had not been: what it
//! announces was not begun. What may stand in a record is checked when it is read, because it
//! decides which files are written.

use crate::error::Error;
use crate::plan::{PLAN_SCHEMA, Plan};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::errno::Errno;
use tombolo_os::lock::{self, Strength};

/// A record longer than this is none of ours: a plan has some steps, a step some lines.
const RECORD_BYTES_MAX: u64 = 1024 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// What is to be done.
    Plan(Plan),
    /// The step with this place in the plan was begun.
    Begun(usize),
    /// It is done, and this is what undoing it takes.
    Done(usize, Kept),
    /// Undoing it was begun.
    Undoing(usize),
    /// It is undone.
    Undone(usize),
    /// All steps are done, or all are undone.
    Ended(Ended),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Every step is done.
    Applied,
    /// Every step is undone.
    Undone,
}

/// What a step leaves for later steps and for undoing it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Kept {
    /// Files as they were when the step had looked at them or written them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileState>,
    /// Digest of the content of the database: of its pages, with those of its log laid over them,
    /// without what the header says of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// A file, recognisable later.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct FileState {
    /// Its name in its directory.
    pub name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub modified_ns: u64,
    /// SHA-256 of its bytes, where they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The plan.
    pub plan: Plan,
    /// One for each step.
    pub steps: Vec<StepStanding>,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// How far a step has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepStanding {
    /// Not begun, or undone.
    Untouched,
    /// Begun, and perhaps done in part; also while it is being undone.
    Begun(Option<Kept>),
    /// Done.
    Done(Kept),
}

impl Standing {
    /// Reads the whole lines of a record; `None` if there are none.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, String> {
        let lines: Result<Vec<Line>, _> = bytes
            .get(..whole_bytes(bytes))
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect();
        let lines = lines.map_err(|error| format!("a line of it is not understood: {error}"))?;
        if lines.is_empty() { Ok(None) } else { Standing::of(lines).map(Some) }
    }

    /// Puts lines together.
    fn of(lines: Vec<Line>) -> Result<Self, String> {
        let mut lines = lines.into_iter();
        let Some(Line::Plan(plan)) = lines.next() else { return Err("it has no plan".to_owned()) };
        if plan.schema != PLAN_SCHEMA {
            return Err(format!("it is of another version, {:?}", plan.schema));
        }
        let steps = vec![StepStanding::Untouched; plan.steps.len()];
        let mut standing = Standing { plan, steps, ended: None };
        lines.try_for_each(|line| standing.take(line))?;
        Ok(standing)
    }

    /// Adds a line.
    fn take(&mut self, line: Line) -> Result<(), String> {
        let (place, next) = match line {
            Line::Plan(_) => return Err("it has two plans".to_owned()),
            Line::Ended(ended) => {
                self.ended = Some(ended);
                return Ok(());
            }
            Line::Begun(place) => (place, StepStanding::Begun(None)),
            Line::Done(_, kept) if kept.files.iter().any(|file| file.name.contains('/')) => {
                return Err("it has a file of another directory".to_owned());
            }
            Line::Done(place, kept) => (place, StepStanding::Done(kept)),
            Line::Undoing(place) => (place, StepStanding::Begun(self.kept(place).cloned())),
            Line::Undone(place) => (place, StepStanding::Untouched),
        };
        self.ended = None;
        let step = self.steps.get_mut(place).ok_or("it has a step that the plan has not")?;
        *step = next;
        Ok(())
    }

    /// What a step has left, if it was ever done.
    #[must_use]
    pub fn kept(&self, place: usize) -> Option<&Kept> {
        match self.steps.get(place)? {
            StepStanding::Done(kept) | StepStanding::Begun(Some(kept)) => Some(kept),
            StepStanding::Begun(None) | StepStanding::Untouched => None,
        }
    }
}

/// A record on disk, held by one run at a time.
#[derive(Debug)]
pub struct Record {
    file: File,
    path: PathBuf,
    standing: Standing,
}

impl Record {
    /// Begins a record. There must be none yet.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn begin(path: &Path, plan: Plan) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(|error| Error::call("open", path, &error))?;
        hold(&file)?;
        let steps = vec![StepStanding::Untouched; plan.steps.len()];
        let standing = Standing { plan: plan.clone(), steps, ended: None };
        let mut record = Record { file, path: path.to_owned(), standing };
        record.put(&Line::Plan(plan))?;
        Ok(record)
    }

    /// Opens a record; `None` if there is none, or only one whose plan was never whole.
    ///
    /// # Errors
    /// [`Error::Busy`] while another run holds it, [`Error::Record`] when it makes no sense.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
        let mut file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::call("open", path, &error)),
        };
        hold(&file)?;
        let mut bytes = Vec::new();
        let mut bounded = std::io::Read::take(&mut file, RECORD_BYTES_MAX + 1);
        bounded.read_to_end(&mut bytes).map_err(|error| Error::call("read", path, &error))?;
        let bad = |reason: String| Error::Record { path: path.to_owned(), reason };
        if bytes.len() as u64 > RECORD_BYTES_MAX {
            return Err(bad("it is too long".to_owned()));
        }
        let Some(standing) = Standing::read(&bytes).map_err(bad)? else { return Ok(None) };
        let end = whole_bytes(&bytes) as u64;
        file.set_len(end).map_err(|error| Error::call("ftruncate", path, &error))?;
        file.seek(SeekFrom::Start(end)).map_err(|error| Error::call("lseek", path, &error))?;
        Ok(Some(Record { file, path: path.to_owned(), standing }))
    }

    /// How far the run has come.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Adds a line, and comes back when it is on disk.
    ///
    /// # Errors
    /// What the kernel said; then nothing that the line announces may be done.
    pub fn add(&mut self, line: Line) -> Result<(), Error> {
        self.put(&line)?;
        self.standing.take(line).map_err(|reason| Error::Record { path: self.path.clone(), reason })
    }

    fn put(&mut self, line: &Line) -> Result<(), Error> {
        let mut bytes = serde_json::to_vec(line).map_err(|error| Error::Record {
            path: self.path.clone(),
            reason: format!("a line could not be written: {error}"),
        })?;
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes);
        written.map_err(|error| Error::call("write", &self.path, &error))?;
        self.file.sync_all().map_err(|error| Error::call("fsync", &self.path, &error))
    }
}

/// Bytes up to the end of the last line that was written whole.
fn whole_bytes(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// One run at a time. Where the file system has no such locks, nothing keeps a second run out.
fn hold(file: &File) -> Result<(), Error> {
    match lock::set_whole(file, Strength::Exclusive) {
        Err(Errno::EAGAIN) => Err(Error::Busy),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, RemedyName, Step};
    use proptest::prelude::*;

    fn plan() -> Plan {
        let step = Step {
            title: "Save".to_owned(),
            action: Action::Save,
            reads: Vec::new(),
            writes: Vec::new(),
            could_break: String::new(),
        };
        Plan {
            schema: PLAN_SCHEMA.to_owned(),
            remedy: RemedyName::LeaveWal,
            target: "/d/app.db".into(),
            steps: vec![step.clone(), step],
            cautions: Vec::new(),
        }
    }

    fn kept(name: &str) -> Kept {
        let file = FileState { name: name.to_owned(), size_bytes: 1, modified_ns: 2, digest: None };
        Kept { files: vec![file], content: None }
    }

    #[test]
    fn a_record_goes_on_where_it_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record");
        let mut record = Record::begin(&path, plan()).unwrap();
        record.add(Line::Begun(0)).unwrap();
        record.add(Line::Done(0, kept("app.db"))).unwrap();
        drop(record);
        let whole = std::fs::read(&path).unwrap();
        let cut = [&whole[..], br#"{"begun":1"#].concat();
        std::fs::write(&path, cut).unwrap();
        let mut record = Record::open(&path).unwrap().unwrap();
        assert_eq!(
            record.standing().steps,
            [StepStanding::Done(kept("app.db")), StepStanding::Untouched]
        );
        record.add(Line::Undoing(0)).unwrap();
        assert_eq!(record.standing().kept(0), Some(&kept("app.db")), "undoing needs it");
        drop(record);
        let again = Record::open(&path).unwrap().unwrap();
        assert_eq!(again.standing().steps[0], StepStanding::Begun(Some(kept("app.db"))));
    }

    #[test]
    fn one_run_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record");
        let record = Record::begin(&path, plan()).unwrap();
        assert!(matches!(Record::open(&path), Err(Error::Busy)));
        drop(record);
        assert!(Record::open(&path).unwrap().is_some());
    }

    #[test]
    fn what_no_run_writes_is_refused() {
        let line = |line: &Line| serde_json::to_string(line).unwrap();
        let first = line(&Line::Plan(plan()));
        for wrong in [
            line(&Line::Plan(plan())),
            line(&Line::Begun(2)),
            line(&Line::Done(0, kept("../../etc/passwd"))),
            "{}".to_owned(),
        ] {
            let text = format!("{first}\n{wrong}\n");
            assert!(Standing::read(text.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(Standing::read(b"{\"plan\""), Ok(None));
        let later = first.replace("tombolo.plan/1", "tombolo.plan/9");
        assert!(Standing::read(format!("{later}\n").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = Standing::read(&bytes);
        }
    }
}

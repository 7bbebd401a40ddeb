//! Which calls are on SQLite's files, told from the calls alone: no file of the program is opened
//! for it.

use super::writer::{Place, Writer};
use crate::preload::say;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use tombolo_core::sqlite::header::is_sqlite_header;
use tombolo_core::trace::content::Content;
use tombolo_core::trace::files::{Files, Wanted, joined, opens_like_sqlite};
use tombolo_core::trace::record::{
    Call, File, Operation, Outcome, Process as Introduction, Record,
};
use tombolo_os::process;
use tombolo_os::ptrace::{Asked, Named, SystemCall, Watcher, read_memory};

/// Bytes by which a database is known (fileformat2.html, section 1.3.1).
const MAGIC_BYTES: u64 = 16;

pub(super) struct Recorder {
    writer: Writer,
    wanted: Wanted,
    processes: BTreeMap<i32, Process>,
}

struct Process {
    number: i32,
    place: Place,
    files: Files,
    /// What is known of descriptors; the others were made where it could not be seen.
    descriptors: BTreeMap<u32, Descriptor>,
    /// Where maps of recorded files begin, and which.
    maps: BTreeMap<u64, u32>,
}

#[derive(Clone, Debug)]
enum Descriptor {
    /// Of a file that is recorded.
    Recorded(u32),
    /// Of a file that may turn out to be a database by what is read, written or locked in it.
    Candidate(Box<Candidate>),
    /// Of anything else.
    Other,
}

#[derive(Clone, Debug)]
struct Candidate {
    path: Vec<u8>,
    /// How it was opened, where that was seen.
    opening: Option<Call>,
}

impl Candidate {
    /// Whether a file that is still empty is opened as SQLite opens a new database.
    fn is_new(&self) -> bool {
        let flags = self.opening.map(|call| call.operation);
        matches!(flags, Some(Operation::Open { flags }) if opens_like_sqlite(flags))
    }
}

impl Recorder {
    pub(super) fn new(writer: Writer, wanted: Wanted) -> Self {
        Recorder { writer, wanted, processes: BTreeMap::new() }
    }
}

impl Watcher for Recorder {
    fn called(&mut self, call: &SystemCall) {
        let process = self.processes.entry(call.process).or_insert_with(|| Process {
            number: call.process,
            place: Place::new(call.process.unsigned_abs(), call.start_ns),
            files: Files::default(),
            descriptors: BTreeMap::new(),
            maps: BTreeMap::new(),
        });
        Recording { process, writer: &mut self.writer, wanted: &self.wanted, call }.record();
    }

    fn executed(&mut self, process: i32) {
        self.processes.remove(&process);
    }

    fn ended(&mut self, process: i32) {
        self.processes.remove(&process);
    }

    fn foreign(&mut self, process: i32) {
        say(&format!("process {process} is of another architecture: its calls are not recorded"));
    }
}

/// One call of one process.
struct Recording<'a> {
    process: &'a mut Process,
    writer: &'a mut Writer,
    wanted: &'a Wanted,
    call: &'a SystemCall,
}

impl Recording<'_> {
    fn record(mut self) {
        match &self.call.asked {
            Asked::Open { file, flags } => self.opened(file, *flags),
            Asked::Close(descriptor) => self.closed(*descriptor),
            Asked::CloseRange(first, last) => {
                self.process.descriptors.retain(|number, _| !(*first..=*last).contains(number));
            }
            Asked::Replace(descriptor) => {
                self.process.descriptors.remove(descriptor);
            }
            Asked::Duplicate(_) => self.forget_made(),
            Asked::Use { descriptor, operation, buffer } => {
                self.used(*descriptor, *operation, *buffer);
            }
            Asked::Unmap { address, bytes } => {
                if let Some(file) = self.process.maps.remove(address) {
                    self.add(file, None, Operation::Unmap { bytes: *bytes });
                }
            }
            Asked::OnName { file, operation } => {
                let path = self.path_of(file);
                if self.process.files.is_known(&path, self.wanted) {
                    self.add_by_name(&path, *operation);
                }
            }
            Asked::Rename { from, to } => self.renamed(from, to),
        }
    }

    fn path_of(&self, file: &Named) -> Vec<u8> {
        let link = match file.directory {
            None => "cwd".to_owned(),
            Some(descriptor) => format!("fd/{descriptor}"),
        };
        joined(&self.link(&link).unwrap_or_default(), &file.path)
    }

    /// Where a link in the directory of the process in `/proc` leads.
    fn link(&self, name: &str) -> Option<Vec<u8>> {
        let path = Path::new("/proc").join(self.process.number.to_string()).join(name);
        std::fs::read_link(path).ok().map(|target| target.into_os_string().into_vec())
    }

    /// The descriptor that the call has made, of which nothing is known.
    fn forget_made(&mut self) {
        if let Some(made) = self.made() {
            self.process.descriptors.remove(&made);
        }
    }

    fn made(&self) -> Option<u32> {
        self.call.result.ok().and_then(|descriptor| u32::try_from(descriptor).ok())
    }

    fn opened(&mut self, file: &Named, flags: u32) {
        let operation = Operation::Open { flags };
        match self.made() {
            None => {
                let path = self.path_of(file);
                if self.process.files.is_ours_unopened(&path, flags, self.wanted) {
                    self.add_by_name(&path, operation);
                }
            }
            Some(made) => {
                let found = self.look_up(made, Some(operation));
                self.process.descriptors.insert(made, found);
            }
        }
    }

    /// What a descriptor is of. One that was just made is recorded if it is SQLite's by its name.
    fn look_up(&mut self, descriptor: u32, opening: Option<Operation>) -> Descriptor {
        let path =
            self.link(&format!("fd/{descriptor}")).filter(|path| process::is_user_file(path));
        let Some(path) = path else { return Descriptor::Other };
        let opening = opening.map(|operation| self.of_file(0, Some(descriptor), operation));
        match self.process.files.is_ours_by_name(&path, self.wanted) {
            Some(false) => Descriptor::Other,
            Some(true) => self.recognise(&Candidate { path, opening }),
            None => Descriptor::Candidate(Box::new(Candidate { path, opening })),
        }
    }

    /// Begins to record a file, and tells how it was opened.
    fn recognise(&mut self, candidate: &Candidate) -> Descriptor {
        let Some(file) = self.number(&candidate.path) else { return Descriptor::Other };
        if let Some(opening) = candidate.opening {
            self.write(Call { file, ..opening });
        }
        Descriptor::Recorded(file)
    }

    fn closed(&mut self, descriptor: u32) {
        if let Some(Descriptor::Recorded(file)) = self.process.descriptors.remove(&descriptor) {
            self.add(file, Some(descriptor), Operation::Close);
        }
    }

    fn used(&mut self, descriptor: u32, operation: Operation, buffer: u64) {
        let known = self.process.descriptors.get(&descriptor).cloned();
        let mut known = known.unwrap_or_else(|| self.look_up(descriptor, None));
        if let Descriptor::Candidate(candidate) = &known {
            match self.judge(candidate, operation, buffer) {
                Judgement::Ours => known = self.recognise(candidate),
                Judgement::NotOurs => known = Descriptor::Other,
                Judgement::Open => {}
            }
        }
        if let Descriptor::Recorded(file) = known {
            let content = self.content(file, operation, buffer);
            let call = self.of_file(file, Some(descriptor), operation);
            self.write(Call { content, ..call });
            if let (Operation::Map { .. }, Ok(address)) = (operation, self.call.result) {
                self.process.maps.insert(address, file);
            }
        }
        self.process.descriptors.insert(descriptor, known);
    }

    /// Whether a file turns out to be a database by a call on it.
    fn judge(&self, candidate: &Candidate, operation: Operation, buffer: u64) -> Judgement {
        let start = || is_sqlite_header(&read_memory(self.process.number, buffer, 16));
        let done = self.call.result.unwrap_or(0);
        match operation {
            Operation::Lock(lock) if lock.is_sqlites() => Judgement::Ours,
            Operation::Read { offset: Some(0), .. } if done == 0 => {
                if candidate.is_new() {
                    Judgement::Ours
                } else {
                    Judgement::Open
                }
            }
            // Whoever reads from where the file stands begins at its start.
            Operation::Read { offset: Some(0) | None, .. }
            | Operation::Write { offset: Some(0) | None, .. } => match done >= MAGIC_BYTES {
                true if start() => Judgement::Ours,
                true => Judgement::NotOurs,
                false => Judgement::Open,
            },
            _ => Judgement::Open,
        }
    }

    /// What is kept of the bytes that were read or written.
    fn content(&self, file: u32, operation: Operation, buffer: u64) -> Option<Content> {
        /// SQLite moves a page at a time, and these are at most so long.
        const BYTES_MAX: usize = 64 << 10;
        let (Operation::Read { offset, .. } | Operation::Write { offset, .. }) = operation else {
            return None;
        };
        let done = self.call.result.ok().and_then(|done| usize::try_from(done).ok())?;
        let kind = self.process.files.kind_of(file)?;
        let bytes = read_memory(self.process.number, buffer, done.min(BYTES_MAX));
        Content::of(kind, offset, &bytes)
    }

    fn renamed(&mut self, from: &Named, to: &Named) {
        let (from, to) = (self.path_of(from), self.path_of(to));
        let known = |path: &[u8]| self.process.files.is_known(path, self.wanted);
        if !known(&from) && !known(&to) {
            return;
        }
        if let (Some(file), Some(to)) = (self.number(&from), self.number(&to)) {
            self.add(file, None, Operation::Rename { to });
        }
    }

    /// The number of a file, which gets one if it has none.
    fn number(&mut self, path: &[u8]) -> Option<u32> {
        if let Some(number) = self.process.files.number_of(path) {
            return Some(number);
        }
        self.introduce();
        let (number, kind) = self.process.files.meet(path)?;
        let record = Record::File(File { number, kind, path });
        self.writer.add(&mut self.process.place, &record);
        Some(number)
    }

    /// Says which process this is, before its first record.
    fn introduce(&mut self) {
        if !self.process.place.is_fresh() {
            return;
        }
        let proc_root = Path::new("/proc");
        let parent = process::parent(proc_root, self.process.number).unwrap_or(0).unsigned_abs();
        let program = process::executable(proc_root, self.process.number).unwrap_or_default();
        let record = Record::Process(Introduction { parent, program: &program });
        self.writer.add(&mut self.process.place, &record);
    }

    fn add_by_name(&mut self, path: &[u8], operation: Operation) {
        if let Some(file) = self.number(path) {
            let descriptor = self.made().filter(|_| matches!(operation, Operation::Open { .. }));
            self.add(file, descriptor, operation);
        }
    }

    fn add(&mut self, file: u32, descriptor: Option<u32>, operation: Operation) {
        let call = self.of_file(file, descriptor, operation);
        self.write(call);
    }

    fn of_file(&self, file: u32, descriptor: Option<u32>, operation: Operation) -> Call {
        Call {
            thread: self.call.thread.unsigned_abs(),
            start_ns: self.process.place.relative(self.call.start_ns),
            duration_ns: self.call.duration_ns,
            file,
            descriptor,
            operation,
            outcome: match self.call.result {
                Ok(value) => Outcome::Returned(value),
                Err(errno) => Outcome::Failed(errno),
            },
            content: None,
        }
    }

    fn write(&mut self, call: Call) {
        self.writer.add(&mut self.process.place, &Record::Call(call));
    }
}

/// Whether a file that may be a database is one.
enum Judgement {
    Ours,
    NotOurs,
    /// Not yet known.
    Open,
}

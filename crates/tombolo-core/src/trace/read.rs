//! The way back from a trace's bytes: processes, files, and calls in the order of time.

use super::layout::{BLOCK_BYTES, BlockStart, HEADER_BYTES, Header, records};
use super::record::{Call, FileKind, Operation, Record};
use crate::text::printable;
use std::collections::BTreeMap;

/// What a trace holds.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its beginning.
    pub header: Header,
    /// All that recorded, in the order in which they took their first blocks.
    pub processes: Vec<TracedProcess>,
    /// Every file, once for all processes.
    pub files: Vec<TracedFile>,
    /// All calls, by the time of their start.
    pub events: Vec<Event>,
    /// The lines of SQLite's error log, by time.
    pub messages: Vec<TracedMessage>,
    /// Records that could not be read, or speak of files that were never introduced.
    pub unread: usize,
}

/// A process that recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedProcess {
    /// Its number.
    pub number: u32,
    /// Monotonic time at which it began to record.
    pub began_ns: u64,
    /// The number of its parent; `None` where the process was cut off before it said so.
    pub parent: Option<u32>,
    /// The path of its program.
    pub program: String,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedFile {
    /// What it is to SQLite.
    pub kind: FileKind,
    /// Its path.
    pub path: String,
}

impl TracedFile {
    /// The path of its database.
    #[must_use]
    pub fn database(&self) -> &str {
        self.path.strip_suffix(self.kind.suffix()).unwrap_or(&self.path)
    }
}

/// A call, with the process and the file by their places in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The process.
    pub process: usize,
    /// The file.
    pub file: usize,
    /// The call. Its times are the kernel's own, and its files are places in the trace.
    pub call: Call,
}

/// A line of SQLite's error log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedMessage {
    /// The process.
    pub process: usize,
    /// The thread.
    pub thread: u32,
    /// Monotonic time.
    pub at_ns: u64,
    /// The extended result code.
    pub code: i32,
    /// The text.
    pub text: String,
}

impl Trace {
    /// Reads a trace; `None` if the bytes do not begin as one. What was cut off at the end of any
    /// block is left out, and anything that makes no sense is counted.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut trace = Trace {
            header: Header::read(bytes)?,
            processes: Vec::new(),
            files: Vec::new(),
            events: Vec::new(),
            messages: Vec::new(),
            unread: 0,
        };
        let mut known = Known::default();
        for block in bytes.get(HEADER_BYTES..).unwrap_or_default().chunks(BLOCK_BYTES) {
            let Some(start) = BlockStart::read(block) else { continue };
            let process = trace.process(start, &mut known);
            for bytes in records(block) {
                trace.add(process, start.began_ns, bytes, &mut known);
            }
        }
        trace.events.sort_by_key(|event| event.call.start_ns);
        trace.messages.sort_by_key(|message| message.at_ns);
        Some(trace)
    }

    /// The time of the first thing in it.
    #[must_use]
    pub fn start_ns(&self) -> u64 {
        let calls = self.events.first().map(|event| event.call.start_ns);
        let messages = self.messages.first().map(|message| message.at_ns);
        calls.into_iter().chain(messages).min().unwrap_or(0)
    }

    fn process(&mut self, start: BlockStart, known: &mut Known) -> usize {
        *known.processes.entry((start.process, start.began_ns)).or_insert_with(|| {
            self.processes.push(TracedProcess {
                number: start.process,
                began_ns: start.began_ns,
                parent: None,
                program: String::new(),
            });
            self.processes.len() - 1
        })
    }

    fn add(&mut self, process: usize, began_ns: u64, bytes: &[u8], known: &mut Known) {
        let time = |offset_ns: u64| began_ns.saturating_add(offset_ns);
        match Record::decode(bytes) {
            None => self.unread += 1,
            Some(Record::Process(told)) => {
                if let Some(process) = self.processes.get_mut(process) {
                    process.parent = Some(told.parent);
                    process.program = printable(told.program);
                }
            }
            Some(Record::File(told)) => {
                let file = TracedFile { kind: told.kind, path: printable(told.path) };
                let place = *known.paths.entry(file.path.clone()).or_insert_with(|| {
                    self.files.push(file);
                    self.files.len() - 1
                });
                known.files.insert((process, told.number), place);
            }
            Some(Record::Call(mut call)) => {
                let place = |number: u32| known.files.get(&(process, number)).copied();
                let Some(file) = place(call.file) else {
                    self.unread += 1;
                    return;
                };
                if let Operation::Rename { to } = &mut call.operation {
                    *to = place(*to).and_then(|place| u32::try_from(place).ok()).unwrap_or(*to);
                }
                call.start_ns = time(call.start_ns);
                self.events.push(Event { process, file, call });
            }
            Some(Record::Message(told)) => self.messages.push(TracedMessage {
                process,
                thread: told.thread,
                at_ns: time(told.at_ns),
                code: told.code,
                text: printable(told.text),
            }),
        }
    }
}

/// What was met while the blocks are read.
#[derive(Debug, Default)]
struct Known {
    processes: BTreeMap<(u32, u64), usize>,
    paths: BTreeMap<String, usize>,
    files: BTreeMap<(usize, u32), usize>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::layout::LENGTH_BYTES;
    use super::super::record::{File, Outcome, Process, RECORD_BYTES_MAX};
    use super::*;
    use proptest::prelude::*;

    /// The bytes of a trace with one block of one process.
    pub(in super::super) fn trace_of(records: &[Record<'_>]) -> Vec<u8> {
        let mut bytes = Header { limit_blocks: 1, ..Header::default() }.to_bytes();
        bytes.extend(BlockStart { process: 7, began_ns: 1000 }.to_bytes());
        let mut buffer = [0; RECORD_BYTES_MAX];
        for record in records {
            let length = record.encode(&mut buffer).expect("room");
            bytes.extend(u16::try_from(length).expect("short").to_le_bytes());
            bytes.extend(&buffer[..length]);
        }
        bytes
    }

    pub(in super::super) fn call(start_ns: u64, operation: Operation, outcome: Outcome) -> Call {
        Call {
            thread: 7,
            start_ns,
            duration_ns: 5,
            file: 1,
            descriptor: Some(3),
            operation,
            outcome,
            content: None,
        }
    }

    #[test]
    fn calls_are_put_in_order_and_names_are_shared() {
        let file = |number, path| Record::File(File { number, kind: FileKind::of(path), path });
        let bytes = trace_of(&[
            Record::Process(Process { parent: 1, program: b"/bin/app" }),
            file(1, b"/d/a.db"),
            file(2, b"/d/a.db-wal"),
            Record::Call(call(9, Operation::Sync, Outcome::Returned(0))),
            Record::Call(call(4, Operation::Close, Outcome::Returned(0))),
            Record::Call(Call { file: 3, ..call(5, Operation::Close, Outcome::Returned(0)) }),
        ]);
        let trace = Trace::read(&bytes).expect("a trace");
        assert_eq!(trace.processes[0].program, "/bin/app");
        let times: Vec<u64> = trace.events.iter().map(|event| event.call.start_ns).collect();
        assert_eq!(times, [1004, 1009]);
        assert_eq!(trace.unread, 1, "file 3 was never introduced");
        assert_eq!(trace.files[1].database(), "/d/a.db");
        let torn = Trace::read(&bytes[..bytes.len() - LENGTH_BYTES]).expect("a trace");
        assert_eq!((torn.events.len(), torn.unread), (2, 0));
        assert!(Trace::read(b"SQLite format 3").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(tail in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut bytes = trace_of(&[]);
            bytes.extend(tail);
            let _ = Trace::read(&bytes).map(|trace| trace.start_ns());
        }
    }
}

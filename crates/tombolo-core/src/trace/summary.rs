//! What a trace tells, as it is printed and serialised.

use super::TRACE_SCHEMA;
use super::failure;
use super::ladder::{self, Change, Step, rung};
use super::read::{Event, Trace};
use super::record::{Answer, FileKind, Operation, Outcome, Owner, Patience, Wanted};
use crate::errno::Errno;
use crate::locktable::Strength;
use crate::text::printable;
use serde::Serialize;

/// Slowest calls that are listed.
const SLOWEST: usize = 10;

/// What a trace tells.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Always [`TRACE_SCHEMA`].
    pub schema: &'static str,
    /// The boot id of the kernel.
    pub boot_id: String,
    /// The command that was traced.
    pub command: Vec<String>,
    /// Calls that found no room in the trace.
    pub lost: u64,
    /// Records that could not be read.
    pub unread: usize,
    /// The processes that called.
    pub processes: Vec<ProcessSummary>,
    /// The files that they called on.
    pub files: Vec<FileSummary>,
    /// The first call that failed and is a fault.
    pub first_failure: Option<CallView>,
    /// The calls that took longest.
    pub slowest: Vec<CallView>,
    /// The locks, step by step.
    pub locks: Vec<StepView>,
    /// SQLite's error log.
    pub messages: Vec<MessageView>,
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessSummary {
    /// Its number.
    pub pid: u32,
    /// The number of its parent.
    pub parent: Option<u32>,
    /// The path of its program.
    pub program: String,
    /// Its calls.
    pub calls: u64,
}

/// A file.
#[derive(Clone, Debug, Serialize)]
pub struct FileSummary {
    /// Its path.
    pub path: String,
    /// `database`, `wal`, `wal_index` or `journal`.
    pub kind: &'static str,
    /// Calls on it.
    pub calls: u64,
    /// Calls that failed and are faults.
    pub faults: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// `fsync` and `fdatasync`.
    pub syncs: u64,
    /// Locks that were not given because somebody else has one in the way.
    pub locks_refused: u64,
    /// The time of all its calls.
    pub duration_ns: u64,
}

/// A call.
#[derive(Clone, Debug, Serialize)]
pub struct CallView {
    /// When it began, from the start of the trace.
    pub at_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub thread: u32,
    /// The function of libc.
    pub call: &'static str,
    /// The path of the file.
    pub path: String,
    /// The descriptor.
    pub descriptor: Option<u32>,
    /// What was asked, in words.
    pub arguments: String,
    /// What it returned; `None` if it failed.
    pub returned: Option<u64>,
    /// The error, if it failed.
    pub errno: Option<Errno>,
    /// Whether that error is a fault and no ordinary answer.
    pub fault: bool,
}

/// A step of the locks.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// When, from the start of the trace.
    pub at_ns: u64,
    /// The process.
    pub pid: u32,
    /// The database or its `-shm`.
    pub path: String,
    /// SQLite's names of the locks.
    pub names: Vec<&'static str>,
    /// `shared` or `exclusive`; `None` for the end of locks.
    pub strength: Option<&'static str>,
    /// What became of them.
    pub change: String,
    /// What the process has then.
    pub held: Vec<&'static str>,
    /// The rung of the rollback locks; `None` for a `-shm`.
    pub rung: Option<&'static str>,
}

/// A line of SQLite's error log.
#[derive(Clone, Debug, Serialize)]
pub struct MessageView {
    /// When, from the start of the trace.
    pub at_ns: u64,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub thread: u32,
    /// The extended result code.
    pub code: i32,
    /// The text.
    pub text: String,
}

impl Summary {
    /// Draws up what a trace tells.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let mut slowest: Vec<&Event> = trace.events.iter().collect();
        slowest.sort_by_key(|event| std::cmp::Reverse(event.call.duration_ns));
        slowest.truncate(SLOWEST);
        let mut processes: Vec<ProcessSummary> = trace
            .processes
            .iter()
            .map(|process| ProcessSummary {
                pid: process.number,
                parent: process.parent,
                program: process.program.clone(),
                calls: 0,
            })
            .collect();
        for event in &trace.events {
            if let Some(process) = processes.get_mut(event.process) {
                process.calls += 1;
            }
        }
        let start_ns = trace.start_ns();
        Summary {
            schema: TRACE_SCHEMA,
            boot_id: trace.header.boot_id.clone(),
            command: trace.header.command.iter().map(|word| printable(word)).collect(),
            lost: trace.header.lost,
            unread: trace.unread,
            processes,
            files: files(trace),
            first_failure: failure::first(trace).map(|event| CallView::of(trace, event)),
            slowest: slowest.into_iter().map(|event| CallView::of(trace, event)).collect(),
            locks: ladder::steps(trace).iter().map(|step| StepView::of(trace, step)).collect(),
            messages: trace
                .messages
                .iter()
                .map(|message| MessageView {
                    at_ns: message.at_ns.saturating_sub(start_ns),
                    pid: pid(trace, message.process),
                    thread: message.thread,
                    code: message.code,
                    text: message.text.clone(),
                })
                .collect(),
        }
    }
}

fn files(trace: &Trace) -> Vec<FileSummary> {
    let mut files: Vec<FileSummary> = trace
        .files
        .iter()
        .map(|file| FileSummary {
            path: file.path.clone(),
            kind: kind_name(file.kind),
            calls: 0,
            faults: 0,
            read_bytes: 0,
            written_bytes: 0,
            syncs: 0,
            locks_refused: 0,
            duration_ns: 0,
        })
        .collect();
    for event in &trace.events {
        if let Some(file) = files.get_mut(event.file) {
            file.add(event);
        }
    }
    files.retain(|file| file.calls > 0);
    files
}

impl FileSummary {
    fn add(&mut self, event: &Event) {
        let fault = failure::fault(event).is_some();
        self.calls += 1;
        self.faults += u64::from(fault);
        self.duration_ns = self.duration_ns.saturating_add(event.call.duration_ns);
        let bytes = match event.call.outcome {
            Outcome::Returned(value) => value,
            Outcome::Failed(_) => 0,
        };
        let refused = !fault && matches!(event.call.outcome, Outcome::Failed(_));
        match event.call.operation {
            Operation::Read { .. } => self.read_bytes = self.read_bytes.saturating_add(bytes),
            Operation::Write { .. } => {
                self.written_bytes = self.written_bytes.saturating_add(bytes)
            }
            Operation::Sync | Operation::DataSync => self.syncs += 1,
            Operation::Lock(_) | Operation::WholeLock { .. } => {
                self.locks_refused += u64::from(refused);
            }
            _ => {}
        }
    }
}

fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Database => "database",
        FileKind::Wal => "wal",
        FileKind::WalIndex => "wal_index",
        FileKind::Journal => "journal",
    }
}

fn pid(trace: &Trace, process: usize) -> u32 {
    trace.processes.get(process).map_or(0, |process| process.number)
}

fn path(trace: &Trace, file: usize) -> String {
    trace.files.get(file).map(|file| file.path.clone()).unwrap_or_default()
}

impl CallView {
    /// A call of a trace.
    #[must_use]
    pub fn of(trace: &Trace, event: &Event) -> Self {
        let call = &event.call;
        let (returned, errno) = match call.outcome {
            Outcome::Returned(value) => (Some(value), None),
            Outcome::Failed(errno) => (None, Some(errno)),
        };
        CallView {
            at_ns: call.start_ns.saturating_sub(trace.start_ns()),
            duration_ns: call.duration_ns,
            pid: pid(trace, event.process),
            thread: call.thread,
            call: call.operation.name(),
            path: path(trace, event.file),
            descriptor: call.descriptor,
            arguments: arguments(trace, event),
            returned,
            errno,
            fault: failure::fault(event).is_some(),
        }
    }
}

fn arguments(trace: &Trace, event: &Event) -> String {
    let at = |offset: Option<u64>| offset.map_or(String::new(), |offset| format!(" at {offset}"));
    match event.call.operation {
        Operation::Open { flags } => format!("flags {flags:#o}"),
        Operation::Read { offset, bytes } | Operation::Write { offset, bytes } => {
            format!("{bytes} bytes{}", at(offset))
        }
        Operation::Truncate { bytes } => format!("to {bytes} bytes"),
        Operation::Map { offset, bytes, protection, flags } => {
            format!("{bytes} bytes at {offset}, protection {protection}, flags {flags:#x}")
        }
        Operation::Unmap { bytes } => format!("{bytes} bytes"),
        Operation::WholeLock { operation } => whole_lock(operation),
        Operation::Rename { to } => {
            format!("to {}", usize::try_from(to).map(|to| path(trace, to)).unwrap_or_default())
        }
        Operation::Lock(lock) => {
            let wanted = match lock.wanted {
                Wanted::Take(strength, patience) => {
                    let waits = if patience == Patience::Waits { ", waiting" } else { "" };
                    format!("{} lock{waits}", strength_name(strength))
                }
                Wanted::Release => "unlock".to_owned(),
                Wanted::Query(strength, answer) => {
                    format!(
                        "who is in the way of a {} lock: {}",
                        strength_name(strength),
                        who(answer)
                    )
                }
            };
            let owner = if lock.owner == Owner::Description { ", of the description" } else { "" };
            format!("{wanted} on bytes {} to {}{owner}", lock.first, lock.last())
        }
        Operation::Close
        | Operation::Sync
        | Operation::DataSync
        | Operation::Unlink
        | Operation::Status
        | Operation::Access => String::new(),
    }
}

/// The operations of flock(2).
fn whole_lock(operation: u32) -> String {
    const AT_ONCE: u32 = 4;
    let name = match operation & !AT_ONCE {
        1 => "shared lock",
        2 => "exclusive lock",
        8 => "unlock",
        _ => return format!("operation {operation}"),
    };
    let waits = if operation & AT_ONCE == 0 && name != "unlock" { ", waiting" } else { "" };
    format!("{name}{waits}")
}

fn strength_name(strength: Strength) -> &'static str {
    match strength {
        Strength::Shared => "shared",
        Strength::Exclusive => "exclusive",
    }
}

fn who(answer: Answer) -> String {
    match answer {
        Answer::Free => "nobody".to_owned(),
        Answer::Held(strength, pid) => format!("process {pid}, {}", strength_name(strength)),
    }
}

impl StepView {
    fn of(trace: &Trace, step: &Step) -> Self {
        let database =
            trace.files.get(step.file).is_some_and(|file| file.kind == FileKind::Database);
        StepView {
            at_ns: step.at_ns.saturating_sub(trace.start_ns()),
            pid: pid(trace, step.process),
            path: path(trace, step.file),
            names: step.names.clone(),
            strength: step.strength.map(strength_name),
            change: match step.change {
                Change::Taken => "taken".to_owned(),
                Change::Released => "released".to_owned(),
                Change::Refused(errno) => format!("refused: {errno}"),
                Change::Asked(answer) => format!("asked who is in the way: {}", who(answer)),
                Change::Closed => "gone with a close".to_owned(),
            },
            held: step.held.clone(),
            rung: database.then(|| rung(&step.held)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::{call, trace_of};
    use super::super::record::{File, Process, Record};
    use super::*;

    #[test]
    fn calls_are_counted_by_file_and_the_slowest_is_first() {
        let slow = super::super::record::Call {
            duration_ns: 900,
            ..call(2, Operation::Sync, Outcome::Failed(Errno::EIO))
        };
        let read = Operation::Read { offset: Some(0), bytes: 100 };
        let path = b"/d/a.db";
        let trace = Trace::read(&trace_of(&[
            Record::Process(Process { parent: 1, program: b"/bin/app" }),
            Record::File(File { number: 1, kind: FileKind::Database, path }),
            Record::Call(call(1, read, Outcome::Returned(60))),
            Record::Call(slow),
        ]))
        .expect("a trace");
        let summary = Summary::of(&trace);
        let file = &summary.files[0];
        assert_eq!((file.calls, file.faults, file.read_bytes, file.syncs), (2, 1, 60, 1));
        let first = summary.first_failure.expect("a fault");
        assert_eq!((first.call, first.at_ns, first.errno), ("fsync", 1, Some(Errno::EIO)));
        assert_eq!(summary.slowest[0].call, "fsync");
        assert_eq!(summary.slowest[1].arguments, "100 bytes at 0");
        assert_eq!(summary.processes[0].calls, 2);
    }
}

//! Which failed calls are faults, and the line in which SQLite would have logged one.

use super::read::{Event, Trace};
use super::record::{Operation, Outcome, Wanted};
use crate::errno::Errno;

/// The error of a call, if it is a fault. A lock that somebody else has is an answer (fcntl(2): by
/// EAGAIN or EACCES), and so is a name that is not there, where a program looks for it.
#[must_use]
pub fn fault(event: &Event) -> Option<Errno> {
    let Outcome::Failed(errno) = event.call.outcome else { return None };
    let answer = match event.call.operation {
        Operation::Lock(lock) => {
            matches!(lock.wanted, Wanted::Take(..))
                && matches!(errno, Errno::EAGAIN | Errno::EACCES)
        }
        // A lock that somebody has is EWOULDBLOCK (flock(2)), which is EAGAIN.
        Operation::WholeLock { .. } => errno == Errno::EAGAIN,
        Operation::Open { .. } | Operation::Unlink | Operation::Status => errno == Errno::ENOENT,
        Operation::Access => matches!(errno, Errno::ENOENT | Errno::EACCES),
        _ => false,
    };
    (!answer && errno != Errno::EINTR).then_some(errno)
}

/// The first call that is a fault.
#[must_use]
pub fn first(trace: &Trace) -> Option<&Event> {
    trace.events.iter().find(|event| fault(event).is_some())
}

/// A fault as `unixLogErrorAtLine` in `os_unix.c` logs it, without the directory, whose name says
/// nothing for certain; `None` if it is none.
fn log_line(trace: &Trace, event: &Event) -> Option<String> {
    let errno = fault(event)?;
    let path = &trace.files.get(event.file)?.path;
    let file = path.rsplit('/').next().unwrap_or(path);
    let words = errno.text().unwrap_or("unknown error");
    let name = event.call.operation.name();
    Some(format!("os_unix.c:0: ({}) {name}({file}) - {words}", errno.raw()))
}

/// What is to be explained: each kind of fault once, and what SQLite said of it.
#[must_use]
pub fn report(trace: &Trace) -> String {
    /// More does not tell more.
    const LINES_MAX: usize = 64;
    let faults = trace.events.iter().filter_map(|event| log_line(trace, event));
    let said = trace.messages.iter().map(|message| format!("({}) {}", message.code, message.text));
    let mut lines: Vec<String> = Vec::new();
    for line in faults.chain(said) {
        if lines.len() < LINES_MAX && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::{call, trace_of};
    use super::super::record::{File, FileKind, LockCall, Owner, Patience, Record};
    use super::*;
    use crate::locktable::Strength;

    fn lock(wanted: Wanted) -> Operation {
        Operation::Lock(LockCall { wanted, owner: Owner::Process, first: 1 << 30, bytes: 1 })
    }

    #[test]
    fn answers_are_no_faults_and_the_first_fault_is_named_as_sqlite_does() {
        let path = b"/d/a.db-shm";
        let take = Wanted::Take(Strength::Shared, Patience::AtOnce);
        let map = Operation::Map { offset: 0, bytes: 32768, protection: 3, flags: 1 };
        let failed = |errno| Outcome::Failed(errno);
        let records = [
            Record::File(File { number: 1, kind: FileKind::WalIndex, path }),
            Record::Call(call(1, Operation::Status, failed(Errno::ENOENT))),
            Record::Call(call(2, lock(take), failed(Errno::EAGAIN))),
            Record::Call(call(3, Operation::Access, failed(Errno::EACCES))),
            Record::Call(call(4, Operation::Close, Outcome::Returned(0))),
            Record::Call(call(5, Operation::Sync, failed(Errno::EINTR))),
            Record::Call(call(6, map, failed(Errno::ENODEV))),
            Record::Call(call(7, map, failed(Errno::ENODEV))),
            Record::Call(call(8, lock(take), failed(Errno::ENOLCK))),
        ];
        let trace = Trace::read(&trace_of(&records)).expect("a trace");
        let found = first(&trace).expect("a fault");
        assert_eq!(found.call.start_ns, 1006);
        let line = "os_unix.c:0: (19) mmap(a.db-shm) - no such device";
        assert_eq!(log_line(&trace, found).as_deref(), Some(line));
        let both = format!("{line}\nos_unix.c:0: (37) fcntl(a.db-shm) - no locks available");
        assert_eq!(report(&trace), both);
    }
}

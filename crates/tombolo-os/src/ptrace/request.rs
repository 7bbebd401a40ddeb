//! ptrace(2) and wait4(2), each request as a function.
#![allow(unsafe_code)] // Neither has a safe form; pointers are to buffers of ours alone.

use libc::{c_int, c_uint, c_void};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::ptr;
use tombolo_core::errno::Errno;

/// What is asked of the kernel about a program that is watched: stops of calls are told from
/// signals, and what it starts is watched as well.
const OPTIONS: c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC;

/// `PTRACE_GET_SYSCALL_INFO` (linux/ptrace.h), since Linux 5.3.
const GET_CALL_INFO: c_uint = 0x420e;
/// Bytes of `struct ptrace_syscall_info` up to the end of what is used.
const CALL_INFO_BYTES: usize = 88;

/// `AUDIT_ARCH_` of this program (linux/audit.h).
const NATIVE: u32 = if cfg!(target_arch = "aarch64") { 0xc000_00b7 } else { 0xc000_003e };

/// A signal that is given to a program; none is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signal(c_int);

impl Signal {
    pub(super) const NONE: Signal = Signal(0);
}

/// What has happened to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It is gone.
    Ended(i32, ExitStatus),
    /// It stands still until it is told to go on.
    Stopped(i32, Stop),
}

/// Why a thread stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Before or after a call.
    Call,
    /// Something that it did.
    Event(Event),
    /// Its process was stopped by a signal, as by a terminal.
    Group,
    /// It is about to be given a signal.
    Signal(Signal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It runs another program.
    Executed,
    /// It started a thread or a process.
    Started,
    /// It was started itself, or goes on after a stop.
    Other,
}

impl Wait {
    /// From the status that wait4(2) gives (ptrace(2), "Stopped tracees").
    fn from_status(thread: i32, status: c_int) -> Self {
        if !libc::WIFSTOPPED(status) {
            return Wait::Ended(thread, ExitStatus::from_raw(status));
        }
        let signal = libc::WSTOPSIG(status);
        let stops = matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
        let stop = match status >> 16 {
            0 if signal == libc::SIGTRAP | 0x80 => Stop::Call,
            0 => Stop::Signal(Signal(signal)),
            libc::PTRACE_EVENT_STOP if stops => Stop::Group,
            libc::PTRACE_EVENT_EXEC => Stop::Event(Event::Executed),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                Stop::Event(Event::Started)
            }
            _ => Stop::Event(Event::Other),
        };
        Wait::Stopped(thread, stop)
    }
}

fn last_errno() -> Errno {
    crate::error::errno_of(&std::io::Error::last_os_error())
}

fn request(request: c_uint, thread: i32, address: usize, data: usize) -> Result<i64, Errno> {
    let (address, data) = (
        ptr::without_provenance_mut::<c_void>(address),
        ptr::without_provenance_mut::<c_void>(data),
    );
    // SAFETY: none of the requests that are made through here writes into this process.
    match unsafe { libc::ptrace(request, thread, address, data) } {
        -1 => Err(last_errno()),
        answer => Ok(answer),
    }
}

/// Begins to watch a process.
pub(super) fn seize(process: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, process, 0, OPTIONS as usize).map(|_| ())
}

/// Lets a thread go on to its next call. One that was killed meanwhile is told of by [`wait`].
pub(super) fn go_on(thread: i32, signal: Signal) {
    let _ = request(libc::PTRACE_SYSCALL, thread, 0, signal.0 as usize);
}

/// Leaves a thread in the stop of its process, and learns of its end.
pub(super) fn stay(thread: i32) {
    let _ = request(libc::PTRACE_LISTEN, thread, 0, 0);
}

/// Waits for any thread that is watched.
pub(super) fn wait() -> Result<Wait, Errno> {
    wait_for(-1)
}

/// Waits until a process that was just seized stands still; `ESRCH` if it is gone.
pub(super) fn wait_for_stop(process: i32) -> Result<(), Errno> {
    loop {
        match wait_for(process) {
            Ok(Wait::Stopped(..)) => return Ok(()),
            Ok(Wait::Ended(..)) => return Err(Errno::ESRCH),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn wait_for(thread: i32) -> Result<Wait, Errno> {
    let mut status = 0;
    // SAFETY: the status is whole and writable; no usage is asked for.
    match unsafe { libc::wait4(thread, &raw mut status, libc::__WALL, ptr::null_mut()) } {
        -1 => Err(last_errno()),
        thread => Ok(Wait::from_status(thread, status)),
    }
}

/// The number of what a thread has started that stands still for it.
pub(super) fn started_by(thread: i32) -> Option<i32> {
    let mut message: libc::c_ulong = 0;
    let place = (&raw mut message).cast::<c_void>();
    // SAFETY: the kernel writes one `unsigned long`, which is ours.
    let answer =
        unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, thread, ptr::null_mut::<c_void>(), place) };
    i32::try_from(message).ok().filter(|_| answer != -1)
}

/// The call before or after which a thread stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallInfo {
    Entry { native: bool, call: u64, arguments: [u64; 6] },
    Exit { result: Result<u64, Errno> },
}

impl CallInfo {
    /// From the bytes of a `struct ptrace_syscall_info` (linux/ptrace.h).
    fn from_bytes(bytes: &[u8; CALL_INFO_BYTES]) -> Option<Self> {
        const ENTRY: u8 = 1;
        const EXIT: u8 = 2;
        let long = |at: usize| Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
        let native = u32::from_ne_bytes(*bytes.get(4..)?.first_chunk()?) == NATIVE;
        match *bytes.first()? {
            ENTRY => {
                let mut arguments = [0; 6];
                for (place, argument) in arguments.iter_mut().enumerate() {
                    *argument = long(32 + 8 * place)?;
                }
                Some(CallInfo::Entry { native, call: long(24)?, arguments })
            }
            EXIT => {
                let value = long(24)?;
                let number = i32::try_from(value.wrapping_neg()).unwrap_or(i32::MAX);
                let failed = *bytes.get(32)? != 0;
                let result = if failed { Err(Errno::from_raw(number)) } else { Ok(value) };
                Some(CallInfo::Exit { result })
            }
            _ => None,
        }
    }
}

/// What a thread that stands still is about to call, or has called.
pub(super) fn call_info(thread: i32) -> Option<CallInfo> {
    CallInfo::from_bytes(&call_info_bytes(thread).ok()?)
}

/// Why a kernel does not tell of calls; `None` if it does.
pub(super) fn call_info_errno(thread: i32) -> Option<Errno> {
    call_info_bytes(thread).err()
}

fn call_info_bytes(thread: i32) -> Result<[u8; CALL_INFO_BYTES], Errno> {
    let mut bytes = [0_u8; CALL_INFO_BYTES];
    let size = ptr::without_provenance_mut::<c_void>(bytes.len());
    let buffer = bytes.as_mut_ptr().cast::<c_void>();
    // SAFETY: the kernel writes no more than the size that it is given, which is the buffer's.
    match unsafe { libc::ptrace(GET_CALL_INFO, thread, size, buffer) } {
        -1 => Err(last_errno()),
        _ => Ok(bytes),
    }
}

/// The process of a thread; the thread's own number where it is gone.
pub(super) fn process_of(thread: i32) -> i32 {
    let path = format!("/proc/{thread}/status");
    let status = crate::bounded::read_file(path.as_ref(), 4096).unwrap_or_default();
    field(&status, b"Tgid:").unwrap_or(thread)
}

/// A number in `/proc/PID/status` (proc_pid_status(5)).
pub(super) fn field(status: &[u8], name: &[u8]) -> Option<i32> {
    let mut lines = status.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(name))?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// The clock by which calls are timed: that of the trace.
pub(super) fn now_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_told_apart() {
        let stopped = |signal: c_int, event: c_int| (event << 16) | (signal << 8) | 0x7f;
        let of = |status| Wait::from_status(7, status);
        assert_eq!(of(stopped(libc::SIGTRAP | 0x80, 0)), Wait::Stopped(7, Stop::Call));
        let signal = Stop::Signal(Signal(libc::SIGSTOP));
        assert_eq!(of(stopped(libc::SIGSTOP, 0)), Wait::Stopped(7, signal));
        let group = stopped(libc::SIGTSTP, libc::PTRACE_EVENT_STOP);
        assert_eq!(of(group), Wait::Stopped(7, Stop::Group));
        let born = stopped(libc::SIGTRAP, libc::PTRACE_EVENT_STOP);
        assert_eq!(of(born), Wait::Stopped(7, Stop::Event(Event::Other)));
        assert_eq!(of(3 << 8), Wait::Ended(7, ExitStatus::from_raw(3 << 8)));
        assert_eq!(of(libc::SIGKILL), Wait::Ended(7, ExitStatus::from_raw(libc::SIGKILL)));
    }

    #[test]
    fn entries_and_exits_are_read() {
        let mut bytes = [0; CALL_INFO_BYTES];
        bytes[0] = 1;
        bytes[4..8].copy_from_slice(&NATIVE.to_ne_bytes());
        bytes[24] = 17;
        bytes[32] = 3;
        let arguments = [3, 0, 0, 0, 0, 0];
        let entry = CallInfo::Entry { native: true, call: 17, arguments };
        assert_eq!(CallInfo::from_bytes(&bytes), Some(entry));
        bytes[0] = 2;
        bytes[24..32].copy_from_slice(&(-37_i64).to_ne_bytes());
        bytes[32] = 1;
        let exit = CallInfo::Exit { result: Err(Errno::ENOLCK) };
        assert_eq!(CallInfo::from_bytes(&bytes), Some(exit));
        bytes[0] = 9;
        assert_eq!(CallInfo::from_bytes(&bytes), None);
    }

    #[test]
    fn a_number_of_a_status_is_read() {
        assert_eq!(field(b"Name:\tx\nTgid:\t12\nPid:\t13\n", b"Tgid:"), Some(12));
        assert_eq!(field(b"Name:\tx\n", b"Tgid:"), None);
    }
}

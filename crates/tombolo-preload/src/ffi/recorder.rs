//! What is recorded of the calls on SQLite's files: which files these are, and how long each call
//! took.

use super::bytes_of;
use super::deep;
use super::log;
use super::next::{errno, set_errno};
use super::opening::link_target;
use super::sink::Sink;
use super::spin::{Held, Spin};
use crate::{TRACE_DATABASES_VARIABLE, TRACE_VARIABLE};
use libc::{c_char, c_int, c_void, ssize_t};
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use tombolo_core::errno::Errno;
use tombolo_core::trace::content::Content;
use tombolo_core::trace::files::{Files, Wanted};
use tombolo_core::trace::record::{
    Call, File, FileKind, Message, Operation, Outcome, Process, RECORD_BYTES_MAX, Record,
};

/// Descriptors from here on are not followed.
const DESCRIPTORS: usize = 1 << 16;
/// Maps that are followed to their end.
const MAPS_MAX: usize = 64;
/// Bytes of a call's record.
const CALL_BYTES_MAX: usize = 128;

/// Null in programs that are not traced: then every call goes through.
static STATE: AtomicPtr<State> = AtomicPtr::new(ptr::null_mut());

/// The number of the file that each descriptor is of; 0 for those that are not recorded.
static FILES_OF: [AtomicU32; DESCRIPTORS] = [const { AtomicU32::new(0) }; DESCRIPTORS];

/// Addresses of maps of recorded files, and the files; 0 in places that are free.
static MAPS: [(AtomicUsize, AtomicU32); MAPS_MAX] =
    [const { (AtomicUsize::new(0), AtomicU32::new(0)) }; MAPS_MAX];
/// Places of [`MAPS`] in use.
static MAPPED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of the thread, once asked for.
    static THREAD: Cell<u32> = const { Cell::new(0) };
}

pub(super) struct State {
    pub(super) wanted: Wanted,
    inner: Spin<Inner>,
}

pub(super) struct Inner {
    sink: Sink,
    pub(super) files: Files,
}

pub(super) fn state() -> Option<&'static State> {
    // SAFETY: null, or from `Box::into_raw` and never freed; shared only by reference.
    unsafe { STATE.load(Ordering::Acquire).as_ref() }
}

/// Opens the trace, if one is wanted.
pub(super) fn prepare() {
    let Some(path) = std::env::var_os(TRACE_VARIABLE) else { return };
    let Ok(path) = CString::new(path.into_vec()) else { return };
    // For as long as the process lives.
    let path: &'static CStr = Box::leak(path.into_boxed_c_str());
    let Some(sink) = Sink::open(path, now_ns()) else { return };
    let wanted = std::env::var_os(TRACE_DATABASES_VARIABLE)
        .map_or_else(Wanted::every, |list| Wanted::parse(list.as_bytes()));
    let inner = Spin::new(Inner { sink, files: Files::default() });
    let state = Box::new(State { wanted, inner });
    STATE.store(Box::into_raw(state), Ordering::Release);
    // SAFETY: functions that take no arguments, for as long as the process lives.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_forked)) };
    log::ask_at_start();
}

extern "C" fn before_fork() {
    if let Some(state) = state() {
        std::mem::forget(state.inner.lock());
    }
}

extern "C" fn after_fork() {
    if let Some(state) = state() {
        state.inner.unlock();
    }
}

extern "C" fn in_forked() {
    let _ = THREAD.try_with(|thread| thread.set(0));
    if let Some(state) = state() {
        state.inner.unlock();
        state.inner.lock().sink.begin_process(now_ns());
    }
}

fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a whole structure.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

fn thread() -> u32 {
    let ask = || {
        // SAFETY: no pointer is involved.
        let number = unsafe { libc::syscall(libc::SYS_gettid) };
        u32::try_from(number).unwrap_or(0)
    };
    let known = THREAD.try_with(|thread| {
        if thread.get() == 0 {
            thread.set(ask());
        }
        thread.get()
    });
    known.unwrap_or_else(|_| ask())
}

/// The answers of libc's functions.
pub(super) trait Failing: Copy {
    /// What they are when the call has failed.
    const FAILED: Self;
    /// The value; `None` if the call has failed.
    fn value(self) -> Option<u64>;
}

impl Failing for c_int {
    const FAILED: Self = -1;
    fn value(self) -> Option<u64> {
        u64::try_from(self).ok()
    }
}

impl Failing for ssize_t {
    const FAILED: Self = -1;
    fn value(self) -> Option<u64> {
        u64::try_from(self).ok()
    }
}

impl Failing for *mut c_void {
    const FAILED: Self = libc::MAP_FAILED;
    fn value(self) -> Option<u64> {
        (self != libc::MAP_FAILED).then(|| self.addr() as u64)
    }
}

/// A call that has ended, and whatever errno it left.
pub(super) struct Ended<T> {
    start_ns: u64,
    duration_ns: u64,
    pub(super) answer: T,
    pub(super) errno: c_int,
}

pub(super) fn timed<T: Failing>(call: impl FnOnce() -> T) -> Ended<T> {
    let start_ns = now_ns();
    let answer = call();
    let errno = errno();
    Ended { start_ns, duration_ns: now_ns().saturating_sub(start_ns), answer, errno }
}

impl<T: Failing> Ended<T> {
    /// Records the call; errno is afterwards what the call left.
    pub(super) fn record(
        self,
        state: &State,
        file: u32,
        descriptor: Option<c_int>,
        operation: Operation,
    ) -> T {
        self.record_with(state, file, descriptor, operation, |_| None)
    }

    /// The same, with what is kept of the bytes that were moved in a file of a kind.
    fn record_with(
        self,
        state: &State,
        file: u32,
        descriptor: Option<c_int>,
        operation: Operation,
        content: impl FnOnce(FileKind) -> Option<Content>,
    ) -> T {
        let outcome = match self.answer.value() {
            Some(value) => Outcome::Returned(value),
            None => Outcome::Failed(Errno::from_raw(self.errno)),
        };
        let mut inner = state.inner.lock();
        let call = Call {
            thread: thread(),
            start_ns: inner.sink.relative(self.start_ns),
            duration_ns: self.duration_ns,
            file,
            descriptor: descriptor.and_then(|descriptor| u32::try_from(descriptor).ok()),
            operation,
            outcome,
            content: inner.files.kind_of(file).and_then(content),
        };
        inner.add(&Record::Call(call), CALL_BYTES_MAX);
        drop(inner);
        set_errno(self.errno);
        self.answer
    }
}

impl Inner {
    fn add(&mut self, record: &Record<'_>, room_bytes: usize) {
        let fresh = self.sink.is_fresh();
        if !self.sink.prepare(room_bytes) {
            return self.sink.lose();
        }
        if fresh {
            self.introduce();
            if !self.sink.prepare(room_bytes) {
                return self.sink.lose();
            }
        }
        self.sink.write(record);
    }

    /// Says which process this is, and which files it has met or taken over from its parent.
    fn introduce(&mut self) {
        let mut program = [0; 1024];
        // SAFETY: no pointer is involved.
        let parent = unsafe { libc::getppid() }.unsigned_abs();
        let program = link_target(c"/proc/self/exe", &mut program).unwrap_or_default();
        self.sink.write(&Record::Process(Process { parent, program }));
        let files = std::mem::take(&mut self.files);
        for (number, kind, path) in files.all() {
            if self.sink.prepare(RECORD_BYTES_MAX) {
                self.sink.write(&Record::File(File { number, kind, path }));
            }
        }
        self.files = files;
    }

    /// The number of a file, which gets one if it has none.
    pub(super) fn number(&mut self, path: &[u8]) -> Option<u32> {
        if let Some(number) = self.files.number_of(path) {
            return Some(number);
        }
        let (number, kind) = self.files.meet(path)?;
        // A fresh process introduces all its files with its first call.
        if !self.sink.is_fresh() {
            self.add(&Record::File(File { number, kind, path }), RECORD_BYTES_MAX);
        }
        Some(number)
    }
}

impl State {
    pub(super) fn inner(&self) -> Held<'_, Inner> {
        self.inner.lock()
    }

    /// Whether this process's descriptors are those in the table. A process made by vfork(2) has
    /// descriptors of its own and its parent's memory.
    pub(super) fn is_own(&self) -> bool {
        self.inner().sink.process() == super::process().unsigned_abs()
    }

    /// The number of a file that a program names, if it is recorded.
    pub(super) fn known(&self, path: &[u8]) -> Option<u32> {
        let mut inner = self.inner();
        inner.files.is_known(path, &self.wanted).then(|| inner.number(path)).flatten()
    }
}

/// The number of the file that a descriptor is of, if it is recorded.
pub(super) fn recorded(descriptor: c_int) -> Option<(&'static State, u32)> {
    let place = FILES_OF.get(usize::try_from(descriptor).ok()?)?;
    match place.load(Ordering::Relaxed) {
        0 => None,
        number => Some((state()?, number)),
    }
}

pub(super) fn set_file_of(descriptor: c_int, number: u32) {
    let place = usize::try_from(descriptor).ok().and_then(|place| FILES_OF.get(place));
    if let Some(place) = place {
        place.store(number, Ordering::Relaxed);
    }
}

/// Whether the calls on a descriptor are recorded.
pub(super) fn is_recorded(descriptor: c_int) -> bool {
    recorded(descriptor).is_some()
}

/// A call on a descriptor.
pub(super) fn used<T: Failing>(
    descriptor: c_int,
    operation: Operation,
    call: impl FnOnce() -> T,
) -> T {
    match recorded(descriptor) {
        None => call(),
        Some((state, file)) => timed(call).record(state, file, Some(descriptor), operation),
    }
}

/// A call that moves bytes between a buffer and a file.
///
/// # Safety
/// After the call, as many bytes of the buffer as it returns can be read.
pub(super) unsafe fn moved(
    descriptor: c_int,
    operation: Operation,
    buffer: *const c_void,
    call: impl FnOnce() -> ssize_t,
) -> ssize_t {
    let Some((state, file)) = recorded(descriptor) else { return call() };
    let (Operation::Read { offset, .. } | Operation::Write { offset, .. }) = operation else {
        return call();
    };
    let ended = timed(call);
    let bytes = usize::try_from(ended.answer).unwrap_or(0);
    ended.record_with(state, file, Some(descriptor), operation, |kind| {
        // A call that moved nothing may have been given any pointer.
        if bytes == 0 {
            return None;
        }
        // SAFETY: the caller's promise.
        Content::of(kind, offset, unsafe { std::slice::from_raw_parts(buffer.cast(), bytes) })
    })
}

/// `close`.
pub(super) fn closed(descriptor: c_int, call: impl FnOnce() -> c_int) -> c_int {
    match recorded(descriptor).filter(|(state, _)| state.is_own()) {
        None => {
            deep::look();
            call()
        }
        Some((state, file)) => {
            // Before the call: after it, another thread may have the number for another file.
            set_file_of(descriptor, 0);
            timed(call).record(state, file, Some(descriptor), Operation::Close)
        }
    }
}

/// `mmap`.
pub(super) fn mapped(
    descriptor: c_int,
    operation: Operation,
    call: impl FnOnce() -> *mut c_void,
) -> *mut c_void {
    let file = recorded(descriptor).map(|(_, file)| file);
    let answer = used(descriptor, operation, call);
    if let (Some(file), Some(address)) = (file, answer.value()) {
        let address = address as usize;
        let free = MAPS.iter().find(|(place, _)| {
            place.compare_exchange(0, address, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        if let Some((_, place)) = free {
            place.store(file, Ordering::Release);
            MAPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    answer
}

/// `munmap`.
pub(super) fn unmapped(address: *mut c_void, bytes: u64, call: impl FnOnce() -> c_int) -> c_int {
    if MAPPED.load(Ordering::Relaxed) == 0 {
        return call();
    }
    let known =
        |place: &&(AtomicUsize, AtomicU32)| place.0.load(Ordering::Acquire) == address.addr();
    let place = MAPS.iter().find(known).filter(|_| !address.is_null());
    let (Some(place), Some(state)) = (place, state()) else { return call() };
    let file = place.1.swap(0, Ordering::AcqRel);
    place.0.store(0, Ordering::Release);
    MAPPED.fetch_sub(1, Ordering::Relaxed);
    match file {
        0 => call(),
        file => timed(call).record(state, file, None, Operation::Unmap { bytes }),
    }
}

/// A call by the name of a file.
///
/// # Safety
/// `path` is null or ends in NUL.
pub(super) unsafe fn by_name<T: Failing>(
    path: *const c_char,
    operation: Operation,
    call: impl FnOnce() -> T,
) -> T {
    // SAFETY: the caller's promise.
    let file = state().and_then(|state| Some((state, state.known(unsafe { bytes_of(path) })?)));
    match file {
        None => {
            deep::look();
            call()
        }
        Some((state, file)) => timed(call).record(state, file, None, operation),
    }
}

/// `rename`.
///
/// # Safety
/// Both paths are null or end in NUL.
pub(super) unsafe fn renamed(
    from: *const c_char,
    to: *const c_char,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let Some(state) = state() else { return call() };
    // SAFETY: the caller's promise.
    let (from, to) = unsafe { (bytes_of(from), bytes_of(to)) };
    if state.known(from).is_none() && state.known(to).is_none() {
        return call();
    }
    let numbers = {
        let mut inner = state.inner();
        (inner.number(from), inner.number(to))
    };
    match numbers {
        (Some(file), Some(to)) => timed(call).record(state, file, None, Operation::Rename { to }),
        _ => call(),
    }
}

/// A line of SQLite's error log.
pub(super) fn message(code: c_int, text: &[u8]) {
    let Some(state) = state() else { return };
    let errno = errno();
    let at_ns = now_ns();
    let mut inner = state.inner();
    let text = text.get(..text.len().min(2048)).unwrap_or_default();
    let at_ns = inner.sink.relative(at_ns);
    let message = Message { thread: thread(), at_ns, code, text };
    inner.add(&Record::Message(message), RECORD_BYTES_MAX);
    drop(inner);
    set_errno(errno);
}

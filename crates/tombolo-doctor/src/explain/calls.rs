//! Finds failed system calls: strace lines, SQLite's own log lines, and prose.

use super::locks;
use super::maps;
use super::sentence::{Sentence, sentences};
use super::text::{self, Text};
use serde::Serialize;
use tombolo_core::errno::Errno;

/// What a failed call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `fcntl`, `flock` or `lockf`.
    Lock,
    /// `mmap`.
    Map,
    /// `open`, `openat`, `creat`.
    Open,
    /// `ftruncate`.
    Truncate,
    /// `fsync`, `fdatasync`, `msync`.
    Sync,
    /// `read`, `pread64`.
    Read,
    /// `write`, `pwrite64`.
    Write,
    /// `unlink`.
    Unlink,
    /// `stat`, `fstat`, `access`.
    Stat,
}

impl Call {
    /// The name of its commonest system call.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Call::Lock => "fcntl",
            Call::Map => "mmap",
            Call::Open => "open",
            Call::Truncate => "ftruncate",
            Call::Sync => "fsync",
            Call::Read => "pread",
            Call::Write => "pwrite",
            Call::Unlink => "unlink",
            Call::Stat => "stat",
        }
    }
}

/// A system call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct FailedCall {
    /// What it was for.
    pub call: Call,
    /// What the kernel answered.
    pub errno: Errno,
    /// Whether the file was a `-shm` or `-wal`.
    pub sidecar: bool,
}

/// Failed calls kept.
const CALLS_KEPT: usize = 32;

const NAMES: &[(&str, Call)] = &[
    ("f_setlk", Call::Lock),
    ("f_getlk", Call::Lock),
    ("f_ofd_setlk", Call::Lock),
    ("fcntl", Call::Lock),
    ("flock", Call::Lock),
    ("lockf", Call::Lock),
    ("mmap", Call::Map),
    ("map_shared", Call::Map),
    ("ftruncate", Call::Truncate),
    ("truncate", Call::Truncate),
    ("fdatasync", Call::Sync),
    ("fsync", Call::Sync),
    ("msync", Call::Sync),
    ("pread", Call::Read),
    ("pwrite", Call::Write),
    ("unlink", Call::Unlink),
    ("openat", Call::Open),
    ("open", Call::Open),
    ("fstat", Call::Stat),
    ("stat", Call::Stat),
    ("access", Call::Stat),
    ("read", Call::Read),
    ("write", Call::Write),
];

/// Every failed call that the text shows.
pub(super) fn find(text: &Text) -> Vec<FailedCall> {
    let mut calls = on_lines(text);
    let told = |call: Call| calls.iter().any(|one| one.call == call);
    if !told(Call::Lock) && !told(Call::Map) {
        let found = apart(text).filter(|one| calls.iter().all(|other| other.errno != one.errno));
        calls.extend(found);
    }
    calls
}

/// A call in one passage and an error in another, as where a report shows the line of the program
/// first and what it printed after. Only errors that such a call gives where it is not supported,
/// and only where the text speaks of one kind of call.
fn apart(text: &Text) -> Option<FailedCall> {
    let said = sentences(text);
    let maps = said.iter().any(maps::spoken_of);
    let lock = |one: &Sentence<'_>| {
        // `.cargo-lock`, `/x/LOCK`, `app.lock`: the file of a lock.
        let files = one.words.iter().any(|word| word.ends_with("-lock") || word.ends_with("_lock"));
        (one.has(locks::LOCKS) || files) && !one.says(&["locking protocol"])
    };
    let locks = said.iter().any(lock);
    let errno = text.lines().find_map(unsupported)?;
    let call = match (maps, locks, errno) {
        // ENODEV is what a file gives that cannot be mapped (mmap(2)), and nothing else here.
        (true, false, _) => Call::Map,
        (_, _, Errno::ENODEV) if !text.plain.contains("unable to open") => Call::Map,
        // No call on an open file is left out as often as locks.
        (false, true, _) | (false, false, Errno::ENOSYS) => Call::Lock,
        _ => return None,
    };
    let fits = call == Call::Lock || maps || errno == Errno::ENODEV;
    fits.then_some(FailedCall { call, errno, sidecar: false })
}

/// The error of a call that a file system does not support, in any notation.
fn unsupported(line: &str) -> Option<Errno> {
    const ERRORS: &[Errno] = &[Errno::EINVAL, Errno::ENODEV, Errno::EOPNOTSUPP, Errno::ENOSYS];
    let named = || {
        let errors = text::words(line).filter(|word| word.starts_with('e'));
        errors.take(64).find_map(|word| Errno::from_name(&word.to_ascii_uppercase()))
    };
    let known = |errno: &Errno| ERRORS.contains(errno);
    let device = line.contains("no such device or") || line.contains("no such device:");
    let device = device || line.contains("unable to open") && line.contains("no such device");
    let found = numbered(line).filter(known).or_else(|| named().filter(known));
    found.or_else(|| error_text(line).filter(known)).filter(|_| !device)
}

/// `[Errno 38]`, `(os error 95)`, `errno=22`, `errno: 19`.
fn numbered(line: &str) -> Option<Errno> {
    const LABELS: &[&str] = &["[errno ", "os error ", "errno ", "errno=", "errno: ", "errno:"];
    LABELS.iter().find_map(|label| {
        let rest = line.split_once(label)?.1;
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let number = rest.get(..end)?.parse().ok().filter(|raw| (1..4096).contains(raw))?;
        Some(Errno::from_raw(number))
    })
}

fn on_lines(text: &Text) -> Vec<FailedCall> {
    let mut calls = Vec::new();
    let mut previous = "";
    for line in text.lines() {
        let found = match line.contains("= -1 ") {
            true => strace(line),
            false => sqlite_log(line).or_else(|| prose(line)).or_else(|| traceback(previous, line)),
        };
        previous = line;
        if let Some(call) = found
            && !calls.contains(&call)
            && calls.len() < CALLS_KEPT
        {
            calls.push(call);
        }
    }
    calls
}

/// `fcntl(3, F_SETLK, {...}) = -1 ENOLCK (No locks available)`. `EAGAIN` to a lock is an answer,
/// not a fault, and `ENOENT` to a look-up is how programs search.
fn strace(line: &str) -> Option<FailedCall> {
    let (call, result) = line.split_once("= -1 ")?;
    let errno = Errno::from_name(&text::words(result).next()?.to_ascii_uppercase())?;
    let name = call.trim_start().split('(').next()?;
    let name = name.rsplit(|letter: char| !letter.is_alphanumeric()).next()?;
    let found = NAMES.iter().find(|(known, _)| name.starts_with(known))?.1;
    let search = errno == Errno::ENOENT && matches!(found, Call::Stat | Call::Open | Call::Unlink);
    let answer = errno == Errno::EAGAIN && found == Call::Lock;
    let used = !search && !answer && errno != Errno::EINTR;
    used.then(|| FailedCall { call: found, errno, sidecar: names_sidecar(line) })
}

/// `os_unix.c:45021: (22) mmap(/data/app.db-shm) - Invalid argument`.
fn sqlite_log(line: &str) -> Option<FailedCall> {
    let rest = line.get(line.find("os_unix.c:")?..)?;
    let number = rest.split_once('(')?.1.split_once(')')?;
    let errno =
        Errno::from_raw(number.0.trim().parse().ok().filter(|raw| (1..4096).contains(raw))?);
    let name = text::words(number.1).next()?;
    let call = NAMES.iter().find(|(known, _)| name.starts_with(known))?.1;
    Some(FailedCall { call, errno, sidecar: names_sidecar(rest) })
}

/// `mmap(MAP_SHARED) -> EOPNOTSUPP`, `truncate x.db-shm: invalid argument`: a call and an error on
/// one line.
fn prose(line: &str) -> Option<FailedCall> {
    let errno = text::words(line)
        .filter(|word| word.starts_with('e'))
        .find_map(|word| Errno::from_name(&word.to_ascii_uppercase()))
        .or_else(|| error_text(line))?;
    let call = NAMES
        .iter()
        .filter(|(name, _)| name.len() > 4)
        .find(|(name, _)| text::words(line).any(|word| word.starts_with(name)));
    let unsupported = matches!(errno, Errno::EOPNOTSUPP | Errno::ENOSYS);
    let call = call
        .map(|(_, call)| *call)
        .or_else(|| text::words(line).any(|word| word == "mmap").then_some(Call::Map))
        .or_else(|| (unsupported && asks_for_lock(line)).then_some(Call::Lock))?;
    Some(FailedCall { call, errno, sidecar: names_sidecar(line) })
}

/// Python shows the call on one line and `OSError: [Errno 38] Function not implemented` on the
/// next.
fn traceback(call: &str, error: &str) -> Option<FailedCall> {
    let number = error.split_once("[errno ")?.1.split_once(']')?.0;
    let errno = Errno::from_raw(number.parse().ok().filter(|raw| (1..4096).contains(raw))?);
    let locks = |word: &&str| ["fcntl", "flock", "lockf"].iter().any(|name| word.starts_with(name));
    text::words(call).find(locks)?;
    let answer = errno == Errno::EAGAIN || errno == Errno::EINTR;
    (!answer).then_some(FailedCall { call: Call::Lock, errno, sidecar: names_sidecar(call) })
}

/// "could not set lock on file: Operation not supported".
fn asks_for_lock(line: &str) -> bool {
    const ASKS: &[&str] = &["set", "acquire", "get", "take", "obtain", "place", "could", "failed"];
    let words = || text::words(line).take(120);
    words().any(|word| matches!(word, "lock" | "locking"))
        && words().any(|word| ASKS.contains(&word))
}

fn error_text(line: &str) -> Option<Errno> {
    const TEXTS: &[(&str, Errno)] = &[
        ("invalid argument", Errno::EINVAL),
        ("function not implemented", Errno::ENOSYS),
        ("notimplementederror", Errno::ENOSYS),
        ("not implemented (os", Errno::ENOSYS),
        ("the request is not supported", Errno::EOPNOTSUPP),
        ("protocol not supported", Errno::EOPNOTSUPP),
        ("function is not implemented", Errno::ENOSYS),
        ("operation is not supported", Errno::EOPNOTSUPP),
        ("operation not supported", Errno::EOPNOTSUPP),
        ("no locks available", Errno::ENOLCK),
        ("no such device", Errno::ENODEV),
        ("stale file handle", Errno::ESTALE),
        ("stale nfs file handle", Errno::ESTALE),
        ("permission denied", Errno::EACCES),
        ("input/output error", Errno::EIO),
    ];
    TEXTS.iter().find(|(words, _)| line.contains(words)).map(|(_, errno)| *errno)
}

fn names_sidecar(line: &str) -> bool {
    line.contains("-shm") || line.contains("-wal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(report: &str) -> Option<(Call, Errno)> {
        let calls = find(&Text::new(report));
        assert!(calls.len() < 2, "{calls:?}");
        calls.first().map(|call| (call.call, call.errno))
    }

    #[test]
    fn each_way_of_writing_a_failed_call() {
        for (report, call, errno) in [
            (
                "fcntl(3, F_SETLK, {l_type=F_RDLCK}) = -1 ENOLCK (No locks)",
                Call::Lock,
                Errno::ENOLCK,
            ),
            (
                "[pid 7] mmap(NULL, 32768, 3, MAP_SHARED, 5, 0) = -1 ENODEV",
                Call::Map,
                Errno::ENODEV,
            ),
            ("os_unix.c:45021: (22) mmap(/x/a.db-shm) - Invalid", Call::Map, Errno::EINVAL),
            ("mmap(MAP_SHARED) \u{2192} EOPNOTSUPP here", Call::Map, Errno::EOPNOTSUPP),
            ("truncate /mnt/c/x.db-shm: invalid argument", Call::Truncate, Errno::EINVAL),
            (
                "fcntl.lockf(dump, fcntl.LOCK_EX)\nOSError: [Errno 38] Function not implemented",
                Call::Lock,
                Errno::ENOSYS,
            ),
            ("12:00 fsync(7) = -1 EIO (Input/output error)", Call::Sync, Errno::EIO),
        ] {
            assert_eq!(only(report), Some((call, errno)), "{report}");
        }
    }

    #[test]
    fn a_call_and_its_error_may_stand_apart() {
        for (report, call, errno) in [
            (
                "fcntl.lockf(dump, fcntl.LOCK_EX)\nopeners: one\nOSError: [Errno 38] Function not",
                Call::Lock,
                Errno::ENOSYS,
            ),
            (
                "mmap.mmap(f.fileno(), 1024)\nopeners: one\nOSError: [Errno 19] No such device",
                Call::Map,
                Errno::ENODEV,
            ),
            ("FileChannel.map\nx\njava.io.IOException: Invalid argument", Call::Map, Errno::EINVAL),
            (
                "tryLock\nx\njava.io.IOException: Operation not supported",
                Call::Lock,
                Errno::EOPNOTSUPP,
            ),
            (
                "failed to open: .cargo-lock: Operation not supported (os error 45)",
                Call::Lock,
                Errno::EOPNOTSUPP,
            ),
            ("advisory file lock\nx\nUnsupported (os error 95)", Call::Lock, Errno::EOPNOTSUPP),
            ("java.io.IOException: Function not implemented", Call::Lock, Errno::ENOSYS),
        ] {
            assert_eq!(only(report), Some((call, errno)), "{report}");
        }
        assert_eq!(only("a lock and a shared map\nx\ninvalid argument"), None);
        assert_eq!(only("invalid argument"), None);
        assert_eq!(only("no such device or address"), None);
    }

    #[test]
    fn answers_and_searches_are_no_failures() {
        assert_eq!(only("fcntl(3, F_SETLK, {}) = -1 EAGAIN (Resource)"), None);
        assert_eq!(only("openat(AT_FDCWD, \"/a-journal\", 0) = -1 ENOENT (No such)"), None);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_no_refused_map() {
        assert_eq!(only("unable to open database file\nls: no such device"), None);
    }
}

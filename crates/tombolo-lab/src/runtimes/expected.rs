//! Which cause an honest expert would name who sees the text alone.
//!
//! Most runtimes print the primary message of SQLite and no more, and that message is the same for
//! faults that have nothing to do with one another. What is asked of an explanation is therefore
//! read from the text: an extended code or an errno in it decides, a bare message does not.

use super::fault::Kind;

/// What is right for one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// The name of the cause that the text speaks for.
    pub(super) cause: &'static str,
    /// Whether the text tells it, so that it has to come first.
    pub(super) is_told: bool,
    /// Why this, and why so firm.
    pub(super) why: &'static str,
}

const fn told(cause: &'static str, why: &'static str) -> Expected {
    Expected { cause, is_told: true, why }
}

const fn untold(cause: &'static str, why: &'static str) -> Expected {
    Expected { cause, is_told: false, why }
}

/// What really was wrong.
pub(super) fn truth(kind: Kind) -> &'static str {
    match kind {
        Kind::RefusedMap => "MMAP_REFUSED",
        Kind::NoLocks => "NFS_LOCK_SERVICE",
        Kind::Permission => "PERMISSION_OR_PATH",
        Kind::ReadOnly => "RO_WAL",
        Kind::Full | Kind::Device | Kind::Held => "NOT_FS",
        Kind::Stale => "STALE_HANDLE",
        Kind::Removed => "SIDECAR_SPLIT",
    }
}

/// Spellings of one extended code: its name and its number (sqlite.org/rescode.html).
fn names(text: &str, name: &str, number: &str) -> bool {
    text.contains(name) || text.contains(number)
}

/// What is asked of an explanation of this text.
pub(super) fn expected(kind: Kind, text: &str) -> Expected {
    if let Some(expected) = by_message(kind, text) {
        return expected;
    }
    let cause = truth(kind);
    match kind {
        Kind::RefusedMap => refused_map(text),
        Kind::Stale if text.contains("stale NFS file handle") => {
            told(cause, "the text has the words of ESTALE")
        }
        Kind::Stale if names(text, "SQLITE_IOERR_LOCK", "3850") => untold(
            "LOCKS_UNSUPPORTED",
            "SQLITE_IOERR_LOCK says that a lock was refused, but not by which errno",
        ),
        Kind::Removed if names(text, "SQLITE_IOERR_SHORT_READ", "522") => untold(
            cause,
            "SQLITE_IOERR_SHORT_READ: a file has fewer bytes than it should; several causes do it",
        ),
        Kind::Removed if names(text, "SQLITE_IOERR_DELETE_NOENT", "5898") => untold(
            cause,
            "SQLITE_IOERR_DELETE_NOENT: somebody else removed the journal; who, is not told",
        ),
        Kind::Removed if text.contains("no such file or directory") => {
            untold(cause, "a file is missing; which one, is not told")
        }
        Kind::Device if text.contains("input/output error") => {
            untold(cause, "EIO comes from a device, and from a server that went away as well")
        }
        _ => untold(cause, "a bare \"disk I/O error\", or one that names only the kind of call"),
    }
}

/// Messages that are the same whatever the fault was.
fn by_message(kind: Kind, text: &str) -> Option<Expected> {
    if text.contains("database or disk is full") {
        return Some(told("NOT_FS", "the message says that the disk or a quota is full"));
    }
    if text.contains("attempt to write a readonly database") {
        let why = "the message says that writing is not allowed: owner, mode or a read-only mount";
        return Some(told("PERMISSION_OR_PATH", why));
    }
    if text.contains("database is locked") {
        let why = "\"database is locked\" is said of held and of refused locks alike";
        return Some(untold(truth(kind), why));
    }
    if text.contains("locking protocol") {
        let why = "SQLITE_PROTOCOL: locks of -shm are never had, as with WAL on a remote mount";
        return Some(untold("WAL_OVER_REMOTE", why));
    }
    if text.contains("database disk image is malformed") {
        let why = "SQLite calls a failed read of page 1 corruption; nothing in the text says EIO";
        return Some(untold(truth(kind), why));
    }
    if !text.contains("unable to open database") {
        return None;
    }
    if text.contains("stale NFS file handle") {
        return Some(told("STALE_HANDLE", "the text has the words of ESTALE"));
    }
    if kind == Kind::ReadOnly && text.contains("journal_mode") && text.contains("WAL") {
        let why = "a failed open at a statement about WAL: -shm, an owner or a path";
        return Some(untold("RO_WAL", why));
    }
    // What a shell says of the directory of a file that answers nothing but EIO.
    if text.contains("disk I/O error") {
        return None;
    }
    let why = "the message is that of a wrong owner, mode or path, and the text has nothing else";
    Some(told("PERMISSION_OR_PATH", why))
}

fn refused_map(text: &str) -> Expected {
    let cause = truth(Kind::RefusedMap);
    if names(text, "SQLITE_IOERR_SHMMAP", "5386") {
        return told(cause, "SQLITE_IOERR_SHMMAP is the code of this very call");
    }
    if text.contains("no such device") {
        return told(cause, "of all calls on a file that SQLite makes, mmap alone answers ENODEV");
    }
    if text.contains("invalid argument") {
        return untold(cause, "EINVAL comes from refused maps, and from refused locks as well");
    }
    untold(cause, "a bare \"disk I/O error\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_firmer_than_a_bare_message() {
        let code = expected(Kind::RefusedMap, "disk I/O error { code: 'SQLITE_IOERR_SHMMAP' }");
        assert_eq!((code.cause, code.is_told), ("MMAP_REFUSED", true));
        let bare = expected(Kind::RefusedMap, "disk I/O error");
        assert_eq!((bare.cause, bare.is_told), ("MMAP_REFUSED", false));
    }

    #[test]
    fn one_message_has_one_firm_answer() {
        for message in ["database or disk is full", "attempt to write a readonly database"] {
            let answers = [Kind::Full, Kind::Permission, Kind::ReadOnly, Kind::Stale];
            let answers = answers.map(|kind| expected(kind, message));
            assert!(answers[0].is_told);
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{message}");
        }
    }
}

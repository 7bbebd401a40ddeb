//! Finds sentences in which a lock is refused, or held by nobody that is still there.

use super::sentence::{self, FAILS, FAILS_SAID, Sentence};

/// What a lock is called by system calls, libraries and people.
pub(super) const LOCKS: &[&str] = &[
    "lock",
    "locks",
    "locking",
    "flock*",
    "lockf*",
    "lockfile*",
    "filelock*",
    "trylock",
    "lock_ex",
    "lock_nb",
    "lock_sh",
    "f_setlk*",
    "f_getlk*",
    "f_ofd_*",
    "interprocesslock",
    "portalocker",
    "fasteners",
    "fileshare*",
    "fcntl_lock",
    "setlk*",
    "lockfileex",
    "locker",
];

/// "Cannot get lock on x.db", "the lock was not granted", "error while locking the file".
pub(super) fn refused(sentences: &[Sentence<'_>]) -> bool {
    const REACH: usize = 6;
    // "... or the file system does not support locking" is a guess of the program.
    const GUESSES: &[&str] = &["or the ", "perhaps", "maybe", "might", "either"];
    // A hand that takes a lock file away is no lock that is refused.
    const FILES: &[&str] = &["delet*", "remov*", "rm", "unlock*", "stale", "without"];
    sentences.iter().any(|sentence| {
        // `LockFailed`, `LockException`: the name that a library gives it.
        let named = sentence.words.iter().any(|word| {
            word.starts_with("lock") && (word.contains("fail") || word.contains("exception"))
        });
        let fails = named
            || sentence.near(LOCKS, FAILS, REACH)
            || sentence.has(LOCKS) && sentence.says(FAILS_SAID);
        fails
            && !sentence.says(&["locking protocol"])
            && !sentence.says(GUESSES)
            && !sentence.has(FILES)
            && !of_lock_file(sentence)
    })
}

/// "the lock file cannot be created".
fn of_lock_file(sentence: &Sentence<'_>) -> bool {
    sentence.pair(&["lock"], &["file", "files"]) && sentence.has(&["creat*", "made"])
}

/// "FileSystem does not appear to support flock": there are none to be had.
pub(super) fn absent(sentences: &[Sentence<'_>]) -> bool {
    const GUESSES: &[&str] = &["or the ", "perhaps", "maybe", "might", "either", "if "];
    sentences.iter().any(|one| {
        let support = one.near(LOCKS, &["support*", "implement*", "offer*", "provide*"], 5)
            && (one.denies() || one.has(&["lacks", "unsupported"]));
        let off = one.near(LOCKS, &["off", "disabled", "unsupported", "unimplemented"], 3);
        (support || off) && !one.says(GUESSES) && !one.has(&["sqlite*"])
    })
}

/// "lock() and flock() are no-ops", "lock requests are thrown away by the mount".
pub(super) fn ignored(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const CALLS: &[&str] =
        &["lock", "locks", "flock*", "fcntl*", "f_setlk*", "requests", "lockf*"];
    #[rustfmt::skip]
    const IGNORED: &[&str] = &[
        "no-op*", "noop*", "no-ops", "ignor*", "discard*", "thrown", "swallow*",
        "stub*", "dummy",
    ];
    sentences.iter().any(|one| {
        let granted = one.near(LOCKS, &["always"], 4) && one.near(&["always"], &["succe*"], 2);
        let nothing = one.pair(&["do", "does"], &["nothing"]);
        let ignored = (nothing || one.near(CALLS, IGNORED, 6)) && one.has(LOCKS) && one.has(CALLS);
        (granted || ignored) && !one.says(&["database is locked", "locked:"])
    })
}

/// "stays locked after the client has crashed", "the lock of a host that is gone".
pub(super) fn holder_is_gone(sentences: &[Sentence<'_>]) -> bool {
    const GONE: &[&str] = &["gone", "dead", "crash*", "died", "killed", "vanished"];
    const HOLDERS: &[&str] = &["host", "client", "machine", "node", "holder", "owner"];
    sentences.iter().any(|one| {
        let stays = one.near(&["stay*", "remain*", "still", "held"], &["lock*"], 3)
            || one.near(LOCKS, &["held", "left", "outliv*"], 4);
        stays && one.near(HOLDERS, GONE, 6) && !one.denies()
    })
}

/// "rpc.statd and rpc.lockd are running": the service is not what is missing.
pub(super) fn service_runs(sentences: &[Sentence<'_>]) -> bool {
    const SERVICES: &[&str] =
        &["lockd", "statd", "rpcbind", "nlockmgr", "nfs-lock", "rpc-statd", "portmap"];
    const RUNS: &[&str] = &["running", "runs", "active", "up", "reachable", "started"];
    const NOT: &[&str] = &["after", "until", "when", "once", "must", "should", "fix*", "help*"];
    let about = |one: &Sentence<'_>| one.near(SERVICES, RUNS, 4);
    let refused = ["no locks available", "enolck", "errno 37"];
    sentences.iter().any(|one| about(one) && !one.denies() && !one.has(NOT))
        && !sentences.iter().any(|one| one.says(&refused) || about(one) && one.denies())
}

/// "nobody has the file open", "lsof is empty on both sides".
pub(super) fn nobody_holds(sentences: &[Sentence<'_>]) -> bool {
    const NOBODY: &[&str] = &["nobody", "none", "no", "nothing", "empty"];
    const HOLDS: &[&str] = &["open", "holds", "uses", "using", "lsof", "fuser", "holder", "opens"];
    sentences.iter().any(|sentence| {
        sentence.says(&["not open on any", "not open anywhere", "open nowhere"])
            || sentence.near(NOBODY, HOLDS, 5)
                && (sentence.has(&["lsof", "fuser", "nobody"])
                    || sentence.says(&["no process", "no other process", "no program", "no one"]))
    })
}

/// Whether the same bytes in another file are free: "a copy of it opens", "moving the file away and
/// back helps". Then a lock is held on the old file by nobody.
pub(super) fn copy_is_free(sentences: &[Sentence<'_>]) -> bool {
    const COPIES: &[&str] = &["copy*", "copie*", "mov*", "renam*", "cp", "mv"];
    const WORKS: &[&str] = &["works", "worked", "opens", "free", "fine", "helps", "helped", "ok"];
    const ELSEWHERE: &[&str] = &["/tmp", "local", "disk", "c:", "another", "elsewhere", "ssd"];
    sentences.iter().any(|sentence| {
        sentence.near(COPIES, WORKS, 8)
            && !sentence.denies()
            && !sentence.says(ELSEWHERE)
            && (sentence.near(&["copy", "copied"], WORKS, 2)
                || sentence.words.iter().any(|word| sentence::is(word, &["back", "again", "same"])))
    })
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_refused_lock_is_known_in_other_words() {
        for report in [
            "Cannot get lock on signatures.db",
            "could not set a file lock",
            "While lock file: /x/LOCK: Operation not supported",
            "the lock was not granted",
            "unable to place an advisory lock",
            "error while locking the catalogue",
            "FileChannel.tryLock: Operation not supported",
            "flock() failed",
            "LockFileEx fails with error 1",
        ] {
            assert!(finds(refused, report), "{report}");
        }
        for report in [
            "FileSystem does not appear to support flock; use SoftFileLock instead",
            "the mount has locks disabled",
            "that file system lacks support for byte-range locks",
        ] {
            assert!(finds(absent, report), "{report}");
        }
        assert!(!finds(absent, "a lock is supported and taken"));
        for report in [
            "database is locked",
            "the file system may be old, or the filesystem does not support file locking",
            "deleting the lock file does not help",
            "a lock is taken",
        ] {
            assert!(!finds(refused, report), "{report}");
        }
    }

    #[test]
    fn a_lock_of_nobody() {
        let found = |report: &str| finds(nobody_holds, report);
        assert!(found("nobody has the file open"));
        assert!(found("lsof is empty on both machines"));
        assert!(found("fuser shows no holder"));
        assert!(!found("no error, the file is open in two programs"));
        let free = |report: &str| finds(copy_is_free, report);
        assert!(free("moving the file away and copying it back works"));
        assert!(free("if I rename the database and copy it to the same name it opens"));
        assert!(!free("a copy on the local disk works"));
    }

    #[test]
    fn locks_that_lock_nothing() {
        let none = |report: &str| finds(ignored, report);
        assert!(none("lock() and flock() are no-ops in this file system"));
        assert!(none("lock requests are ignored by the driver"));
        assert!(none("a lock always succeeds there"));
        assert!(!none("the lock is taken, and nothing else happens until it is given back"));
        assert!(!none("nothing works"));
        let gone = |report: &str| finds(holder_is_gone, report);
        assert!(gone("it stays locked after the client has crashed"));
        assert!(gone("a lock is left by a host that is dead"));
        assert!(!gone("the client crashed"));
        assert!(!gone("no lock is left by the dead client"));
    }

    #[test]
    fn a_lock_service_that_is_up() {
        let runs = |report: &str| finds(service_runs, report);
        assert!(runs("lockd and rpcbind are active on the server"));
        assert!(!runs("statd is not running"));
        assert!(!runs("it works after rpcbind is started"));
        assert!(!runs("lockd is running. fcntl: No locks available"));
    }

    #[test]
    fn a_lock_file_that_cannot_be_made_is_no_refused_lock() {
        assert!(!finds(refused, "the lock file cannot be created"));
    }

    #[test]
    fn a_library_has_its_own_name_for_a_refused_lock() {
        assert!(finds(refused, "LockFailed: /x/y"));
    }
}

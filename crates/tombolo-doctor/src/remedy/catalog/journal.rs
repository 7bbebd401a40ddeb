//! Ways of using SQLite that ask less of a file system.

use super::{Fill, Words};
use crate::remedy::drivers::{self, Driver};
use crate::remedy::quote;
use tombolo_core::report::{Reach, Remedy, RemedyId, Step};

pub(super) fn one_process_wal(fill: &Fill<'_>) -> Remedy {
    let mut steps = vec![fill.stop(), fill.copy()];
    steps.extend(asking_for_unix_excl(fill));
    // EXCLUSIVE takes the step from SHARED to EXCLUSIVE, which SMB refuses.
    if !matches!(fill.situation.filesystem.as_deref(), Some("cifs" | "smb3")) {
        steps.push(Step::code(
            "Or let it say this as the very first statement of every connection (then one \
             connection holds the database):",
            "PRAGMA locking_mode=EXCLUSIVE;",
        ));
    }
    steps.push(Step::code(
        "Or start the program by tombolo, which needs no setting of it and keeps a second process \
         of this kernel out:",
        format!("tombolo run --exclusive --db {} -- COMMAND", fill.quoted("")),
    ));
    steps.push(fill.start());
    Words {
        title: "WAL mode from one process, without shared memory",
        why: "the index of the WAL then lives in the memory of the one process, so shared maps are \
              not needed; readers and the writer of that process still do not wait for each other",
        cost: "no second program can open the database while it runs: no sqlite3 shell, no backup \
               tool, no second worker process",
        risk: "where locks do not reach another kernel, a program there opens the database all the \
               same and both lose commits; after any earlier statement EXCLUSIVE comes too late",
        undo: "take the URI parameter or the PRAGMA away",
        reach: Reach::OneKernel,
    }
    .steps(RemedyId::OneProcessWal, steps)
}

/// How the programs that have the database open ask for the VFS; of others only the URI is known.
fn asking_for_unix_excl(fill: &Fill<'_>) -> Vec<Step> {
    let uri = format!("file:{}?vfs=unix-excl", quote::uri_path(fill.database()));
    if let Some((line, place)) = fill.application().and_then(|application| {
        let setting = application.one_process.as_ref()?;
        Some(setting.fill_uri(&uri))
    }) {
        return vec![Step::code(format!("Let it open the database so, {place}:"), line)];
    }
    let mut drivers: Vec<&Driver> = Vec::new();
    for driver in fill.situation.programs.iter().flat_map(|program| drivers::of(program)) {
        if !drivers.iter().any(|other| other.name == driver.name) {
            drivers.push(driver);
        }
    }
    let mut steps: Vec<Step> = drivers
        .iter()
        .filter_map(|driver| {
            let line = driver.fill(&uri)?;
            Some(Step::code(format!("If it uses SQLite by {}, open it so:", driver.name), line))
        })
        .collect();
    if steps.is_empty() {
        steps.push(Step::code(
            "Let the program open the database with the VFS unix-excl, where it takes a URI:",
            uri,
        ));
    }
    let without: Vec<&str> = drivers
        .iter()
        .filter(|driver| driver.fill("").is_none())
        .map(|driver| driver.name.as_str())
        .collect();
    if !without.is_empty() {
        let text = format!("There is no such setting by {}: see below.", without.join("; "));
        steps.push(Step::text(text));
    }
    steps
}

pub(super) fn leave_wal(fill: &Fill<'_>) -> Remedy {
    let mut steps = vec![
        fill.stop(),
        fill.copy(),
        Step::code(
            "In a fresh connection, first take the database for this connection alone, then leave \
             WAL mode; the answers must be exclusive and delete:",
            format!(
                "sqlite3 -batch -init /dev/null {} \\\n  'PRAGMA locking_mode=EXCLUSIVE; PRAGMA \
                 journal_mode=DELETE;'",
                fill.quoted("")
            ),
        ),
        Step::code(
            "Check without SQLite: both numbers must be 1, and no -wal may be listed (a -shm that \
             is left has no meaning any more):",
            format!("od -A n -t u1 -j 18 -N 2 {0}\nls -l {0}*", fill.quoted("")),
        ),
    ];
    match fill.application().filter(|application| !application.no_wal.is_empty()) {
        Some(application) => steps.push(Step::code(
            format!("Keep {} from turning WAL mode on again:", application.name),
            application.no_wal.clone(),
        )),
        None => steps.push(Step::text(
            "Keep the program from turning WAL mode on again when it starts: look for journal_mode \
             or WAL in its settings.",
        )),
    }
    steps.push(fill.start());
    Words {
        title: "leave WAL mode, EXCLUSIVE first",
        why: "a rollback journal needs no shared memory; without EXCLUSIVE first, leaving WAL mode \
              fails with the same error as everything else, because SQLite must open the WAL to \
              fold it back",
        cost: "readers wait for the writer, and each commit needs more syncs",
        risk: "needs working byte-range locks: with \"database is locked\" convert the copy on a \
               local disk instead; with a second kernel a rollback journal loses commits too, \
               mostly without an error",
        undo: "on a local file system, with the programs stopped: PRAGMA journal_mode=WAL",
        reach: Reach::OneKernel,
    }
    .steps(RemedyId::LeaveWal, steps)
}

pub(super) fn mmap_off(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code(
            "Take mmap_size out of the program's settings, or let it say after opening:",
            "PRAGMA mmap_size=0;",
        ),
        fill.start(),
    ];
    Words {
        title: "no memory-mapped reading of the database",
        why: "on a share, mapped pages and what read() returns can differ, and a page that the \
              server takes away kills the program with SIGBUS",
        cost: "large scans become a little slower",
        risk: "WAL mode still maps its -shm: this alone makes WAL on a share no safer",
        undo: "set mmap_size to its former value",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::MmapOff, steps)
}

pub(super) fn busy_timeout(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code(
            "Give every connection time to wait for the others (most drivers have an option for \
             it):",
            "PRAGMA busy_timeout=10000;",
        ),
        Step::code(
            "Begin transactions that will write as writers, so that they wait instead of failing \
             half-way:",
            "BEGIN IMMEDIATE;",
        ),
        Step::code(
            "Keep write transactions short: no network call and no user input inside. See who \
             holds the lock:",
            format!("fuser -v {}\ncat /proc/locks", fill.quoted("")),
        ),
    ];
    Words {
        title: "a busy time-out and shorter transactions",
        why: "SQLite lets one writer work at a time; a program that does not wait reports \
              \"database is locked\" although nothing is wrong",
        cost: "callers wait longer instead of failing",
        risk: "where the file system refuses locks, no time-out helps: the error only comes later",
        undo: "take the settings back",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::BusyTimeout, steps)
}

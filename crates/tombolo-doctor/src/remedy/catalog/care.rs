//! Care for the data, and for the next report.

use super::{Fill, Words};
use crate::remedy::quote;
use tombolo_core::report::{Reach, Remedy, RemedyId, Step};

pub(super) fn snapshot_copy(fill: &Fill<'_>) -> Remedy {
    let target = format!("{}/snapshot.db", fill.local_directory().trim_end_matches('/'));
    let statement = format!("VACUUM INTO {}", quote::sql(&target));
    let steps = vec![
        Step::code(
            "Under the kernel whose program has the database open, write a copy of one instant (no \
             file may stand at the new name):",
            format!("sqlite3 -readonly {} {}", fill.quoted(""), quote::shell(&statement)),
        ),
        Step::text("Carry that one file to where it is to be read, and open it there."),
    ];
    Words {
        title: "read a copy that was made in one instant",
        why: "a finished copy has no -wal and no writer: it can be read anywhere, also from a \
              read-only place",
        cost: "time and room for the copy, which is as old as its making",
        risk: "made from another kernel than the writer's, the copy can be torn, and the open \
               itself can harm the writer",
        undo: "delete the copy",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::SnapshotCopy, steps)
}

pub(super) fn rescue_copy(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        fill.stop(),
        Step::code(
            "Copy all files of the set as they are, before anything opens them:",
            fill.copy_command(&["", "-wal", "-shm", "-journal"]),
        ),
        Step::code(
            "Work on a second copy, on a local disk, without the -shm (SQLite makes a new one):",
            format!(
                "cp -rp \"$copy\" \"$copy.work\"\ncd \"$copy.work\"\nmv -f {0}-shm shm.aside \
                 2>/dev/null\nsqlite3 {0} 'PRAGMA integrity_check;'",
                quote::shell(fill.file_name())
            ),
        ),
        Step::code(
            "If it is damaged, save what can be read into a new file, and see that the tables and \
             rows are there: an empty file passes integrity_check too. A shell that answers \"SQL \
             logic error\" (3.40.1 of Debian 12) cannot recover: take a newer one from sqlite.org:",
            format!(
                "sqlite3 {} .recover > recovered.sql\nsqlite3 recovered.db < recovered.sql\n\
                 sqlite3 recovered.db .tables 'PRAGMA integrity_check;'",
                quote::shell(fill.file_name())
            ),
        ),
        Step::text(
            "Only then decide what to put back, and put it on a file system on which the doctor \
             finds nothing.",
        ),
    ];
    Words {
        title: "copy the whole set of files first, then examine the copy",
        why: "the first open after damage changes the files: it plays a journal back or folds a \
              WAL in, and with it the chance to do better is gone",
        cost: "room for two copies",
        risk: "\"malformed\" is often an I/O error of the mount: check the copy on a local disk \
               before anything is restored",
        undo: "delete the copies when they are no longer needed",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::RescueCopy, steps)
}

pub(super) fn keep_sidecars(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code(
            "Find programs that work on deleted files:",
            "ls -l /proc/[0-9]*/fd 2>/dev/null | grep -E '[-](wal|shm|journal) [(]deleted[)]'",
        ),
        Step::code(
            "Copy the database while they still run, through their own connection: ask the \
             program for a backup or an export. Then stop them, and copy the files:",
            fill.copy_command(&["", "-wal", "-shm", "-journal"]),
        ),
        Step::text(
            "Look for what deletes them: clean-up scripts, synchronisers, entry points of \
             containers, a restore that replaces files under a running program.",
        ),
        fill.check_copy(),
    ];
    Words {
        title: "stop whatever deletes the sidecar files",
        why: "-wal and -journal hold commits that the file alone does not have, and a program that \
              goes on writing to a deleted -wal writes to nowhere",
        cost: "none",
        risk: "stopping the program closes the deleted file, and with it what was only there is \
               gone: export first",
        undo: "nothing to undo",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::KeepSidecars, steps)
}

pub(super) fn tune_storage(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code("Measure what a sync costs:", {
            format!("tombolo doctor {}", quote::shell(fill.directory()))
        }),
        Step::text(
            "Put the database on an SSD, or away from the disk that is busy; look for a failing \
             disk, a full pool, a scrub, or a host that is short of I/O.",
        ),
        Step::code(
            "In WAL mode on a local file system, fewer syncs are safe against a crash of the \
             program; a power loss may take the last commits, and never damages the file:",
            "PRAGMA synchronous=NORMAL;",
        ),
        Step::text("Put many small writes into one transaction: each commit waits for the disk."),
    ];
    Words {
        title: "faster storage below the database, or fewer syncs",
        why: "locks and syncs work here, but take so long that programs give up waiting",
        cost: "hardware, or the last commits at a power loss",
        risk: "synchronous=OFF would risk the whole file at a power loss",
        undo: "PRAGMA synchronous=FULL",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::TuneStorage, steps)
}

pub(super) fn upgrade_sqlite(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        fill.stop(),
        fill.copy(),
        Step::text(
            "Upgrade the program, or its driver, to a SQLite of 3.51.3 or later (3.50.7 and 3.44.6 \
             have the correction too; 3.52.0 was withdrawn). Every program that opens the database \
             counts.",
        ),
        Step::code(
            "Ask each program which SQLite it has, from inside it:",
            "SELECT sqlite_version(), sqlite_source_id();",
        ),
        Step::text(
            "Until then, let one connection alone run checkpoints: PRAGMA wal_autocheckpoint=0 in \
             the others.",
        ),
    ];
    Words {
        title: "use a SQLite without the WAL-reset bug",
        why: "SQLite 3.7.0 to 3.51.2 can lose commits on a perfect file system when two \
              connections checkpoint and commit at the same moment",
        cost: "an upgrade of each program",
        risk: "a copy linked into a program is not reached by an upgrade of the system's library",
        undo: "install the former version",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::UpgradeSqlite, steps)
}

pub(super) fn detailed_logging(_fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code(
            "Record the failing call with its error number while the fault happens (PID is the \
             program's; strace must be installed):",
            "strace -f -y -e trace=openat,mmap,fcntl,ftruncate,fsync,fdatasync,unlink,pread64,\
             pwrite64 \\\n  -o sqlite.strace -p PID",
        ),
        Step::text(
            "Turn on SQLite's error log where the driver offers it (sqlite3_config with \
             SQLITE_CONFIG_LOG, or .log stderr in the shell): its lines name the call, as in \
             os_unix.c:NNN: (22) mmap(...).",
        ),
        Step::code("Let the doctor explain what was found:", "tombolo explain sqlite.strace"),
        Step::code("Look at the kernel's log too:", "dmesg --ctime | tail -n 50"),
    ];
    Words {
        title: "record the failing call",
        why: "SQLite folds many causes into one message; the call and its error number tell them \
              apart",
        cost: "the traced program runs slower",
        risk: "a trace holds data of the database: read it before it is passed on",
        undo: "end strace with Ctrl-C",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::DetailedLogging, steps)
}

pub(super) fn collect_facts(fill: &Fill<'_>) -> Remedy {
    let directory = quote::shell(fill.directory());
    let steps = vec![
        Step::code(
            "Where the program runs, inside its container:",
            format!(
                "tombolo doctor {}\nfindmnt --target {directory}\nls -lan {directory}\nuname -a",
                fill.quoted("")
            ),
        ),
        Step::text(
            "Say who else opens the file: other containers, the host, other machines, a backup, a \
             synchroniser, a replica that overlaps during an update.",
        ),
        Step::text("Add the innermost error, with its number, and the program's SQLite version."),
    ];
    Words {
        title: "collect the facts that are missing",
        why: "the same message has many causes: the mount, its options and the openers decide",
        cost: "a few minutes",
        risk: "none: nothing is opened with SQLite",
        undo: "nothing to undo",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::CollectFacts, steps)
}

pub(super) fn look_at_application(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code(
            "See who holds the database on this kernel:",
            format!("fuser -v {}\ncat /proc/locks", fill.quoted("")),
        ),
        Step::text(
            "Read the innermost error: wrappers call any failure corrupt, or another instance. \
             Look for a program that holds its lock by design, a missing busy time-out, an old \
             release, a temporary directory that is full or missing, a sandbox rule.",
        ),
        Step::text("Search the program's own list of issues for that error and its version."),
    ];
    Words {
        title: "look at the application",
        why: "what SQLite needs of the file system is there",
        cost: "time",
        risk: "changing the journal mode or the file system here costs speed and cures nothing",
        undo: "nothing to undo",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::LookAtApplication, steps)
}

pub(super) fn report_to_vendor(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code("Keep the doctor's whole report with the request:", {
            format!("tombolo doctor --format json {} > doctor.json", quote::shell(fill.directory()))
        }),
        Step::text(
            "Report to the makers of the file system or the hypervisor: which promise was broken \
             (its code), the kernel and program versions, and the mount line.",
        ),
        Step::text("Until it is mended, keep databases on another file system."),
    ];
    Words {
        title: "report it to the makers of the file system",
        why: "a call that answers success and does not do its work can be mended only there",
        cost: "time",
        risk: "the report holds paths and host names: read it before it is passed on",
        undo: "nothing to undo",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::ReportToVendor, steps)
}

//! The path: what is mounted, who may write, how much room there is.

use super::{Fill, Words};
use crate::remedy::quote;
use tombolo_core::report::{Reach, Remedy, RemedyId, Step};

pub(super) fn mount_directory(fill: &Fill<'_>) -> Remedy {
    let directory = fill.directory();
    let steps = vec![
        fill.stop(),
        Step::code(
            "While the container still exists, copy out what it wrote beside the file (APP is the \
             stopped container):",
            format!(
                "copy=$(mktemp -d /var/tmp/sqlite-copy.XXXXXX)\n{0} cp APP:{1} \"$copy/\"\n{0} cp \
                 APP:{2} \"$copy/\"\nls -l \"$copy\"",
                fill.container_command(),
                fill.quoted(""),
                fill.quoted("-wal"),
            ),
        ),
        Step::code(
            "Put the files into a directory of the host and mount that, in compose.yaml:",
            format!(
                "services:\n  app:\n    volumes:\n      - type: bind\n        \
                 source: ./data\n        target: {}",
                quote::double(directory)
            ),
        ),
        fill.start(),
    ];
    Words {
        title: "mount the directory, not the single file",
        why: "SQLite makes, removes and makes again the -wal, -shm and -journal beside the \
              database; with a file mount they lie in the container and are lost with it",
        cost: "other files of that directory are mounted too: give the database one of its own",
        risk: "a -wal that is left behind holds commits that the file alone does not have",
        undo: "mount as before, after the program was closed cleanly",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::MountDirectory, steps)
}

pub(super) fn fix_ownership(fill: &Fill<'_>) -> Remedy {
    let directory = quote::shell(fill.directory());
    let steps = vec![
        Step::code(
            "See who owns the directory and the files, and as whom the program runs:",
            format!("ls -ldn {directory} {}*\nps -eo uid,gid,comm", fill.quoted("")),
        ),
        fill.stop(),
        Step::code(
            "Give the directory and the files to the program's user (UID and GID as numbers):",
            format!("chown UID:GID {directory} {}*\nchmod u+rwX {directory}", fill.quoted("")),
        ),
        Step::text(
            "On NTFS, exFAT and SMB the owner comes from the mount options uid= and gid=, and \
             chown has no effect.",
        ),
        fill.start(),
    ];
    Words {
        title: "correct owner or mode of the directory",
        why: "SQLite must create -journal, -wal and -shm: the program needs the right to write the \
              directory, not only the file",
        cost: "none",
        risk: "another program that used the old owner may lose its access",
        undo: "chown back to the numbers that the first step showed",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::FixOwnership, steps)
}

pub(super) fn fix_path(fill: &Fill<'_>) -> Remedy {
    let directory = quote::shell(fill.directory());
    let steps = vec![
        Step::code(
            "See what stands at the path, as the program sees it (in a container: inside it):",
            format!("ls -la {directory}\nfindmnt --target {directory}"),
        ),
        Step::text(
            "Correct the setting. Paths in a container are those inside it; ~ and variables are \
             mostly not expanded; the directory must exist.",
        ),
        Step::code("Then let the doctor look as the program does:", {
            format!("tombolo doctor --pid PID {}", fill.quoted(""))
        }),
    ];
    Words {
        title: "correct the path",
        why: "SQLite creates files, not directories: a wrong or missing directory is reported as \
              \"unable to open database file\"",
        cost: "none",
        risk: "a program that finds no database at the new path creates an empty one",
        undo: "set the former path",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::FixPath, steps)
}

pub(super) fn free_space(fill: &Fill<'_>) -> Remedy {
    let mount_point = quote::shell(fill.mount_point());
    let steps = vec![
        Step::code(
            "See what is full: blocks, inodes or a quota:",
            format!("df -h {mount_point}\ndf -i {mount_point}\nquota -s"),
        ),
        Step::text(
            "Free room, or raise the limit. Leave the database's -wal, -shm and -journal alone: \
             they may hold the only copy of commits.",
        ),
        fill.start(),
    ];
    Words {
        title: "free space, or raise the quota",
        why: "SQLite stops at a full file system and rolls back; what was committed stays intact",
        cost: "whatever is deleted or moved elsewhere",
        risk: "deleting files of a database instead of other files loses data",
        undo: "nothing to undo",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::FreeSpace, steps)
}

//! Fewer kernels, or a program that several kernels may use.

use super::{Fill, Words};
use crate::remedy::quote;
use tombolo_core::report::{ContainerRuntime, Machine, Reach, Remedy, RemedyId, Step};

pub(super) fn one_kernel(fill: &Fill<'_>) -> Remedy {
    let mut steps = vec![Step::code(
        "List who opens the database, on each machine that can reach it:",
        format!("fuser -v {}*", fill.quoted("")),
    )];
    steps.push(match fill.situation.container {
        Some(ContainerRuntime::Kubernetes) => Step::code(
            "Run one replica, and end the old pod before the new one starts:",
            "spec:\n  replicas: 1\n  strategy:\n    type: Recreate",
        ),
        Some(_) => Step::text(
            "Run all programs that open it as containers of one machine, on a directory of that \
             machine: containers of one kernel share locks and memory.",
        ),
        None => Step::text(
            "Choose the machine that shall open the database, and move the programs of the others \
             there, or stop them.",
        ),
    });
    steps.push(Step::text(
        "Let the others ask a program there: its web interface, its API, or ssh.",
    ));
    Words {
        title: "all programs that open the database under one kernel",
        why: "locks and shared memory end at the kernel: programs of one kernel see each other's \
              locks, those of two do not, or see stale data under a valid lock",
        cost: "the programs of the other machines must be moved, or ask over the network",
        risk: "rolling deployments and fail-over start the new program before the old one ends: \
               for that time there are two",
        undo: "nothing was changed in the data; start the programs where they were",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::OneKernel, steps)
}

pub(super) fn database_per_kernel(fill: &Fill<'_>) -> Remedy {
    let one = format!("{}/by-host/$(hostname)", fill.directory().trim_end_matches('/'));
    let mut steps = vec![
        fill.stop(),
        fill.copy(),
        Step::text(
            "Give each machine, or each of Windows and WSL, a directory of its own, best on its \
             local disk, and point the program there.",
        ),
    ];
    if fill.situation.local_directory.is_none() {
        steps.push(Step::code(
            "On the share itself, directories by host are a way, for databases that one kernel \
             opens:",
            format!("mkdir -p {}", quote_with_hostname(&one)),
        ));
    }
    steps.push(Step::text("Let one of them take the old database over from the copy."));
    Words {
        title: "one database for each kernel",
        why: "each database then has openers of one kernel only, and caches, histories and indexes \
              need not be shared at all",
        cost: "the contents differ from machine to machine",
        risk: "programs that expect common contents will miss some of them",
        undo: "point the programs back, after all but one were stopped",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::DatabasePerKernel, steps)
}

/// Quotes a path, but leaves the host's name to the shell.
fn quote_with_hostname(path: &str) -> String {
    match path.strip_suffix("$(hostname)") {
        Some(before) => format!("{}\"$(hostname)\"", quote::shell(before)),
        None => quote::shell(path),
    }
}

pub(super) fn run_where_file_lives(fill: &Fill<'_>) -> Remedy {
    let database = fill.quoted("");
    let step = match (fill.situation.machine, fill.situation.filesystem.as_deref()) {
        (Some(Machine::Wsl1 | Machine::Wsl2), Some("9p" | "drvfs" | "virtiofs")) => Step::code(
            "The file lies on Windows: run the Windows program there, or move the file into the \
             distribution:",
            "mkdir -p ~/app-data",
        ),
        (Some(Machine::Wsl1 | Machine::Wsl2), _) => Step::code(
            "The file lies inside the distribution: start the tool there, from Windows by:",
            format!("wsl.exe -- sqlite3 {database}"),
        ),
        (_, Some("fuse.sshfs" | "nfs" | "nfs4" | "cifs" | "smb3")) => Step::code(
            "The file lies on a server: run the tool there:",
            format!("ssh SERVER sqlite3 -readonly {}", quote::shell("/path/on/the/server/app.db")),
        ),
        _ => Step::text(
            "The file lies on the host: run the program there, or in a container of the host on \
             the host's own path, and reach it over the network.",
        ),
    };
    Words {
        title: "run the program on the side that owns the file",
        why: "there the file system is local, with real locks and shared memory",
        cost: "the program, or its users, must go to the other side",
        risk: "while a program on this side still has the file open, there are two kernels",
        undo: "stop the program there and start it here again",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::RunWhereFileLives, vec![step])
}

pub(super) fn serve(fill: &Fill<'_>) -> Remedy {
    const ADDRESS: &str = "tcp://ADDRESS:7000";
    let steps = vec![
        fill.stop(),
        Step::code(
            "On the machine that has the file on a disk of its own, by its path there, set the \
             owner up. ADDRESS is one of that machine which the others reach:",
            format!("tombolo fix {} serve --listen {ADDRESS} --apply", fill.quoted("")),
        ),
        Step::code(
            "Run the programs of the other machines at the door:",
            format!("TOMBOLO_OWNER={ADDRESS} tombolo run -- COMMAND"),
        ),
        Step::text("Programs of the owner's own machine may be started as they were."),
    ];
    Words {
        title: "an owner that serves the database to all of them",
        why: "one process does all that is done to the file, under one kernel and in WAL mode; at \
              its door a transaction means what it means on a local disk",
        cost: "a service on the machine that has the file; programs elsewhere load a library, as \
               `tombolo run` lets those do that are linked dynamically",
        risk: "a program of another machine that still opens the file itself loses data as before",
        undo: "stop the programs at the door, then `tombolo fix PATH serve --undo`, which leaves \
               the database with all that was committed",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::Serve, steps)
}

pub(super) fn server_database(fill: &Fill<'_>) -> Remedy {
    let mut steps = Vec::new();
    match fill.application() {
        Some(application) if !application.servers.is_empty() => steps.push(Step::text(format!(
            "{} can use: {} ({}).",
            application.name, application.servers, application.source
        ))),
        Some(application) => steps.push(Step::text(format!(
            "{} is not known to use a server database: see its manual.",
            application.name
        ))),
        None => steps.push(Step::text(
            "See in the program's manual whether it can use PostgreSQL, MySQL or MariaDB.",
        )),
    }
    steps.push(fill.stop());
    steps.push(fill.copy());
    steps.push(Step::text(
        "Move the data over with the program's own tool, or by its export and import, from the \
         copy on a local disk.",
    ));
    Words {
        title: "PostgreSQL or MySQL/MariaDB",
        why: "a database server is one process that owns its files and serves any number of \
              machines",
        cost: "one more service to run, to upgrade and to back up",
        risk: "not every program carries its old data over; keep the SQLite files until it is \
               checked",
        undo: "point the program back at the SQLite file; what was written since is in the server",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::ServerDatabase, steps)
}

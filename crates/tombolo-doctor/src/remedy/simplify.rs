//! Fewer kernels: arrangements in which one kernel alone opens the database, from what the doctor
//! has seen of kernels, machine, container and mount.

use super::quote;
use crate::knowledge::{self, Kind};
use serde::Serialize;
use tombolo_core::report::{KernelCount, Machine, Report, Step};

/// Where the database and its program are afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrangement {
    /// The program stays; its database lies on its own machine's disk, and the rest on the share.
    DatabaseHere,
    /// The program runs in a container of the machine that owns the files.
    ContainerThere,
    /// The program runs on the machine that owns the files.
    ProgramThere,
}

/// An arrangement with fewer kernels.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// Which one.
    pub arrangement: Arrangement,
    /// What it is, in a few words.
    pub title: String,
    /// The kernel that opens the database afterwards.
    pub opened_by: String,
    /// Why it stands at its place in the list.
    pub because: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What it costs.
    pub cost: String,
    /// What can go wrong.
    pub risk: String,
}

/// The names of a case, for sentences and commands.
struct Case<'a> {
    /// This side, such as `the guest`.
    here: &'a str,
    /// The side that owns the storage, such as `the host`.
    there: String,
    mount_point: String,
    path: &'a str,
    container: bool,
}

/// Proposals, best first; none where one kernel alone reaches the database.
#[must_use]
pub fn proposals(report: &Report) -> Vec<Proposal> {
    if report.topology.reach.count == KernelCount::One {
        return Vec::new();
    }
    let kind = report.mount.as_ref().and_then(|mount| mount.knowledge.as_deref());
    let kind = kind.and_then(knowledge::row).map(|row| row.kind);
    let there = match report.topology.reach.kernels.get(1) {
        Some(role) => format!("the {role}"),
        None => "the machine that owns the files".to_owned(),
    };
    let here = match kind {
        Some(Kind::VmShared) => "the guest",
        _ => "this machine",
    };
    let case = Case {
        here,
        there,
        mount_point: report.mount.as_ref().map_or("/", |mount| &mount.mount_point).to_owned(),
        path: &report.target.resolved,
        container: report.topology.container.is_some(),
    };
    let mut all = vec![database_here(&case)];
    // Windows runs no program of Linux outside of its own virtual machine.
    let windows = matches!(report.topology.machine, Machine::Wsl1 | Machine::Wsl2);
    if !windows {
        let (container, program) = (container_there(&case), program_there(&case));
        all.extend(if case.container { [container, program] } else { [program, container] });
    }
    all
}

/// The program that everybody stops first.
fn stop(case: &Case<'_>) -> Step {
    Step::code(
        format!(
            "Stop every program that opens the database, here and on {}; on each kernel none may \
             be listed by:",
            case.there
        ),
        format!("fuser -v {}*", quote::shell(case.path)),
    )
}

fn database_here(case: &Case<'_>) -> Proposal {
    let path = quote::shell(case.path);
    let mut steps = vec![
        stop(case),
        Step::code(
            format!(
                "Give {} a disk of its own, where its root file system has no room (what belongs \
                 on both ends is printed):",
                case.here
            ),
            format!("tombolo fix {path} protocol --to block"),
        ),
        Step::code(
            "Bring the database over; a link stays in its place:",
            format!("tombolo fix {path} move --to /var/lib/app-data --apply"),
        ),
    ];
    if case.container {
        steps.push(Step::text(
            "Mount that directory, or a named volume, into the container at the place of the \
             database; media and documents stay on the share.",
        ));
    }
    Proposal {
        arrangement: Arrangement::DatabaseHere,
        title: format!("the database on a disk of {}, everything else by the share", case.here),
        opened_by: case.here.to_owned(),
        because: format!(
            "least is moved: one file, and neither the program nor the share of {}",
            case.there
        ),
        steps,
        cost: "two places to back up, and the database no longer stands beside the files that it \
               describes"
            .to_owned(),
        risk: format!(
            "a program on {} that opened it as well does not find it any more",
            case.there
        ),
    }
}

fn container_there(case: &Case<'_>) -> Proposal {
    let steps = vec![
        stop(case),
        Step::code(
            format!(
                "Bring the Compose file to {}, with the directory as it is called there in place \
                 of {}:",
                case.there, case.mount_point
            ),
            "volumes:\n  - DIRECTORY:/data",
        ),
        Step::code("Start it there:", "docker compose up --detach"),
        detach(case),
    ];
    Proposal {
        arrangement: Arrangement::ContainerThere,
        title: format!("the program in a container of {}, on its own directory", case.there),
        opened_by: case.there.clone(),
        because: "one kernel and no protocol in between: locks, maps and syncs are those of the \
                  local file system, and the container keeps the program apart"
            .to_owned(),
        steps,
        cost: format!(
            "{} needs a container tool and the program's ports; a container is less of a wall than \
             a virtual machine",
            case.there
        ),
        risk: "owner and mode of the files are those of the container's user: check that it may \
               write"
            .to_owned(),
    }
}

fn program_there(case: &Case<'_>) -> Proposal {
    let steps = vec![
        stop(case),
        Step::text(format!(
            "Install the program on {}, and point it at the directory as it is called there.",
            case.there
        )),
        detach(case),
    ];
    Proposal {
        arrangement: Arrangement::ProgramThere,
        title: format!("the program on {} itself", case.there),
        opened_by: case.there.clone(),
        because: "one kernel, no protocol and no container".to_owned(),
        steps,
        cost: format!("the program, its libraries and its updates are on {}", case.there),
        risk: "nothing keeps the program apart from the rest of that machine".to_owned(),
    }
}

/// Nobody comes in the old way.
fn detach(case: &Case<'_>) -> Step {
    Step::code(
        format!(
            "Take the share away from {}, in its table of mounts and where {} offers it, so that \
             no second kernel comes in:",
            case.here, case.there
        ),
        format!("umount {}", quote::shell(&case.mount_point)),
    )
}

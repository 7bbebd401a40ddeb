//! Other places for the database.

use super::{Fill, Words};
use crate::remedy::quote;
use tombolo_core::report::{ContainerRuntime, Reach, Remedy, RemedyId, Step};

pub(super) fn move_local(fill: &Fill<'_>) -> Remedy {
    let target = fill.local_directory();
    let database = join(target, fill.file_name());
    let mut steps = vec![
        fill.stop(),
        Step::code(
            "Copy the database with its -wal and -journal to a local file system, where no file of \
             these names may stand yet (-n overwrites none), and check the copy there; the answer \
             must be ok:",
            format!(
                "mkdir -p {0}\nfor file in {1} {2} {3}; do\n  [ ! -e \"$file\" ] || cp -pn \
                 \"$file\" {0}/\ndone\ncmp {1} {4} && sqlite3 {4} 'PRAGMA integrity_check;'",
                quote::shell(target),
                fill.quoted(""),
                fill.quoted("-wal"),
                fill.quoted("-journal"),
                quote::shell(&database),
            ),
        ),
    ];
    steps.extend(settings(fill, target, &database));
    steps.push(Step::text(
        "Keep the old files under another name until the programs have worked for a while.",
    ));
    steps.push(Step::code(
        "Start the programs and let the doctor look at the new place:",
        format!("tombolo doctor {}", quote::shell(&database)),
    ));
    Words {
        title: "move the database to a local file system",
        why: "a local file system gives SQLite real locks, shared memory and fsync, in every mode; \
              large files can stay where they are",
        cost: "the database no longer travels with the share: back it up, and reach it from other \
               machines through the program",
        risk: "a copy made while a program still writes can be torn, and a program that is still \
               pointed at the old place goes on writing there",
        undo: "stop the programs, copy the set of files back, and take the setting back",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::MoveLocal, steps)
}

pub(super) fn split_database_from_media(fill: &Fill<'_>) -> Remedy {
    let target = fill.local_directory();
    let database = join(target, fill.file_name());
    let mut steps = vec![fill.stop(), fill.copy()];
    steps.extend(settings(fill, target, &database));
    steps.push(Step::code(
        "Bring the database over from the copy, check it, and start the program; media and \
         documents stay on the share:",
        format!(
            "mkdir -p {0}\ncp -pn \"$copy\"/* {0}/\ncmp \"$copy\"/{1} {2} && sqlite3 {2} 'PRAGMA \
             integrity_check;'",
            quote::shell(target),
            quote::shell(fill.file_name()),
            quote::shell(&database)
        ),
    ));
    Words {
        title: "keep the media on the share and the database on a local disk",
        why: "only the database needs locks and shared memory; large files do well on a share",
        cost: "two places to back up",
        risk: "a program that finds no database at the new place may create an empty one: copy \
               before it starts",
        undo: "stop the program, copy the set of files back, and take the setting back",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::SplitDatabaseFromMedia, steps)
}

/// The steps that point the application at a new place.
fn settings(fill: &Fill<'_>, directory: &str, database: &str) -> Vec<Step> {
    let Some(application) = fill.application() else {
        return vec![Step::text(format!(
            "Point the program at {directory}: most have a setting for their data directory or \
             their database, else bind that directory to the path that the program expects."
        ))];
    };
    let name = &application.name;
    let mut steps: Vec<Step> = application
        .settings
        .iter()
        .take(1)
        .map(|setting| {
            let (line, place) = setting.fill(directory, database);
            Step::code(format!("Point {name} at the new place, {place}:"), line)
        })
        .collect();
    let whole = application.settings.first().is_some_and(|one| one.line.contains("{directory}"));
    if whole {
        steps.push(Step::text(format!(
            "This setting names the whole data directory of {name}: bring all of it, not only the \
             database."
        )));
    }
    if !application.note.is_empty() {
        steps.push(Step::text(application.note.clone()));
    }
    if fill.situation.container.is_some() {
        steps.push(Step::text(format!(
            "{name} runs in a container: the new directory must be mounted into it, and the \
             setting names the path inside."
        )));
    }
    steps
}

fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

pub(super) fn named_volume(fill: &Fill<'_>) -> Remedy {
    let words = Words {
        title: "a named volume of the container tool instead of the shared directory",
        why: "a named volume lies on the disk of the machine that runs the containers: they share \
              one kernel, and locks, maps and fsync are real",
        cost: "the files are no longer seen in the host's directory; copy them out through the \
               container tool",
        risk: "deleting the volume (docker volume prune, compose down --volumes) deletes the data; \
               a volume whose driver options name NFS or SMB is a share again",
        undo: "stop the container, copy the files back, and name the directory in its place",
        reach: Reach::SeveralKernels,
    };
    if fill.situation.container == Some(ContainerRuntime::Kubernetes) {
        return words.steps(RemedyId::NamedVolume, claim_steps(fill));
    }
    let inside = fill.directory();
    let tool = fill.container_command();
    let steps = vec![
        fill.stop(),
        Step::code(
            "Copy the whole directory, sidecar files included, into a new volume (APP is the \
             stopped container):",
            format!(
                "{tool} volume create app-data\n{tool} run --rm --volumes-from APP:ro -v \
                 app-data:/new-volume busybox \\\n  cp -a {}/. /new-volume/",
                quote::shell(inside)
            ),
        ),
        Step::code(
            "Mount the volume where the directory was, in compose.yaml:",
            format!(
                "services:\n  app:\n    volumes:\n      - type: volume\n        \
                 source: app-data\n        target: {}\nvolumes:\n  app-data:",
                quote::double(inside)
            ),
        ),
        fill.start(),
    ];
    words.steps(RemedyId::NamedVolume, steps)
}

fn claim_steps(fill: &Fill<'_>) -> Vec<Step> {
    vec![
        Step::code(
            "Claim a block volume that one node mounts at a time:",
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: app-data\nspec:\n  \
             accessModes: [ReadWriteOncePod]\n  resources:\n    requests:\n      storage: 5Gi",
        ),
        Step::code(
            "Let the old pod end before the new one starts, in the Deployment:",
            "spec:\n  replicas: 1\n  strategy:\n    type: Recreate",
        ),
        fill.stop(),
        Step::text(
            "Copy the whole directory, sidecar files included, into the new volume with a pod that \
             mounts both, then mount the new one in its place.",
        ),
        fill.start(),
    ]
}

pub(super) fn block_volume(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::text(
            "Let the server or host give out a block device instead of a directory: iSCSI or RBD \
             from a NAS, a virtual disk from a hypervisor, a disk claim (ReadWriteOnce) from a \
             cluster, a managed disk from a cloud.",
        ),
        Step::code(
            "Make a file system on the new, empty device and mount it in one machine only:",
            "lsblk -f\nmkfs.ext4 /dev/NEW_EMPTY_DEVICE\nmkdir -p /mnt/app-data\nmount \
             /dev/NEW_EMPTY_DEVICE /mnt/app-data",
        ),
        fill.stop(),
        fill.copy(),
        Step::code("Bring the files over:", "cp -pn \"$copy\"/* /mnt/app-data/"),
        Step::text("Point the program at the new place, and start it."),
    ];
    Words {
        title: "a block device with a local file system on it",
        why: "storage can stay on the server, but the file system belongs to this kernel, so locks \
              and shared memory are real",
        cost: "one machine at a time; the size is fixed until it is grown",
        risk: "mkfs destroys what is on the device it is given, and mounting the device in two \
               machines destroys the file system",
        undo: "copy the files back and detach the device",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::BlockVolume, steps)
}

pub(super) fn local_plus_backup(fill: &Fill<'_>) -> Remedy {
    let live = join(fill.local_directory(), fill.file_name());
    let backup = format!("{}.backup", fill.database());
    let statement = format!("VACUUM INTO {}", quote::sql(&format!("{live}.new")));
    let steps = vec![
        fill.stop(),
        fill.copy(),
        Step::text(format!(
            "Bring the files to {} on a local disk, and point the program there.",
            fill.local_directory()
        )),
        Step::code(
            "From time to time, under the kernel that runs the program, write a copy of one \
             instant locally and hand it to the share under a new name:",
            format!(
                "rm -f {0}\nsqlite3 {1} {2}\ncp {0} {3}.new\nmv {3}.new {3}",
                quote::shell(&format!("{live}.new")),
                quote::shell(&live),
                quote::shell(&statement),
                quote::shell(&backup),
            ),
        ),
        Step::text(
            "For a copy that is seconds old, a replication tool such as Litestream does the same \
             continuously.",
        ),
    ];
    Words {
        title: "keep the live database local and copy it to the store",
        why: "a share or a bucket is a fine place for finished copies, and no place for a live \
              database",
        cost: "what was written since the last copy is lost with the machine",
        risk: "two machines that both believe to hold the live one will diverge",
        undo: "stop the program, copy the set of files back, and take the setting back",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::LocalPlusBackup, steps)
}

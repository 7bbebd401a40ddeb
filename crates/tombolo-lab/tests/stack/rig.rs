//! The stack: storage, a directory of the host, a guest, a container, an app.

use crate::app::{judge_app, run_app};
use crate::besides::Besides;
use crate::common::{PATIENCE, guest_spec, lab};
use crate::container::Container;
use crate::storage::{Storage, Stored};
use std::path::PathBuf;
use tombolo_lab::{Guest, Lab, Namespace, QemuShare, SecurityModel, Server, Verdict, needs};

/// What this needs of the machine, by the names of `tombolo-lab doctor`.
const REQUIRED: &[&str] = &[
    "qemu-system-x86_64",
    "a kernel",
    "zfs-fuse",
    RUNTIME,
    "sqlite3",
    "/usr/bin/python3",
    "strace",
    "mkfs.ext4",
];
const RUNTIME: &str = "crun or runc";

/// Where the guest has the directory.
pub(crate) const IN_GUEST: &str = "/srv/media";

/// The options that people use: everything else by default.
pub(crate) const DEFAULT_OPTIONS: &str = "trans=virtio";

/// A host with a directory to share, and a guest that can mount it.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) guest: Guest,
    /// The shared directory, on the host.
    pub(crate) directory: PathBuf,
    runtime: String,
    _virtiofs: Option<Server>,
    _stored: Stored,
    _lab: Lab,
}

impl Stack {
    /// Runs `test` on a fresh stack, up to the guest.
    pub(crate) fn run(storage: Storage, besides: Besides, test: impl FnOnce(&Stack) + Send) {
        Stack::run_with(&[], storage, besides, test);
    }

    /// The same, where the test needs more of the machine.
    pub(crate) fn run_with(
        required: &[&str],
        storage: Storage,
        besides: Besides,
        test: impl FnOnce(&Stack) + Send,
    ) {
        Namespace::run(|namespace| {
            let lab = lab(&[REQUIRED, required].concat());
            let stored = storage.make(namespace, &lab);
            let directory = stored.directory("media");
            let share = QemuShare::virtfs(&directory, "media");
            let share = share.security_model(SecurityModel::Passthrough);
            let spec = guest_spec().share(share);
            let (spec, virtiofs) = besides.add(namespace, &lab, &directory, spec);
            let guest = lab.guest(spec).expect("a guest");
            let runtime = needs().into_iter().find(|need| need.name == RUNTIME);
            let runtime = runtime.and_then(|need| need.found).expect("it was required");
            let (_virtiofs, _stored, _lab) = (virtiofs, stored, lab);
            test(&Stack { guest, directory, runtime, _virtiofs, _stored, _lab });
        });
    }

    /// Runs lines of shell in the guest, which must succeed.
    pub(crate) fn shell(&self, script: &str) -> String {
        let output = self.guest.command(&["sh", "-ec", script]).timeout(PATIENCE).run();
        output.expect("it ran").require_success().expect("it succeeded").text()
    }

    /// Mounts the shared directory in the guest; back with what the guest says of the mount.
    pub(crate) fn mount(&self, options: &str) -> String {
        self.shell(&format!(
            "mkdir -p {IN_GUEST}; mount -t 9p -o {options} media {IN_GUEST}; \
             grep ' {IN_GUEST} ' /proc/mounts"
        ))
    }

    /// Undoes that, where no container is left.
    pub(crate) fn unmount(&self) {
        self.shell(&format!("umount {IN_GUEST}"));
    }

    /// Starts the container on a directory of the guest that is named after it.
    pub(crate) fn container(&self, directory: &str) -> Container<'_> {
        self.named_container(&directory.trim_start_matches('/').replace('/', "-"), directory)
    }

    /// Starts a container of this name on a directory of the guest.
    pub(crate) fn named_container(&self, name: &str, directory: &str) -> Container<'_> {
        Container::start(self, &self.runtime, name, directory)
    }

    /// Runs the app on the host, on a database of the shared directory, which must succeed; with
    /// the items that it has acknowledged.
    pub(crate) fn app_on_host(&self, database: &str, arguments: &[&str]) -> Vec<String> {
        run_app(&self.directory.join(database), arguments)
    }

    /// What stock SQLite on the host says of a database, of which these items were acknowledged.
    pub(crate) fn judge(&self, database: &str, items: &[String]) -> Verdict {
        judge_app(&self.directory.join(database), items)
    }
}

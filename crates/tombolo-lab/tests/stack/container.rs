//! A container in the guest.

use crate::app::{APP, PYTHON, added};
use crate::common::{GuestSession, PATIENCE};
use crate::rig::Stack;
use serde_json::{Value, json};
use tombolo_lab::{Output, Running};

/// Where containers have the directory.
pub(crate) const IN_CONTAINER: &str = "/config";

/// As Docker makes it, in the words of the OCI's runtime specification: namespaces of its own, a
/// read-only root directory, a bind mount whose source is to be filled in.
const CONFIGURATION: &str = include_str!("container.json");

/// A running container with a directory of the guest at `/config`.
#[derive(Debug)]
pub(crate) struct Container<'a> {
    pub(crate) stack: &'a Stack,
    /// The program that runs it.
    pub(crate) runtime: &'a str,
    /// How that starts a command in it, with the caller's standard input.
    pub(crate) enter: &'static [&'static str],
    /// How that removes it, running or not.
    pub(crate) remove: &'static str,
    /// Its name.
    pub(crate) name: String,
    /// Its first process, by the guest's number.
    pub(crate) pid: String,
}

impl<'a> Container<'a> {
    /// Starts one on a directory of the guest, by crun or runc. Its root directory is the guest's,
    /// and its name is unique.
    pub(crate) fn start(stack: &'a Stack, runtime: &'a str, name: &str, directory: &str) -> Self {
        let bundle = format!("/run/bundles/{name}");
        // Each system that runs containers has the control groups mounted. The file is a sign of
        // what the lab itself may run in.
        let script = format!(
            "rm -f /.dockerenv; mkdir -p {bundle}/rootfs {IN_CONTAINER}; \
             mountpoint -q {bundle}/rootfs || mount --bind / {bundle}/rootfs; \
             mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup"
        );
        stack.shell(&script);
        let mut configuration: Value = serde_json::from_str(CONFIGURATION).expect("JSON");
        let mounts = configuration["mounts"].as_array_mut().expect("a list");
        let ours = mounts.iter_mut().find(|of| of["destination"] == IN_CONTAINER);
        ours.expect("there")["source"] = json!(directory);
        let configuration = configuration.to_string();
        let path = format!("{bundle}/config.json");
        stack.guest.put(&path, configuration.as_bytes(), 0o600).expect("put");
        // Its streams are not the command's, which would wait for their end.
        let run = format!(
            "{runtime} run --detach --bundle {bundle} --pid-file {bundle}/pid {name} \
             < /dev/null > {bundle}/log 2>&1 || {{ cat {bundle}/log; exit 1; }}; cat {bundle}/pid"
        );
        Container {
            stack,
            runtime,
            enter: &["exec"],
            remove: "delete",
            pid: stack.shell(&run),
            name: name.to_owned(),
        }
    }

    fn within(&self) -> Vec<&str> {
        let program = std::iter::once(self.runtime);
        program.chain(self.enter.iter().copied()).chain([self.name.as_str()]).collect()
    }

    /// Runs a command in it to its end.
    pub(crate) fn exec(&self, argv: &[&str]) -> Output {
        let argv: Vec<&str> = self.within().into_iter().chain(argv.iter().copied()).collect();
        self.stack.guest.command(&argv).timeout(PATIENCE).run().expect("it ran")
    }

    /// Starts a command in it.
    pub(crate) fn spawn(&self, argv: &[&str]) -> Running {
        let argv: Vec<&str> = self.within().into_iter().chain(argv.iter().copied()).collect();
        self.stack.guest.spawn(&argv).expect("the guest is there")
    }

    /// Runs the app in it, on a database in its `/config`.
    pub(crate) fn app(&self, database: &str, arguments: &[&str]) -> Output {
        let database = format!("{IN_CONTAINER}/{database}");
        let argv = [PYTHON, "-I", APP, &database];
        self.exec(&argv.into_iter().chain(arguments.iter().copied()).collect::<Vec<_>>())
    }

    /// Starts the app in it, on the database at this path.
    pub(crate) fn start_app(&self, path: &str, arguments: &[&str]) -> Running {
        self.spawn(&[&[PYTHON, "-I", APP, path], arguments].concat())
    }

    /// Runs the app to a good end, on a database in its `/config`; with the items that it has
    /// acknowledged.
    pub(crate) fn working_app(&self, database: &str, arguments: &[&str]) -> Vec<String> {
        let output = self.app(database, arguments).require_success().expect("it works");
        added(&output.text())
    }

    /// The app, with each of its system calls on standard error.
    pub(crate) fn traced_app(&self, database: &str) -> String {
        let database = format!("{IN_CONTAINER}/{database}");
        let trace = ["strace", "-f", "-y", "-e", "trace=openat,ftruncate,mmap"];
        let app = [PYTHON, "-I", APP, &database];
        self.exec(&trace.into_iter().chain(app).collect::<Vec<_>>()).error_text()
    }

    /// A connection in it that is told what to do.
    pub(crate) fn session(&self, database: &str, vfs: Option<&str>) -> GuestSession {
        let database = format!("{IN_CONTAINER}/{database}");
        GuestSession::new(&self.stack.guest, &self.within(), &database, vfs)
    }

    /// Ends it; the guest's end does so too.
    pub(crate) fn delete(&self) {
        self.stack.shell(&format!("{} {} --force {}", self.runtime, self.remove, self.name));
    }
}

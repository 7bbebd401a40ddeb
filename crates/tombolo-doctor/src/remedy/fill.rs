//! The words of a situation, ready to stand in commands.

use super::Situation;
use super::applications::{self, Application};
use super::quote;
use tombolo_core::report::{ContainerRuntime, KernelCount, Step};

/// A situation, with a stand-in for everything that is not known.
pub(super) struct Fill<'a> {
    pub(super) situation: &'a Situation,
}

impl<'a> Fill<'a> {
    pub(super) fn new(situation: &'a Situation) -> Self {
        Fill { situation }
    }

    /// The database's path, not quoted.
    pub(super) fn database(&self) -> &'a str {
        self.situation.database.as_deref().filter(|path| !path.is_empty()).unwrap_or("/path/app.db")
    }

    /// Its directory, not quoted.
    pub(super) fn directory(&self) -> &'a str {
        match self.database().rsplit_once('/') {
            Some(("", _)) => "/",
            Some((directory, _)) => directory,
            None => ".",
        }
    }

    /// Its name without the directory, not quoted.
    pub(super) fn file_name(&self) -> &'a str {
        self.database().rsplit('/').next().unwrap_or("app.db")
    }

    /// A local directory: the one that was found, or a stand-in.
    pub(super) fn local_directory(&self) -> &'a str {
        self.situation.local_directory.as_deref().unwrap_or("/var/lib/app-data")
    }

    /// A place for copies: the local directory that was found, or one that lasts over reboots
    /// (file-hierarchy(7)).
    fn copies(&self) -> &'a str {
        self.situation.local_directory.as_deref().unwrap_or("/var/tmp")
    }

    /// The mount point, not quoted.
    pub(super) fn mount_point(&self) -> &'a str {
        self.situation.mount_point.as_deref().unwrap_or("/mnt/share")
    }

    /// Whether the path is seen through a second mount of a part of the file system, as in a
    /// container: what must be mounted anew then stands elsewhere.
    pub(super) fn through_bind(&self) -> bool {
        self.situation.container.is_some()
            || self.situation.mount_root.as_deref().is_some_and(|root| root != "/")
    }

    /// What is mounted, not quoted.
    pub(super) fn source(&self) -> &'a str {
        self.situation.source.as_deref().unwrap_or("SOURCE")
    }

    /// The application, if the table knows it.
    pub(super) fn application(&self) -> Option<&'static Application> {
        self.situation.application.as_deref().and_then(applications::find)
    }

    /// Whether several kernels may open the database, as far as is known.
    pub(super) fn maybe_several(&self) -> bool {
        match self.situation.several_kernels_open {
            Some(several) => several,
            None => self.situation.reach != Some(KernelCount::One),
        }
    }

    /// The database and one of its sidecars, quoted for a shell.
    pub(super) fn quoted(&self, suffix: &str) -> String {
        quote::shell(&format!("{}{suffix}", self.database()))
    }

    /// The command of the container tool.
    pub(super) fn container_command(&self) -> &'static str {
        match self.situation.container {
            Some(ContainerRuntime::Podman) => "podman",
            Some(ContainerRuntime::Containerd) => "nerdctl",
            _ => "docker",
        }
    }

    /// Stops every opener and looks whether one is left on this kernel.
    pub(super) fn stop(&self) -> Step {
        let how = match self.situation.container {
            Some(ContainerRuntime::Docker) => " (docker stop, or docker compose stop)",
            Some(ContainerRuntime::Podman) => " (podman stop)",
            Some(ContainerRuntime::Kubernetes) => " (kubectl scale --replicas=0)",
            _ => "",
        };
        Step::code(
            format!(
                "Stop every program that opens the database{how}, on every machine that can reach \
                 it. On this kernel none may be listed by (as root, to see all):"
            ),
            format!("fuser -v {}*", self.quoted("")),
        )
    }

    /// Copies the set of files, to fall back on.
    pub(super) fn copy(&self) -> Step {
        Step::code(
            "Copy the database together with its -wal and -journal, to fall back on:",
            self.copy_command(&["", "-wal", "-journal"]),
        )
    }

    /// Copies a set of files into a fresh directory `$copy`.
    pub(super) fn copy_command(&self, suffixes: &[&str]) -> String {
        let template = format!("{}/sqlite-copy.XXXXXX", self.copies().trim_end_matches('/'));
        let files: Vec<String> = suffixes.iter().map(|suffix| self.quoted(suffix)).collect();
        format!(
            "copy=$(mktemp -d {})\nfor file in {}; do\n  [ ! -e \"$file\" ] || cp -p \"$file\" \
             \"$copy/\"\ndone\nls -l \"$copy\"",
            quote::shell(&template),
            files.join(" ")
        )
    }

    /// Opens the copy in `$copy`, which plays its journal or WAL back there, and checks it.
    pub(super) fn check_copy(&self) -> Step {
        Step::code(
            "Open the copy, never the original, and check it; the answer must be ok:",
            format!(
                "sqlite3 \"$copy\"/{} 'PRAGMA integrity_check;'",
                quote::shell(self.file_name())
            ),
        )
    }

    /// Starts the programs and looks at the database through the doctor again.
    pub(super) fn start(&self) -> Step {
        Step::code(
            "Start the programs and let the doctor look again:",
            format!("tombolo doctor {}", self.quoted("")),
        )
    }
}

//! virtiofs: one server process for each guest, over the same directory.

use super::{Offer, PATIENCE, Rig, Site};
use crate::error::LabError;
use crate::guest::QemuShare;
use crate::needs::virtiofsd;
use crate::server::ServerSpec;
use serde::Deserialize;
use std::cell::RefCell;
use std::path::Path;

/// Debian's up to version 12, written in C, in the package qemu-system-common.
const WRITTEN_IN_C: &str = "/usr/lib/qemu/virtiofsd";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Virtiofs {
    daemon: Daemon,
    /// The server's cache policy, by its own word.
    cache: String,
    /// Further options: for the server in C after `-o`, for the one in Rust as arguments.
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Daemon {
    C,
    Rust,
}

impl Virtiofs {
    fn argv(&self, socket: &Path, directory: &Path) -> Result<Vec<String>, LabError> {
        let (socket, directory) = (socket.display(), directory.display());
        let mut argv = match self.daemon {
            Daemon::C => {
                if !Path::new(WRITTEN_IN_C).is_file() {
                    let how = "install qemu-system-common of Debian 12";
                    return Err(LabError::Missing { what: WRITTEN_IN_C.to_owned(), how });
                }
                let options = format!("source={directory},cache={},sandbox=chroot", self.cache);
                vec![WRITTEN_IN_C.to_owned(), "-o".to_owned(), options]
            }
            Daemon::Rust => {
                let program = virtiofsd().ok_or_else(|| LabError::Missing {
                    what: "virtiofsd written in Rust".to_owned(),
                    how: "run `tombolo-lab doctor --install --virtiofsd`",
                })?;
                let shared = format!("--shared-dir={directory}");
                let cache = format!("--cache={}", self.cache);
                let program = program.to_string_lossy().into_owned();
                vec![program, shared, cache, "--sandbox=chroot".to_owned()]
            }
        };
        argv.push(format!("--socket-path={socket}"));
        for option in &self.options {
            if self.daemon == Daemon::C {
                argv.push("-o".to_owned());
            }
            argv.push(option.clone());
        }
        Ok(argv)
    }
}

impl Offer for Virtiofs {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        let servers = RefCell::new(Vec::new());
        let guests = site.boot(|name| {
            let socket = site.lab.directory().join(format!("virtiofs-{name}"));
            let argv = self.argv(&socket, &site.directory)?;
            let server = site.lab.server(&ServerSpec::new(&format!("virtiofsd-{name}"), &argv))?;
            server.wait_for_socket(&socket, false, PATIENCE)?;
            servers.borrow_mut().push(server);
            Ok(Some(QemuShare::vhost_user(&socket, "share")))
        })?;
        site.rig(&guests, "mount -t virtiofs share", servers.into_inner())
    }
}

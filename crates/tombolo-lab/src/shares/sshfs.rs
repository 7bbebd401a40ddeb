//! sshfs(1), without ssh: OpenSSH's `sftp-server` behind a port of the loopback (`directport`).

use super::{HOST_ADDRESS, Offer, PATIENCE, Rig, Site, free_port, require};
use crate::error::LabError;
use crate::server::ServerSpec;
use serde::Deserialize;

/// OpenSSH's, in Debian's package openssh-sftp-server.
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";
const PYTHON: &str = "/usr/bin/python3";

/// Starts one `sftp-server` for each connection.
const LISTENER: &str = include_str!("../../workloads/listener.py");

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sshfs {
    /// Further options of the mount.
    #[serde(default)]
    options: Vec<String>,
}

impl Offer for Sshfs {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        require("sshfs", "install sshfs")?;
        let sftp_server = require(SFTP_SERVER, "install openssh-sftp-server")?;
        let python = require(PYTHON, "install python3")?;
        let address = free_port()?;
        let port = address.port().to_string();
        let argv = [python.as_str(), "-I", "-c", LISTENER, &port, &sftp_server];
        let server = site.lab.server(&ServerSpec::new("sftp-server", &argv))?;
        server.wait_for_port(address, PATIENCE)?;
        let guests = site.boot(|_| Ok(None))?;
        let mut options = format!("directport={port}");
        for option in &self.options {
            options.push(',');
            options.push_str(option);
        }
        let directory = site.directory.display();
        let mount = format!("modprobe fuse && sshfs -o {options} {HOST_ADDRESS}:{directory}");
        site.rig(&guests, &mount, vec![server])
    }
}

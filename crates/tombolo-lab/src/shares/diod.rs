//! 9p over TCP by diod(8).

use super::{HOST_ADDRESS, Offer, PATIENCE, Rig, Site, free_port, require};
use crate::error::LabError;
use crate::server::ServerSpec;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diod {
    /// The client's `cache=` (Documentation/filesystems/9p.rst).
    cache: String,
}

impl Offer for Diod {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        let diod = require("diod", "install diod")?;
        let address = free_port()?;
        let (listen, export) = (address.to_string(), site.directory.to_string_lossy());
        // In the foreground, without authentication, settings of the system, or changes of user.
        let argv = [
            &diod,
            "-f",
            "-n",
            "-N",
            "-l",
            &listen,
            "-e",
            &export,
            "-c",
            "/dev/null",
            "-L",
            "stderr",
        ];
        let server = site.lab.server(&ServerSpec::new("diod", &argv))?;
        server.wait_for_port(address, PATIENCE)?;
        let guests = site.boot(|_| Ok(None))?;
        let options = format!(
            "trans=tcp,port={},version=9p2000.L,uname=root,aname={export},cache={}",
            address.port(),
            self.cache
        );
        let mount = format!("mount -t 9p -o {options} {HOST_ADDRESS}");
        site.rig(&guests, &mount, vec![server])
    }
}

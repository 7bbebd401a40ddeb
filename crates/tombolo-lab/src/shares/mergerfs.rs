//! mergerfs, mounted twice on the host over one directory: a pass-through FUSE file system.

use super::{Held, HostMount, Offer, PATIENCE, Rig, Site, described_on_host, mount_point, require};
use crate::error::LabError;
use crate::server::ServerSpec;
use crate::side::Side;
use serde::Deserialize;
use std::fs;
use std::path::Path;

const FUSE: &str = "/dev/fuse";

/// Seen through a mount, it says that the mount is there.
const MARKER: &str = "is-mounted";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Mergerfs {
    /// `cache.files=`: `off` is direct I/O.
    cache_files: String,
}

impl Offer for Mergerfs {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        let program = require("mergerfs", "install mergerfs")?;
        if !Path::new(FUSE).exists() {
            let how = "load the module fuse";
            return Err(LabError::Missing { what: FUSE.to_owned(), how });
        }
        let marker = site.directory.join(MARKER);
        fs::write(&marker, "").map_err(LabError::call("write", &marker))?;
        let host = |name: &str, directory: &Path| Side::host(name, site.lab.shared(), directory);
        let (mut clients, mut mounts, mut servers) = (Vec::new(), Vec::new(), Vec::new());
        for name in ["A", "B"] {
            let place = mount_point(site, name)?;
            let options = format!("cache.files={}", self.cache_files);
            let (branch, at) = (site.directory.to_string_lossy(), place.to_string_lossy());
            let argv = [program.as_str(), "-f", "-o", &options, &branch, &at];
            let server = site.lab.server(&ServerSpec::new(&format!("mergerfs-{name}"), &argv))?;
            mounts.push(HostMount(place.clone()));
            server.wait_for_socket(&place.join(MARKER), false, PATIENCE)?;
            servers.push(server);
            clients.push(host(name, &place));
        }
        fs::remove_file(&marker).map_err(LabError::call("unlink", &marker))?;
        let server = host("server", &site.directory);
        let mounted = described_on_host(clients[0].directory())?;
        let held = Held { _mounts: mounts, servers, ..Held::default() };
        Ok(Rig { server, clients, mounted, held })
    }
}

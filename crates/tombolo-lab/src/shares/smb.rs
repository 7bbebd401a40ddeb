//! SMB 3.1.1 by the distribution's smbd, with a configuration and a password of its own.

use super::{HOST_ADDRESS, Offer, PATIENCE, Rig, Site, free_port, require};
use crate::error::LabError;
use crate::server::ServerSpec;
use crate::side::Side;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Nobody but this lab's guests reaches the server, which listens on the loopback.
const PASSWORD: &str = "lab";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smb {
    /// The client's `cache=` (mount.cifs(8)).
    cache: String,
    /// Further options of the mount, as in `nobrl`.
    #[serde(default)]
    options: Vec<String>,
    /// Whether the server grants oplocks and leases.
    #[serde(default = "granted")]
    oplocks: bool,
}

fn granted() -> bool {
    true
}

impl Offer for Smb {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        let smbd = require("smbd", "install samba")?;
        require("mount.cifs", "install cifs-utils")?;
        if !rustix::process::geteuid().is_root() {
            let what = "right to run smbd".to_owned();
            return Err(LabError::Missing { what, how: "run the lab as root" });
        }
        let address = free_port()?;
        let place = site.lab.directory().join("smb");
        let settings = self.configure(&place, &site.directory, address.port())?;
        set_password(site, &settings)?;
        let settings = settings.to_string_lossy();
        // Its messages would leave what the lab reads of it out of the log of the server.
        let argv = [&smbd, "-F", "--no-process-group", "--debug-stdout", "-s", &settings];
        let server = site.lab.server(&ServerSpec::new("smbd", &argv))?;
        server.wait_for_port(address, PATIENCE)?;
        let guests = site.boot(|_| Ok(None))?;
        let mut options = format!(
            "vers=3.1.1,username=root,password={PASSWORD},port={},uid=0,gid=0,file_mode=0666,\
             dir_mode=0777,cache={}",
            address.port(),
            self.cache
        );
        for option in &self.options {
            options.push(',');
            options.push_str(option);
        }
        let mount = format!("mount -t cifs -o {options} //{HOST_ADDRESS}/share");
        site.rig(&guests, &mount, vec![server])
    }
}

impl Smb {
    /// Writes the configuration (smb.conf(5)): all that the server keeps is in `place`.
    fn configure(&self, place: &Path, share: &Path, port: u16) -> Result<PathBuf, LabError> {
        for directory in ["private", "ncalrpc"] {
            let directory = place.join(directory);
            fs::create_dir_all(&directory).map_err(LabError::call("mkdir", &directory))?;
        }
        let (here, share) = (place.display(), share.display());
        let mut text = format!(
            "[global]\nworkgroup = LAB\nserver role = standalone server\ninterfaces = lo\n\
             bind interfaces only = yes\nsmb ports = {port}\ndisable netbios = yes\n\
             private dir = {here}/private\nlock directory = {here}\nstate directory = {here}\n\
             cache directory = {here}\npid directory = {here}\nncalrpc dir = {here}/ncalrpc\n\
             load printers = no\nprinting = bsd\nprintcap name = /dev/null\n\
             passdb backend = tdbsam:{here}/passdb.tdb\nserver min protocol = SMB3_11\n\
             [share]\npath = {share}\nread only = no\nforce user = root\ncreate mask = 0666\n\
             directory mask = 0777\n"
        );
        if !self.oplocks {
            text.push_str("oplocks = no\nlevel2 oplocks = no\nkernel oplocks = no\n");
            text.push_str("[global]\nsmb2 leases = no\n");
        }
        let path = place.join("smb.conf");
        fs::write(&path, text).map_err(LabError::call("write", &path))?;
        Ok(path)
    }
}

/// A user of the server only: the system's password is another one.
fn set_password(site: &Site<'_>, settings: &Path) -> Result<(), LabError> {
    let smbpasswd = require("smbpasswd", "install samba-common-bin")?;
    let host = Side::host("server", site.lab.shared(), &site.directory);
    let settings = settings.to_string_lossy();
    let program = host.start(&[&smbpasswd, "-c", &settings, "-s", "-a", "root"])?;
    program.write_line(PASSWORD);
    program.write_line(PASSWORD);
    program.end_input();
    program.end(PATIENCE)?.require_success(&smbpasswd, PATIENCE).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_keeps_nothing_outside_of_its_place() {
        let place = tempfile::tempdir().expect("a directory");
        let share = Path::new("/srv/share");
        let smb = |oplocks| Smb { cache: "none".to_owned(), options: Vec::new(), oplocks };
        let written = |smb: &Smb| {
            let path = smb.configure(place.path(), share, 4450).expect("written");
            fs::read_to_string(path).expect("readable")
        };
        let (with, without) = (written(&smb(true)), written(&smb(false)));
        let here = place.path().to_string_lossy();
        for line in with.lines().filter(|line| line.contains('/')) {
            let ours = line.contains(&*here) || line.ends_with("/dev/null");
            assert!(ours || line == "path = /srv/share", "{line}");
        }
        assert!(with.contains("\nsmb ports = 4450\n") && !with.contains("oplocks"));
        assert!(without.contains("\nsmb2 leases = no\n"));
    }
}

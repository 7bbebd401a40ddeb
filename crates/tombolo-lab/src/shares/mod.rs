//! Shares between real kernels: how each kind is served, and how guests mount it.

mod diod;
mod imitation;
mod local;
mod mergerfs;
mod nfs;
mod smb;
mod sshfs;
mod virtfs;
mod virtiofs;

use crate::error::LabError;
use crate::faulty::TwoMounts;
use crate::guest::{Guest, GuestSpec, QemuShare};
use crate::lab::Lab;
use crate::needs::find;
use crate::server::Server;
use crate::side::Side;
use rustix::mount::UnmountFlags;
use serde::Deserialize;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where guests mount the share.
const MOUNT_POINT: &str = "/mnt/share";

/// The host, as guests see it through QEMU's network for users; its services listen at 127.0.0.1.
const HOST_ADDRESS: &str = "10.0.2.2";

/// How long a server may take to listen, and a mount to be made, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to share a directory between kernels, with its options.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Share {
    /// No share: two programs of the host on its own file system. What is lost here, the lab loses.
    Local(local::Local),
    Virtfs(virtfs::Virtfs),
    Virtiofs(virtiofs::Virtiofs),
    Smb(smb::Smb),
    Nfs(nfs::Nfs),
    Sshfs(sshfs::Sshfs),
    Diod(diod::Diod),
    Mergerfs(mergerfs::Mergerfs),
    Imitation(imitation::Imitation),
}

/// What each kind does.
trait Offer {
    /// Serves a directory and has it mounted on all sides.
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError>;
}

impl Share {
    fn offer(&self) -> &dyn Offer {
        match self {
            Share::Local(share) => share,
            Share::Virtfs(share) => share,
            Share::Virtiofs(share) => share,
            Share::Smb(share) => share,
            Share::Nfs(share) => share,
            Share::Sshfs(share) => share,
            Share::Diod(share) => share,
            Share::Mergerfs(share) => share,
            Share::Imitation(share) => share,
        }
    }

    /// Serves a directory and has it mounted on all sides.
    ///
    /// # Errors
    /// When something is missing on this machine, then with what brings it; or when a server or a
    /// guest does not come up.
    pub(crate) fn bring_up(&self, lab: &Lab, kernel: &str, guests: u8) -> Result<Rig, LabError> {
        let directory = lab.directory().join("share");
        fs::create_dir(&directory).map_err(LabError::call("mkdir", &directory))?;
        // Servers serve as whoever the client says it is.
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(&directory, open).map_err(LabError::call("chmod", &directory))?;
        self.offer().bring_up(&Site { lab, kernel, guests, directory })
    }

    /// Whether its sides are mounts of this kernel, without guests.
    pub(crate) fn is_on_host(&self) -> bool {
        matches!(self, Share::Local(_) | Share::Mergerfs(_) | Share::Imitation(_))
    }
}

/// A shared directory with all who see it. Guests are killed, mounts undone and servers killed when
/// it is dropped.
#[derive(Debug)]
pub struct Rig {
    server: Side,
    clients: Vec<Side>,
    mounted: String,
    held: Held,
}

/// What a rig lives by, in the order of its end.
#[derive(Debug, Default)]
struct Held {
    _two_mounts: Option<TwoMounts>,
    _mounts: Vec<HostMount>,
    servers: Vec<Server>,
}

impl Rig {
    /// Where the directory itself is: the host, or for NFS a guest.
    #[must_use]
    pub fn server(&self) -> &Side {
        &self.server
    }

    /// Those who have it mounted: `A`, and `B` where there is one.
    #[must_use]
    pub fn clients(&self) -> &[Side] {
        &self.clients
    }

    /// Type and options of the first client's mount, as in its `/proc/mounts`.
    #[must_use]
    pub fn mounted(&self) -> &str {
        &self.mounted
    }

    /// The first server that is no longer there: what has gone wrong, whatever was seen of it.
    pub(crate) fn ended_server(&self) -> Option<LabError> {
        self.held.servers.iter().find(|server| !server.is_alive()).map(Server::ended)
    }
}

/// What a share is brought up with.
#[derive(Debug)]
struct Site<'a> {
    lab: &'a Lab,
    kernel: &'a str,
    guests: u8,
    /// Of the host, empty.
    directory: PathBuf,
}

impl Site<'_> {
    fn spec(&self, name: &str) -> GuestSpec {
        GuestSpec::new(name).kernel(self.kernel)
    }

    /// Boots the clients, each with the share of QEMU that is made for it.
    fn boot(
        &self,
        share: impl Fn(&str) -> Result<Option<QemuShare>, LabError>,
    ) -> Result<Vec<Guest>, LabError> {
        let mut specs = Vec::new();
        for name in ["a", "b"].into_iter().take(usize::from(self.guests)) {
            let spec = self.spec(name);
            specs.push(match share(name)? {
                Some(share) => spec.share(share),
                None => spec,
            });
        }
        self.lab.guests(specs)
    }

    /// The rig whose directory is on the host, mounted in these guests by this shell command, which
    /// takes the mount point as its last word.
    fn rig(&self, guests: &[Guest], mount: &str, servers: Vec<Server>) -> Result<Rig, LabError> {
        let (clients, mounted) = mount_all(guests, mount)?;
        let server = Side::host("server", self.lab.shared(), &self.directory);
        let held = Held { servers, ..Held::default() };
        Ok(Rig { server, clients, mounted, held })
    }
}

/// Mounts the share in each guest; with the type and options of the first mount.
fn mount_all(guests: &[Guest], mount: &str) -> Result<(Vec<Side>, String), LabError> {
    let (mut clients, mut mounted) = (Vec::new(), String::new());
    for (guest, name) in guests.iter().zip(["A", "B"]) {
        let script = format!(
            "mkdir -p {MOUNT_POINT} && {mount} {MOUNT_POINT} && \
             grep ' {MOUNT_POINT} ' /proc/mounts"
        );
        let command = guest.command(&["sh", "-c", &script]).timeout(PATIENCE);
        let line = command.run()?.require_success()?.text();
        if mounted.is_empty() {
            mounted = described(&line);
        }
        clients.push(Side::guest(name, guest, Path::new(MOUNT_POINT)));
    }
    Ok((clients, mounted))
}

/// Type and options of a line of `/proc/mounts` (`proc_pid_mounts(5)`).
fn described(line: &str) -> String {
    line.split_ascii_whitespace().skip(2).take(2).collect::<Vec<_>>().join(" ")
}

/// A mount of the host, undone when dropped.
#[derive(Debug)]
struct HostMount(PathBuf);

impl Drop for HostMount {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// Makes a directory of the lab to mount at.
fn mount_point(site: &Site<'_>, name: &str) -> Result<PathBuf, LabError> {
    let place = site.lab.directory().join(format!("mount-{name}"));
    fs::create_dir(&place).map_err(LabError::call("mkdir", &place))?;
    Ok(place)
}

/// Type and options of what is mounted there, in the namespace of this thread.
fn described_on_host(place: &Path) -> Result<String, LabError> {
    let table = Path::new("/proc/thread-self/mounts");
    let mounts = fs::read_to_string(table).map_err(LabError::call("read", table))?;
    let at = format!(" {} ", place.display());
    Ok(described(mounts.lines().find(|line| line.contains(&at)).unwrap_or_default()))
}

/// A program that this rig cannot do without.
fn require(program: &str, how: &'static str) -> Result<String, LabError> {
    let found = find(program).map(|path| path.to_string_lossy().into_owned());
    found.ok_or_else(|| LabError::Missing { what: program.to_owned(), how })
}

/// A port of the loopback that nobody listens at. Another program can take it before the server
/// does; then the server says so and the rig fails.
fn free_port() -> Result<SocketAddr, LabError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(LabError::call("bind", Path::new("127.0.0.1")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ServerSpec;

    #[test]
    fn a_server_that_has_ended_is_named_with_its_last_words() {
        let lab = Lab::new().expect("a lab");
        let start = |name: &str, does: &str| {
            lab.server(&ServerSpec::new(name, &["/bin/sh", "-c", does])).expect("started")
        };
        let servers = vec![start("alive", "sleep 60"), start("dead", "echo invalid call")];
        let side = Side::host("host", lab.shared(), lab.directory());
        let held = Held { servers, ..Held::default() };
        let rig = Rig { server: side, clients: Vec::new(), mounted: String::new(), held };
        let begun = std::time::Instant::now();
        let ended = loop {
            match rig.ended_server() {
                None if begun.elapsed() < PATIENCE => std::thread::yield_now(),
                ended => break ended.map(|error| error.to_string()),
            }
        };
        assert_eq!(ended.as_deref(), Some("dead has ended; its log ends with:\ninvalid call\n"));
    }

    #[test]
    fn a_mount_is_described_by_type_and_options() {
        let line = "s /mnt/share 9p rw,sync,access=client,trans=virtio 0 0";
        assert_eq!(described(line), "9p rw,sync,access=client,trans=virtio");
        assert_eq!(described(""), "");
    }

    #[test]
    fn what_is_missing_is_told_with_its_package() {
        let error = require("no-such-server", "install no-such-package").expect_err("none");
        assert!(error.to_string().contains("no-such-package"), "{error}");
    }
}

//! Docker in the guest, as Debian has it.

use crate::app::APP;
use crate::common::PATIENCE;
use crate::container::{Container, IN_CONTAINER};
use crate::rig::Stack;
use crate::tool_build::built;
use std::path::Path;
use tombolo_lab::Running;

/// The client that belongs to the daemon: others may come first in the `PATH`.
const CLIENT: &str = "/usr/bin/docker";

/// No image is fetched. This one has links to the programs of the machine, which a mount brings.
const IMAGE: &str = "mkdir -p /run/image/usr /run/image/etc /run/image/tmp; cd /run/image; \
                     for name in bin sbin lib lib64; do ln -s usr/$name $name; done; \
                     tar -c . | /usr/bin/docker import - app";

/// A daemon at work. It ends with the guest.
#[derive(Debug)]
pub(crate) struct Docker<'a> {
    stack: &'a Stack,
    _daemon: Running,
}

impl<'a> Docker<'a> {
    /// Starts the daemon, with its images and volumes on the guest's disk: layers over the layers
    /// of the root directory are not to be had. No network, as nothing here has to do with one.
    pub(crate) fn start(stack: &'a Stack) -> Self {
        stack.shell(
            "mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup; \
             modprobe -a virtio_blk ext4; mkdir -p /var/lib/docker; \
             mount /dev/vda /var/lib/docker",
        );
        let argv = ["dockerd", "--bridge=none", "--iptables=false"];
        let daemon = stack.guest.spawn(&argv).expect("the guest is there");
        let answers = || {
            let asked = stack.guest.command(&[CLIENT, "version"]).timeout(PATIENCE);
            asked.run().expect("it ran").success()
        };
        while !answers() {
            let ended = daemon.poll().expect("the guest is there");
            assert!(ended.is_none(), "{}", String::from_utf8_lossy(&daemon.stderr_so_far()));
            std::thread::park_timeout(std::time::Duration::from_millis(500));
        }
        stack.shell(IMAGE);
        Docker { stack, _daemon: daemon }
    }

    /// Starts a container with a directory of the guest, or a volume of this name, at `/config`.
    pub(crate) fn container(&self, name: &str, source: &str) -> Container<'a> {
        let place = |path: &str| {
            let directory = Path::new(path).parent().expect("a parent").display().to_string();
            format!("--volume {directory}:{directory}:ro")
        };
        let run = format!(
            "{CLIENT} run --detach --name {name} --network none --volume /usr:/usr:ro {} {} \
             --volume {source}:{IN_CONTAINER} app sleep infinity > /dev/null; \
             {CLIENT} inspect --format '{{{{.State.Pid}}}}' {name}",
            place(APP),
            place(built()),
        );
        let pid = self.stack.shell(&run).trim().to_owned();
        let (stack, name) = (self.stack, name.to_owned());
        let enter = &["exec", "--interactive"];
        Container { stack, runtime: CLIENT, enter, remove: "rm", name, pid }
    }
}

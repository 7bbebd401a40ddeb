//! Stage 1: which kernel, on what machine, in which container, and who else reaches the path.

pub mod container;
pub mod machine;
mod reach;

pub use reach::Crossing;
pub(crate) use reach::lists_address;

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use tombolo_core::report::{
    Container, EvidenceKind, Kernel, KernelCount, Machine, Mount, Observation, Outcome, Topology,
};

/// What the stage is told; collected by [`tombolo_os::kernel`] and [`tombolo_os::container`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Surroundings {
    /// The running kernel.
    pub kernel: Kernel,
    /// What it runs on.
    pub machine: Machine,
    /// The container of the process through whose eyes the path is seen.
    pub container: Option<Container>,
    /// Addresses of this machine's network interfaces, as the doctor sees them.
    pub addresses: Vec<IpAddr>,
}

impl Surroundings {
    /// Collects what surrounds a process: `self`, or a process number. Looks into the root
    /// directory of that process, **which can block for ever** when it is on a dead mount.
    #[must_use]
    pub fn of(pid: &str) -> Self {
        let root = std::path::Path::new("/");
        Surroundings {
            kernel: tombolo_os::kernel::identify(root),
            machine: machine::classify(&tombolo_os::kernel::Signs::here()),
            container: container::classify(&tombolo_os::container::Signs::of(
                &root.join("proc"),
                pid,
            )),
            addresses: tombolo_os::network::addresses(root),
        }
    }
}

/// Says which kernels can reach the path that `mount` holds.
#[must_use]
pub fn examine(
    surroundings: &Surroundings,
    mount: Option<&Mount>,
    crossing: Crossing<'_>,
) -> (Topology, Vec<Observation>) {
    let Surroundings { kernel, machine, container, addresses } = surroundings.clone();
    let own = reach::own_role(machine);
    let crossing = match mount {
        None => Crossing::NotKnown,
        Some(mount) if reach::server_is_here(crossing, mount, &addresses) => Crossing::ServerHere,
        Some(_) => crossing,
    };
    let reach = reach::reach(crossing, mount, own);
    let map = reach::map(crossing, mount, own, container.as_ref());
    let inside = container
        .as_ref()
        .map_or(String::new(), |container| format!(", in a {}", container::in_words(container)));
    let count = match reach.count {
        KernelCount::One => "this kernel alone",
        KernelCount::Several => "more than one kernel",
        KernelCount::NotKnown => "this kernel, and perhaps others",
    };
    let summary = format!(
        "kernel {} of {}{inside}; the path can be reached by {count}: {}",
        kernel.release,
        machine::in_words(machine),
        reach.because
    );
    let mut observation = Observation::new(EvidenceKind::Topology, Outcome::Noted, summary)
        .value("map", map.as_str())
        .value("kernels", reach.kernels.clone());
    if let Some(boot_id) = &kernel.boot_id {
        observation = observation.value("boot_id", boot_id.as_str());
    }
    (Topology { kernel, container, machine, reach, map }, vec![observation])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::report::ContainerRuntime;

    fn mount(filesystem: &str, root: &str, magic: Option<&str>) -> Mount {
        Mount {
            mount_point: "/data".to_owned(),
            root: root.to_owned(),
            filesystem: filesystem.to_owned(),
            source: "share".to_owned(),
            options: Vec::new(),
            super_options: Vec::new(),
            file_mount: false,
            deleted: false,
            statfs_magic: magic.map(str::to_owned),
            knowledge: None,
        }
    }

    fn surroundings(machine: Machine, container: Option<&str>) -> Surroundings {
        let container = container.map(|name| Container {
            runtime: ContainerRuntime::Docker,
            id: None,
            name: Some(name.to_owned()),
        });
        let addresses = vec![IpAddr::from([192, 0, 2, 7])];
        Surroundings { kernel: Kernel::default(), machine, container, addresses }
    }

    #[test]
    fn the_map_shows_server_guest_and_container() {
        let around = surroundings(Machine::Qemu, Some("web"));
        let share = mount("9p", "/db", Some("0x2fc12fc1 (zfs)"));
        let crossing = Crossing::OtherKernel { role: "host" };
        let (topology, observations) = examine(&around, Some(&share), crossing);
        assert_eq!(
            topology.map,
            "host (zfs) \u{2500}9p\u{2192} guest \u{2500}bind\u{2192} docker container web"
        );
        assert_eq!(topology.reach.count, KernelCount::Several);
        assert_eq!(topology.reach.kernels, ["guest", "host"]);
        assert_eq!(observations[0].kind, EvidenceKind::Topology);
        assert!(observations[0].summary.contains("more than one kernel"));
    }

    #[test]
    fn the_magic_of_fuse_and_of_9p_itself_say_nothing_of_the_server() {
        let around = surroundings(Machine::Kvm, None);
        for (filesystem, magic) in
            [("virtiofs", "0x65735546 (fuse)"), ("9p", "0x1021997 (9p)"), ("9p", "0x1234")]
        {
            let share = mount(filesystem, "/", Some(magic));
            let crossing = Crossing::OtherKernel { role: "host" };
            let (topology, _) = examine(&around, Some(&share), crossing);
            assert_eq!(topology.map, format!("host \u{2500}{filesystem}\u{2192} guest"));
        }
    }

    #[test]
    fn a_local_file_system_belongs_to_one_kernel() {
        let around = surroundings(Machine::Physical, None);
        let (topology, _) = examine(&around, Some(&mount("ext4", "/", None)), Crossing::LocalOnly);
        assert_eq!(topology.map, "this machine (ext4)");
        assert_eq!(topology.reach.count, KernelCount::One);
    }

    #[test]
    fn what_is_not_known_is_not_claimed() {
        let around = surroundings(Machine::Physical, None);
        let fuse = mount("fuse.something", "/", None);
        let (topology, _) = examine(&around, Some(&fuse), Crossing::NotKnown);
        assert_eq!(topology.reach.count, KernelCount::NotKnown);
        assert_eq!(topology.map, "? \u{2500}fuse.something\u{2192} this machine");
        let (unmounted, _) = examine(&around, None, Crossing::LocalOnly);
        assert_eq!(unmounted.reach.count, KernelCount::NotKnown, "no mount, no claim");
    }

    #[test]
    fn a_server_at_an_address_of_this_machine_is_not_called_another_kernel() {
        let around = surroundings(Machine::Physical, None);
        let crossing = Crossing::OtherKernel { role: "server" };
        let mounted = |filesystem: &str, source: &str, options: &[&str]| {
            let mut share = mount(filesystem, "/", None);
            share.source = source.to_owned();
            share.super_options = options.iter().map(|&option| option.to_owned()).collect();
            examine(&around, Some(&share), crossing).0
        };
        for (source, option) in [
            ("127.0.0.1:/", "addr=127.0.0.1"),
            ("localhost:/srv", "addr=::1"),
            ("nas:/srv", "addr=192.0.2.7"),
        ] {
            let topology = mounted("nfs4", source, &["vers=4.2", option]);
            assert_eq!(topology.reach.count, KernelCount::NotKnown, "{option}");
            assert_eq!(topology.reach.kernels, ["this machine"]);
            assert_eq!(topology.map, "this machine \u{2500}nfs4\u{2192} this machine");
            assert!(topology.reach.because.contains(&option[5..]), "{option}");
        }
        assert_eq!(
            mounted("cifs", "//127.0.0.1/s", &["addr=127.0.0.1"]).reach.count,
            KernelCount::NotKnown
        );
        for (filesystem, options) in [
            ("nfs4", vec!["addr=192.0.2.8"]),
            ("nfs4", vec!["addr=127.0.0.1", "port=20049"]),
            ("nfs4", Vec::new()),
            ("9p", vec!["addr=127.0.0.1"]),
        ] {
            let topology = mounted(filesystem, "127.0.0.1:/", &options);
            assert_eq!(topology.reach.count, KernelCount::Several, "{filesystem} {options:?}");
        }
    }

    #[test]
    fn this_machine_can_be_examined() {
        let around = Surroundings::of("self");
        assert!(!around.kernel.release.is_empty());
        let (topology, _) = examine(&around, None, Crossing::NotKnown);
        assert_eq!(topology.kernel, around.kernel);
    }
}

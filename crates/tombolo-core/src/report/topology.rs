//! Which kernels can reach a path.

use serde::{Deserialize, Serialize};

/// Where the doctor runs, and who else reaches the path.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Topology {
    /// The running kernel.
    pub kernel: Kernel,
    /// The container that the examined program is in, if any.
    pub container: Option<Container>,
    /// What the kernel runs on.
    pub machine: Machine,
    /// The kernels that can reach the path.
    pub reach: KernelReach,
    /// A small map for people: `host (zfs) -9p-> guest -bind-> container`.
    pub map: String,
}

/// One running kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Kernel {
    /// `/proc/sys/kernel/random/boot_id`; tells kernels apart. `None` without `/proc`.
    pub boot_id: Option<String>,
    /// `uname -r`.
    pub release: String,
    /// `uname -v`, in which sandboxes and vendors leave their names.
    pub version: String,
    /// `uname -m`.
    pub machine: String,
}

/// A container, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Container {
    /// The tool that runs it.
    pub runtime: ContainerRuntime,
    /// Its id, when the tool gives one.
    pub id: Option<String>,
    /// Its name, when it could be resolved.
    pub name: Option<String>,
}

/// Tools that run containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerRuntime {
    /// Docker or Moby.
    Docker,
    /// Podman.
    Podman,
    /// containerd without Docker (nerdctl, CRI).
    Containerd,
    /// CRI-O.
    Crio,
    /// LXC, LXD or Incus.
    Lxc,
    /// A Kubernetes pod, the runtime below it not told.
    Kubernetes,
    /// systemd-nspawn.
    SystemdNspawn,
    /// Some other container: of crun or runc alone, or own namespaces and nothing that names the
    /// tool.
    Other,
}

/// What a kernel runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Machine {
    /// No sign of a hypervisor.
    Physical,
    /// QEMU with or without KVM.
    Qemu,
    /// KVM, the monitor not told.
    Kvm,
    /// VMware.
    Vmware,
    /// VirtualBox.
    VirtualBox,
    /// Microsoft Hyper-V.
    HyperV,
    /// Windows Subsystem for Linux 1: no Linux kernel at all.
    Wsl1,
    /// Windows Subsystem for Linux 2.
    Wsl2,
    /// Firecracker.
    Firecracker,
    /// Cloud Hypervisor.
    CloudHypervisor,
    /// gVisor's sentry: a kernel of its own in a process.
    Gvisor,
    /// Apple's Virtualization framework.
    AppleVirtualization,
    /// The Linux VM of Docker Desktop.
    DockerDesktop,
    /// A VM made by Lima or Colima.
    Lima,
    /// Parallels.
    Parallels,
    /// Xen.
    Xen,
    /// Amazon's Nitro or another cloud hypervisor named by DMI.
    Cloud,
    /// User-mode Linux.
    UserModeLinux,
    /// Not looked for.
    NotExamined,
    /// A hypervisor that did not give its name.
    UnnamedHypervisor,
}

/// The kernels that can reach a path.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct KernelReach {
    /// How many.
    pub count: KernelCount,
    /// Which ones, as far as they can be named; the doctor's own first.
    pub kernels: Vec<String>,
    /// What that rests on.
    pub because: String,
}

/// How many kernels can reach a path. Reaching is not opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelCount {
    /// A local file system: this kernel alone, unless it is exported.
    One,
    /// At least one more kernel holds the storage (host, server, node).
    Several,
    /// The mount does not tell.
    NotKnown,
}

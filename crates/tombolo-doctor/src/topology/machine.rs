//! What the kernel runs on, from the signs of firmware, processor and `/proc`.
//!
//! The order of the rules is their content: what is most particular comes first, because virtual
//! machines are made of others. WSL2 and Docker Desktop run on Hyper-V, Lima on QEMU or on Apple's
//! framework, Firecracker and Cloud Hypervisor on KVM.

use tombolo_core::report::Machine;
use tombolo_os::kernel::{Presence, Signs, VirtualFlag};

/// Names the machine.
#[must_use]
pub fn classify(signs: &Signs) -> Machine {
    sandbox(signs)
        .or_else(|| windows_subsystem(signs))
        .or_else(|| developer_machine(signs))
        .or_else(|| by_firmware(signs))
        .or_else(|| by_processor(signs))
        .unwrap_or(Machine::Physical)
}

/// Kernels that are programs.
fn sandbox(signs: &Signs) -> Option<Machine> {
    // gVisor: pkg/sentry/kernel/version/version.go.
    if signs.release.contains("gvisor") || mentions(&signs.proc_version, "gvisor") {
        return Some(Machine::Gvisor);
    }
    // arch/um/kernel/um_arch.c prints this vendor in /proc/cpuinfo.
    (signs.cpu_vendor == "User Mode Linux").then_some(Machine::UserModeLinux)
}

/// WSL1 has no Linux kernel and calls its release `4.4.0-19041-Microsoft`; WSL2 is
/// `5.15.90.1-microsoft-standard-WSL2`, unless its user built another kernel.
fn windows_subsystem(signs: &Signs) -> Option<Machine> {
    if signs.release.ends_with("-Microsoft") {
        return Some(Machine::Wsl1);
    }
    let on_hyper_v = signs.cpuid_hypervisor == "Microsoft Hv";
    let named = signs.release.contains("WSL2") || signs.release.contains("microsoft-standard");
    let interop = signs.windows_interop == Presence::Present && on_hyper_v;
    (named || interop).then_some(Machine::Wsl2)
}

/// Virtual machines that exist to run containers on a developer's desk.
fn developer_machine(signs: &Signs) -> Option<Machine> {
    let linuxkit = signs.release.contains("linuxkit");
    if linuxkit || signs.docker_desktop_files == Presence::Present && is_virtual(signs) {
        return Some(Machine::DockerDesktop);
    }
    let named_by_lima = signs.hostname.starts_with("lima-")
        || signs.hostname == "colima"
        || signs.hostname.starts_with("colima-");
    // Other tools, too, hand over a disk named `cidata`: the name of the host must agree.
    (named_by_lima && is_virtual(signs)).then_some(Machine::Lima)
}

/// DMI, ACPI and device tree. The texts are those that the monitors themselves write.
fn by_firmware(signs: &Signs) -> Option<Machine> {
    let dmi = [
        &signs.dmi_system_vendor,
        &signs.dmi_product_name,
        &signs.dmi_product_version,
        &signs.dmi_board_vendor,
        &signs.dmi_bios_vendor,
        &signs.dmi_bios_version,
    ];
    let names = |text: &str| dmi.iter().any(|field| mentions(field, text));
    for (text, machine) in [
        ("Apple Virtualization", Machine::AppleVirtualization),
        ("VirtualBox", Machine::VirtualBox),
        ("innotek GmbH", Machine::VirtualBox),
        ("VMware", Machine::Vmware),
        ("Parallels", Machine::Parallels),
        ("Cloud Hypervisor", Machine::CloudHypervisor),
        ("cloud-hypervisor", Machine::CloudHypervisor),
        ("Firecracker", Machine::Firecracker),
        // Clouds run Linux on bare metal as well; for reach, that is the same.
        ("Amazon EC2", Machine::Cloud),
        ("Google Compute Engine", Machine::Cloud),
        ("Alibaba Cloud", Machine::Cloud),
        ("DigitalOcean", Machine::Cloud),
        ("Hetzner", Machine::Cloud),
        ("OpenStack", Machine::Cloud),
        ("Xen", Machine::Xen),
        ("QEMU", Machine::Qemu),
        ("Bochs", Machine::Qemu),
    ] {
        if names(text) {
            return Some(machine);
        }
    }
    if signs.dmi_system_vendor == "Microsoft Corporation"
        && signs.dmi_product_name == "Virtual Machine"
    {
        // Azure's machines carry this tag (documented for its instance metadata service).
        let azure = signs.dmi_chassis_asset_tag == "7783-7084-3265-9085-8269-3286-77";
        return Some(if azure { Machine::Cloud } else { Machine::HyperV });
    }
    for (text, machine) in [
        ("FIRECK", Machine::Firecracker),
        ("CLOUDH", Machine::CloudHypervisor),
        ("BOCHS", Machine::Qemu),
        ("VBOX", Machine::VirtualBox),
        ("APPLE", Machine::AppleVirtualization),
    ] {
        let is_virtual = machine != Machine::AppleVirtualization || is_virtual(signs);
        if signs.acpi_oem.starts_with(text) && is_virtual {
            return Some(machine);
        }
    }
    let tree = &signs.device_tree_hypervisor;
    if mentions(tree, "xen") || signs.hypervisor_type == "xen" {
        return Some(Machine::Xen);
    }
    if mentions(tree, "vmware") {
        return Some(Machine::Vmware);
    }
    if mentions(&signs.device_tree_model, "linux,dummy-virt") {
        return Some(Machine::Qemu);
    }
    mentions(tree, "kvm").then_some(Machine::Kvm)
}

/// The vendor text of CPUID leaf 0x40000000.
fn by_processor(signs: &Signs) -> Option<Machine> {
    Some(match signs.cpuid_hypervisor.as_str() {
        "KVMKVMKVM" | "Linux KVM Hv" => Machine::Kvm,
        "TCGTCGTCGTCG" => Machine::Qemu,
        "VMwareVMware" => Machine::Vmware,
        "VBoxVBoxVBox" => Machine::VirtualBox,
        "Microsoft Hv" => Machine::HyperV,
        "XenVMMXenVMM" => Machine::Xen,
        "prl hyperv" | "lrpepyh vr" => Machine::Parallels,
        "" if signs.virtual_flag == VirtualFlag::Clear => return None,
        _ => Machine::UnnamedHypervisor,
    })
}

fn is_virtual(signs: &Signs) -> bool {
    signs.virtual_flag == VirtualFlag::Set
        || !signs.cpuid_hypervisor.is_empty()
        || by_firmware_names_one(signs)
}

/// On ARM no processor flag tells; Apple's framework and QEMU name themselves in DMI.
fn by_firmware_names_one(signs: &Signs) -> bool {
    ["Apple Virtualization", "QEMU"].iter().any(|text| {
        mentions(&signs.dmi_product_name, text) || mentions(&signs.dmi_system_vendor, text)
    })
}

fn mentions(text: &str, word: &str) -> bool {
    text.to_ascii_lowercase().contains(&word.to_ascii_lowercase())
}

/// The machine in words, for summaries.
#[must_use]
pub fn in_words(machine: Machine) -> &'static str {
    match machine {
        Machine::Physical => "a physical machine",
        Machine::Qemu => "a QEMU guest",
        Machine::Kvm => "a KVM guest",
        Machine::Vmware => "a VMware guest",
        Machine::VirtualBox => "a VirtualBox guest",
        Machine::HyperV => "a Hyper-V guest",
        Machine::Wsl1 => "WSL1 (no Linux kernel)",
        Machine::Wsl2 => "WSL2",
        Machine::Firecracker => "a Firecracker microVM",
        Machine::CloudHypervisor => "a Cloud Hypervisor guest",
        Machine::Gvisor => "a gVisor sandbox",
        Machine::AppleVirtualization => "a guest of Apple's Virtualization framework",
        Machine::DockerDesktop => "Docker Desktop's virtual machine",
        Machine::Lima => "a Lima or Colima guest",
        Machine::Parallels => "a Parallels guest",
        Machine::Xen => "a Xen guest",
        Machine::Cloud => "a cloud machine",
        Machine::UserModeLinux => "User-mode Linux",
        Machine::UnnamedHypervisor => "a guest of a hypervisor without a name",
        Machine::NotExamined => "a machine that was not examined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(set: &[(&str, &str)]) -> Signs {
        let mut signs = Signs::default();
        for (field, value) in set {
            let value = (*value).to_owned();
            match *field {
                "release" => signs.release = value,
                "version" => signs.proc_version = value,
                "hostname" => signs.hostname = value,
                "vendor" => signs.dmi_system_vendor = value,
                "product" => signs.dmi_product_name = value,
                "bios" => signs.dmi_bios_vendor = value,
                "bios_version" => signs.dmi_bios_version = value,
                "asset" => signs.dmi_chassis_asset_tag = value,
                "acpi" => signs.acpi_oem = value,
                "hypervisor" => signs.hypervisor_type = value,
                "tree_hypervisor" => signs.device_tree_hypervisor = value,
                "tree" => signs.device_tree_model = value,
                "cpu" => signs.cpu_vendor = value,
                "cpuid" => {
                    signs.cpuid_hypervisor = value;
                    signs.virtual_flag = VirtualFlag::Set;
                }
                "flag" => signs.virtual_flag = VirtualFlag::Set,
                "interop" => signs.windows_interop = Presence::Present,
                "desktop" => signs.docker_desktop_files = Presence::Present,
                other => panic!("no sign {other}"),
            }
        }
        signs
    }

    #[test]
    fn sets_of_signs_name_their_machine() {
        let cases: &[(&[(&str, &str)], Machine)] = &[
            (
                &[("vendor", "LENOVO"), ("product", "20XW"), ("cpu", "GenuineIntel")],
                Machine::Physical,
            ),
            (&[("tree", "Raspberry Pi 4 Model B Rev 1.4")], Machine::Physical),
            (&[("vendor", "QEMU"), ("cpuid", "KVMKVMKVM")], Machine::Qemu),
            (&[("vendor", "QEMU"), ("cpuid", "TCGTCGTCGTCG")], Machine::Qemu),
            (&[("acpi", "BOCHS BXPC"), ("flag", "")], Machine::Qemu),
            (&[("tree", "linux,dummy-virt")], Machine::Qemu),
            (&[("cpuid", "KVMKVMKVM")], Machine::Kvm),
            (&[("vendor", "VMware, Inc."), ("cpuid", "VMwareVMware")], Machine::Vmware),
            (
                &[("vendor", "innotek GmbH"), ("product", "VirtualBox"), ("cpuid", "KVMKVMKVM")],
                Machine::VirtualBox,
            ),
            (
                &[
                    ("vendor", "Microsoft Corporation"),
                    ("product", "Virtual Machine"),
                    ("cpuid", "Microsoft Hv"),
                ],
                Machine::HyperV,
            ),
            (
                &[
                    ("vendor", "Microsoft Corporation"),
                    ("product", "Virtual Machine"),
                    ("asset", "7783-7084-3265-9085-8269-3286-77"),
                ],
                Machine::Cloud,
            ),
            (&[("vendor", "Microsoft Corporation"), ("product", "Surface Pro")], Machine::Physical),
            (&[("release", "4.4.0-19041-Microsoft"), ("interop", "")], Machine::Wsl1),
            (
                &[("release", "5.15.90.1-microsoft-standard-WSL2"), ("cpuid", "Microsoft Hv")],
                Machine::Wsl2,
            ),
            (
                &[("release", "6.9.0-own"), ("interop", ""), ("cpuid", "Microsoft Hv")],
                Machine::Wsl2,
            ),
            (
                &[
                    ("release", "6.10.14-linuxkit"),
                    ("vendor", "Apple Inc."),
                    ("product", "Apple Virtualization Generic Platform"),
                ],
                Machine::DockerDesktop,
            ),
            (&[("desktop", ""), ("cpuid", "Microsoft Hv")], Machine::DockerDesktop),
            (
                &[
                    ("hostname", "lima-default"),
                    ("vendor", "Apple Inc."),
                    ("product", "Apple Virtualization Generic Platform"),
                ],
                Machine::Lima,
            ),
            (&[("hostname", "colima"), ("vendor", "QEMU")], Machine::Lima),
            (&[("hostname", "lima-peru")], Machine::Physical),
            (
                &[("vendor", "Apple Inc."), ("product", "Apple Virtualization Generic Platform")],
                Machine::AppleVirtualization,
            ),
            (
                &[
                    ("vendor", "Apple Inc."),
                    ("product", "MacBookPro11,1"),
                    ("acpi", "APPLE MacBook"),
                ],
                Machine::Physical,
            ),
            (&[("acpi", "FIRECKFCVMDSDT"), ("cpuid", "KVMKVMKVM")], Machine::Firecracker),
            (
                &[("vendor", "Cloud Hypervisor"), ("product", "cloud-hypervisor")],
                Machine::CloudHypervisor,
            ),
            (&[("release", "4.19.0-gvisor")], Machine::Gvisor),
            (&[("release", "4.4.0"), ("version", "Linux version 4.4.0 (gVisor)")], Machine::Gvisor),
            (&[("vendor", "Parallels International GmbH.")], Machine::Parallels),
            (
                &[("vendor", "Xen"), ("product", "HVM domU"), ("bios_version", "4.11.amazon")],
                Machine::Xen,
            ),
            (&[("hypervisor", "xen")], Machine::Xen),
            (&[("tree_hypervisor", "xen,xen-4.17 xen,xen")], Machine::Xen),
            (
                &[("vendor", "Amazon EC2"), ("product", "t3.micro"), ("cpuid", "KVMKVMKVM")],
                Machine::Cloud,
            ),
            (&[("vendor", "Google"), ("product", "Google Compute Engine")], Machine::Cloud),
            (&[("cpu", "User Mode Linux")], Machine::UserModeLinux),
            (&[("cpuid", "SomethingNew")], Machine::UnnamedHypervisor),
            (&[("flag", "")], Machine::UnnamedHypervisor),
        ];
        for (set, expected) in cases {
            assert_eq!(classify(&signs(set)), *expected, "{set:?}");
        }
    }
}

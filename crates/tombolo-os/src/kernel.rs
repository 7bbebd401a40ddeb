//! The running kernel, and the signs of what it runs on.
//!
//! Nothing is concluded here: [`Signs`] are what firmware, `/proc` and the processor say, and the
//! doctor's topology stage names the machine.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use tombolo_core::report::Kernel;
use tombolo_core::text::printable;

/// Bytes read of one file of signs; the longest, `/proc/cpuinfo`, begins with what is looked for.
const SIGN_BYTES_MAX: u64 = 16 << 10;

/// What was found of a machine. Empty text: the file was not there or could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// `/proc/sys/kernel/osrelease`, the same as `uname -r`.
    pub release: String,
    /// `/proc/version`.
    pub proc_version: String,
    /// `/proc/sys/kernel/hostname`.
    pub hostname: String,
    /// `/sys/class/dmi/id/sys_vendor`.
    pub dmi_system_vendor: String,
    /// `/sys/class/dmi/id/product_name`.
    pub dmi_product_name: String,
    /// `/sys/class/dmi/id/product_version`.
    pub dmi_product_version: String,
    /// `/sys/class/dmi/id/board_vendor`.
    pub dmi_board_vendor: String,
    /// `/sys/class/dmi/id/bios_vendor`.
    pub dmi_bios_vendor: String,
    /// `/sys/class/dmi/id/bios_version`.
    pub dmi_bios_version: String,
    /// `/sys/class/dmi/id/chassis_asset_tag`.
    pub dmi_chassis_asset_tag: String,
    /// OEM id and table id of the ACPI table DSDT (offset 10, 6 + 8 bytes); root alone may read it.
    pub acpi_oem: String,
    /// `/sys/hypervisor/type`.
    pub hypervisor_type: String,
    /// `/proc/device-tree/hypervisor/compatible`.
    pub device_tree_hypervisor: String,
    /// `/proc/device-tree/model` and `/proc/device-tree/compatible`.
    pub device_tree_model: String,
    /// `vendor_id` of `/proc/cpuinfo`.
    pub cpu_vendor: String,
    /// Vendor text of CPUID leaf 0x40000000 (x86 only).
    pub cpuid_hypervisor: String,
    /// Whether the processor says that it is virtual.
    pub virtual_flag: VirtualFlag,
    /// Whether programs of Windows can be started from here.
    pub windows_interop: Presence,
    /// The cloud-init disk or directory by which Lima sets up its guests.
    pub lima_data: Presence,
    /// Directories that Docker Desktop makes in its own virtual machine and the containers' hosts.
    pub docker_desktop_files: Presence,
}

/// The flag `hypervisor` of an x86 processor (CPUID leaf 1, ECX bit 31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VirtualFlag {
    /// Set.
    Set,
    /// Not set, or the processor has no such flag.
    #[default]
    Clear,
}

/// Whether a file or directory is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Present,
    /// It is not, or may not be seen.
    #[default]
    Absent,
}

impl Signs {
    /// Collects the signs of this machine.
    #[must_use]
    pub fn here() -> Self {
        let mut signs = Signs::below(Path::new("/"));
        signs.cpuid_hypervisor = cpuid_hypervisor();
        if !signs.cpuid_hypervisor.is_empty() {
            signs.virtual_flag = VirtualFlag::Set;
        }
        if signs.release.is_empty() {
            signs.release = text_of(rustix::system::uname().release().to_bytes());
        }
        signs
    }

    /// Collects what files below a root directory say; without CPUID.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        let dmi = |name: &str| read_line(&root.join("sys/class/dmi/id").join(name));
        let cpuinfo = read_text(&root.join("proc/cpuinfo"));
        let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let virtual_flag = if flags.split_whitespace().any(|flag| flag == "hypervisor") {
            VirtualFlag::Set
        } else {
            VirtualFlag::Clear
        };
        let device_tree = root.join("proc/device-tree");
        Signs {
            release: read_line(&root.join("proc/sys/kernel/osrelease")),
            proc_version: read_line(&root.join("proc/version")),
            hostname: read_line(&root.join("proc/sys/kernel/hostname")),
            dmi_system_vendor: dmi("sys_vendor"),
            dmi_product_name: dmi("product_name"),
            dmi_product_version: dmi("product_version"),
            dmi_board_vendor: dmi("board_vendor"),
            dmi_bios_vendor: dmi("bios_vendor"),
            dmi_bios_version: dmi("bios_version"),
            dmi_chassis_asset_tag: dmi("chassis_asset_tag"),
            acpi_oem: acpi_oem(&root.join("sys/firmware/acpi/tables/DSDT")),
            hypervisor_type: read_line(&root.join("sys/hypervisor/type")),
            device_tree_hypervisor: read_line(&device_tree.join("hypervisor/compatible")),
            device_tree_model: format!(
                "{} {}",
                read_line(&device_tree.join("model")),
                read_line(&device_tree.join("compatible"))
            )
            .trim()
            .to_owned(),
            cpu_vendor: field_of(&cpuinfo, "vendor_id"),
            cpuid_hypervisor: String::new(),
            virtual_flag,
            windows_interop: any_present(
                root,
                &[
                    "proc/sys/fs/binfmt_misc/WSLInterop",
                    "proc/sys/fs/binfmt_misc/WSLInterop-late",
                    "run/WSL",
                ],
            ),
            lima_data: any_present(
                root,
                &["mnt/lima-cidata", "dev/disk/by-label/cidata", "run/lima-boot-done"],
            ),
            docker_desktop_files: any_present(
                root,
                &["run/desktop-containerd", "run/host-services", "host_mnt"],
            ),
        }
    }
}

/// The running kernel, below a root directory.
#[must_use]
pub fn identify(root: &Path) -> Kernel {
    let names = rustix::system::uname();
    let boot_id = boot_id(root);
    Kernel {
        boot_id,
        release: text_of(names.release().to_bytes()),
        version: text_of(names.version().to_bytes()),
        machine: text_of(names.machine().to_bytes()),
    }
}

/// By which kernels are told apart (`random(4)`); `None` where `/proc` is not mounted.
#[must_use]
pub fn boot_id(root: &Path) -> Option<String> {
    let boot_id = claimed_boot_id()
        .unwrap_or_else(|| read_line(&root.join("proc/sys/kernel/random/boot_id")));
    (!boot_id.is_empty()).then_some(boot_id)
}

/// Tests have one kernel and must speak of two.
#[cfg(feature = "testing")]
fn claimed_boot_id() -> Option<String> {
    std::env::var("TOMBOLO_TESTING_BOOT_ID").ok()
}

#[cfg(not(feature = "testing"))]
fn claimed_boot_id() -> Option<String> {
    None
}

/// `uname -n`.
#[must_use]
pub fn host_name() -> String {
    text_of(rustix::system::uname().nodename().to_bytes())
}

/// Bits that nobody guesses; getrandom(2).
#[must_use]
pub fn random_bits() -> u64 {
    let mut bytes = [0_u8; 8];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_le_bytes(bytes)
}

fn any_present(root: &Path, names: &[&str]) -> Presence {
    // `symlink_metadata`: what a link points to may be a device or a share that does not answer.
    if names.iter().any(|name| root.join(name).symlink_metadata().is_ok()) {
        Presence::Present
    } else {
        Presence::Absent
    }
}

/// The value of `name : value` in the manner of `/proc/cpuinfo`.
fn field_of(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    });
    value.unwrap_or_default().to_owned()
}

fn acpi_oem(table: &Path) -> String {
    match read_bytes(table).get(10..24) {
        Some(names) => text_of(names).trim().to_owned(),
        None => String::new(),
    }
}

fn read_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    // A sign that cannot be read is a sign that is not there.
    let read = file.and_then(|file| file.take(SIGN_BYTES_MAX).read_to_end(&mut bytes));
    read.map(|_| bytes).unwrap_or_default()
}

fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&read_bytes(path)).into_owned()
}

fn read_line(path: &Path) -> String {
    let bytes = read_bytes(path);
    text_of(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default())
}

/// Text without control characters; the zero bytes between entries of a device tree become blanks.
fn text_of(bytes: &[u8]) -> String {
    let blanks: Vec<u8> = bytes.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    printable(&blanks).trim().to_owned()
}

#[cfg(target_arch = "x86_64")]
fn cpuid_hypervisor() -> String {
    #![allow(unsafe_code, unused_unsafe, reason = "safe in newer releases of the standard library")]
    use std::arch::x86_64::{__cpuid, CpuidResult};
    // SAFETY: every x86-64 processor has the instruction, and leaf 1.
    let CpuidResult { ecx: features, .. } = unsafe { __cpuid(1) };
    if features & (1 << 31) == 0 {
        return String::new();
    }
    // SAFETY: as above. The leaf belongs to hypervisors, and the flag says that there is one.
    let CpuidResult { ebx, ecx, edx, .. } = unsafe { __cpuid(0x4000_0000) };
    let bytes: Vec<u8> = [ebx, ecx, edx].iter().flat_map(|word| word.to_le_bytes()).collect();
    text_of(&bytes)
}

#[cfg(not(target_arch = "x86_64"))]
fn cpuid_hypervisor() -> String {
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_read_below_a_root() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |name: &str, content: &[u8]| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
            std::fs::write(path, content).expect("write");
        };
        write("sys/class/dmi/id/sys_vendor", b"QEMU\n");
        write(
            "proc/cpuinfo",
            b"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t: fpu hypervisor\n",
        );
        write("proc/device-tree/model", b"linux,dummy-virt\0");
        write("sys/firmware/acpi/tables/DSDT", b"DSDT....xxBOCHS BXPC    rest");
        write("proc/sys/fs/binfmt_misc/WSLInterop", b"enabled\n");
        let signs = Signs::below(root.path());
        assert_eq!(signs.dmi_system_vendor, "QEMU");
        assert_eq!(signs.cpu_vendor, "GenuineIntel");
        assert_eq!(signs.virtual_flag, VirtualFlag::Set);
        assert_eq!(signs.device_tree_model, "linux,dummy-virt");
        assert_eq!(signs.acpi_oem, "BOCHS BXPC");
        assert_eq!(signs.windows_interop, Presence::Present);
        assert_eq!(signs.lima_data, Presence::Absent);
    }

    #[test]
    fn this_kernel_has_a_name_and_a_boot_id() {
        let kernel = identify(Path::new("/"));
        assert_eq!(kernel.boot_id.expect("/proc is mounted").len(), 36);
        assert!(!kernel.release.is_empty());
        assert_eq!(Signs::here().release, kernel.release);
    }

    #[test]
    fn an_empty_root_gives_no_signs() {
        let root = tempfile::tempdir().expect("a directory");
        assert_eq!(Signs::below(root.path()), Signs::default());
        assert_eq!(identify(root.path()).boot_id, None);
    }
}

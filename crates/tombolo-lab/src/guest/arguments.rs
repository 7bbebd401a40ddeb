//! QEMU's arguments for one guest.

use super::spec::{GuestSpec, QemuShare};
use crate::error::LabError;
use crate::kernel::Kernel;
use crate::protocol::PORT;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The network cards, as QEMU's monitor calls them.
pub(super) const HOST_CARD: &str = "card-host";
pub(super) const GUESTS_CARD: &str = "card-guests";
/// The network that only the lab uses, as `info usernet` calls it.
pub(super) const CONTROL_NETWORK: &str = "control";

/// A small firmware: it finds the kernel a second earlier than SeaBIOS does.
const FIRMWARE: &str = "/usr/share/qemu/qboot.rom";

/// All that is decided before QEMU starts.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) spec: &'a GuestSpec,
    pub(super) kernel: &'a Kernel,
    /// From 1: its address and its cards' follow from it.
    pub(super) number: u8,
    pub(super) initramfs: &'a Path,
    /// The program that is the agent.
    pub(super) binary: &'a Path,
    /// The lab's socket for the monitor.
    pub(super) monitor: &'a Path,
    /// The sockets of the network between guests: its own and the lab's.
    pub(super) network: (&'a Path, &'a Path),
}

impl Plan<'_> {
    pub(super) fn arguments(&self) -> Result<Vec<OsString>, LabError> {
        let spec = self.spec;
        check_name(&spec.name)?;
        let mut list = Arguments::default();
        // Emulation only: the same everywhere, also in a guest of a cloud.
        list.all(&["-M", "q35", "-accel", "tcg", "-cpu", "max", "-nodefaults", "-no-user-config"]);
        list.all(&["-display", "none", "-no-reboot", "-device", "virtio-rng-pci"]);
        list.all(&["-m", &format!("{}M", spec.memory_mib), "-smp", &spec.processors.to_string()]);
        if Path::new(FIRMWARE).exists() {
            list.all(&["-bios", FIRMWARE]);
        }
        list.path("-kernel", self.kernel.image());
        list.path("-initrd", self.initramfs.to_owned());
        list.all(&["-append", &self.kernel_arguments()?]);
        list.all(&["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]);
        let monitor = escape(self.monitor)?;
        list.all(&["-chardev", &format!("socket,id=monitor,path={monitor}")]);
        list.all(&["-mon", "chardev=monitor,mode=control"]);
        self.networks(&mut list)?;
        list.all(&[
            "-virtfs",
            "local,path=/,mount_tag=lab-root,security_model=none,readonly=on,multidevs=remap",
        ]);
        shares(spec, &mut list)?;
        list.0.extend(spec.qemu_arguments.iter().map(OsString::from));
        Ok(list.0)
    }

    fn kernel_arguments(&self) -> Result<String, LabError> {
        let mut words = vec![
            "console=ttyS0".to_owned(),
            "quiet".to_owned(),
            // At once, and by -no-reboot to the end of QEMU.
            "panic=-1".to_owned(),
            "oops=panic".to_owned(),
            "mitigations=off".to_owned(),
            // A tenth of the processor time until the first command.
            "cryptomgr.notests".to_owned(),
            // On a busy host the guest does not run for a while now and then. What is measured then
            // is wrong: the rate of the processor's clock, by which the guest's time ran several
            // times too fast, and whether the timer works, which made it panic.
            "clocksource=hpet".to_owned(),
            "no_timer_check".to_owned(),
            "random.trust_cpu=on".to_owned(),
            format!("tombolo_lab.name={}", self.spec.name),
            format!("tombolo_lab.number={}", self.number),
            format!("tombolo_lab.modules={}", word(&self.kernel.modules())?),
            format!("tombolo_lab.agent={}", word(self.binary)?),
        ];
        words.extend(self.spec.kernel_arguments.iter().cloned());
        Ok(words.join(" "))
    }

    fn networks(&self, list: &mut Arguments) -> Result<(), LabError> {
        let (own, hub) = (escape(self.network.0)?, escape(self.network.1)?);
        // The lab's own leads nowhere else; port 0 is for the host's kernel to choose.
        let control = format!(
            "user,id={CONTROL_NETWORK},net=10.0.3.0/24,restrict=on,\
             hostfwd=tcp:127.0.0.1:0-10.0.3.15:{PORT}"
        );
        let host = "user,id=host,net=10.0.2.0/24".to_owned();
        let guests = format!(
            "dgram,id=guests,local.type=unix,local.path={own},\
             remote.type=unix,remote.path={hub}"
        );
        let cards = [(control, CONTROL_NETWORK, "card-control"), (host, "host", HOST_CARD)];
        let cards = cards.into_iter().chain([(guests, "guests", GUESTS_CARD)]);
        for (index, (backend, network, card)) in cards.enumerate() {
            let address = format!("52:54:00:77:{index:02x}:{:02x}", self.number);
            list.all(&["-netdev", &backend, "-device"]);
            list.all(&[&format!(
                "virtio-net-pci,netdev={network},id={card},mac={address},romfile="
            )]);
        }
        Ok(())
    }
}

fn shares(spec: &GuestSpec, list: &mut Arguments) -> Result<(), LabError> {
    if spec.shares.iter().any(|share| matches!(share, QemuShare::VhostUser { .. })) {
        // The server of a virtiofs share reads and writes the guest's memory itself.
        let memory = format!("memory-backend-memfd,id=memory,size={}M,share=on", spec.memory_mib);
        list.all(&["-object", &memory, "-numa", "node,memdev=memory"]);
    }
    for (index, share) in spec.shares.iter().enumerate() {
        match share {
            QemuShare::Virtfs { path, tag, security_model, readonly, options } => {
                check_tag(tag)?;
                let mut text = format!(
                    "local,id=share-{index},path={},mount_tag={tag},security_model={},\
                     multidevs=remap",
                    escape(path)?,
                    security_model.as_str()
                );
                if *readonly {
                    text.push_str(",readonly=on");
                }
                for option in options {
                    text.push(',');
                    text.push_str(option);
                }
                list.all(&["-virtfs", &text]);
            }
            QemuShare::VhostUser { socket, tag } => {
                check_tag(tag)?;
                let socket = escape(socket)?;
                list.all(&["-chardev", &format!("socket,id=share-{index},path={socket}")]);
                let device = format!("vhost-user-fs-pci,chardev=share-{index},tag={tag}");
                list.all(&["-device", &device]);
            }
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn all(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn path(&mut self, option: &str, path: PathBuf) {
        self.0.push(option.into());
        self.0.push(path.into_os_string());
    }
}

fn check_name(name: &str) -> Result<(), LabError> {
    let fits = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    if !name.is_empty() && name.len() <= 32 && name.chars().all(fits) {
        return Ok(());
    }
    let message = format!("{name:?} is no name for a guest: lower-case letters, digits, hyphens");
    Err(LabError::Request(message))
}

fn check_tag(tag: &str) -> Result<(), LabError> {
    let fits = |one: char| one.is_ascii_alphanumeric() || "-_".contains(one);
    // QEMU takes 31 bytes for 9p, 36 for virtiofs.
    if !tag.is_empty() && tag.len() <= 31 && tag.chars().all(fits) && tag != "lab-root" {
        return Ok(());
    }
    let message = format!("{tag:?} is no tag for a share: 31 letters, digits, hyphens at most");
    Err(LabError::Request(message))
}

/// A path as a value among QEMU's options, where a comma is written twice.
fn escape(path: &Path) -> Result<String, LabError> {
    let text = path.to_str().ok_or_else(|| {
        LabError::Request(format!("{} is not UTF-8: QEMU's options must be", path.display()))
    })?;
    Ok(text.replace(',', ",,"))
}

/// A path as one word of the kernel's arguments.
fn word(path: &Path) -> Result<&str, LabError> {
    let text = path.to_str().filter(|text| !text.contains([' ', '\t', '\n', '"']));
    text.ok_or_else(|| {
        let message = format!("{:?} cannot be told to a guest: it has blanks or quotes", path);
        LabError::Request(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_out_of_an_argument_are_refused() {
        for bad in ["", "A", "a b", "a,b", "../a", &"a".repeat(33)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("guest-1").is_ok());
        for bad in ["", "a,b", "a b", "lab-root"] {
            assert!(check_tag(bad).is_err(), "{bad}");
        }
        assert_eq!(escape(Path::new("/a,b")).expect("UTF-8"), "/a,,b");
        assert!(word(Path::new("/a b")).is_err());
    }

    #[test]
    fn a_virtiofs_share_brings_shared_memory() {
        let of = |share| {
            let mut list = Arguments::default();
            shares(&GuestSpec::new("a").share(share), &mut list).expect("arguments");
            list.0.join(" ".as_ref()).into_string().expect("UTF-8")
        };
        let virtiofs = of(QemuShare::vhost_user(Path::new("/s"), "fs"));
        assert!(virtiofs.contains("memory-backend-memfd,id=memory,size=320M,share=on"));
        let model = crate::SecurityModel::MappedXattr;
        let virtfs = of(QemuShare::virtfs(Path::new("/d"), "fs").security_model(model));
        assert!(!virtfs.contains("memory-backend"));
        assert!(
            virtfs.contains("path=/d,mount_tag=fs,security_model=mapped-xattr,multidevs=remap")
        );
    }
}

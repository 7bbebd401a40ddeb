//! What a guest boots from: `busybox`, a few modules, and a script that makes the host's root its
//! own.

use crate::error::LabError;
use crate::kernel::{Kernel, load_order};
use std::fs;
use std::path::Path;

/// What the script mounts and talks through. Everything else the guest loads itself, from its root.
const MODULES: &[&str] = &["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_net"];

/// Where Debian's package `busybox-static` puts it.
const BUSYBOX: &str = "/bin/busybox";

const SCRIPT: &str = include_str!("initramfs.sh");

/// An initramfs for the guests of one kernel, in the format of `Documentation/driver-api/
/// early-userspace/buffer-format.rst`. Uncompressed: unpacking in an emulated guest costs more than
/// reading.
#[derive(Debug)]
pub(crate) struct Initramfs {
    bytes: Vec<u8>,
}

impl Initramfs {
    pub(crate) fn new(kernel: &Kernel) -> Result<Self, LabError> {
        build(kernel).map(|bytes| Initramfs { bytes })
    }

    /// The same with the secret of one guest, as a second archive behind the first.
    pub(crate) fn with_secret(&self, secret: &str) -> Result<Vec<u8>, LabError> {
        let mut archive = Archive::default();
        archive.file("secret", 0o600, secret.as_bytes())?;
        Ok([self.bytes.as_slice(), &archive.end()?].concat())
    }
}

fn build(kernel: &Kernel) -> Result<Vec<u8>, LabError> {
    let busybox = Path::new(BUSYBOX);
    let content = match fs::read(busybox) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let how = "install busybox-static";
            return Err(LabError::Missing { what: BUSYBOX.to_owned(), how });
        }
        other => other.map_err(LabError::call("read", busybox))?,
    };
    if is_dynamic(&content) {
        let how = "it is dynamically linked: install busybox-static in place of busybox";
        return Err(LabError::Missing { what: "static busybox".to_owned(), how });
    }
    let mut archive = Archive::default();
    for directory in ["bin", "dev", "host", "modules", "new", "proc", "sys", "writable"] {
        archive.directory(directory)?;
    }
    archive.file("bin/busybox", 0o755, &content)?;
    let mut load = String::new();
    for (number, file) in load_order(kernel, MODULES)?.iter().enumerate() {
        let content = fs::read(file).map_err(LabError::call("read", file))?;
        let plain = content.starts_with(b"\x7fELF");
        let content = if plain { content } else { crate::kernel::decompress(&content)? };
        let name = format!("modules/{number}.ko");
        archive.file(&name, 0o644, &content)?;
        load.push_str(&format!("insmod /{name}\n"));
    }
    archive.file("init", 0o755, SCRIPT.replace("@MODULES@\n", &load).as_bytes())?;
    archive.end()
}

/// Whether an ELF file asks for an interpreter, by the name of glibc's that stands in it.
fn is_dynamic(content: &[u8]) -> bool {
    let head = &content[..content.len().min(4096)];
    head.windows(8).any(|window| window == b"ld-linux")
}

/// A `newc` archive that grows.
#[derive(Debug, Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn directory(&mut self, name: &str) -> Result<(), LabError> {
        self.entry(name, 0o040_755, 2, &[])
    }

    fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<(), LabError> {
        self.entry(name, 0o100_000 | mode, 1, content)
    }

    fn end(mut self) -> Result<Vec<u8>, LabError> {
        self.entry("TRAILER!!!", 0, 1, &[])?;
        Ok(self.bytes)
    }

    fn entry(&mut self, name: &str, mode: u32, links: u32, content: &[u8]) -> Result<(), LabError> {
        let long = |_| LabError::Request(format!("{name} is too long for an initramfs"));
        let length = u32::try_from(content.len()).map_err(long)?;
        let name_length = u32::try_from(name.len() + 1).map_err(long)?;
        self.entries += 1;
        // Inode, mode, owner, group, links, time; length; device and represented device; name's
        // length with its zero byte; no checksum.
        let fields = [self.entries, mode, 0, 0, links, 0, length, 0, 0, 0, 0, name_length, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
        Ok(())
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[test]
    fn busybox_unpacks_what_was_packed() {
        let mut archive = Archive::default();
        archive.directory("a").expect("packed");
        archive.file("a/odd", 0o640, b"12345").expect("packed");
        archive.file("a/empty", 0o755, b"").expect("packed");
        let bytes = archive.end().expect("packed");
        let place = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(BUSYBOX);
        command.args(["cpio", "-i"]).current_dir(place.path()).stdin(Stdio::piped());
        let mut child = command.spawn().expect("busybox runs (package busybox-static)");
        child.stdin.take().expect("piped").write_all(&bytes).expect("written");
        assert!(child.wait().expect("ended").success());
        assert_eq!(fs::read(place.path().join("a/odd")).expect("readable"), b"12345");
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = fs::metadata(place.path().join("a/empty")).expect("there");
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.len()), (0o755, 0));
    }

    #[test]
    fn a_dynamic_program_is_told_from_a_static_one() {
        assert!(is_dynamic(b"\x7fELF....../lib64/ld-linux-x86-64.so.2\0"));
        assert!(!is_dynamic(b"\x7fELF......"));
    }
}

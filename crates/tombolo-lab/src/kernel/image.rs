//! The kernel proper, out of the self-extracting image that boot loaders take.
//!
//! Under emulation the extraction in the guest takes longer than all the rest of booting. QEMU
//! starts the bare ELF file through its PVH entry (`CONFIG_PVH`), which Debian's kernels have.

use super::decompress;
use crate::error::LabError;

// Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR_BYTES: usize = 512;

/// The ELF file in `image`.
pub(super) fn extract(image: &[u8]) -> Result<Vec<u8>, LabError> {
    let bad = |why: &str| LabError::Request(format!("not a kernel image as expected: {why}"));
    if image.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        return Err(bad("no header"));
    }
    let sectors = match image.get(SETUP_SECTORS) {
        // What very old kernels mean by 0.
        Some(0) | None => 4,
        Some(count) => usize::from(*count),
    };
    let word = |at: usize| {
        let bytes = image.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| u32::from_le_bytes(bytes) as usize).ok_or_else(|| bad("it is cut"))
    };
    let start = (sectors + 1) * SECTOR_BYTES + word(PAYLOAD_OFFSET)?;
    let end = start.saturating_add(word(PAYLOAD_LENGTH)?);
    let payload = image.get(start..end).ok_or_else(|| bad("its payload is cut"))?;
    // Its last four bytes are the size of what comes out: gzip's own trailer, or added by the
    // kernel's build to the other formats (scripts/Makefile.lib, size_append).
    let own_trailer = payload.starts_with(&[0x1f, 0x8b]);
    let length = if own_trailer { payload.len() } else { payload.len().saturating_sub(4) };
    let kernel = decompress(&payload[..length])?;
    if kernel.starts_with(b"\x7fELF") { Ok(kernel) } else { Err(bad("its payload is no ELF")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    /// An image whose payload is `content`, compressed by `xz` as the kernel's build does.
    fn image(content: &[u8]) -> Vec<u8> {
        let mut command = Command::new("xz");
        let mut child =
            command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("xz");
        child.stdin.take().expect("piped").write_all(content).expect("written");
        let mut payload = child.wait_with_output().expect("ended").stdout;
        payload.extend_from_slice(&u32::try_from(content.len()).expect("small").to_le_bytes());
        let mut image = vec![0; 2 * SECTOR_BYTES + 16];
        image[SETUP_SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16_u32.to_le_bytes());
        let length = u32::try_from(payload.len()).expect("small");
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        image.extend_from_slice(&payload);
        image
    }

    #[test]
    fn the_elf_file_comes_out() {
        let kernel = b"\x7fELF and more".repeat(1000);
        assert_eq!(extract(&image(&kernel)).expect("extracted"), kernel);
    }

    #[test]
    fn anything_else_is_refused() {
        let whole = image(b"\x7fELF");
        assert!(extract(&image(b"no ELF")).is_err());
        for length in [0, 0x200, 0x24e, whole.len() - 1] {
            assert!(extract(&whole[..length]).is_err(), "{length}");
        }
    }
}

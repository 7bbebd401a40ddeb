//! As much of an ELF file as tells whether it needs a loader or a shared library.
//!
//! Source: System V ABI, "Object Files" and "Program Loading and Dynamic Linking"; `elf.h`.

/// What a 64-bit little-endian ELF file asks of the system that runs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// A program interpreter (`PT_INTERP`), which is the dynamic loader.
    pub(crate) interpreter: bool,
    /// Shared libraries (`DT_NEEDED` entries).
    pub(crate) libraries: usize,
}

/// Why a file could not be read as ELF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ElfError {
    #[error("not a 64-bit little-endian ELF file")]
    Format,
    #[error("an ELF header points past the end of the file")]
    Bounds,
}

const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DYNAMIC_ENTRY_BYTES: usize = 16;

/// Reads the program headers and the dynamic section.
pub(crate) fn needs(file: &[u8]) -> Result<Needs, ElfError> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return Err(ElfError::Format);
    }
    let table = to_usize(u64_at(file, 32)?)?;
    let entry_bytes = usize::from(u16_at(file, 54)?);
    let entries = usize::from(u16_at(file, 56)?);
    let mut needs = Needs::default();
    for index in 0..entries {
        let header = index
            .checked_mul(entry_bytes)
            .and_then(|offset| table.checked_add(offset))
            .ok_or(ElfError::Bounds)?;
        match u32_at(file, header)? {
            PT_INTERP => needs.interpreter = true,
            PT_DYNAMIC => {
                let start = to_usize(u64_at(file, header + 8)?)?;
                let bytes = to_usize(u64_at(file, header + 32)?)?;
                let end = start.checked_add(bytes).ok_or(ElfError::Bounds)?;
                needs.libraries += needed(file.get(start..end).ok_or(ElfError::Bounds)?)?;
            }
            _ => {}
        }
    }
    Ok(needs)
}

fn needed(section: &[u8]) -> Result<usize, ElfError> {
    let mut count = 0;
    for entry in section.chunks_exact(DYNAMIC_ENTRY_BYTES) {
        match u64_at(entry, 0)? {
            DT_NULL => break,
            DT_NEEDED => count += 1,
            _ => {}
        }
    }
    Ok(count)
}

fn to_usize(value: u64) -> Result<usize, ElfError> {
    usize::try_from(value).map_err(|_| ElfError::Bounds)
}

fn bytes_at<const N: usize>(file: &[u8], offset: usize) -> Result<[u8; N], ElfError> {
    file.get(offset..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(ElfError::Bounds)
}

fn u16_at(file: &[u8], offset: usize) -> Result<u16, ElfError> {
    bytes_at(file, offset).map(u16::from_le_bytes)
}

fn u32_at(file: &[u8], offset: usize) -> Result<u32, ElfError> {
    bytes_at(file, offset).map(u32::from_le_bytes)
}

fn u64_at(file: &[u8], offset: usize) -> Result<u64, ElfError> {
    bytes_at(file, offset).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with the given program headers, each (type, file offset, size).
    fn elf(headers: &[(u32, u64, u64)], tail: &[u8]) -> Vec<u8> {
        let mut file = vec![0_u8; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32..40].copy_from_slice(&64_u64.to_le_bytes());
        file[54..56].copy_from_slice(&56_u16.to_le_bytes());
        file[56..58].copy_from_slice(&u16::try_from(headers.len()).unwrap().to_le_bytes());
        for (kind, offset, size) in headers {
            let mut header = [0_u8; 56];
            header[..4].copy_from_slice(&kind.to_le_bytes());
            header[8..16].copy_from_slice(&offset.to_le_bytes());
            header[32..40].copy_from_slice(&size.to_le_bytes());
            file.extend_from_slice(&header);
        }
        file.extend_from_slice(tail);
        file
    }

    #[test]
    fn a_static_file_needs_nothing() {
        assert_eq!(needs(&elf(&[(1, 0, 64)], &[])), Ok(Needs::default()));
    }

    #[test]
    fn interpreter_and_libraries_are_seen() {
        let mut dynamic = Vec::new();
        for tag in [DT_NEEDED, DT_NEEDED, DT_NULL, DT_NEEDED] {
            dynamic.extend_from_slice(&tag.to_le_bytes());
            dynamic.extend_from_slice(&[0; 8]);
        }
        let file = elf(&[(PT_INTERP, 0, 1), (PT_DYNAMIC, 64 + 112, 64)], &dynamic);
        assert_eq!(needs(&file), Ok(Needs { interpreter: true, libraries: 2 }));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(needs(b"#!/bin/sh"), Err(ElfError::Format));
        assert_eq!(needs(&elf(&[], &[])[..40]), Err(ElfError::Bounds));
        assert_eq!(needs(&elf(&[(PT_DYNAMIC, u64::MAX, 16)], &[])), Err(ElfError::Bounds));
    }
}

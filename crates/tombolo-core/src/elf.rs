//! As much of an ELF file as tells whether a dynamic loader starts it.
//!
//! Source: System V ABI, "Object Files" and "Program Loading and Dynamic Linking"; `elf.h`.

/// Bytes from the beginning of a file in which the program headers are expected: linkers put them
/// behind the ELF header.
pub const START_BYTES: usize = 16 * 1024;

const PT_INTERP: u32 = 3;

/// How a program comes to its libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking {
    /// A loader reads libraries, and what `LD_PRELOAD` names before them.
    Dynamic,
    /// Everything is in the file.
    Static,
}

/// How the program is linked whose file begins with these bytes; `None` if this is no 64-bit
/// little-endian ELF file, or its program headers are further back.
#[must_use]
pub fn linking(start: &[u8]) -> Option<Linking> {
    if !start.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(u64::from_le_bytes(*start.get(32..)?.first_chunk()?)).ok()?;
    let half = |offset: usize| -> Option<usize> {
        Some(usize::from(u16::from_le_bytes(*start.get(offset..)?.first_chunk()?)))
    };
    let (entry_bytes, entries) = (half(54)?, half(56)?);
    for index in 0..entries {
        let offset = table.checked_add(index.checked_mul(entry_bytes)?)?;
        let kind = u32::from_le_bytes(*start.get(offset..)?.first_chunk()?);
        if kind == PT_INTERP {
            return Some(Linking::Dynamic);
        }
    }
    Some(Linking::Static)
}

/// The interpreter that the first line of a script names (execve(2)); `None` if there is none.
#[must_use]
pub fn interpreter(start: &[u8]) -> Option<&[u8]> {
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.trim_ascii().split(u8::is_ascii_whitespace).next()?;
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&u16::try_from(kinds.len()).unwrap().to_le_bytes());
        for kind in kinds {
            let mut entry = [0; 56];
            entry[..4].copy_from_slice(&kind.to_le_bytes());
            bytes.extend_from_slice(&entry);
        }
        bytes
    }

    #[test]
    fn a_loader_is_what_makes_a_program_dynamic() {
        assert_eq!(linking(&file(&[6, 3, 1])), Some(Linking::Dynamic));
        assert_eq!(linking(&file(&[1, 1, 2])), Some(Linking::Static));
        assert_eq!(linking(b"#!/bin/sh\n"), None);
        let cut_off = &file(&[1, 3])[..100];
        assert_eq!(linking(cut_off), None);
    }

    #[test]
    fn a_script_names_its_interpreter() {
        assert_eq!(interpreter(b"#! /usr/bin/env python3\nx"), Some(&b"/usr/bin/env"[..]));
        assert_eq!(interpreter(b"#!/bin/sh"), Some(&b"/bin/sh"[..]));
        assert_eq!(interpreter(b"#!\n"), None);
        assert_eq!(interpreter(b"x"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(tail in any::<Vec<u8>>()) {
            let _ = linking(&[&b"\x7fELF\x02\x01"[..], &tail].concat());
            let _ = interpreter(&[&b"#!"[..], &tail].concat());
        }
    }
}

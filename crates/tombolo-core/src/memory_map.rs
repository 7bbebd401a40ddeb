//! What a process has mapped (`proc_pid_maps(5)`, `show_map_vma` in fs/proc/task_mmu.c).
//!
//! ```text
//! 7f0c9a000000-7f0c9a02000 r--p 00001000 fe:00 123 /usr/lib/libsqlite3.so.0.8.6
//! start-end permissions offset device inode path
//! ```
//!
//! The device is that of the file system's superblock: on btrfs and overlayfs `stat` gives another.

use serde::{Deserialize, Serialize};

/// Lines read of one table; the kernel's own bound is 65,530 (`vm.max_map_count`), often raised.
const LINES_MAX: usize = 1 << 20;

/// Appended by the kernel to the name of a file that has been unlinked (`d_path`, fs/d_path.c).
const DELETED_SUFFIX: &[u8] = b" (deleted)";

/// A piece of a file in the memory of a process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Mapping {
    /// The range of addresses as it stands in the table, which also names the entry of
    /// `/proc/PID/map_files`.
    pub range: String,
    /// First byte of the file.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
    /// Whether what is written reaches the file and the other processes.
    pub sharing: Sharing,
    /// Whether the process may write.
    pub writing: Writing,
    /// Major and minor number of the superblock's device.
    pub device: (u32, u32),
    /// Inode number.
    pub inode: u64,
    /// The name of the file, without the mark of deletion.
    pub path: Vec<u8>,
    /// Whether that name is gone.
    pub deleted: bool,
}

/// Whether a mapping is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Sharing {
    /// `MAP_SHARED`.
    Shared,
    /// `MAP_PRIVATE`.
    Private,
}

/// Whether a mapping can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Writing {
    /// It can.
    Allowed,
    /// It cannot.
    Refused,
}

/// The mappings of files; anonymous memory and malformed lines are skipped.
pub fn parse(bytes: &[u8]) -> impl Iterator<Item = Mapping> {
    bytes.split(|byte| *byte == b'\n').take(LINES_MAX).filter_map(parse_line)
}

fn parse_line(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let range = std::str::from_utf8(fields.next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let length = hexadecimal(end)?.checked_sub(hexadecimal(start)?)?;
    let permissions = fields.next()?;
    let offset = hexadecimal(std::str::from_utf8(fields.next()?).ok()?)?;
    let (major, minor) = std::str::from_utf8(fields.next()?).ok()?.split_once(':')?;
    let device = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let inode = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let path = fields.next()?.trim_ascii_start();
    if !path.starts_with(b"/") {
        return None;
    }
    let named = path.strip_suffix(DELETED_SUFFIX);
    Some(Mapping {
        range: range.to_owned(),
        offset,
        length,
        sharing: match permissions.get(3)? {
            b's' => Sharing::Shared,
            _ => Sharing::Private,
        },
        writing: match permissions.get(1)? {
            b'w' => Writing::Allowed,
            _ => Writing::Refused,
        },
        device,
        inode,
        path: named.unwrap_or(path).to_vec(),
        deleted: named.is_some(),
    })
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_are_read_and_anonymous_memory_is_not() {
        let table = b"5500-7500 r--p 00001000 fe:00 123                        /usr/bin/a b\n\
            7f00-7f10 rw-s 00000000 00:2a 9 /tmp/app.db-shm (deleted)\n\
            7ffd0000-7ffd1000 rw-p 00000000 00:00 0                          [stack]\n\
            7f20-7f30 rw-p 00000000 00:00 0 \n\
            nonsense\n";
        let found: Vec<Mapping> = parse(table).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].path, b"/usr/bin/a b");
        assert_eq!((found[0].offset, found[0].length), (0x1000, 0x2000));
        assert_eq!((found[0].device, found[0].inode), ((0xfe, 0), 123));
        assert_eq!((found[0].sharing, found[0].writing), (Sharing::Private, Writing::Refused));
        assert_eq!((found[1].sharing, found[1].writing), (Sharing::Shared, Writing::Allowed));
        assert_eq!((found[1].path.as_slice(), found[1].deleted), (&b"/tmp/app.db-shm"[..], true));
        assert_eq!(found[1].range, "7f00-7f10");
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            assert!(parse(&bytes).all(|mapping| mapping.path.starts_with(b"/")));
        }

        #[test]
        fn near_valid_lines_do_not_panic(
            line in "[0-9a-f]{0,17}-[0-9a-f]{0,17} [rws-]{0,4} [0-9a-f]{0,17} [0-9a-f:]{0,9} \
                [0-9]{0,21} ?[/a]{0,3}"
        ) {
            let _ = parse(line.as_bytes()).count();
        }
    }
}

//! Where records stand in a trace: a header, then blocks of one process each.
//!
//! Processes write into the file's memory side by side. One takes the next block by counting
//! [`CLAIMED_OFFSET`] up, and has it for itself. A record is two bytes of length, then the record;
//! the length is written last, so a process that is killed leaves a block that ends earlier.
//!
//! | bytes of the header | |
//! |---|---|
//! | 0 to 7 | [`MAGIC`] |
//! | 8 to 11 | [`VERSION`] |
//! | 16 to 23 | blocks that were taken |
//! | 24 to 31 | blocks that may be taken |
//! | 32 to 39 | records that found no room |
//! | 40 to 75 | boot id of the kernel, as text |
//! | 76 to 77 | length of the command |
//! | 78 | the command: arguments with a NUL after each |
//!
//! | bytes of a block | |
//! |---|---|
//! | 0 to 3 | [`BLOCK_MAGIC`] |
//! | 4 to 7 | number of the process |
//! | 8 to 15 | monotonic time at which it began to record |
//! | 16 | records |
//!
//! Records count their times from the one of the block, which also tells a process from a later one
//! of its number. All numbers are little-endian.

/// The first bytes of a trace.
pub const MAGIC: [u8; 8] = *b"TMBTRACE";
/// The version of the layout. Version 1 keeps nothing of contents, and is read as well.
pub const VERSION: u32 = 2;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 4096;
/// Where the number of blocks that were taken stands.
pub const CLAIMED_OFFSET: usize = 16;
/// Where the number of blocks that may be taken stands.
pub const LIMIT_OFFSET: usize = 24;
/// Where the number of records that found no room stands.
pub const LOST_OFFSET: usize = 32;
/// Bytes of a block: a multiple of every size of memory pages that Linux has.
pub const BLOCK_BYTES: usize = 64 << 10;
/// The first bytes of a block that is in use.
pub const BLOCK_MAGIC: [u8; 4] = *b"TBLK";
/// Bytes of a block before its first record.
pub const BLOCK_START_BYTES: usize = 16;
/// Bytes of a record's length.
pub const LENGTH_BYTES: usize = 2;

const BOOT_ID_OFFSET: usize = 40;
/// Bytes of a boot id as text (random(4)).
const BOOT_ID_BYTES: usize = 36;
const COMMAND_OFFSET: usize = BOOT_ID_OFFSET + BOOT_ID_BYTES;

/// What stands at the beginning of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Blocks that may be taken.
    pub limit_blocks: u64,
    /// Records that found no room.
    pub lost: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    /// The command and its arguments.
    pub command: Vec<Vec<u8>>,
}

impl Header {
    /// The bytes of a header of which no block is taken. Of a command that is too long the end is
    /// left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.resize(LIMIT_OFFSET, 0);
        bytes.extend_from_slice(&self.limit_blocks.to_le_bytes());
        bytes.extend_from_slice(&self.lost.to_le_bytes());
        bytes.extend(self.boot_id.bytes().take(BOOT_ID_BYTES));
        bytes.resize(COMMAND_OFFSET, 0);
        let mut command: Vec<u8> =
            self.command.iter().flat_map(|word| word.iter().copied().chain([0])).collect();
        command.truncate(HEADER_BYTES - COMMAND_OFFSET - LENGTH_BYTES);
        bytes.extend_from_slice(&u16::try_from(command.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&command);
        bytes.resize(HEADER_BYTES, 0);
        bytes
    }

    /// Reads a header; `None` if the bytes are not the start of a trace, or of a later version's.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        if !(1..=VERSION).contains(&version(bytes)?) {
            return None;
        }
        let boot_id = bytes.get(BOOT_ID_OFFSET..COMMAND_OFFSET)?;
        let length = u16::from_le_bytes(*bytes.get(COMMAND_OFFSET..)?.first_chunk()?);
        let command = bytes.get(COMMAND_OFFSET + LENGTH_BYTES..)?;
        let command = command.get(..usize::from(length))?;
        let words = command.strip_suffix(&[0]).unwrap_or(command).split(|byte| *byte == 0);
        let words = words.map(<[u8]>::to_vec).filter(|_| !command.is_empty());
        Some(Header {
            limit_blocks: number(bytes, LIMIT_OFFSET)?,
            lost: number(bytes, LOST_OFFSET)?,
            boot_id: crate::text::printable(boot_id).trim_end_matches('?').to_owned(),
            command: words.collect(),
        })
    }
}

/// The version that a trace says it has; `None` if the bytes are not the start of a trace.
#[must_use]
pub fn version(bytes: &[u8]) -> Option<u32> {
    let after = bytes.strip_prefix(&MAGIC)?;
    Some(u32::from_le_bytes(*after.first_chunk()?))
}

/// The beginning of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockStart {
    /// The number of the process.
    pub process: u32,
    /// Monotonic time at which the process began to record.
    pub began_ns: u64,
}

impl BlockStart {
    /// The bytes of it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; BLOCK_START_BYTES] {
        let mut bytes = [0; BLOCK_START_BYTES];
        let parts: [&[u8]; 3] =
            [&BLOCK_MAGIC, &self.process.to_le_bytes(), &self.began_ns.to_le_bytes()];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Reads it; `None` if the block was taken and not begun.
    #[must_use]
    pub fn read(block: &[u8]) -> Option<Self> {
        if !block.starts_with(&BLOCK_MAGIC) {
            return None;
        }
        let process = u32::from_le_bytes(*block.get(BLOCK_MAGIC.len()..)?.first_chunk()?);
        Some(BlockStart { process, began_ns: number(block, 8)? })
    }
}

fn number(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The records of a block, up to the first that was never finished.
pub fn records(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block.get(BLOCK_START_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let length = usize::from(u16::from_le_bytes(*length));
        if length == 0 {
            return None;
        }
        let (record, after) = after.split_at_checked(length)?;
        rest = after;
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_comes_back_and_other_files_are_refused() {
        let header = Header {
            limit_blocks: 9,
            lost: 2,
            boot_id: "1b4e28ba-2fa1-11d2-883f-0016d3cca427".to_owned(),
            command: vec![b"python3".to_vec(), b"".to_vec(), b"a b".to_vec()],
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Header::read(&bytes), Some(header.clone()));
        let mut other = bytes.clone();
        other[MAGIC.len()] = 1;
        assert_eq!(Header::read(&other), Some(header), "an older one is read");
        other[MAGIC.len()] = 3;
        assert_eq!((Header::read(&other), version(&other)), (None, Some(3)));
        assert_eq!(Header::read(&bytes[1..]), None);
        assert_eq!(Header::read(&bytes[..HEADER_BYTES - 1]), None);
        let long = Header { command: vec![vec![b'x'; 9000]], ..Header::default() };
        assert_eq!(long.to_bytes().len(), HEADER_BYTES);
        assert!(Header::read(&long.to_bytes()).is_some());
    }

    #[test]
    fn records_end_at_the_first_that_was_not_finished() {
        let start = BlockStart { process: 7, began_ns: 1 };
        let mut block = start.to_bytes().to_vec();
        assert_eq!(BlockStart::read(&block), Some(start));
        block.extend_from_slice(&[2, 0, b'a', b'b', 1, 0, b'c', 0, 0, 9, 9]);
        assert_eq!(records(&block).collect::<Vec<_>>(), [&b"ab"[..], b"c"]);
        assert_eq!(records(&block[..21]).count(), 1, "cut within a length");
        assert_eq!(records(&[]).count(), 0);
    }

    proptest! {
        #[test]
        fn any_block_has_an_end(bytes in any::<Vec<u8>>()) {
            let all: usize = records(&bytes).map(|record| record.len() + LENGTH_BYTES).sum();
            prop_assert!(all <= bytes.len());
        }
    }
}

//! The data that is measured on: made once, the same each time.

use crate::shell::Failure;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

pub(super) const FILES: usize = 100_000;
/// One file in so many is a database: 1,000 of [`FILES`].
pub(super) const FILES_PER_DATABASE: usize = 100;
const FILES_PER_DIRECTORY: usize = 500;
const PAGE_BYTES: u32 = 4096;
const FRAME_BYTES: u64 = 24 + PAGE_BYTES as u64;
const WAL_BYTES: u64 = 200_000_000;
/// Frames of the log; each of them is committed.
pub(super) const FRAMES: u64 = WAL_BYTES.div_ceil(10 * FRAME_BYTES) * 10;

/// Where the data stands.
pub(super) struct Data {
    /// [`FILES`] files, of which some are databases.
    pub(super) tree: PathBuf,
    /// One database.
    pub(super) single: PathBuf,
    /// A database with a log of 200 MB.
    pub(super) wal: PathBuf,
}

impl Data {
    /// The log beside the database [`Data::wal`].
    pub(super) fn log(&self) -> PathBuf {
        PathBuf::from(format!("{}-wal", self.wal.display()))
    }
}

/// Makes the same data each time: the tree, a single database, a database with a large WAL.
pub(super) fn make(directory: &Path) -> Result<Data, Failure> {
    let data = Data {
        tree: directory.join("tree"),
        single: directory.join("single/app.db"),
        wal: directory.join("wal/app.db"),
    };
    let done = directory.join("complete-2");
    if done.exists() {
        return Ok(data);
    }
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(Failure::file(directory))?;
    }
    for index in 0..FILES {
        let content = match index % FILES_PER_DATABASE {
            0 => database_page(1),
            _ => vec![b'a'; 100 + index % 900],
        };
        let parent = data.tree.join(format!("{:03}", index / FILES_PER_DIRECTORY));
        write(&parent.join(format!("{index:06}")), &content)?;
    }
    write(&data.single, &database_page(1))?;
    write(&data.wal, &database_page(2))?;
    write_wal(&data.log())?;
    write(&done, b"")?;
    Ok(data)
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Failure::file(parent))?;
    }
    fs::write(path, content).map_err(Failure::file(path))
}

/// An empty database of one page (file format, sections 1.3 and 1.6); `version` is 1 for a rollback
/// journal and 2 for WAL.
fn database_page(version: u8) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES as usize];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&4096_u16.to_be_bytes());
    page[18..24].copy_from_slice(&[version, version, 0, 64, 32, 32]);
    for (offset, value) in [(24, 1), (28, 1), (44, 4), (56, 1), (92, 1), (96, 3_053_000_u32)] {
        page[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    }
    page[100..108].copy_from_slice(&[13, 0, 0, 0, 0, 0x10, 0, 0]);
    page
}

/// A WAL in which every frame is valid and every tenth commits (file format, section 4.1).
fn write_wal(path: &Path) -> Result<(), Failure> {
    let file = File::create(path).map_err(Failure::file(path))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let mut header = Vec::new();
    for word in [0x377f_0682_u32, 3_007_000, PAGE_BYTES, 0, 0x1234_5678, 0x9abc_def0] {
        header.extend_from_slice(&word.to_be_bytes());
    }
    let mut sum = checksum((0, 0), &header);
    header.extend_from_slice(&sum.0.to_be_bytes());
    header.extend_from_slice(&sum.1.to_be_bytes());
    file.write_all(&header).map_err(Failure::file(path))?;
    let salts = header[16..24].to_vec();
    let mut page = database_page(2);
    for number in (1_u32..).take(usize::try_from(FRAMES).unwrap_or(usize::MAX)) {
        let commit_pages = if number.is_multiple_of(10) { 10 } else { 0 };
        page[4000..4004].copy_from_slice(&number.to_be_bytes());
        let start = [(number % 10 + 1).to_be_bytes(), u32::to_be_bytes(commit_pages)].concat();
        sum = checksum(checksum(sum, &start), &page);
        let sums = [sum.0.to_be_bytes(), sum.1.to_be_bytes()].concat();
        let frame = [start.as_slice(), &salts, &sums, &page].concat();
        file.write_all(&frame).map_err(Failure::file(path))?;
    }
    file.flush().map_err(Failure::file(path))
}

/// The WAL's checksum over little-endian words (file format, section 4.2).
fn checksum(mut sum: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let (first, second) = pair.split_at(4);
        let word =
            |half: &[u8]| half.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        sum.0 = sum.0.wrapping_add(word(first)).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(second)).wrapping_add(sum.0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_runs_over_pairs_of_words() {
        assert_eq!(checksum((0, 0), &[1, 0, 0, 0, 2, 0, 0, 0]), (1, 3));
        assert_eq!(checksum((1, 3), &[0; 8]), (4, 7));
    }
}

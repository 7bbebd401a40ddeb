//! The file of a prepared transaction: one database's part of a group.
//!
//! Magic, [`Position`], page size, size in pages, length of the path, the path; then each page
//! behind its number, in rising order; at last the SHA-256 of all before. Numbers have four bytes,
//! the least first.

use super::super::cannot;
use crate::engine::{POSITION_BYTES, Position};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek as _, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::owner::engine::{EachPage, EngineError, PageNumber, Transaction};
use tombolo_core::wire::limits::PATH_BYTES_MAX;

const MAGIC: &[u8; 16] = b"tombolo part 01\n";
const DIGEST_BYTES: usize = 32;
const BUFFER_BYTES: usize = 64 << 10;

/// Makes the file, whole and synced. What was begun is removed where that fails.
pub(super) fn write(
    path: &Path,
    database: &Path,
    base: Position,
    transaction: &mut dyn Transaction,
) -> Result<(), EngineError> {
    let written = write_all(path, database, base, transaction);
    if written.is_err() {
        // The first error is the one that tells.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write_all(
    path: &Path,
    database: &Path,
    base: Position,
    transaction: &mut dyn Transaction,
) -> Result<(), EngineError> {
    let failed = |error: io::Error| cannot(&error, "a prepared transaction cannot be kept");
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file.map_err(failed)?);
    let mut digest = Sha256::new();
    let mut put = |bytes: &[u8]| {
        digest.update(bytes);
        out.write_all(bytes).map_err(failed)
    };
    let name = database.as_os_str().as_bytes();
    put(MAGIC)?;
    put(&base.0)?;
    put(&transaction.page_size_bytes().to_le_bytes())?;
    put(&transaction.size_pages().to_le_bytes())?;
    put(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    put(name)?;
    transaction.for_each(&mut |number, page| {
        put(&number.to_le_bytes())?;
        put(page)
    })?;
    let sum = digest.finalize();
    out.write_all(&sum).map_err(failed)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

/// A part as it was kept, whole.
#[derive(Debug)]
pub(super) struct Part {
    file: BufReader<File>,
    pub(super) database: PathBuf,
    pub(super) base: Position,
    page_size_bytes: u32,
    size_pages: u32,
    pages_at: u64,
    page_count: u64,
}

impl Part {
    /// Reads its head, and all of it once for the digest.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        check_digest(&mut file, length)?;
        file.seek(SeekFrom::Start(0))?;
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        let mut base = [0; POSITION_BYTES];
        file.read_exact(&mut base)?;
        let page_size_bytes = number(&mut file)?;
        let size_pages = number(&mut file)?;
        let name_bytes = number(&mut file)? as usize;
        let sizes = (512..=65_536).contains(&page_size_bytes) && page_size_bytes.is_power_of_two();
        if magic != *MAGIC || !sizes || name_bytes > PATH_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut name = vec![0; name_bytes];
        file.read_exact(&mut name)?;
        let pages_at = file.stream_position()?;
        let bytes = length.saturating_sub(pages_at + DIGEST_BYTES as u64);
        let stride = u64::from(page_size_bytes) + 4;
        if !bytes.is_multiple_of(stride) {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(Part {
            file,
            database: OsStr::from_bytes(&name).into(),
            base: Position(base),
            page_size_bytes,
            size_pages,
            pages_at,
            page_count: bytes / stride,
        })
    }
}

fn number(file: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn check_digest(file: &mut BufReader<File>, length: u64) -> io::Result<()> {
    let content = length.checked_sub(DIGEST_BYTES as u64).ok_or(ErrorKind::InvalidData)?;
    let mut digest = Sha256::new();
    let mut rest = file.take(content);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = rest.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        digest.update(buffer.get(..count).unwrap_or_default());
    }
    let mut sum = [0; DIGEST_BYTES];
    file.read_exact(&mut sum)?;
    if sum[..] == digest.finalize()[..] { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

impl Transaction for Part {
    fn page_size_bytes(&self) -> u32 {
        self.page_size_bytes
    }

    fn size_pages(&self) -> u32 {
        self.size_pages
    }

    fn for_each(&mut self, each: EachPage<'_>) -> Result<(), EngineError> {
        let failed = |error: io::Error| cannot(&error, "a kept transaction cannot be read");
        self.file.seek(SeekFrom::Start(self.pages_at)).map_err(failed)?;
        let mut page = vec![0; self.page_size_bytes as usize];
        for _ in 0..self.page_count {
            let number: PageNumber = number(&mut self.file).map_err(failed)?;
            self.file.read_exact(&mut page).map_err(failed)?;
            each(number, &page)?;
        }
        Ok(())
    }
}

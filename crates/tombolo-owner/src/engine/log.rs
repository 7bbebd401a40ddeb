//! The write-ahead log: its name, its frames, its way to disk, and checkpoints. All that knows the
//! log by name is here.

use super::error::{during, error, system};
use super::page_set::PageSet;
use crate::ffi::Connection;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use tombolo_core::owner::engine::{CheckpointMode, Checkpointed, EngineError, PageNumber};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::sqlite::wal::{
    FRAME_HEADER_BYTES, FrameHeader, Salts, WAL_HEADER_BYTES, WalHeader,
};
use tombolo_core::sqlite::wal_index::WalIndexHeader;

/// The log beside the database, by a descriptor of our own that only reads. SQLite has no POSIX
/// locks on this file, so closing the descriptor costs it none.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    /// The log of this connection's database, opened when it is needed.
    pub(super) fn of(connection: &Connection) -> Result<Self, EngineError> {
        let unknown = || error(ResultCode::ERROR, "SQLite names no log for the database");
        Ok(Log { path: connection.log_path().ok_or_else(unknown)?, file: None })
    }

    fn open(&mut self) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        Ok(self.file.insert(file))
    }

    /// A descriptor for whoever syncs the log: of the file that the path names now.
    pub(super) fn descriptor(&mut self) -> Result<File, EngineError> {
        let failed = system(ResultCode::IOERR, "the log cannot be opened");
        let named = std::fs::metadata(&self.path).map_err(&failed)?;
        let open = self.open().and_then(File::metadata).map_err(&failed)?;
        if (named.dev(), named.ino()) != (open.dev(), open.ino()) {
            self.file = None;
        }
        self.open().and_then(File::try_clone).map_err(&failed)
    }

    /// Bytes of the log; 0 where there is none.
    pub(super) fn bytes(&self) -> u64 {
        let found = match &self.file {
            Some(file) => file.metadata(),
            None => std::fs::metadata(&self.path),
        };
        found.map_or(0, |metadata| metadata.len())
    }

    /// Shows the pages of the frames after `after` up to the last one of `until`, with the number
    /// of each frame. Returns whether they were those of this state of the log: if not, what was
    /// shown means nothing.
    ///
    /// Nothing keeps the log from being restarted meanwhile. So each frame must have the salts of
    /// `until`, the last one its checksum, and the log's own header is read after them: a restart
    /// writes that one before it writes over any frame (`sqlite3WalFrames` in wal.c).
    pub(super) fn frames(
        &mut self,
        until: &WalIndexHeader,
        after: u32,
        each: &mut dyn FnMut(u32, PageNumber),
    ) -> bool {
        if let Ok(true) = self.open().and_then(|file| frames(file, until, after, each)) {
            return true;
        }
        // The descriptor may be of a log that was deleted.
        self.file = None;
        matches!(self.open().and_then(|file| frames(file, until, after, each)), Ok(true))
    }
}

fn frames(
    file: &File,
    until: &WalIndexHeader,
    after: u32,
    each: &mut dyn FnMut(u32, PageNumber),
) -> io::Result<bool> {
    if after >= until.max_frame {
        return Ok(true);
    }
    let frame_bytes = FRAME_HEADER_BYTES as u64 + u64::from(until.page_size_bytes);
    let mut bytes = [0; FRAME_HEADER_BYTES];
    for number in after + 1..=until.max_frame {
        let offset = WAL_HEADER_BYTES as u64 + u64::from(number - 1) * frame_bytes;
        file.read_exact_at(&mut bytes, offset)?;
        let Some(frame) = FrameHeader::parse(&bytes) else { return Ok(false) };
        let last = number == until.max_frame;
        let ends_as_named =
            frame.checksum == until.frame_checksum && frame.commit_size_pages == until.size_pages;
        if frame.salts != until.salts || frame.page_number == 0 || (last && !ends_as_named) {
            return Ok(false);
        }
        each(number, frame.page_number);
    }
    let mut bytes = [0; WAL_HEADER_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(WalHeader::read(&bytes).is_ok_and(|header| {
        header.salts == until.salts && header.page_size_bytes == until.page_size_bytes
    }))
}

/// The pages that have a frame in the current generation of the log: those that a reader may have
/// to look for in the log. All others it may read from the database file.
///
/// Why that is safe, for a connection that has a read transaction on version V open:
///
/// 1. It is what SQLite itself would do: where `walFindFrame` finds no frame up to the last one of
///    V, `readDbPage` (pager.c) reads the database file by this same `xRead`, under the locks that
///    this same transaction holds.
/// 2. SQLite looks only at frames of V's generation. While the log is in that generation, this set
///    has every page of a frame up to V's last (`through` is at least that), and perhaps pages of
///    later ones, which are then read by way of SQLite although they need not be.
/// 3. A checkpoint does not write a page under the reader that it reads from the file: with a read
///    mark from 1 to 4, checkpoints stop at the mark, which is not behind V, so only pages of
///    frames up to V's last are written, and these are in the set; with read mark 0, which is
///    taken when all frames are in the file already, no checkpoint writes at all.
/// 4. The log is restarted over a reader only if that one has read mark 0 (`walRestartLog` locks
///    the others). Then SQLite reads all its pages from the file, and invariant 3 keeps the file
///    as it is. So where this set is of a *later* generation than V, every page may be read so.
/// 5. If the set is unknown, or does not reach V, nothing may be.
#[derive(Debug, Default)]
pub(super) struct Framed {
    pages: PageSet,
    /// The generation and the last frame that `pages` has; `None` while it is unknown.
    reach: Option<(Salts, u32)>,
}

impl Framed {
    /// Brings the set up to `until`, and shows the frames that it had to look at, which are those
    /// of the generation after the last one known, or all. Returns whether it is known then.
    pub(super) fn advance(
        &mut self,
        log: &mut Log,
        until: &WalIndexHeader,
        each: &mut dyn FnMut(u32, PageNumber),
    ) -> bool {
        let after = match self.reach.take() {
            Some((salts, through)) if salts == until.salts && through <= until.max_frame => through,
            _ => {
                self.pages.clear();
                0
            }
        };
        let known = log.frames(until, after, &mut |number, page| {
            self.pages.insert(page);
            each(number, page);
        });
        self.reach = known.then_some((until.salts, until.max_frame));
        known
    }

    /// Brings the set up to `until` by what was written, without a look. `before` is the state it
    /// followed, and the frames between must be of these pages.
    pub(super) fn append(
        &mut self,
        before: &WalIndexHeader,
        until: &WalIndexHeader,
        pages: &[PageNumber],
    ) -> bool {
        if before.salts != until.salts {
            self.pages.clear();
        } else if self.reach != Some((before.salts, before.max_frame)) {
            return false;
        }
        for page in pages {
            self.pages.insert(*page);
        }
        self.reach = Some((until.salts, until.max_frame));
        true
    }

    /// Whether a reader of the version with this header may read the page from the database file.
    pub(super) fn is_in_file(&self, version: &WalIndexHeader, page: PageNumber) -> bool {
        match self.reach {
            Some((salts, through)) if salts == version.salts => {
                through >= version.max_frame && !self.pages.contains(page)
            }
            // Versions come in order, so that a known set of another generation is of a later one.
            Some(_) => true,
            None => false,
        }
    }
}

/// Copies frames into the database file, by a connection that does nothing else.
pub(super) fn checkpoint(
    connection: &mut Connection,
    mode: CheckpointMode,
) -> Result<Checkpointed, EngineError> {
    match connection.checkpoint(mode) {
        (Ok(()), done) => Ok(done),
        (Err(_), done) if done.busy => Ok(done),
        (Err(failure), _) => Err(during("the checkpoint failed")(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom, Write as _};
    use tombolo_core::sqlite::wal::{Checksum, ChecksumOrder};

    const PAGE: usize = 512;

    /// A log of one generation with frames of these pages, each its own commit. Only what is
    /// looked at is right: the header with its checksum, and the headers of frames.
    fn written(salts: [u32; 2], pages: &[PageNumber]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [0x377f_0683, 3_007_000, 512, 0, salts[0], salts[1]] {
            bytes.extend(u32::to_be_bytes(word));
        }
        let sum = Checksum::default().over(&bytes, ChecksumOrder::BigEndian);
        bytes.extend(sum.first.to_be_bytes());
        bytes.extend(sum.second.to_be_bytes());
        for (number, page) in (1_u32..).zip(pages) {
            for word in [*page, 100, salts[0], salts[1], number, number] {
                bytes.extend(word.to_be_bytes());
            }
            bytes.extend([0; PAGE]);
        }
        bytes
    }

    fn header(salts: [u32; 2], max_frame: u32) -> WalIndexHeader {
        WalIndexHeader {
            change_counter: max_frame,
            wal_checksum_order: ChecksumOrder::BigEndian,
            page_size_bytes: 512,
            max_frame,
            size_pages: 100,
            frame_checksum: Checksum { first: max_frame, second: max_frame },
            salts: Salts(salts),
        }
    }

    fn log(bytes: &[u8]) -> (Log, tempfile::NamedTempFile) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        (Log { path: file.path().to_owned(), file: None }, file)
    }

    fn seen(log: &mut Log, until: &WalIndexHeader, after: u32) -> Option<Vec<(u32, PageNumber)>> {
        let mut seen = Vec::new();
        log.frames(until, after, &mut |number, page| seen.push((number, page))).then_some(seen)
    }

    #[test]
    fn the_frames_between_two_states_are_shown() {
        let (mut log, _file) = log(&written([5, 6], &[3, 9, 4]));
        assert_eq!(seen(&mut log, &header([5, 6], 3), 1), Some(vec![(2, 9), (3, 4)]));
        assert_eq!(seen(&mut log, &header([5, 6], 3), 0).map(|seen| seen.len()), Some(3));
        assert_eq!(seen(&mut log, &header([5, 6], 3), 3), Some(vec![]));
    }

    #[test]
    fn frames_of_another_generation_or_another_end_mean_nothing() {
        let (mut log, _file) = log(&written([5, 6], &[3, 9, 4]));
        assert_eq!(seen(&mut log, &header([6, 7], 3), 1), None, "other salts");
        assert_eq!(seen(&mut log, &header([5, 6], 4), 1), None, "frames are missing");
        let other = WalIndexHeader { frame_checksum: Checksum::default(), ..header([5, 6], 3) };
        assert_eq!(seen(&mut log, &other, 1), None, "another commit");
        let other = WalIndexHeader { size_pages: 7, ..header([5, 6], 3) };
        assert_eq!(seen(&mut log, &other, 1), None, "another size");
    }

    #[test]
    fn a_log_that_is_restarted_meanwhile_is_noticed_by_its_header() {
        let mut bytes = written([5, 6], &[3, 9, 4]);
        bytes.splice(..32, written([6, 99], &[]));
        let (mut log, _file) = log(&bytes);
        assert_eq!(seen(&mut log, &header([5, 6], 3), 0), None);
    }

    #[test]
    fn another_file_of_the_same_name_is_opened() {
        let (mut log, file) = log(&written([5, 6], &[3]));
        assert!(seen(&mut log, &header([5, 6], 1), 0).is_some());
        let old = log.descriptor().unwrap();
        let (_, next) = self::log(&written([5, 6], &[3, 8]));
        std::fs::rename(next.path(), file.path()).unwrap();
        assert_eq!(seen(&mut log, &header([5, 6], 2), 1), Some(vec![(2, 8)]));
        let (_, next) = self::log(&[]);
        std::fs::rename(next.path(), file.path()).unwrap();
        let mut new = log.descriptor().unwrap();
        assert_eq!(new.seek(SeekFrom::End(0)).unwrap(), 0);
        assert!(old.metadata().unwrap().len() > 0);
    }

    #[test]
    fn only_pages_without_a_frame_are_read_from_the_file() {
        let (mut log, _file) = log(&written([5, 6], &[3, 9, 4]));
        let mut framed = Framed::default();
        let old = header([5, 6], 2);
        assert!(!framed.is_in_file(&old, 7), "nothing is known yet");
        assert!(framed.advance(&mut log, &old, &mut |_, _| ()));
        assert!(framed.is_in_file(&old, 7) && framed.is_in_file(&old, 4));
        assert!(!framed.is_in_file(&old, 3) && !framed.is_in_file(&old, 9));
        let new = header([5, 6], 3);
        assert!(!framed.is_in_file(&new, 7), "it does not reach so far");
        let mut looked_at = Vec::new();
        assert!(framed.advance(&mut log, &new, &mut |number, _| looked_at.push(number)));
        assert_eq!(looked_at, [3]);
        assert!(!framed.is_in_file(&new, 4) && !framed.is_in_file(&old, 4));
        // The log is restarted: whoever still reads the old versions reads the file.
        assert!(framed.append(&new, &header([6, 1], 1), &[8]));
        assert!(framed.is_in_file(&old, 3) && framed.is_in_file(&new, 4));
        assert!(!framed.is_in_file(&header([6, 1], 1), 8));
        assert!(framed.is_in_file(&header([6, 1], 1), 3));
        assert!(!framed.append(&header([6, 1], 2), &header([6, 1], 3), &[1]), "a gap");
        assert!(!framed.advance(&mut log, &header([7, 1], 1), &mut |_, _| ()));
        assert!(!framed.is_in_file(&header([7, 1], 1), 1), "nothing is known any more");
    }
}

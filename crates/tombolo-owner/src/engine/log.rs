//! The write-ahead log: its name, its frames, its way to disk, and checkpoints. All that knows the
//! log by name is here.

use super::error::{during, error, system};
use super::page_set::PageSet;
use super::place::Identity;
use crate::ffi::Connection;
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tombolo_core::owner::engine::{CheckpointMode, Checkpointed, EngineError, PageNumber};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::sqlite::wal::{
    FRAME_HEADER_BYTES, FrameHeader, Salts, WAL_HEADER_BYTES, WalHeader,
};
use tombolo_core::sqlite::wal_index::WalIndexHeader;

/// The log that the connections of an engine have open, by a descriptor of our own that only
/// reads. SQLite has no POSIX locks on this file, so closing the descriptor costs it none.
///
/// 1. It is one file for as long as the engine lives: SQLite opens the log with a connection's
///    first read and keeps it, and deletes none that another connection has open.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    identity: Identity,
    file: File,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let identity = Identity::of_open(&file)?;
        Ok(LogFile { path: path.to_owned(), identity, file })
    }

    /// Whether the name of the log still leads to it. What is written to one that was renamed or
    /// deleted is lost to whoever opens the database next.
    ///
    /// # Errors
    ///
    /// That of looking; and where another file or none has the name.
    pub fn check(&self) -> io::Result<()> {
        match Identity::of(&self.path)? {
            Some(found) if found == self.identity => Ok(()),
            Some(_) => Err(io::Error::other("another file is in the place of the log")),
            None => Err(io::Error::other("the log was removed")),
        }
    }

    /// Waits until all that was written to it is on the disk, where its name leads to.
    ///
    /// # Errors
    ///
    /// `fdatasync(2)`; as [`LogFile::check`], which comes after it: whatever has happened until
    /// then to the name is seen.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.check()
    }
}

/// The log, and whether it was lost.
#[derive(Debug)]
pub(super) struct Log {
    file: Arc<LogFile>,
    is_lost: Cell<bool>,
}

impl Log {
    /// What the log of this connection is called.
    pub(super) fn name(connection: &Connection) -> Result<PathBuf, EngineError> {
        let unknown = || error(ResultCode::ERROR, "SQLite names no log for the database");
        connection.log_path().ok_or_else(unknown)
    }

    /// The log of a connection that has read since the file of this identity, if any, had the name.
    /// `None` where that is another one now, so that nobody knows which one the connection has:
    /// the last stock app may have deleted it when it closed.
    pub(super) fn open(path: &Path, before: Option<Identity>) -> Result<Option<Self>, EngineError> {
        let failed = system(ResultCode::IOERR, "the log cannot be opened");
        let file = LogFile::open(path).map_err(failed)?;
        let is_same = before.is_none_or(|before| before == file.identity);
        Ok(is_same.then(|| Log { file: Arc::new(file), is_lost: Cell::new(false) }))
    }

    /// For whoever syncs it.
    pub(super) fn file(&self) -> Arc<LogFile> {
        Arc::clone(&self.file)
    }

    /// As [`LogFile::check`]; what was once lost stays lost.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        let failed = system(ResultCode::IOERR, "the log is not where it was");
        let checked = match self.is_lost.get() {
            true => Err(io::Error::other("it was lost before")),
            false => self.file.check(),
        };
        self.is_lost.set(checked.is_err());
        checked.map_err(failed)
    }

    /// Whether a check has failed.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.get()
    }

    /// Bytes of the log.
    pub(super) fn bytes(&self) -> u64 {
        self.file.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Shows the pages of the frames after `after` up to the last one of `until`, with the number
    /// of each frame. Returns whether they were those of this state of the log: if not, what was
    /// shown means nothing.
    ///
    /// Nothing keeps the log from being restarted meanwhile. So each frame must have the salts of
    /// `until`, the last one its checksum, and the log's own header is read after them: a restart
    /// writes that one before it writes over any frame (`sqlite3WalFrames` in wal.c).
    pub(super) fn frames(
        &self,
        until: &WalIndexHeader,
        after: u32,
        each: &mut dyn FnMut(u32, PageNumber),
    ) -> bool {
        matches!(frames(&self.file.file, until, after, each), Ok(true))
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
        log: &Log,
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

/// Copies frames into the database file, in any thread, by a connection that does nothing else.
///
/// The engine closes that connection when it ends. It must not outlive the engine: where another
/// file was put at the path, a new engine may open the same wal-index, and closing a descriptor on
/// it would drop the new one's locks.
#[derive(Clone, Debug)]
pub struct Checkpointer(Arc<Mutex<Option<Connection>>>);

impl Checkpointer {
    pub(super) fn new(connection: Connection) -> Self {
        Checkpointer(Arc::new(Mutex::new(Some(connection))))
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        // Nothing of ours is half done where a thread panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a checkpoint, which waits so long for readers, and so long for a writer. With
    /// [`CheckpointMode::Passive`] it waits for nobody.
    ///
    /// # Errors
    ///
    /// SQLite's own, other than BUSY; `SQLITE_MISUSE` where the engine has ended.
    pub fn run(&self, mode: CheckpointMode, wait: Duration) -> Result<Checkpointed, EngineError> {
        let mut place = self.connection();
        let Some(connection) = place.as_mut() else {
            return Err(error(ResultCode::MISUSE, "the database was closed"));
        };
        let failed = during("the checkpoint failed");
        let wait_ms = wait.as_millis();
        connection.once(&format!("PRAGMA busy_timeout={wait_ms}")).map_err(&failed)?;
        match connection.checkpoint(mode) {
            (Ok(()), done) => Ok(done),
            (Err(_), done) if done.busy => Ok(done),
            (Err(failure), _) => Err(failed(failure)),
        }
    }
}

/// Closes the connection when it is dropped, once a checkpoint that runs has ended.
#[derive(Debug)]
pub(super) struct Closing(pub(super) Checkpointer);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.connection().take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
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
        (Log::open(file.path(), None).unwrap().unwrap(), file)
    }

    fn seen(log: &Log, until: &WalIndexHeader, after: u32) -> Option<Vec<(u32, PageNumber)>> {
        let mut seen = Vec::new();
        log.frames(until, after, &mut |number, page| seen.push((number, page))).then_some(seen)
    }

    #[test]
    fn the_frames_between_two_states_are_shown() {
        let (log, _file) = log(&written([5, 6], &[3, 9, 4]));
        assert_eq!(seen(&log, &header([5, 6], 3), 1), Some(vec![(2, 9), (3, 4)]));
        assert_eq!(seen(&log, &header([5, 6], 3), 0).map(|seen| seen.len()), Some(3));
        assert_eq!(seen(&log, &header([5, 6], 3), 3), Some(vec![]));
    }

    #[test]
    fn frames_of_another_generation_or_another_end_mean_nothing() {
        let (log, _file) = log(&written([5, 6], &[3, 9, 4]));
        assert_eq!(seen(&log, &header([6, 7], 3), 1), None, "other salts");
        assert_eq!(seen(&log, &header([5, 6], 4), 1), None, "frames are missing");
        let other = WalIndexHeader { frame_checksum: Checksum::default(), ..header([5, 6], 3) };
        assert_eq!(seen(&log, &other, 1), None, "another commit");
        let other = WalIndexHeader { size_pages: 7, ..header([5, 6], 3) };
        assert_eq!(seen(&log, &other, 1), None, "another size");
    }

    #[test]
    fn a_log_that_is_restarted_meanwhile_is_noticed_by_its_header() {
        let mut bytes = written([5, 6], &[3, 9, 4]);
        bytes.splice(..32, written([6, 99], &[]));
        let (log, _file) = log(&bytes);
        assert_eq!(seen(&log, &header([5, 6], 3), 0), None);
    }

    #[test]
    fn a_log_whose_name_leads_elsewhere_is_lost_for_good() {
        let (log, file) = log(&written([5, 6], &[3]));
        log.check().unwrap();
        log.file().sync().unwrap();
        let aside = file.path().with_extension("aside");
        std::fs::rename(file.path(), &aside).unwrap();
        let gone = log.file().sync().unwrap_err();
        assert!(gone.to_string().contains("was removed"), "{gone}");
        assert!(!log.is_lost(), "that was the other thread's look");
        let (_, next) = self::log(&written([5, 6], &[3, 8]));
        std::fs::rename(next.path(), file.path()).unwrap();
        let other = log.file().sync().unwrap_err();
        assert!(other.to_string().contains("another file"), "{other}");
        assert!(seen(&log, &header([5, 6], 1), 0).is_some(), "what is open is readable");
        assert!(log.check().is_err() && log.is_lost());
        std::fs::rename(&aside, file.path()).unwrap();
        log.file().sync().unwrap();
        assert!(log.check().is_err(), "nobody knows what was missed meanwhile");
    }

    #[test]
    fn a_log_that_changed_while_it_was_opened_is_not_taken() {
        let (_, file) = log(&written([5, 6], &[3]));
        let (_, other) = self::log(&[]);
        let path = file.path();
        let before = Identity::of(path).unwrap();
        assert!(Log::open(path, before).unwrap().is_some());
        assert!(Log::open(path, Identity::of(other.path()).unwrap()).unwrap().is_none());
    }

    #[test]
    fn only_pages_without_a_frame_are_read_from_the_file() {
        let (log, _file) = log(&written([5, 6], &[3, 9, 4]));
        let mut framed = Framed::default();
        let old = header([5, 6], 2);
        assert!(!framed.is_in_file(&old, 7), "nothing is known yet");
        assert!(framed.advance(&log, &old, &mut |_, _| ()));
        assert!(framed.is_in_file(&old, 7) && framed.is_in_file(&old, 4));
        assert!(!framed.is_in_file(&old, 3) && !framed.is_in_file(&old, 9));
        let new = header([5, 6], 3);
        assert!(!framed.is_in_file(&new, 7), "it does not reach so far");
        let mut looked_at = Vec::new();
        assert!(framed.advance(&log, &new, &mut |number, _| looked_at.push(number)));
        assert_eq!(looked_at, [3]);
        assert!(!framed.is_in_file(&new, 4) && !framed.is_in_file(&old, 4));
        // The log is restarted: whoever still reads the old versions reads the file.
        assert!(framed.append(&new, &header([6, 1], 1), &[8]));
        assert!(framed.is_in_file(&old, 3) && framed.is_in_file(&new, 4));
        assert!(!framed.is_in_file(&header([6, 1], 1), 8));
        assert!(framed.is_in_file(&header([6, 1], 1), 3));
        assert!(!framed.append(&header([6, 1], 2), &header([6, 1], 3), &[1]), "a gap");
        assert!(!framed.advance(&log, &header([7, 1], 1), &mut |_, _| ()));
        assert!(!framed.is_in_file(&header([7, 1], 1), 1), "nothing is known any more");
    }
}

//! Doing a transaction that was decided once more, after an owner has ended in between.

use super::error::system;
use super::page_one;
use super::{Known, YoungEngine};
use tombolo_core::owner::engine::{
    Engine as _, EngineError, PageNumber, Reserved, Transaction, Version,
};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::sqlite::wal::Salts;

/// Bytes of a [`Position`].
pub const POSITION_BYTES: usize = 20;

/// What names a state of the log to another process as well: its salts, its last frame and that
/// frame's checksum (fileformat2.html, section 4). Zeros where there is no log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position(pub [u8; POSITION_BYTES]);

impl Position {
    pub(super) fn of(known: &Known) -> Self {
        let header = &known.header;
        let (Salts([first, second]), sum) = (header.salts, header.frame_checksum);
        let words = [first, second, header.max_frame, sum.first, sum.second];
        let mut bytes = [0; POSITION_BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Position(bytes)
    }
}

/// What came of doing a transaction once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redone {
    /// It is committed now, and synced.
    Now,
    /// It was committed before.
    Before,
    /// It is not in the database as it is now, and something else is that it does not know of.
    Overtaken,
}

impl YoungEngine {
    /// Does a transaction that was made from the state that `base` names, unless it is done.
    ///
    /// # Errors
    ///
    /// `SQLITE_BUSY` while a stock app writes; as [`tombolo_core::owner::engine::Engine::commit`].
    pub fn redo(
        &mut self,
        base: Position,
        transaction: &mut dyn Transaction,
    ) -> Result<Redone, EngineError> {
        let Reserved::At(at) = self.reserve()? else {
            let message = "another program is writing".to_owned();
            return Err(EngineError { code: ResultCode::BUSY, errno: None, message });
        };
        if self.position() == base {
            self.commit(transaction)?;
            self.sync_log()?;
            return Ok(Redone::Now);
        }
        let found = self.pin(at).and_then(|()| {
            let found = self.holds(at, transaction);
            self.unpin(at);
            found
        });
        self.release();
        if !found? {
            return Ok(Redone::Overtaken);
        }
        self.sync_log()?;
        Ok(Redone::Before)
    }

    fn sync_log(&mut self) -> Result<(), EngineError> {
        let failed = system(ResultCode::IOERR, "the log cannot be synced");
        self.log_file()?.sync().map_err(failed)
    }

    /// Whether a pinned version has all pages of a transaction.
    fn holds(
        &mut self,
        at: Version,
        transaction: &mut dyn Transaction,
    ) -> Result<bool, EngineError> {
        let shape = self.shape(at)?;
        let mut same = shape.size_pages == transaction.size_pages()
            && shape.page_size_bytes == transaction.page_size_bytes();
        let mut current = Vec::new();
        transaction.for_each(&mut |number: PageNumber, page: &[u8]| {
            if !same {
                return Ok(());
            }
            current.clear();
            self.read(at, number, 1, &mut current)?;
            same = if number == 1 {
                let mut page = page.to_vec();
                page_one::restore(&mut page, &current);
                page == current
            } else {
                page == current
            };
            Ok(())
        })?;
        Ok(same)
    }
}

//! Which version is the newest, and what changed on the way to it.

use super::error::{during, error};
use super::history::PAGES_MAX;
use super::{Known, StockEngine, WriteLock, place};
use crate::ffi::{Sql, Value};
use tombolo_core::owner::engine::{Changes, EngineError, PageNumber, Version};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::sqlite::wal::Salts;
use tombolo_core::sqlite::wal_index::{COPY_BYTES, WalIndexHeader};

/// How often the two copies of the header are looked at before SQLite is asked. A writer is
/// between them for some nanoseconds.
const LOOKS: usize = 64;
/// How often SQLite is asked: after the first time, the log may have to get its first frame.
const QUESTIONS: usize = 3;

impl Known {
    /// A header as it was read from a wal-index or a snapshot, with its own checksum right.
    fn parse(version: Version, bytes: [u8; COPY_BYTES]) -> Option<Self> {
        let header = WalIndexHeader::read(&bytes).ok()?;
        Some(Known { version, bytes, header })
    }

    /// Whether the log has had a frame since it was made. Before, states cannot be told apart.
    fn is_told_apart(&self) -> bool {
        self.header.salts != Salts([0, 0])
    }
}

impl StockEngine {
    /// The newest version, registered if it was not known.
    pub(super) fn observe(&mut self) -> Result<Version, EngineError> {
        if let Some(known) = self.look()? {
            return self.register(known);
        }
        for _ in 0..QUESTIONS {
            match self.ask()? {
                Some(known) => return self.register(known),
                None => self.start_log()?,
            }
        }
        Err(error(ResultCode::PROTOCOL, "the newest version cannot be told"))
    }

    /// What both copies of the header in shared memory say, if they agree: no system call.
    pub(super) fn look(&mut self) -> Result<Option<Known>, EngineError> {
        let failed = during("the wal-index cannot be looked at");
        for _ in 0..LOOKS {
            let Some([first, second]) = self.anchor.wal_index_copies().map_err(&failed)? else {
                return Ok(None);
            };
            if first != second {
                continue;
            }
            if first == self.known.bytes {
                return Ok(Some(self.known));
            }
            match Known::parse(self.known.version, first) {
                Some(known) if known.is_told_apart() => return Ok(Some(known)),
                Some(_) => return Ok(None),
                None => {}
            }
        }
        Ok(None)
    }

    /// What SQLite says when it begins to read, after it recovered the log if it had to. `None`
    /// where the log never had a frame.
    fn ask(&mut self) -> Result<Option<Known>, EngineError> {
        let (reader, (_, snapshot)) = self.begin_reader()?;
        self.put_back(reader);
        Ok(snapshot.and_then(|bytes| Known::parse(self.known.version, bytes)))
    }

    /// Gives the log its first frame: page 1 as it is. From then on the log has salts, and every
    /// state of it a name.
    pub(super) fn start_log(&mut self) -> Result<(), EngineError> {
        if matches!(self.lock, WriteLock::Held { .. }) {
            return Ok(());
        }
        let failed = during("the log cannot be begun");
        let page = place::begin(&mut self.writer, Sql::BeginImmediate).map_err(&failed)?;
        let result = self
            .writer
            .run(Sql::WritePage, &[Value::Page(1), Value::Bytes(&page)])
            .and_then(|()| self.writer.run(Sql::Commit, &[]));
        if self.writer.in_transaction() {
            let _ = self.writer.run(Sql::Rollback, &[]);
        }
        result.map_err(failed)
    }

    /// Makes a state of the log that others left the newest version.
    pub(super) fn register(&mut self, found: Known) -> Result<Version, EngineError> {
        if found.bytes == self.known.bytes {
            return Ok(self.known.version);
        }
        if found.header.page_size_bytes != self.page_size_bytes {
            let message = format!("the pages have {} bytes now", found.header.page_size_bytes);
            return Err(error(ResultCode::CORRUPT, message));
        }
        let changes = self.changes_to(&found.header);
        let version = Version(self.known.version.0 + 1);
        self.known = Known { version, ..found };
        self.history.push(version, changes);
        Ok(version)
    }

    /// What differs between the newest known version and a state that others left.
    fn changes_to(&mut self, new: &WalIndexHeader) -> Changes {
        let old = self.known.header;
        let mut pages: Vec<PageNumber> = Vec::new();
        let known = self.framed.advance(self.place.log(), new, &mut |frame, page| {
            // One more than there is room for, so that it is noticed.
            if frame > old.max_frame && pages.len() <= PAGES_MAX {
                pages.push(page);
            }
        });
        if is_only_restarted(&old, new) {
            return Changes::Pages(Vec::new());
        }
        let follows = old.salts == new.salts
            && (old.max_frame < new.max_frame
                || (old.max_frame == new.max_frame && old.frame_checksum == new.frame_checksum));
        let grown = new.size_pages.saturating_sub(old.size_pages) as usize;
        if !known || !follows || pages.len().saturating_add(grown) > PAGES_MAX {
            return Changes::All;
        }
        // A new page that was free at once may have no frame, and still was another page before
        // the database shrank.
        pages.extend(old.size_pages.saturating_add(1)..=new.size_pages);
        Changes::Pages(pages)
    }

    /// Makes what this engine committed the newest version, and returns it; a commit that others
    /// made since becomes a version of its own. `before` was the state under the write lock,
    /// `pages` are all that were written.
    pub(super) fn register_own(
        &mut self,
        before: WalIndexHeader,
        pages: Vec<PageNumber>,
        size_pages: u32,
    ) -> Version {
        let version = Version(self.known.version.0 + 1);
        // It is committed: what cannot be looked at now is no failure of the commit.
        let found = self.look().ok().flatten();
        let Some(found) = found.filter(|found| is_next_commit(&before, &found.header, size_pages))
        else {
            // The state of our own commit is gone. It is not the newest, so nobody can read it any
            // more; what follows it counts our pages once more, as `known` stays behind.
            self.known.version = version;
            self.history.push(version, Changes::Pages(pages));
            return version;
        };
        let base = if found.header.salts == before.salts { before.max_frame } else { 0 };
        let frames = found.header.max_frame.saturating_sub(base);
        let as_many = u32::try_from(pages.len()) == Ok(frames);
        if !(as_many && self.framed.append(&before, &found.header, &pages)) {
            // More frames than pages: the cache was spilled, and a page written again after it.
            self.framed.advance(self.place.log(), &found.header, &mut |_, _| ());
        }
        self.known = Known { version, ..found };
        self.history.push(version, Changes::Pages(pages));
        version
    }
}

/// The log was restarted after its last commit, and nothing was committed since: each commit
/// counts up the counter, a restart draws new salts and changes nothing else (`walRestartHdr`).
fn is_only_restarted(old: &WalIndexHeader, new: &WalIndexHeader) -> bool {
    new.max_frame == 0
        && is_next_generation(old, new)
        && new.change_counter == old.change_counter
        && new.frame_checksum == old.frame_checksum
        && new.size_pages == old.size_pages
}

/// Exactly one commit was made, of the size that ours had. The first frame of a log gets any salts
/// from a connection that has never restarted one (`walFrames`).
fn is_next_commit(before: &WalIndexHeader, after: &WalIndexHeader, size_pages: u32) -> bool {
    let is_first = before.max_frame == 0;
    after.change_counter == before.change_counter.wrapping_add(1)
        && after.size_pages == size_pages
        && (after.salts == before.salts || is_first || is_next_generation(before, after))
}

fn is_next_generation(old: &WalIndexHeader, new: &WalIndexHeader) -> bool {
    let (Salts([old, _]), Salts([new, _])) = (old.salts, new.salts);
    new == old.wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineKind;
    use tombolo_core::owner::engine::{Engine as _, Reserved};
    use tombolo_lab::sqlite;

    #[test]
    fn a_stock_commit_right_after_our_own_is_a_version_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("app.db");
        let rows = "INSERT INTO t WITH RECURSIVE n(i) AS
            (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            SELECT i, hex(zeroblob(40)) FROM n";
        let made = sqlite(&database, &format!("CREATE TABLE t(id INTEGER PRIMARY KEY, x); {rows}"));
        assert_eq!(made, "");
        let mut engine = StockEngine::open(&database, EngineKind::Shared, 4096).unwrap();
        let Ok(Reserved::At(base)) = engine.reserve() else { panic!("free") };
        let before = engine.known.header;
        let page = engine.writer.row(Sql::ReadPage, &[Value::Page(2)], <[u8]>::to_vec).unwrap();
        let values = [Value::Page(2), Value::Bytes(page.as_deref().unwrap_or_default())];
        engine.writer.run(Sql::WritePage, &values).unwrap();
        engine.writer.run(Sql::Commit, &[]).unwrap();
        engine.lock = WriteLock::Free;
        assert_eq!(sqlite(&database, "UPDATE t SET x = 'last' WHERE id = 500"), "");
        let own = engine.register_own(before, vec![2], before.size_pages);
        assert_eq!(engine.changes(base, own), Changes::Pages(vec![2]));
        assert_eq!(engine.pin(own).unwrap_err().code, ResultCode::ERROR_SNAPSHOT);
        let newest = engine.newest().unwrap();
        assert!(newest > own && own > base);
        let Changes::Pages(pages) = engine.changes(own, newest) else { panic!("known") };
        assert!(pages.iter().any(|page| *page > 2), "that of the stock app: {pages:?}");
        engine.pin(newest).unwrap();
    }
}

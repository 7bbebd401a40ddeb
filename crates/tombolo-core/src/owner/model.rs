//! An engine in memory, and the stock app that writes beside it.

use super::buffer::{MemoryBuffer, Store};
use super::engine::{
    Changes, Engine, EngineError, PageNumber, Reserved, Shape, Transaction, Version,
};
use crate::sqlite::result_code::ResultCode;
use crate::wire::request::Access;
use std::collections::{BTreeMap, HashMap};

pub(crate) const PAGE_BYTES: usize = 512;

/// Buffers in memory.
#[derive(Debug)]
pub(crate) struct Buffers;

impl Store for Buffers {
    type Buffer = MemoryBuffer;

    fn buffer(&mut self, _page_size_bytes: u32) -> MemoryBuffer {
        MemoryBuffer::new(1 << 20)
    }
}

type Pages = BTreeMap<PageNumber, Vec<u8>>;

/// All states that the database ever had, and who holds which.
#[derive(Debug, Default)]
pub(crate) struct ModelEngine {
    states: Vec<Pages>,
    pins: HashMap<Version, u32>,
    held: bool,
    /// Whether a stock app has the write lock.
    pub(crate) stock_writes: bool,
    /// Whether the next commit fails.
    pub(crate) commit_fails: bool,
    pub(crate) replaced: bool,
    /// The number of the first version of the file that is open.
    first: u64,
    pub(crate) log_bytes: u64,
    pub(crate) renewals: u32,
    /// Versions that sessions have committed.
    pub(crate) own: std::collections::BTreeSet<Version>,
}

impl ModelEngine {
    pub(crate) fn new(pages: Pages) -> Self {
        ModelEngine { states: vec![Pages::new(), pages], ..ModelEngine::default() }
    }

    pub(crate) fn latest(&self) -> &Pages {
        self.states.last().expect("there is a first state")
    }

    fn latest_version(&self) -> Version {
        Version(self.states.len() as u64 - 1)
    }

    /// A commit of a stock app, which waits for the write lock.
    pub(crate) fn stock_commit(&mut self, change: impl FnOnce(&mut Pages)) -> bool {
        if self.held {
            return false;
        }
        let mut pages = self.latest().clone();
        change(&mut pages);
        self.states.push(pages);
        true
    }

    fn pinned(&self, version: Version) -> Result<&Pages, EngineError> {
        let state = self.pins.get(&version).and_then(|_| self.states.get(version.0 as usize));
        state.ok_or_else(|| failed(ResultCode::ERROR_SNAPSHOT))
    }

    pub(crate) fn pin_count(&self) -> u32 {
        self.pins.values().sum()
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held
    }
}

fn failed(code: ResultCode) -> EngineError {
    EngineError { code, errno: None, message: "by the model".into() }
}

impl Engine for ModelEngine {
    fn newest(&mut self) -> Result<Version, EngineError> {
        Ok(self.latest_version())
    }

    fn pin(&mut self, version: Version) -> Result<(), EngineError> {
        if version != self.latest_version() && !self.pins.contains_key(&version) {
            return Err(failed(ResultCode::ERROR_SNAPSHOT));
        }
        *self.pins.entry(version).or_default() += 1;
        Ok(())
    }

    fn unpin(&mut self, version: Version) {
        if let Some(count) = self.pins.get_mut(&version) {
            *count -= 1;
            if *count == 0 {
                self.pins.remove(&version);
            }
        }
    }

    fn shape(&self, version: Version) -> Result<Shape, EngineError> {
        let pages = self.pinned(version)?;
        let size_pages = pages.last_key_value().map_or(0, |(number, _)| *number);
        Ok(Shape { page_size_bytes: PAGE_BYTES as u32, size_pages })
    }

    fn changes(&self, since: Version, until: Version) -> Changes {
        if since.0 < self.first {
            return Changes::All;
        }
        let mut changed = Vec::new();
        for version in since.0..until.0 {
            let (old, new) = (&self.states[version as usize], &self.states[version as usize + 1]);
            let numbers = old.keys().chain(new.keys());
            changed.extend(numbers.filter(|number| old.get(number) != new.get(number)));
        }
        changed.sort_unstable();
        changed.dedup();
        Changes::Pages(changed)
    }

    fn read(
        &mut self,
        version: Version,
        first: PageNumber,
        count: u32,
        into: &mut Vec<u8>,
    ) -> Result<(), EngineError> {
        let pages = self.pinned(version)?;
        for (_, page) in pages.range(first..first.saturating_add(count)) {
            into.extend_from_slice(page);
        }
        Ok(())
    }

    fn reserve(&mut self) -> Result<Reserved, EngineError> {
        if self.stock_writes {
            return Ok(Reserved::Busy);
        }
        self.held = true;
        Ok(Reserved::At(self.latest_version()))
    }

    fn release(&mut self) {
        self.held = false;
    }

    fn commit(&mut self, transaction: &mut dyn Transaction) -> Result<Version, EngineError> {
        assert!(self.held, "a commit without the write lock");
        self.held = false;
        if std::mem::take(&mut self.commit_fails) {
            return Err(failed(ResultCode::FULL));
        }
        let mut pages = self.latest().clone();
        transaction.for_each(&mut |number, page| {
            pages.insert(number, page.to_vec());
            Ok(())
        })?;
        let size = transaction.size_pages();
        pages.retain(|number, _| *number <= size);
        self.states.push(pages);
        self.log_bytes += 1;
        self.own.insert(self.latest_version());
        Ok(self.latest_version())
    }

    fn renew(&mut self) {
        self.renewals += 1;
    }

    fn has_company(&self) -> bool {
        true
    }

    fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    fn log_used_bytes(&self) -> u64 {
        self.log_bytes
    }

    fn reopen(&mut self, _access: Access) -> Result<(), EngineError> {
        self.replaced = false;
        self.held = false;
        self.pins.clear();
        self.states.push(self.latest().clone());
        self.first = self.latest_version().0;
        Ok(())
    }

    fn is_in_place(&self) -> Result<bool, EngineError> {
        Ok(!self.replaced)
    }
}

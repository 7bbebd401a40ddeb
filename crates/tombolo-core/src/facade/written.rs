//! What a transaction has written.

use crate::owner::engine::PageNumber;
use crate::wire::request::Pages;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of pages from which on they are sent to the owner before the transaction ends.
const SENT_AHEAD_BYTES: usize = 2 << 20;

/// Whether all that was written were pages of the database's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fit {
    #[default]
    Pages,
    /// Another page size was written, which the owner's file cannot take.
    Misfit,
}

/// Pages that were written and are not committed.
///
/// 1. A page is in `here` or was sent, or both: then `here` is newer.
/// 2. Page 1 is never sent ahead: what it says decides whether there is a commit at all.
#[derive(Debug, Default)]
pub(super) struct Written {
    here: BTreeMap<PageNumber, Box<[u8]>>,
    sent: BTreeSet<PageNumber>,
    bytes: usize,
    pub(super) fit: Fit,
    /// Bytes of the file, where it was cut or has grown.
    pub(super) file_pages: Option<u32>,
    pub(super) under_lock: UnderLock,
}

/// Whether a commit came since the lock was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum UnderLock {
    #[default]
    NotCommitted,
    Committed,
}

/// Where a page of the transaction is.
#[derive(Debug)]
pub(super) enum Place<'a> {
    Here(&'a [u8]),
    WithOwner,
    NotWritten,
}

impl Written {
    /// Nothing, of a lock under which a commit came.
    pub(super) fn after_commit() -> Self {
        Written { under_lock: UnderLock::Committed, ..Written::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.here.is_empty() && self.sent.is_empty()
    }

    pub(super) fn put(&mut self, number: PageNumber, page: &[u8]) {
        match self.here.get_mut(&number) {
            Some(place) if place.len() == page.len() => place.copy_from_slice(page),
            _ => {
                self.bytes += page.len();
                self.here.insert(number, page.into());
            }
        }
    }

    pub(super) fn place(&self, number: PageNumber) -> Place<'_> {
        match self.here.get(&number) {
            Some(page) => Place::Here(page),
            None if self.sent.contains(&number) => Place::WithOwner,
            None => Place::NotWritten,
        }
    }

    pub(super) fn page_one(&self) -> Option<&[u8]> {
        self.here.get(&1).map(AsRef::as_ref)
    }

    /// Pages to be sent ahead, as bytes for [`Pages`], once there are many.
    pub(super) fn take_piece(&mut self) -> Option<Vec<u8>> {
        (self.bytes >= SENT_AHEAD_BYTES).then(|| self.take_all_but_page_one())
    }

    pub(super) fn take_all_but_page_one(&mut self) -> Vec<u8> {
        let rest = self.here.split_off(&2);
        let mut piece = Vec::with_capacity(self.bytes + rest.len() * 4);
        for (number, page) in rest {
            Pages::append(&mut piece, number, &page);
            self.sent.insert(number);
        }
        self.bytes = self.here.values().map(|page| page.len()).sum();
        piece
    }

    /// The pages that are here, as bytes for [`Pages`], but for those behind the new end.
    pub(super) fn rest(&self, size_pages: u32) -> Vec<u8> {
        let mut rest = Vec::with_capacity(self.bytes + self.here.len() * 4);
        for (number, page) in self.here.range(..=size_pages) {
            Pages::append(&mut rest, *number, page);
        }
        rest
    }

    /// The pages that are here, and the numbers of those that are with the owner only.
    pub(super) fn into_parts(self) -> (BTreeMap<PageNumber, Box<[u8]>>, BTreeSet<PageNumber>) {
        (self.here, self.sent)
    }
}

//! What the mounts of one directory have in common, as the clients of one server do.

use super::lock_table::LockTable;
use super::room::Used;
use super::unsynced::Memory;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who made a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Maker {
    pub(super) client: u32,
    /// The process there, as the kernel numbers it: a thread counts as one.
    pub(super) process: u32,
}

/// The server: its locks, its room, and what it has not written to its disk.
#[derive(Debug, Default)]
pub(super) struct Server {
    clients: AtomicU32,
    locks: Mutex<HashMap<u64, LockTable>>,
    /// Files that are there for the mount that made them alone, by inode number.
    unfinished: Mutex<HashMap<u64, Maker>>,
    pub(super) used: Used,
    pub(super) memory: Memory,
}

impl Server {
    /// A mount comes; answers the number that it is known by.
    pub(super) fn join(&self) -> u32 {
        self.clients.fetch_add(1, Ordering::Relaxed)
    }

    /// A mount is gone.
    pub(super) fn leave(&self, client: u32) {
        let mut locks = lock(&self.locks);
        locks.values_mut().for_each(|table| table.drop_client(client));
        lock(&self.unfinished).retain(|_, maker| maker.client != client);
    }

    /// Looks into the locks of a file, or changes them.
    pub(super) fn locks<T>(&self, inode: u64, action: impl FnOnce(&mut LockTable) -> T) -> T {
        let mut locks = lock(&self.locks);
        action(locks.entry(inode).or_default())
    }

    /// A file is being made; when another mount does so as well, it is there for both.
    pub(super) fn begin_file(&self, inode: u64, maker: Maker) {
        match lock(&self.unfinished).entry(inode) {
            Entry::Vacant(place) => drop(place.insert(maker)),
            Entry::Occupied(place) if place.get().client != maker.client => drop(place.remove()),
            Entry::Occupied(_) => {}
        }
    }

    /// Somebody has closed a file. Its maker's children close their copies of the descriptor when
    /// they start a program, and that makes nothing whole.
    pub(super) fn close_file(&self, inode: u64, closer: Maker) {
        self.end_file(inode, |maker| maker == closer);
    }

    /// Nobody at a mount has a file open for writing any more.
    pub(super) fn leave_file(&self, inode: u64, client: u32) {
        self.end_file(inode, |maker| maker.client == client);
    }

    fn end_file(&self, inode: u64, is_by: impl Fn(Maker) -> bool) {
        let mut unfinished = lock(&self.unfinished);
        if unfinished.get(&inode).copied().is_some_and(is_by) {
            unfinished.remove(&inode);
        }
    }

    /// Whether a file is not there yet for this mount.
    pub(super) fn is_hidden(&self, inode: u64, client: u32) -> bool {
        lock(&self.unfinished).get(&inode).is_some_and(|maker| maker.client != client)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What the mounts of one directory have in common, as the clients of one server do.

use super::lock_table::LockTable;
use super::room::Used;
use super::unsynced::Memory;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The server: its locks, its room, and what it has not written to its disk.
#[derive(Debug, Default)]
pub(super) struct Server {
    clients: AtomicU32,
    locks: Mutex<HashMap<u64, LockTable>>,
    /// Files that are there for the mount that made them alone, by inode number.
    unfinished: Mutex<HashMap<u64, u32>>,
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
        lock(&self.unfinished).retain(|_, maker| *maker != client);
    }

    /// Looks into the locks of a file, or changes them.
    pub(super) fn locks<T>(&self, inode: u64, action: impl FnOnce(&mut LockTable) -> T) -> T {
        let mut locks = lock(&self.locks);
        action(locks.entry(inode).or_default())
    }

    /// A mount begins to make a file; when another does so as well, it is there for both.
    pub(super) fn begin_file(&self, inode: u64, client: u32) {
        match lock(&self.unfinished).entry(inode) {
            Entry::Vacant(place) => drop(place.insert(client)),
            Entry::Occupied(place) if *place.get() != client => drop(place.remove()),
            Entry::Occupied(_) => {}
        }
    }

    /// A mount has closed a file that it may have made.
    pub(super) fn end_file(&self, inode: u64, client: u32) {
        let mut unfinished = lock(&self.unfinished);
        if unfinished.get(&inode) == Some(&client) {
            unfinished.remove(&inode);
        }
    }

    /// Whether a file is not there yet for this mount.
    pub(super) fn is_hidden(&self, inode: u64, client: u32) -> bool {
        lock(&self.unfinished).get(&inode).is_some_and(|maker| *maker != client)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

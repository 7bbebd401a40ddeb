//! Which of many databases a file may be, without asking its file system.

use super::DatabaseFiles;
use std::collections::{BTreeMap, BTreeSet};
use tombolo_os::process::Held;

/// Databases by the numbers of their inodes and by their names.
pub(super) struct Index<'a> {
    inodes: BTreeMap<u64, Vec<usize>>,
    names: BTreeMap<&'a [u8], Vec<usize>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(files: &[DatabaseFiles<'a>]) -> Self {
        let mut index = Index { inodes: BTreeMap::new(), names: BTreeMap::new() };
        for (place, one) in files.iter().enumerate() {
            for identity in [Some(one.database), one.wal_index].into_iter().flatten() {
                index.inodes.entry(identity.inode).or_default().push(place);
            }
            let name = one.path.file_name().unwrap_or_default().as_encoded_bytes();
            index.names.entry(name).or_default().push(place);
        }
        index
    }

    /// The places of databases that a program may hold by these files.
    pub(super) fn candidates(&self, held: &[Held]) -> BTreeSet<usize> {
        let mut places = BTreeSet::new();
        for held in held {
            let name = held.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let database = name.strip_suffix(b"-shm").unwrap_or(name);
            let by_name = [name, database].into_iter().filter_map(|name| self.names.get(name));
            let by_inode = match held.inode {
                Some(inode) => self.inodes.get(&inode),
                // An old kernel does not tell: every database may be the one.
                None => return self.names.values().flatten().copied().collect(),
            };
            places.extend(by_name.chain(by_inode).flatten());
        }
        places
    }

    /// The places of databases with this number of an inode.
    pub(super) fn by_inode(&self, inode: u64) -> &[usize] {
        self.inodes.get(&inode).map_or(&[], Vec::as_slice)
    }
}

//! Which files are meant, and which of their bytes.

use tombolo_core::sqlite::lock_bytes::{PENDING, SHARED_BYTES, SHARED_FIRST};

/// First of the bytes of a database that SQLite locks.
pub const LOCKED_FIRST: i64 = PENDING as i64;
/// Number of these bytes: PENDING, RESERVED, and those of readers.
pub const LOCKED_BYTES: i64 = (SHARED_FIRST + SHARED_BYTES - PENDING) as i64;

/// The databases that are to be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Databases {
    paths: Vec<Vec<u8>>,
}

/// A file of a database, by the place of the database in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// The database.
    Database(usize),
    /// Its `-shm`.
    WalIndex(usize),
}

impl Databases {
    /// Reads the list: a path on each line.
    #[must_use]
    pub fn parse(list: &[u8]) -> Self {
        let lines = list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Databases { paths: lines.map(<[u8]>::to_vec).collect() }
    }

    /// The path of a database.
    #[must_use]
    pub fn path(&self, place: usize) -> Option<&[u8]> {
        self.paths.get(place).map(Vec::as_slice)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// Whether a path is that of a file that is meant.
    #[must_use]
    pub fn find(&self, path: &[u8]) -> Option<Meant> {
        let database = path.strip_suffix(b"-shm");
        self.paths.iter().enumerate().find_map(|(place, known)| {
            if known == path {
                Some(Meant::Database(place))
            } else if database == Some(known.as_slice()) {
                Some(Meant::WalIndex(place))
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_and_its_wal_index_are_found_by_their_whole_paths() {
        let databases = Databases::parse(b"/d/app.db\n\n/d/other.db\n");
        assert_eq!(databases.count(), 2);
        assert_eq!(databases.find(b"/d/app.db"), Some(Meant::Database(0)));
        assert_eq!(databases.find(b"/d/other.db-shm"), Some(Meant::WalIndex(1)));
        for other in [&b"/d/app.db-wal"[..], b"app.db", b"/d/app.db-shm-shm", b"", b"/d"] {
            assert_eq!(databases.find(other), None);
        }
    }
}

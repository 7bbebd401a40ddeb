//! Byte-range locks by the rules of POSIX (`fcntl(2)`, F_SETLK), of one file. Nobody is made to
//! wait: SQLite never does, and F_SETLKW is answered like F_SETLK.

/// Which locks conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strength {
    Shared,
    Exclusive,
}

/// A number that a mount gave, and which mount that was: two mounts give the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Of {
    pub(super) client: u32,
    pub(super) number: u64,
}

/// One lock. Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) owner: Of,
    /// The open file that it was asked through: a lock of the open file description goes with it.
    pub(super) handle: Of,
    pub(super) pid: u32,
    pub(super) strength: Strength,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Lock {
    fn touches(&self, other: &Lock) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// All locks of one file.
#[derive(Debug, Default)]
pub(super) struct LockTable {
    locks: Vec<Lock>,
}

impl LockTable {
    /// A lock that keeps `wanted` from being granted.
    pub(super) fn conflict(&self, wanted: &Lock) -> Option<Lock> {
        let conflicts = |held: &&Lock| {
            let exclusive = Strength::Exclusive;
            let strong = held.strength == exclusive || wanted.strength == exclusive;
            held.owner != wanted.owner && held.touches(wanted) && strong
        };
        self.locks.iter().find(conflicts).copied()
    }

    /// Whether the owner would make a shared lock exclusive by this.
    pub(super) fn is_upgrade(&self, wanted: &Lock) -> bool {
        wanted.strength == Strength::Exclusive
            && self.locks.iter().any(|held| {
                held.owner == wanted.owner
                    && held.strength == Strength::Shared
                    && held.touches(wanted)
            })
    }

    /// Grants `wanted`, in place of what its owner held there; answers whether it could.
    pub(super) fn set(&mut self, wanted: Lock) -> bool {
        if self.conflict(&wanted).is_some() {
            return false;
        }
        self.clear(wanted.owner, wanted.first, wanted.last);
        self.locks.push(wanted);
        true
    }

    /// Takes a range from an owner. What he holds on either side of it stays.
    pub(super) fn clear(&mut self, owner: Of, first: u64, last: u64) {
        let mut rest = Vec::new();
        self.locks.retain(|held| {
            if held.owner != owner || held.first > last || first > held.last {
                return true;
            }
            if held.first < first {
                rest.push(Lock { last: first - 1, ..*held });
            }
            if held.last > last {
                rest.push(Lock { first: last + 1, ..*held });
            }
            false
        });
        self.locks.append(&mut rest);
    }

    /// A process closed the file: all its locks go, whichever descriptor they were asked through.
    pub(super) fn drop_owner(&mut self, owner: Of) {
        self.locks.retain(|held| held.owner != owner);
    }

    /// An open file is gone from every process.
    pub(super) fn drop_handle(&mut self, handle: Of) {
        self.locks.retain(|held| held.handle != handle);
    }

    /// A mount is gone, and with it all processes that were at work in it.
    pub(super) fn drop_client(&mut self, client: u32) {
        self.locks.retain(|held| held.owner.client != client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: u64) -> Of {
        Of { client: 1, number }
    }

    fn lock(owner: u64, strength: Strength, first: u64, last: u64) -> Lock {
        Lock { owner: of(owner), handle: of(owner), pid: 1, strength, first, last }
    }

    #[test]
    fn readers_share_and_a_writer_excludes() {
        let mut table = LockTable::default();
        assert!(table.set(lock(1, Strength::Shared, 0, 9)));
        assert!(table.set(lock(2, Strength::Shared, 5, 20)));
        assert!(!table.set(lock(1, Strength::Exclusive, 5, 5)));
        assert!(table.set(lock(1, Strength::Exclusive, 0, 4)));
        assert_eq!(
            table.conflict(&lock(3, Strength::Shared, 4, 4)).map(|held| held.owner),
            Some(of(1))
        );
    }

    #[test]
    fn a_hole_leaves_both_sides_and_closing_leaves_nothing() {
        let mut table = LockTable::default();
        assert!(table.set(lock(1, Strength::Exclusive, 0, u64::MAX)));
        table.clear(of(1), 10, 19);
        assert!(table.set(lock(2, Strength::Exclusive, 10, 19)));
        for byte in [9, 20, u64::MAX] {
            assert!(!table.set(lock(2, Strength::Shared, byte, byte)));
        }
        table.drop_owner(of(1));
        assert!(table.set(lock(3, Strength::Exclusive, 0, 9)));
        table.drop_handle(of(2));
        assert!(table.set(lock(3, Strength::Exclusive, 0, u64::MAX)));
    }

    #[test]
    fn two_mounts_exclude_each_other_until_one_is_gone() {
        let mut table = LockTable::default();
        let ours = lock(7, Strength::Exclusive, 0, 0);
        let other = Of { client: 2, number: 7 };
        let theirs = Lock { owner: other, handle: other, ..ours };
        assert!(table.set(ours));
        assert!(!table.set(theirs));
        table.drop_client(1);
        assert!(table.set(theirs));
    }
}

//! Locks that the server is asked for, and what it answers.

use super::filesystem::FaultyFilesystem;
use super::lock_table::{Lock, LockTable, Of, Strength};
use crate::faults::Locks;
use fuser::INodeNo;
use rustix::io::Errno;

/// `l_type` of `fcntl(2)`.
const READ: i32 = nix::libc::F_RDLCK;
const WRITE: i32 = nix::libc::F_WRLCK;
pub(super) const UNLOCKED: i32 = nix::libc::F_UNLCK;

/// One request for a lock.
pub(super) struct Asked {
    pub(super) owner: Of,
    pub(super) handle: Of,
    pub(super) pid: u32,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) kind: i32,
}

impl Asked {
    fn lock(&self) -> Result<Lock, Errno> {
        let strength = match self.kind {
            READ => Strength::Shared,
            WRITE => Strength::Exclusive,
            _ => return Err(Errno::INVAL),
        };
        let Asked { owner, handle, pid, first, last, .. } = *self;
        Ok(Lock { owner, handle, pid, strength, first, last })
    }
}

impl FaultyFilesystem {
    /// A number of this mount, told apart from those of others.
    pub(super) fn of(&self, number: u64) -> Of {
        Of { client: self.client, number }
    }

    /// F_SETLK.
    pub(super) fn set_lock(&self, inode: INodeNo, asked: &Asked) -> Result<(), Errno> {
        let inode = self.inodes.get(inode)?;
        match self.faults.locks {
            Locks::Refused(errno) => return Err(errno),
            Locks::GrantedToAll => return Ok(()),
            Locks::Kernel | Locks::Server | Locks::UpgradeRefused | Locks::QueryBlind => {}
        }
        let conflict = match self.faults.locks {
            Locks::UpgradeRefused => Errno::ACCESS,
            _ => Errno::AGAIN,
        };
        if asked.kind == UNLOCKED {
            let clear = |table: &mut LockTable| table.clear(asked.owner, asked.first, asked.last);
            // First what this client has written, then the lock that protected it.
            self.forget_pages(INodeNo(inode.number));
            self.server.locks(inode.number, clear);
            return Ok(());
        }
        let lock = asked.lock()?;
        let granted = self.server.locks(inode.number, |table| {
            let refused = self.faults.locks == Locks::UpgradeRefused && table.is_upgrade(&lock);
            !refused && table.set(lock)
        });
        if !granted {
            return Err(conflict);
        }
        self.forget_pages(INodeNo(inode.number));
        Ok(())
    }

    /// F_GETLK: the lock in the way, if any; as first byte, last byte, kind and process.
    pub(super) fn query_lock(
        &self,
        inode: INodeNo,
        asked: &Asked,
    ) -> Result<(u64, u64, i32, u32), Errno> {
        let inode = self.inodes.get(inode)?;
        let nobody = (0, 0, UNLOCKED, 0);
        match self.faults.locks {
            Locks::Refused(errno) => return Err(errno),
            Locks::GrantedToAll | Locks::QueryBlind => return Ok(nobody),
            Locks::Kernel | Locks::Server | Locks::UpgradeRefused => {}
        }
        let lock = asked.lock()?;
        let conflict = self.server.locks(inode.number, |table| table.conflict(&lock));
        Ok(conflict.map_or(nobody, |held| {
            let kind = if held.strength == Strength::Exclusive { WRITE } else { READ };
            (held.first, held.last, kind, held.pid)
        }))
    }
}

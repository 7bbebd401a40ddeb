//! Locks that the server is asked for, and what it answers.

use super::filesystem::FaultyFilesystem;
use super::lock_table::{Lock, Strength};
use crate::faults::Locks;
use fuser::INodeNo;
use rustix::io::Errno;

/// `l_type` of `fcntl(2)`.
const READ: i32 = nix::libc::F_RDLCK;
const WRITE: i32 = nix::libc::F_WRLCK;
pub(super) const UNLOCKED: i32 = nix::libc::F_UNLCK;

/// One request for a lock.
pub(super) struct Asked {
    pub(super) owner: u64,
    pub(super) handle: u64,
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
    /// F_SETLK.
    pub(super) fn set_lock(&self, inode: INodeNo, asked: &Asked) -> Result<(), Errno> {
        let inode = self.inodes.get(inode)?;
        match self.faults.locks {
            Locks::Refused(errno) => return Err(errno),
            Locks::GrantedToAll => return Ok(()),
            Locks::Kernel | Locks::Server | Locks::UpgradeRefused | Locks::QueryBlind => {}
        }
        let mut table = inode.locks();
        if asked.kind == UNLOCKED {
            table.clear(asked.owner, asked.first, asked.last);
            return Ok(());
        }
        let lock = asked.lock()?;
        if self.faults.locks == Locks::UpgradeRefused && table.is_upgrade(&lock) {
            return Err(Errno::ACCESS);
        }
        if table.set(lock) { Ok(()) } else { Err(Errno::AGAIN) }
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
        let conflict = inode.locks().conflict(&asked.lock()?);
        Ok(conflict.map_or(nobody, |held| {
            let kind = if held.strength == Strength::Exclusive { WRITE } else { READ };
            (held.first, held.last, kind, held.pid)
        }))
    }
}

//! How much of its room a server has given.

use crate::faults::Room;
use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The bytes by which files have grown.
#[derive(Debug, Default)]
pub(super) struct Used {
    bytes: Mutex<u64>,
}

impl Used {
    /// Lets `change` make `file` as long as `end_bytes`, if it is shorter and there is room.
    pub(super) fn grow(
        &self,
        room: Room,
        file: &File,
        end_bytes: u64,
        change: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let Room::Bytes(limit_bytes, errno) = room else { return change() };
        // Held over the change: two that grow one file at once grow it once.
        let mut used = self.bytes();
        let growth = end_bytes.saturating_sub(file.metadata()?.len());
        let after = used.checked_add(growth).filter(|after| growth == 0 || *after <= limit_bytes);
        let after = after.ok_or(errno)?;
        change()?;
        *used = after;
        Ok(())
    }

    /// So many bytes were cut off, or their file removed.
    pub(super) fn give_back(&self, bytes: u64) {
        let mut used = self.bytes();
        *used = used.saturating_sub(bytes);
    }

    fn bytes(&self) -> MutexGuard<'_, u64> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn room_is_taken_by_growth_alone_and_comes_back() {
        let file = tempfile::tempfile().expect("a file");
        let (used, room) = (Used::default(), Room::Bytes(100, Errno::DQUOT));
        let grow = |end| used.grow(room, &file, end, || file.set_len(end));
        grow(80).expect("there is room");
        grow(40).expect("nothing grows");
        used.give_back(40);
        let error = grow(101).expect_err("61 bytes, and 40 are taken");
        assert_eq!(error.raw_os_error(), Some(Errno::DQUOT.raw_os_error()));
        grow(100).expect("there is room again");
        let full = Room::Bytes(0, Errno::NOSPC);
        used.grow(full, &file, 100, || Ok(())).expect("nothing grows");
        used.grow(full, &file, 101, || Ok(())).expect_err("full");
    }
}

//! A disk without a free byte, and with room again.

use crate::error::LabError;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// A file that takes all the room of its file system; removed when dropped.
#[derive(Debug)]
pub struct Filling {
    path: PathBuf,
}

impl Filling {
    /// Fills the file system of `directory`, which must be a small one made for this: where more
    /// than `most_bytes` are free, nothing is written.
    ///
    /// # Errors
    /// When more is free, or writing fails otherwise than for want of room.
    pub fn new(directory: &Path, most_bytes: u64) -> Result<Self, LabError> {
        let statistics =
            rustix::fs::statvfs(directory).map_err(LabError::call("statvfs", directory))?;
        let free = statistics.f_bfree.saturating_mul(statistics.f_frsize);
        if free > most_bytes {
            let shown = directory.display();
            let message = format!("{shown}: {free} bytes are free, at most {most_bytes} may be");
            return Err(LabError::Request(message));
        }
        let path = directory.join("lab.filling");
        let mut file = File::create_new(&path).map_err(LabError::call("open", &path))?;
        let filling = Filling { path };
        // What no longer fits in large pieces may fit in small ones.
        for size in [1 << 20, 4096, 1] {
            let piece = vec![0; size];
            loop {
                match file.write(&piece) {
                    Ok(length) if length == size => {}
                    Ok(_) => break,
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
                        ) =>
                    {
                        break;
                    }
                    Err(error) => return Err(LabError::call("write", &filling.path)(error)),
                }
            }
        }
        // Room that is given only when the data is written out.
        match file.sync_all() {
            Err(error) if error.kind() != ErrorKind::StorageFull => {
                Err(LabError::call("fsync", &filling.path)(error))
            }
            _ => Ok(filling),
        }
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mounted, Namespace};

    #[test]
    fn a_filled_disk_takes_nothing_until_it_has_room_again() {
        Namespace::run(|namespace| {
            let disk = Mounted::memory(namespace).expect("a file system in memory");
            let file = disk.path().join("file");
            assert!(Filling::new(disk.path(), 1 << 20).is_err());
            let filling = Filling::new(disk.path(), 1 << 30).expect("filled");
            let refused = std::fs::write(&file, "one byte more").expect_err("there is no room");
            assert_eq!(refused.kind(), ErrorKind::StorageFull);
            drop(filling);
            std::fs::write(&file, "one byte more").expect("there is room");
        });
    }
}

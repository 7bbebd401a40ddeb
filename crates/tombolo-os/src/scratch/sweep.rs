//! Removing what killed runs have left. A directory that may be in use is never touched.

use super::maker::{Life, Maker};
use super::place::open_directory;
use super::{ENTRIES_MAX, is_scratch_name, remove};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// After this time a directory is taken to be abandoned where nothing else tells. A run lasts a day
/// at most.
const AGE_MAX: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Removes what `owner` has left in `parent`; answers how many directories went.
pub(super) fn sweep(parent: &Path, maker: &Maker, owner: u32, go_on: &dyn Fn() -> bool) -> usize {
    let Ok(entries) = std::fs::read_dir(parent) else { return 0 };
    let entries = entries.take_while(|_| go_on()).filter_map(Result::ok);
    let named = entries.filter(|entry| is_scratch_name(entry.file_name().as_encoded_bytes()));
    let removed = named.take(ENTRIES_MAX).filter(|entry| {
        let path = entry.path();
        abandoned(&path, maker, owner).is_some_and(|held| remove(&path, &held).is_ok())
    });
    removed.count()
}

/// The directory, opened and where possible locked, if nobody works in it any longer.
fn abandoned(path: &Path, maker: &Maker, owner: u32) -> Option<OwnedFd> {
    let directory = open_directory(path).ok()?;
    let status = rustix::fs::fstat(&directory).ok()?;
    if status.st_uid != owner {
        return None;
    }
    let lock = || rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive);
    let name = path.file_name()?.to_str()?;
    let is_abandoned = if maker.is_of_this_kernel(name) {
        may_go(lock(), maker.life_of(name), is_old(status.st_mtime))
    } else {
        is_old(status.st_mtime)
    };
    is_abandoned.then_some(directory)
}

/// Whether a directory of this kernel may be removed.
fn may_go(lock: Result<(), Errno>, life: Life, is_old: bool) -> bool {
    match (lock, life) {
        (Err(Errno::WOULDBLOCK), _) => false,
        // Also between its birth and its lock.
        (_, Life::Runs) => false,
        (Ok(()), Life::Ended | Life::NotKnown) => true,
        // `flock` is refused here (EOPNOTSUPP, ENOLCK; on NFS EBADF, for a directory cannot be
        // opened for writing: flock(2)).
        (Err(_), Life::Ended) => true,
        (Err(_), Life::NotKnown) => is_old,
    }
}

fn is_old(modified: i64) -> bool {
    let modified = UNIX_EPOCH + Duration::from_secs(u64::try_from(modified).unwrap_or(0));
    SystemTime::now().duration_since(modified).is_ok_and(|age| age > AGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_flock_is_refused_the_maker_decides() {
        let held = Err(Errno::WOULDBLOCK);
        for refused in [Errno::NOTSUP, Errno::NOLCK, Errno::BADF] {
            for (lock, life, is_old, expected) in [
                (Err(refused), Life::Runs, true, false),
                (Err(refused), Life::Ended, false, true),
                (Err(refused), Life::NotKnown, false, false),
                (Err(refused), Life::NotKnown, true, true),
                (Ok(()), Life::Runs, true, false),
                (Ok(()), Life::Ended, false, true),
                (Ok(()), Life::NotKnown, false, true),
                (held, Life::Ended, true, false),
                (held, Life::NotKnown, true, false),
            ] {
                assert_eq!(may_go(lock, life, is_old), expected, "{lock:?} {life:?} {is_old}");
            }
        }
    }
}

//! Transactions over several databases: those for which SQLite makes a super-journal.
//!
//! SQLite makes it, sends its name along with the end of each database's transaction, and deletes
//! it, synced, as the one step that commits all of them (`vdbeCommit` in vdbeaux.c). It is deleted
//! without a sync where nothing is committed. As long as it is there, each of them rolls back
//! (`pager_playback` in pager.c).
//!
//! It is a file only where a database belongs to it that has no owner: after a crash, SQLite takes
//! the journal of such a database for one of a transaction that was committed, unless the
//! super-journal is there.

use crate::file::OpenFile;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tombolo_core::facade::Refusal;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::request::GroupId;
use tombolo_door::{Door, Prepare};

/// A super-journal.
#[derive(Debug)]
struct Group {
    /// The process that made it, which a fork is not.
    process: u32,
    path: Vec<u8>,
    id: GroupId,
    prepared: Vec<Weak<Mutex<OpenFile>>>,
    /// The databases whose transactions have ended with its name in their journals, and still have
    /// their locks: for them it must be there if they roll back.
    members: Vec<Weak<Mutex<OpenFile>>>,
    place: Place,
}

/// Where a super-journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Memory,
    Disk,
}

static GROUPS: Mutex<Vec<Group>> = Mutex::new(Vec::new());
/// The paths of the databases that are open at an owner, each as often as it is open.
static AT_OWNERS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn groups() -> MutexGuard<'static, Vec<Group>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_it(group: &Group, path: &[u8]) -> bool {
    group.path == path && group.process == std::process::id()
}

/// A database that is open at an owner, as long as this lives.
#[derive(Debug)]
pub(crate) struct AtOwner(Vec<u8>);

impl AtOwner {
    /// By the path that SQLite has for it.
    pub(crate) fn new(path: &[u8]) -> Self {
        at_owners().push(path.to_vec());
        AtOwner(path.to_vec())
    }
}

impl Drop for AtOwner {
    fn drop(&mut self) {
        let mut open = at_owners();
        if let Some(place) = open.iter().position(|one| *one == self.0) {
            open.swap_remove(place);
        }
    }
}

fn at_owners() -> MutexGuard<'static, Vec<Vec<u8>>> {
    AT_OWNERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_journal_at_owner(journal: &[u8]) -> bool {
    let open = at_owners();
    journal.strip_suffix(b"-journal").is_some_and(|path| open.iter().any(|one| one == path))
}

/// A super-journal is made.
pub(crate) fn begin(path: &[u8]) -> Result<(), Refusal> {
    let mut id = [0; 16];
    tombolo_os::random::fill(&mut id)
        .map_err(|error| Refusal::new(ResultCode::CANTOPEN, &error.to_string()))?;
    let id = GroupId(u128::from_ne_bytes(id));
    let (path, process) = (path.to_vec(), std::process::id());
    let mut groups = groups();
    groups.retain(|group| group.members.is_empty() || group.members.iter().any(is_open));
    let (prepared, members, place) = (Vec::new(), Vec::new(), Place::Memory);
    groups.push(Group { process, path, id, prepared, members, place });
    Ok(())
}

fn is_open(file: &Weak<Mutex<OpenFile>>) -> bool {
    file.strong_count() > 0
}

/// Whether there is a super-journal of this name.
pub(crate) fn exists(path: &[u8]) -> bool {
    groups().iter().any(|group| is_it(group, path))
}

/// A database's transaction ends that may be one of a group. Where the super-journal is another
/// VFS's, it is committed at once.
pub(crate) fn sync(
    path: &[u8],
    file: &Arc<Mutex<OpenFile>>,
    door: &mut Door,
) -> Result<(), Refusal> {
    let joined = groups().iter_mut().find(|group| is_it(group, path)).map(|group| {
        group.members.push(Arc::downgrade(file));
        group.id
    });
    let Some(id) = joined else { return door.sync() };
    if door.prepare(id)? == Prepare::Ready
        && let Some(group) = groups().iter_mut().find(|group| is_it(group, path))
    {
        group.prepared.push(Arc::downgrade(file));
    }
    Ok(())
}

/// A super-journal has all its names, and is synced before any transaction ends.
pub(crate) fn written(path: &[u8], names: &[u8]) -> Result<(), Refusal> {
    let mut journals = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    if journals.all(is_journal_at_owner) {
        return Ok(());
    }
    let on_disk = Path::new(OsStr::from_bytes(path));
    let made = File::options().write(true).create_new(true).open(on_disk).and_then(|mut file| {
        file.write_all(names)?;
        file.sync_all()?;
        sync_directory(on_disk)
    });
    made.map_err(|error| failed("a super-journal cannot be made", &error))?;
    if let Some(group) = groups().iter_mut().find(|group| is_it(group, path)) {
        group.place = Place::Disk;
    }
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn failed(what: &str, error: &io::Error) -> Refusal {
    let message = format!("{what}: {error}");
    Refusal { code: ResultCode::IOERR, errno: error.raw_os_error(), message }
}

fn take(path: &[u8], is_wanted: impl Fn(&Group) -> bool) -> Option<Group> {
    let mut groups = groups();
    let place = groups.iter().position(|group| is_it(group, path) && is_wanted(group))?;
    Some(groups.remove(place))
}

fn remove(group: &Group) -> Result<(), Refusal> {
    if group.place == Place::Memory {
        return Ok(());
    }
    let path = Path::new(OsStr::from_bytes(&group.path));
    match std::fs::remove_file(path).and_then(|()| sync_directory(path)) {
        // SQLite removes it as well when it rolls back a database that has no owner.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("a super-journal cannot be removed", &error))
        }
        _ => Ok(()),
    }
}

/// A super-journal is deleted without a sync: nothing is committed.
pub(crate) fn forget(path: &[u8]) -> Result<(), Refusal> {
    take(path, |group| group.members.is_empty()).map_or(Ok(()), |group| remove(&group))
}

/// A database whose transaction had ended gives its locks back.
pub(crate) fn left(path: &[u8], file: &Arc<Mutex<OpenFile>>) -> Result<(), Refusal> {
    let over = {
        let mut groups = groups();
        let Some(group) = groups.iter_mut().find(|group| is_it(group, path)) else {
            return Ok(());
        };
        let file = Arc::downgrade(file);
        group.members.retain(|member| !member.ptr_eq(&file));
        group.members.is_empty()
    };
    if over { forget(path) } else { Ok(()) }
}

/// A super-journal is deleted for good: all that belongs to it is committed, together where it has
/// one owner.
pub(crate) fn commit(path: &[u8]) -> Result<(), Refusal> {
    let Some(group) = take(path, |_| true) else { return Ok(()) };
    let committed = commit_group(&group);
    if committed.is_err() {
        // It stays as long as SQLite rolls back.
        groups().push(Group { prepared: Vec::new(), ..group });
        return committed;
    }
    remove(&group)
}

fn commit_group(group: &Group) -> Result<(), Refusal> {
    let files: Vec<_> = group.prepared.iter().filter_map(Weak::upgrade).collect();
    let mut files: Vec<_> =
        files.iter().map(|file| file.lock().unwrap_or_else(PoisonError::into_inner)).collect();
    let mut doors: Vec<&mut Door> = files
        .iter_mut()
        .filter_map(|file| match &mut **file {
            OpenFile::Database(door) => Some(&mut **door),
            OpenFile::SuperJournal { .. } | OpenFile::Scratch(_) => None,
        })
        .collect();
    while let Some(first) = doors.pop() {
        let (others, rest) = doors.into_iter().partition(|door| door.shares_owner(first));
        commit_at_one_owner(group.id, first, others)?;
        doors = rest;
    }
    Ok(())
}

fn commit_at_one_owner(
    id: GroupId,
    first: &mut Door,
    others: Vec<&mut Door>,
) -> Result<(), Refusal> {
    let members = u32::try_from(others.len() + 1).unwrap_or(u32::MAX);
    first.decide(id, members)?;
    others.into_iter().try_for_each(Door::decided)
}

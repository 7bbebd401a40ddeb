//! Transactions over several databases of one owner, which are committed together.
//!
//! Each database's part is kept in a file, synced, when it is prepared. A group is decided by the
//! file that says so; from then on it is committed whatever becomes of this process: each database
//! does its part, syncs its log and removes the file, and the last of them removes the decision.
//! What an owner finds of decided groups when it starts, or opens a database, it does before
//! anybody is served; parts without a decision are removed.

mod part;
#[cfg(test)]
mod tests;

use super::cannot;
use super::registry::Line;
use crate::engine::{Position, Redone, YoungEngine};
use part::Part;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tombolo_core::owner::SessionId;
use tombolo_core::owner::engine::{EngineError, Transaction};
use tombolo_core::owner::machine::{Arbiter, Fate};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::request::GroupId;

const PART: &str = "part";
const DECISION: &str = "decided";
/// What an owner could not do any more; a person has to look at it.
const OVERTAKEN: &str = "overtaken";

/// A prepared transaction.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) session: SessionId,
    pub(super) line: Line,
    pub(super) database: PathBuf,
}

/// A group that is not over.
///
/// 1. While it is decided, its decision is on disk, if there is a directory for that.
#[derive(Debug, Default)]
struct Group {
    is_decided: bool,
    members: Vec<Member>,
}

/// Why a group is not decided.
#[derive(Debug)]
pub(super) enum Undecided {
    /// Not all that should belong to it are prepared.
    NotWhole,
    /// The decision cannot be written.
    Failed(EngineError),
}

/// All groups of an owner. Its methods are called by the threads of the databases.
#[derive(Debug)]
pub(super) struct Groups {
    /// Where parts and decisions are. Without it nothing is kept: there is one database only.
    directory: Option<PathBuf>,
    open: Mutex<HashMap<GroupId, Group>>,
}

/// What a machine may ask.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Arc<Groups>);

impl Arbiter for Shared {
    fn give_up(&self, group: GroupId) -> Fate {
        self.0.give_up(group)
    }
}

impl Groups {
    /// With a directory for what is kept, which is made when it is needed.
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        Groups { directory, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<GroupId, Group>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a prepared transaction, and adds it to its group.
    pub(super) fn keep(
        &self,
        id: GroupId,
        member: Member,
        base: Position,
        transaction: &mut dyn Transaction,
    ) -> Result<(), EngineError> {
        let closed = || {
            let message = "the transaction over several databases is over".to_owned();
            EngineError { code: ResultCode::MISUSE, errno: None, message }
        };
        let path = self.part(id, &member.database);
        if let Some(path) = &path {
            if self.open().get(&id).is_some_and(|group| group.is_decided) {
                return Err(closed());
            }
            self.make_directory()?;
            part::write(path, &member.database, base, transaction)?;
        }
        let mut open = self.open();
        let group = open.entry(id).or_default();
        if group.is_decided {
            drop(open);
            path.iter().for_each(|path| remove(path));
            return Err(closed());
        }
        group.members.push(member);
        Ok(())
    }

    /// Decides that a group is committed, and says who has to be told.
    pub(super) fn decide(
        &self,
        id: GroupId,
        members: u32,
    ) -> Result<Vec<(SessionId, Line)>, Undecided> {
        let mut open = self.open();
        let whole = open
            .get_mut(&id)
            .filter(|group| !group.is_decided && u32::try_from(group.members.len()) == Ok(members));
        let Some(group) = whole else { return Err(Undecided::NotWhole) };
        if let Some(directory) = &self.directory {
            // The names of the parts become lasting with that of the decision.
            write_decision(directory, id).map_err(Undecided::Failed)?;
        }
        group.is_decided = true;
        let told = |member: &Member| (member.session, member.line.clone());
        Ok(group.members.iter().map(told).collect())
    }

    /// Gives a group up, unless it is decided.
    pub(super) fn give_up(&self, id: GroupId) -> Fate {
        let mut open = self.open();
        if open.get(&id).is_some_and(|group| group.is_decided) {
            return Fate::Decided;
        }
        for member in open.remove(&id).into_iter().flat_map(|group| group.members) {
            self.part(id, &member.database).iter().for_each(|path| remove(path));
        }
        Fate::GivenUp
    }

    /// A database has done its part of a decided group, and its log is synced.
    pub(super) fn done(&self, id: GroupId, database: &Path) {
        self.part(id, database).iter().for_each(|path| remove(path));
        let mut open = self.open();
        if let Some(group) = open.get_mut(&id) {
            group.members.retain(|member| member.database != database);
            if !group.members.is_empty() {
                return;
            }
            open.remove(&id);
        }
        self.end_decision(id);
    }

    /// Removes a decision of which no part is left.
    fn end_decision(&self, id: GroupId) {
        let Some(directory) = &self.directory else { return };
        let begin = format!("{:032x}.", id.0);
        let is_part = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            has_extension(path, PART) && name.starts_with(&begin)
        };
        if !entries(directory).iter().any(is_part) {
            remove(&decision(directory, id));
        }
    }

    /// The databases of which there are parts that are decided and may not be done. Parts that are
    /// not decided are removed: nobody was told that they are committed.
    pub(super) fn left_behind(&self) -> Vec<PathBuf> {
        let mut databases = Vec::new();
        let Some(directory) = &self.directory else { return databases };
        for path in entries(directory).iter().filter(|path| has_extension(path, PART)) {
            match group_of(path) {
                Some(id) if decision(directory, id).exists() => match Part::open(path) {
                    Ok(part) => databases.push(part.database),
                    Err(error) => unreadable(path, &error),
                },
                _ => remove(path),
            }
        }
        for path in entries(directory).iter().filter(|path| has_extension(path, DECISION)) {
            group_of(path).into_iter().for_each(|id| self.end_decision(id));
        }
        databases.sort();
        databases.dedup();
        databases
    }

    /// Does what was decided for a database and may not be done.
    ///
    /// # Errors
    ///
    /// Why it cannot be done now; until then the database must not be served.
    pub(super) fn recover(
        &self,
        database: &Path,
        engine: &mut YoungEngine,
    ) -> Result<(), EngineError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        for path in entries(directory).iter().filter(|path| has_extension(path, PART)) {
            let Some(id) = group_of(path) else { continue };
            if !decision(directory, id).exists() || self.part(id, database).as_ref() != Some(path) {
                continue;
            }
            let mut part = match Part::open(path) {
                Ok(part) if part.database == database => part,
                Ok(_) => continue,
                Err(error) => {
                    unreadable(path, &error);
                    continue;
                }
            };
            match engine.redo(part.base, &mut part)? {
                Redone::Now => {
                    let database = database.display();
                    tracing::warn!(%database, "a transaction over several databases is completed");
                }
                Redone::Before => {}
                Redone::Overtaken => set_aside(path, database),
            }
            self.done(id, &part.database);
        }
        Ok(())
    }

    /// A database could not do its part of a decided group before another program wrote.
    pub(super) fn overtaken(&self, id: GroupId, database: &Path, error: &EngineError) {
        tracing::error!(database = %database.display(), %error, "a decided commit failed");
        if let Some(path) = self.part(id, database) {
            set_aside(&path, database);
        }
        self.done(id, database);
    }

    /// Where a database's part of a group is kept. A group has one of each database.
    fn part(&self, id: GroupId, database: &Path) -> Option<PathBuf> {
        use sha2::{Digest as _, Sha256};
        use std::os::unix::ffi::OsStrExt as _;
        let digest = Sha256::digest(database.as_os_str().as_bytes());
        let start = digest.first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        let name = format!("{:032x}.{start:032x}.{PART}", id.0);
        self.directory.as_ref().map(|directory| directory.join(name))
    }

    fn make_directory(&self) -> Result<(), EngineError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| cannot(&error, "the directory of prepared transactions"))
    }
}

/// Keeps the pages of a part for a person to look at.
fn set_aside(path: &Path, database: &Path) {
    let aside = path.with_extension(OVERTAKEN);
    let kept = if fs::rename(path, &aside).is_ok() { &aside } else { path };
    tracing::error!(
        database = %database.display(), kept = %kept.display(),
        "a transaction over several databases may be missing here: another program has written \
         first; its pages are kept"
    );
}

fn decision(directory: &Path, id: GroupId) -> PathBuf {
    directory.join(format!("{:032x}.{DECISION}", id.0))
}

fn write_decision(directory: &Path, id: GroupId) -> Result<(), EngineError> {
    let path = decision(directory, id);
    let options = File::options().write(true).create_new(true).mode(0o600).clone();
    let made = options.open(&path).and_then(|file| {
        file.sync_all()?;
        File::open(directory)?.sync_all()
    });
    let Err(error) = made else { return Ok(()) };
    match fs::remove_file(&path) {
        Err(gone) if gone.kind() != ErrorKind::NotFound => {
            // It stands, so it holds: whoever starts next would do it.
            tracing::error!(path = %path.display(), %error, "a decision may not outlive the power");
            Ok(())
        }
        _ => Err(cannot(&error, "the decision on several databases")),
    }
}

/// The files of a directory, none where it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}

fn group_of(path: &Path) -> Option<GroupId> {
    let name = path.file_name()?.to_str()?;
    u128::from_str_radix(name.split('.').next()?, 16).ok().map(GroupId)
}

/// Removes a file that nobody needs; one that stays is found again by whoever starts next.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a file cannot be removed");
    }
}

fn unreadable(path: &Path, error: &io::Error) {
    tracing::error!(path = %path.display(), %error, "a prepared transaction cannot be read");
}

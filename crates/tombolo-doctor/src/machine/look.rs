//! A closer look at the databases and at the programs that have them open.

use super::attempt::{Fate, each};
use super::census::Census;
use super::recognise::{Found, Which};
use crate::database;
use crate::findings::Draft;
use crate::mount::{self, Touch};
use crate::openers::Libraries;
use crate::topology::container;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::mountinfo::Table;
use tombolo_core::report::{Container, Database, EvidenceKind, Mount, Observation, Outcome};
use tombolo_core::sqlite::source_id::SourceId;
use tombolo_core::text::printable;
use tombolo_os::container::Signs;
use tombolo_os::mount_table::{self, Viewer};
use tombolo_os::namespace::{self, View};
use tombolo_os::process::{self, FileIdentity, NameState};

/// Left of the time for one database, to say what was seen.
const SEND: Duration = Duration::from_millis(300);

/// Who a program is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Who {
    pub(super) container: Option<Container>,
    pub(super) sqlite: Vec<SourceId>,
}

/// Asks who the programs at these places of the census are.
pub(super) fn programs(
    proc_root: &Path,
    census: &Census,
    places: &[usize],
    deadline: Instant,
    on_progress: &mut dyn FnMut(&str),
) -> BTreeMap<usize, Who> {
    on_progress("programs and their SQLite");
    let prepare = || RefCell::new(Libraries::default());
    let work = |libraries: &RefCell<Libraries>, place: &usize, until: Instant| {
        let Some(program) = census.programs.get(*place) else { return Who::default() };
        let signs = Signs::of(proc_root, &program.pid.to_string());
        Who {
            container: container::classify(&signs),
            sqlite: libraries.borrow_mut().of(proc_root, program.pid, until),
        }
    };
    let results = each(places, Fate::Own, deadline, &prepare, &work);
    let told = places.iter().zip(results).filter_map(|(place, who)| Some((*place, who?)));
    told.collect()
}

/// What was seen of a database.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Seen {
    pub(super) mount: Option<Mount>,
    pub(super) database: Option<Box<Database>>,
    pub(super) observations: Vec<Observation>,
    pub(super) drafts: Vec<Draft>,
    /// What was not examined, and why.
    pub(super) problem: Option<String>,
}

/// How a database is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reached {
    /// The process into whose mount namespace the doctor has to go, if it is another one.
    pub(super) through: Option<i32>,
    /// The path there.
    pub(super) path: PathBuf,
    mount_id: Option<u32>,
    identity: Option<FileIdentity>,
    name: Presence,
}

/// Whether a name leads to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Presence {
    Named,
    Gone,
}

impl Reached {
    /// The best way: by a name, without entering another namespace, by the lowest process number.
    pub(super) fn of(census: &Census, own: Option<&View>, found: &Found) -> Option<Self> {
        let ways = found.holders.iter().flat_map(|(place, descriptors)| {
            let program = census.programs.get(*place);
            descriptors.iter().filter_map(move |held| Some((program?, held)))
        });
        let ways = ways.map(|(program, held)| {
            let outside = !own.is_some_and(|own| own.shares_mounts_with(&program.view));
            let inside = program.view.inside(&held.path).filter(|_| outside);
            Reached {
                through: outside.then_some(program.pid),
                path: PathBuf::from(OsStr::from_bytes(inside.as_deref().unwrap_or(&held.path))),
                mount_id: held.mount_id,
                identity: match found.which {
                    Which::Seen(identity) => Some(identity),
                    Which::Unseen(..) => None,
                },
                name: match held.name {
                    NameState::Named => Presence::Named,
                    NameState::Deleted => Presence::Gone,
                },
            }
        });
        ways.min_by_key(|way| (way.name, way.through, way.path.clone()))
    }

    pub(super) fn has_name(&self) -> bool {
        self.name == Presence::Named
    }
}

/// Looks at the files of databases, mount by mount.
pub(super) fn databases(
    proc_root: &Path,
    reached: &[Reached],
    deadline: Instant,
    on_progress: &mut dyn FnMut(&str),
) -> Vec<Option<Seen>> {
    let mut seen: Vec<Option<Seen>> = vec![None; reached.len()];
    let mut mounts: BTreeMap<(Option<i32>, Option<u32>), Vec<usize>> = BTreeMap::new();
    for (index, one) in reached.iter().enumerate() {
        mounts.entry((one.through, one.mount_id)).or_default().push(index);
    }
    let mut done = 0;
    for ((through, _), indices) in mounts {
        done += indices.len();
        on_progress(&format!("database {done} of {}", reached.len()));
        let prepare = || Standpoint::take(proc_root, through);
        let work = |standpoint: &Standpoint, index: &usize, until: Instant| {
            reached.get(*index).map(|one| standpoint.look(one, until))
        };
        let results = each(&indices, Fate::Shared, deadline, &prepare, &work);
        for (index, result) in indices.iter().zip(results) {
            if let Some(place) = seen.get_mut(*index) {
                *place = result.flatten();
            }
        }
    }
    seen
}

/// The mounts as one process sees them, with the doctor's child in its place.
struct Standpoint {
    table: Table,
    entered: Result<(), String>,
}

impl Standpoint {
    fn take(proc_root: &Path, through: Option<i32>) -> Self {
        let viewer = through.map_or(Viewer::Own, Viewer::Process);
        // The other side may have no `/proc`, or that of other processes.
        let table = mount_table::read(proc_root, viewer).unwrap_or_default();
        let entered = match through {
            Some(pid) => namespace::enter(proc_root, pid).map_err(|error| error.to_string()),
            None => Ok(()),
        };
        Standpoint { table, entered }
    }

    fn look(&self, reached: &Reached, until: Instant) -> Seen {
        let touch = if self.entered.is_ok() { Touch::Allowed } else { Touch::TextOnly };
        let (mount, mut observations) = mount::examine(&self.table, &reached.path, touch);
        let problem = match (&self.entered, reached.has_name()) {
            (Err(error), _) => Some(error.clone()),
            (Ok(()), false) => Some("its name is gone".to_owned()),
            (Ok(()), true) => not_the_same(reached),
        };
        if let Some(problem) = problem {
            // What is said of the name is not said of the file that is open.
            observations.retain(|entry| entry.kind == EvidenceKind::Mount);
            return Seen {
                mount,
                database: None,
                observations,
                drafts: vec![],
                problem: Some(problem),
            };
        }
        // A mount that is not known cannot be called good.
        let problem = mount.is_none().then(|| "which mount holds it cannot be told".to_owned());
        let examined = database::examine(&reached.path, until.checked_sub(SEND).unwrap_or(until));
        observations.extend(examined.observations);
        Seen {
            mount,
            drafts: database::conclude(&examined.facts),
            database: Some(Box::new(examined.database)),
            observations,
            problem,
        }
    }
}

/// Why the path does not lead to the database that is open, if so.
fn not_the_same(reached: &Reached) -> Option<String> {
    match process::identity(&reached.path) {
        Ok(identity) if Some(identity) == reached.identity => None,
        Ok(_) => Some("another file stands at its name, as the doctor sees it".to_owned()),
        Err(errno) => Some(format!("statx: {errno}")),
    }
}

impl Seen {
    /// Of a database that refused or did not answer. What the table of mounts says is known all
    /// the same.
    pub(super) fn without_answer(
        proc_root: &Path,
        reached: &Reached,
        refused: Option<Errno>,
    ) -> Self {
        let viewer = reached.through.map_or(Viewer::Own, Viewer::Process);
        let table = mount_table::read(proc_root, viewer).unwrap_or_default();
        let (mount, mut observations) = mount::examine(&table, &reached.path, Touch::TextOnly);
        let problem = match refused {
            Some(errno) => format!("it may not be read: {errno}"),
            None => "it did not answer in time".to_owned(),
        };
        let outcome = if refused.is_some() { Outcome::Refused } else { Outcome::TimedOut };
        let path = printable(reached.path.as_os_str().as_bytes());
        let observation =
            Observation::new(EvidenceKind::Path, outcome, format!("{path}: {problem}"));
        observations.push(Observation { errno: refused, ..observation });
        Seen { mount, database: None, observations, drafts: Vec::new(), problem: Some(problem) }
    }
}

//! Every SQLite database that a running program of this kernel has open, without being told a path.
//!
//! Nothing is written anywhere and no experiment is made: databases are judged by their files, by
//! the programs that have them open, and by what is known of their mounts. What can hang is done in
//! child processes, mount by mount, so that a dead one takes nothing else along.

mod assemble;
mod attempt;
mod census;
mod judge;
mod look;
mod recognise;

use crate::child::Viewpoint;
use crate::containers::{self, Found as FoundContainer};
use crate::diagnosis::around;
use crate::openers::{Holding, Match};
use assemble::{Gathered, One};
use census::{Census, FileKey, Program};
use look::{Reached, Seen, Who};
use recognise::{Found, Which};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::report::MachineReport;
use tombolo_os::namespace::View;
use tombolo_os::process::{self, Held, NameState};

/// How long the names of containers are waited for.
const NAMES_PATIENCE: Duration = Duration::from_secs(2);

/// How to look.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The time for everything.
    pub timeout: Duration,
}

/// Looks at all programs. Never fails: what could not be looked at stands in the report.
/// `on_progress` hears what is being done.
#[must_use]
pub fn survey(request: &Request, on_progress: &mut dyn FnMut(&str)) -> MachineReport {
    let proc_root = Path::new("/proc");
    let deadline = Instant::now() + request.timeout;
    let (around, unseen_around) = around::gather(Viewpoint::Own, deadline);
    let census = match census::take(proc_root, deadline, on_progress) {
        Ok(census) => census,
        Err(errno) => return assemble::not_looked(around, errno),
    };
    let recognised = recognise::recognise(proc_root, &census, deadline, on_progress);
    let own = View::of(proc_root, "self").ok();
    let places: BTreeSet<usize> = recognised
        .databases
        .iter()
        .flat_map(|found| &found.holders)
        .map(|(place, _)| *place)
        .collect();
    let places: Vec<usize> = places.into_iter().collect();
    let mut programs = look::programs(proc_root, &census, &places, deadline, on_progress);
    name_containers(&mut programs, deadline);
    let reached: Vec<(&Found, Reached)> = recognised
        .databases
        .iter()
        .filter_map(|found| Some((found, Reached::of(&census, own.as_ref(), found)?)))
        .collect();
    let seen = look_at_all(proc_root, &reached, deadline, on_progress);
    let databases = reached.into_iter().zip(seen).filter_map(|((found, reached), seen)| {
        let holdings = holdings(proc_root, &census, found, &programs);
        (!holdings.is_empty()).then_some(One { found, reached, seen, holdings })
    });
    let gathered = Gathered {
        around,
        unseen_around,
        databases: databases.collect(),
        unseen: tombolo_core::report::Unseen { files: recognised.unseen_files, ..census.unseen },
        extent: census.extent,
        silent_memories: census.silent_memories,
        silent_programs: places.len() - programs.len(),
        containers: programs
            .iter()
            .filter_map(|(place, who)| {
                Some((census.programs.get(*place)?.pid, who.container.clone()?))
            })
            .collect(),
    };
    assemble::report(gathered)
}

/// What a process shows of its container is mostly the id; the tools know the name.
fn name_containers(programs: &mut BTreeMap<usize, Who>, deadline: Instant) {
    let nameless = |who: &&mut Who| who.container.as_ref().is_some_and(|one| one.name.is_none());
    let mut wanted = programs.values_mut().filter(nameless).peekable();
    if wanted.peek().is_none() {
        return;
    }
    let known = containers::all(deadline.min(Instant::now() + NAMES_PATIENCE));
    for container in wanted.filter_map(|who| who.container.as_mut()) {
        let same =
            |found: &&FoundContainer| container.id.is_some() && found.container.id == container.id;
        if let Some(found) = known.iter().find(same) {
            container.name.clone_from(&found.container.name);
        }
    }
}

/// Those whose file system answered before are looked at; the others are known to be silent.
fn look_at_all(
    proc_root: &Path,
    reached: &[(&Found, Reached)],
    deadline: Instant,
    on_progress: &mut dyn FnMut(&str),
) -> Vec<Seen> {
    let answers = |found: &Found| matches!(found.which, Which::Seen(_));
    let (places, wanted): (Vec<usize>, Vec<Reached>) = reached
        .iter()
        .enumerate()
        .filter(|(_, (found, _))| answers(found))
        .map(|(place, (_, reached))| (place, reached.clone()))
        .unzip();
    let results = look::databases(proc_root, &wanted, deadline, on_progress);
    let mut seen: BTreeMap<usize, Seen> =
        places.into_iter().zip(results).filter_map(|(place, seen)| Some((place, seen?))).collect();
    let all = reached.iter().enumerate();
    all.map(|(place, (found, reached))| {
        let refused = match found.which {
            Which::Unseen(_, errno) => errno,
            Which::Seen(_) => None,
        };
        let without_answer = || Seen::without_answer(proc_root, reached, refused);
        seen.remove(&place).unwrap_or_else(without_answer)
    })
    .collect()
}

/// How each program holds a database.
fn holdings(
    proc_root: &Path,
    census: &Census,
    found: &Found,
    programs: &BTreeMap<usize, Who>,
) -> Vec<Holding> {
    let mut holdings = Vec::new();
    for (place, descriptors) in &found.holders {
        let Some(program) = census.programs.get(*place) else { continue };
        let matching = |held: &Held| match_by_name(program, descriptors, held);
        let holding = Holding::of(program.pid, &program.held, &matching);
        let Some(mut holding) = holding.and_then(|holding| holding.settled(proc_root)) else {
            continue;
        };
        holding.program = process::program(proc_root, program.pid);
        if let Some(who) = programs.get(place) {
            holding.container = who.container.as_ref().map(crate::topology::container::in_words);
            holding.sqlite.clone_from(&who.sqlite);
        }
        holdings.push(holding);
    }
    holdings
}

/// What a descriptor of a program is to the database that it holds by `descriptors`.
fn match_by_name(program: &Program, descriptors: &[Held], held: &Held) -> Match {
    let key = FileKey::of(program.pid, held);
    let is_database = descriptors.iter().any(|known| FileKey::of(program.pid, known) == key);
    let is_wal_index = || {
        let beside = |known: &Held| held.path.strip_prefix(known.path.as_slice());
        descriptors.iter().any(|known| beside(known) == Some(b"-shm"))
    };
    match held.name {
        NameState::Named if is_database => Match::Database,
        NameState::Named if is_wal_index() => Match::WalIndex,
        NameState::Deleted if is_database => Match::Replaced,
        _ => Match::Foreign,
    }
}

#[cfg(test)]
mod tests;

//! The databases below a directory, mount by mount.
//!
//! What holds of a directory holds of its own mount alone. So each other mount below it that has
//! databases gets a report of its own, with its own experiments and verdicts, within its share of
//! the time: a dead one cannot take that of the others.

mod places;
mod search;

pub(super) use search::Found;

use super::look::Looked;
use super::{Progress, Request, Spot, assemble, openers};
use crate::topology::Surroundings;
use places::{Place, Places, Shown, Storage};
use search::{Answer, Search};
use std::cmp::Reverse;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_core::report::{Completeness, Observation, Report, Severity};
use tombolo_core::text::printable;
use tombolo_os::mount_table;

/// Reports of other mounts in one report.
const NESTED_MAX: usize = 16;

/// A local mount may take one in so many parts of what is left for all of them.
const LOCAL_SHARES_MIN: usize = 4;

/// The report of a directory: its databases, and the mounts below it.
pub(super) fn report(
    request: &Request,
    around: &Surroundings,
    (looked, observations): (Looked, Vec<Observation>),
    deadline: Instant,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Report {
    let mut places = match mount_table::read(Path::new("/proc"), request.viewpoint) {
        Ok(table) => Places::below(&table, &looked.resolved),
        // That it could not be read was said when the mount of the target was looked for.
        Err(_) => Places::default(),
    };
    let others = std::mem::take(&mut places.others);
    let mut missing = std::mem::take(&mut places.missing);
    let mut stage = Stage { request, around, untouched: &places.points, on_progress };
    let mut nested = Vec::new();
    for (place, share) in shares(&others, deadline) {
        match stage.nested(place, share(), nested.len()) {
            Ok(report) => nested.push(report),
            Err(gaps) => missing.extend(gaps),
        }
    }
    let left = deadline.saturating_duration_since(Instant::now());
    let mut found = stage.search(&looked.resolved, Shown::Here, deadline - left / 10);
    openers::look_below(&mut found, request.viewpoint, deadline);
    found.missing.append(&mut missing);
    let path = request.path.to_string_lossy();
    let mut report = assemble::assemble(&path, around, looked, observations, found);
    nested.sort_by_key(|report| Reverse(gravest(report)));
    if let Some(worse) = nested.first().filter(|other| gravest(other) > gravest(&report)) {
        report.summary.clone_from(&worse.summary);
    } else if gravest(&report).is_none()
        && report.completeness == Completeness::Complete
        && let Some(partial) = nested.iter().find(|other| is_partial(other))
    {
        report.summary.clone_from(&partial.summary);
    }
    report.nested = nested;
    report
}

/// The time for each of the other mounts, to be asked for when its turn comes. They come first:
/// what they leave of their half goes to the tree that was asked for, the largest as a rule.
fn shares(
    others: &[Place],
    deadline: Instant,
) -> impl Iterator<Item = (&Place, impl Fn() -> Duration)> {
    let start = Instant::now();
    let half = deadline.saturating_duration_since(start) / 2;
    let local = others.iter().filter(|place| place.storage == Storage::Local).count();
    // Local ones take what they need, but not all; of the others each may be dead.
    let local_end = start + if local < others.len() { half / 2 } else { half };
    others.iter().enumerate().map(move |(index, place)| {
        let (end, waiting) = match place.storage {
            Storage::Local => (local_end, (local - index).min(LOCAL_SHARES_MIN)),
            Storage::Elsewhere => (start + half, others.len() - index),
        };
        let share = move || {
            let left = end.saturating_duration_since(Instant::now());
            left / u32::try_from(waiting).unwrap_or(u32::MAX)
        };
        (place, share)
    })
}

/// The gravest finding that means something is wrong.
fn gravest(report: &Report) -> Option<Severity> {
    let all = report.findings.iter().map(|finding| finding.severity);
    all.filter(|severity| *severity > Severity::Notice).max()
}

fn is_partial(report: &Report) -> bool {
    report.completeness != Completeness::Complete
}

struct Stage<'a> {
    request: &'a Request,
    around: &'a Surroundings,
    untouched: &'a [PathBuf],
    on_progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Stage<'_> {
    fn search(&mut self, root: &Path, shown: Shown, deadline: Instant) -> Found {
        let viewpoint = self.request.viewpoint;
        let search = Search { viewpoint, root, shown, untouched: self.untouched, deadline };
        let on_progress = &mut *self.on_progress;
        search.run(&mut |files, databases| {
            on_progress(Progress::Search { directory: root, files, databases });
        })
    }

    /// The report of a mount below, if it has databases or does not answer; else what was not
    /// looked at there.
    fn nested(
        &mut self,
        place: &Place,
        share: Duration,
        reports: usize,
    ) -> Result<Report, Vec<String>> {
        let start = Instant::now();
        let end = start + share;
        let mut found = self.search(&place.point, place.shown, start + share.mul_f32(0.7));
        if found.is_empty() && found.answer == Answer::Given {
            return Err(found.missing);
        }
        openers::look_below(&mut found, self.request.viewpoint, start + share.mul_f32(0.75));
        let name = printable(place.point.as_os_str().as_bytes());
        if reports == NESTED_MAX {
            let count = found.databases.len();
            return Err(vec![format!("the mount {name}, on which {count} databases were found")]);
        }
        // There may be many mounts below.
        let overtime = Duration::ZERO;
        let at = Spot { path: &place.point, home: found.home.as_deref(), deadline: end, overtime };
        let (looked, observations) = super::examine(self.request, at, self.on_progress);
        // Of a single file that is a mount the look has told everything.
        let found = if looked.database.is_some() { Found::default() } else { found };
        Ok(assemble::assemble(&name, self.around, looked, observations, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(storage: Storage) -> Place {
        Place { point: PathBuf::from("/data/x"), shown: Shown::Here, storage }
    }

    #[test]
    fn mounts_share_half_of_the_time_and_dead_ones_cannot_take_it_all() {
        let deadline = Instant::now() + Duration::from_secs(80);
        let all = |local: usize, elsewhere: usize| {
            let local = std::iter::repeat_with(|| place(Storage::Local)).take(local);
            let others = std::iter::repeat_with(|| place(Storage::Elsewhere)).take(elsewhere);
            let places: Vec<_> = local.chain(others).collect();
            shares(&places, deadline).map(|(_, share)| share().as_secs_f64()).collect::<Vec<_>>()
        };
        let near = |shares: Vec<f64>, expected: &[f64]| {
            assert_eq!(shares.len(), expected.len());
            for (share, expected) in shares.iter().zip(expected) {
                assert!((share - expected).abs() < 2.0, "{shares:?}");
            }
        };
        near(all(1, 0), &[40.0]);
        near(all(0, 4), &[10.0, 40.0 / 3.0, 20.0, 40.0]);
        near(all(2, 1), &[10.0, 20.0, 40.0]);
        let many = all(100, 100);
        near(vec![many[0], many[100]], &[5.0, 0.4]);
    }
}

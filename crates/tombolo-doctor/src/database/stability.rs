//! When what looks wrong counts.
//!
//! Two looks that show the same are not enough: a program that the scheduler, or a slow disk, has
//! stopped in the middle of its work shows the same for as long as it stands still. Of nearly all
//! its unfinished work a lock tells, which it gives back only when all is whole: seen unfinished,
//! then without a lock, then unfinished in the same way, it is the work of nobody who lives in this
//! kernel. What no lock tells of, such as a copy that is being made, gets some time to pass.

use super::conclude;
use super::facts::{Facts, Presence, Sidecar, Stability, WalContent};
use std::time::{Duration, Instant, SystemTime};

/// How long what looks wrong has to stay as it is where somebody may be at work. A process that
/// waits for its turn on a busy machine waits for some tens of milliseconds. Only time counts in
/// which this process sleeps: while it waits for its own turn, nobody else need have had one.
const QUIET: Duration = Duration::from_millis(250);
/// How long quiet is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Between two looks; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(32);
/// A look that takes so long, as at a large log, is not repeated more often than it has to be.
const LONG_LOOK: Duration = Duration::from_secs(1);
/// A file or a directory that was changed since is taken for one that somebody works on.
const RECENTLY: Duration = Duration::from_secs(10);

/// Looks until nothing looks wrong, or what does so has settled, or patience or time ends. A log
/// that is large gets time for a checkpoint.
pub(super) fn settle(mut look: impl FnMut() -> Facts, deadline: Instant) -> Facts {
    let facts = settle_damage(&mut look, deadline);
    if !conclude::is_wal_large(&facts) || !is_lively(&facts) {
        return facts;
    }
    wait(PATIENCE.min(deadline.saturating_duration_since(Instant::now()) / 10));
    settle_damage(&mut look, deadline)
}

fn settle_damage(look: &mut impl FnMut() -> Facts, deadline: Instant) -> Facts {
    let begun = Instant::now();
    // Of a tree of many databases each may take a small part of the time that is left.
    let left = deadline.saturating_duration_since(begun);
    let (quiet, patience) = (QUIET.min(left / 50), PATIENCE.min(left / 10));
    let mut facts = look();
    let mut pause = if begun.elapsed() < LONG_LOOK { PAUSE_FIRST } else { QUIET };
    let (mut slept, mut unmoved) = (Duration::ZERO, Duration::ZERO);
    while conclude::doubts(&facts) {
        let now = Instant::now();
        if now >= deadline || slept >= patience {
            facts.stability = Stability::Moving;
            break;
        }
        wait(pause.min(deadline - now));
        let again = look();
        let at_rest = still(&facts, &again) && !is_written(&facts) && !is_written(&again);
        facts = again;
        slept += pause;
        unmoved = if at_rest { unmoved + pause } else { Duration::ZERO };
        if at_rest && (unmoved >= quiet || !is_lively(&facts)) {
            break;
        }
        pause = PAUSE_MAX.max(pause).min(pause * 2);
    }
    facts
}

#[expect(clippy::disallowed_methods, reason = "files tell nobody that a program goes on")]
fn wait(pause: Duration) {
    std::thread::sleep(pause);
}

/// Whether a program is in the middle of changing something, by its locks.
fn is_written(facts: &Facts) -> bool {
    let of_index = facts.wal_index.content().map(|index| index.writer);
    facts.writer == Presence::Somebody || of_index == Some(Presence::Somebody)
}

/// Whether somebody may be at work whom no lock betrays.
fn is_lively(facts: &Facts) -> bool {
    let in_use = facts.wal_index.content().is_some_and(|index| index.users != Presence::Nobody);
    let since = SystemTime::now().checked_sub(RECENTLY);
    let is_recent = |modified: SystemTime| since.is_none_or(|since| modified >= since);
    let sidecars = facts.sidecar_statuses().into_iter().map(|(_, status)| status);
    let files = facts.status.into_iter().chain(sidecars).map(|status| status.modified);
    in_use || files.chain(facts.directory_modified).any(is_recent)
}

/// Whether nothing moved between two looks. Of a log counts where its chain ends: where that is a
/// break, a writer may go on behind it.
fn still(earlier: &Facts, later: &Facts) -> bool {
    earlier.content == later.content
        && earlier.status == later.status
        && earlier.writer == later.writer
        && same(&earlier.wal, &later.wal, same_log)
        && same(&earlier.wal_index, &later.wal_index, |one, other| one.content == other.content)
        && same(&earlier.journal, &later.journal, |one, other| {
            one.content == other.content && one.super_journal == other.super_journal
        })
}

fn same_log(one: &WalContent, other: &WalContent) -> bool {
    let chain = |content: &WalContent| {
        let summary = content.log()?.summary;
        Some((summary.header, summary.frames, summary.committed_checksum))
    };
    match (one, other) {
        (WalContent::Log(_), WalContent::Log(_)) => chain(one) == chain(other),
        (WalContent::Damaged(one), WalContent::Damaged(other)) => one == other,
        (WalContent::Empty, WalContent::Empty) => true,
        _ => false,
    }
}

/// Whether two looks found the same file, with the same content as far as it matters.
fn same<T>(one: &Sidecar<T>, other: &Sidecar<T>, alike: impl Fn(&T, &T) -> bool) -> bool {
    match (one, other) {
        (Sidecar::Absent, Sidecar::Absent) => true,
        (Sidecar::NotRegular(one), Sidecar::NotRegular(other)) => one == other,
        (Sidecar::Unreadable(one), Sidecar::Unreadable(other)) => one == other,
        (
            Sidecar::Present { status, content },
            Sidecar::Present { status: later_status, content: later },
        ) => status.inode == later_status.inode && alike(content, later),
        _ => false,
    }
}

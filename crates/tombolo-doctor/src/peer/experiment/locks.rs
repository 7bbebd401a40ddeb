//! Locks on SQLite's bytes: whether one that is held on one side keeps the other out.

use super::{Pair, Problem, Result, first_error, is_held};
use tombolo_core::errno::Errno;
use tombolo_core::peer::step::{Answer, Hold, LockBytes, LockKind, Opening, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

/// What is locked: all that SQLite locks in a database, and a few of those in a `-shm`.
const BYTES: [LockBytes; 6] = [
    LockBytes::Pending,
    LockBytes::Reserved,
    LockBytes::Shared,
    LockBytes::WalIndex(0),
    LockBytes::WalIndex(3),
    LockBytes::WalIndex(8),
];

pub(super) fn posix(pair: &mut Pair<'_>) -> Result<Observation> {
    exclusion(pair, EvidenceKind::PeerPosixLocks, LockKind::Posix, "POSIX locks")
}

pub(super) fn open_file(pair: &mut Pair<'_>) -> Result<Observation> {
    exclusion(pair, EvidenceKind::PeerOfdLocks, LockKind::OpenFile, "locks of open files")
}

pub(super) fn whole_file(pair: &mut Pair<'_>) -> Result<Observation> {
    exclusion(pair, EvidenceKind::PeerFlock, LockKind::Whole, "locks of flock")
}

/// A file that both have open in slot 0.
fn shared_file(pair: &mut Pair<'_>) -> Result<()> {
    let file = pair.files.take(1)?;
    let made = [Step::Open(0, file, Opening::New), Step::Write(0, 0, 4096, 1), Step::Sync(0)];
    pair.prepare(0, &made)?;
    pair.prepare(1, &[Step::Open(0, file, Opening::ReadWrite)])
}

fn lock(kind: LockKind, hold: Hold, bytes: LockBytes) -> Step {
    Step::Lock(0, kind, hold, bytes)
}

fn refused(kind: EvidenceKind, side: &str, what: &str, errno: Errno) -> Observation {
    let summary = format!("on the side {side} {what}: {errno}");
    Observation::new(kind, Outcome::Refused, summary).errno(errno)
}

/// The second side asks for what the first holds, then for what it has given back.
fn exclusion(
    pair: &mut Pair<'_>,
    kind: EvidenceKind,
    lock_kind: LockKind,
    called: &str,
) -> Result<Observation> {
    let bytes: &[LockBytes] =
        if lock_kind == LockKind::Whole { &[LockBytes::Shared] } else { &BYTES };
    let each =
        |hold| -> Vec<Step> { bytes.iter().map(|bytes| lock(lock_kind, hold, *bytes)).collect() };
    shared_file(pair)?;
    if let Some(errno) = first_error(&pair.by(0, &each(Hold::Exclusive))?) {
        let what = format!("{called} are refused though nobody holds any");
        return Ok(refused(kind, &pair.names[0], &what, errno));
    }
    let tried: Vec<Step> = each(Hold::Exclusive).into_iter().chain(each(Hold::Shared)).collect();
    let answers = pair.by(1, &tried)?;
    let granted = answers.iter().filter(|answer| **answer == Answer::Done).count();
    let other_error = answers.iter().find(|answer| **answer != Answer::Done && !is_held(answer));
    if let Some(errno) = other_error.and_then(|answer| first_error(std::slice::from_ref(answer))) {
        let what = format!("{called} end in an error");
        return Ok(refused(kind, &pair.names[1], &what, errno));
    }
    pair.prepare(1, &each(Hold::Nothing))?;
    pair.prepare(0, &each(Hold::Nothing))?;
    let after = pair.by(1, &each(Hold::Exclusive))?;
    if granted > 0 {
        let summary = format!(
            "{called} do not cross: {granted} of {} that are held by the first were granted to the \
             second as well",
            answers.len()
        );
        return Ok(Observation::new(kind, Outcome::Violated, summary)
            .value("granted_twice", granted as u64));
    }
    if let Some(errno) = first_error(&after) {
        let what = format!("{called} are refused although the first side has given them back");
        return Ok(refused(kind, &pair.names[1], &what, errno));
    }
    let summary = format!("{called} that are held by the first are refused to the second");
    Ok(Observation::new(kind, Outcome::Holds, summary))
}

/// SHARED by both; EXCLUSIVE is for the second only when the first has let go.
pub(super) fn upgrade(pair: &mut Pair<'_>) -> Result<Observation> {
    let kind = EvidenceKind::PeerLockUpgrade;
    let step = |hold| lock(LockKind::Posix, hold, LockBytes::Shared);
    shared_file(pair)?;
    if let Some(errno) = first_error(&pair.by(0, &[step(Hold::Shared)])?) {
        return Ok(refused(kind, &pair.names[0], "a shared lock is refused", errno));
    }
    let answers = pair.by(1, &[step(Hold::Shared), step(Hold::Exclusive)])?;
    let [shared, exclusive] = answers.as_slice() else {
        return Err(Problem::NotRun("an answer was lost".to_owned()));
    };
    if let Some(errno) = first_error(std::slice::from_ref(shared)) {
        let what = "a shared lock is refused while the other side holds a shared one";
        return Ok(refused(kind, &pair.names[1], what, errno));
    }
    if *exclusive == Answer::Done {
        let summary = "the second got an exclusive lock while the first holds a shared one";
        return Ok(Observation::new(kind, Outcome::Violated, summary));
    }
    pair.prepare(0, &[step(Hold::Nothing)])?;
    if let Some(errno) = first_error(&pair.by(1, &[step(Hold::Exclusive)])?) {
        let what = "a shared lock cannot be made exclusive, with no other holder left";
        return Ok(refused(kind, &pair.names[1], what, errno));
    }
    if pair.by(0, &[step(Hold::Shared)])?.contains(&Answer::Done) {
        let summary = "a lock that was made exclusive in place keeps the other side not out";
        return Ok(Observation::new(kind, Outcome::Violated, summary));
    }
    let summary = "a shared lock becomes exclusive in place, and only when no other is left";
    Ok(Observation::new(kind, Outcome::Holds, summary))
}

/// `F_GETLK` must name a holder exactly when there is one.
pub(super) fn query(pair: &mut Pair<'_>) -> Result<Observation> {
    let kind = EvidenceKind::PeerLockQuery;
    let step = |hold, bytes| lock(LockKind::Posix, hold, bytes);
    let (reserved, dead_man) = (LockBytes::Reserved, LockBytes::WalIndex(8));
    let asked = [Step::Query(0, reserved), Step::Query(0, dead_man)];
    shared_file(pair)?;
    let before = pair.by(1, &asked)?;
    let held = pair.by(0, &[step(Hold::Exclusive, reserved), step(Hold::Shared, dead_man)])?;
    if let Some(errno) = first_error(&held).or(first_error(&before)) {
        return Ok(refused(kind, &pair.names[0], "the lock or the question is refused", errno));
    }
    let during = pair.by(1, &asked)?;
    pair.prepare(0, &[step(Hold::Nothing, reserved), step(Hold::Nothing, dead_man)])?;
    let after = pair.by(1, &asked)?;
    if before.iter().chain(&after).any(|answer| *answer != Answer::Free) {
        let summary = "F_GETLK names a holder where there is none";
        return Ok(Observation::new(kind, Outcome::Violated, summary));
    }
    if during.contains(&Answer::Free) {
        let summary = "F_GETLK on one side does not see what the other holds: a journal at work is \
                       taken for one that a crash has left, and rolled back";
        return Ok(Observation::new(kind, Outcome::Violated, summary));
    }
    let summary = "F_GETLK names the other side's locks while they are held, and no others";
    Ok(Observation::new(kind, Outcome::Holds, summary))
}

//! Several kernels, by what was measured from more than one of them.
//!
//! "Safe" needs all of it: locks that cross in both directions, data that are fresh under a lock,
//! names that are seen at once, and a run of stock SQLite that lost nothing; WAL mode also one
//! memory. A single broken promise is enough for "unsafe".
//!
//! What is known of a file system says how it is set up as a rule; whether locks cross was measured
//! as it is set up here. So that knowledge is cited and decides nothing. Damage under long load and
//! what a crash takes cannot be measured in a short time, and are believed.

use super::known_to_be_worse;
use crate::findings::{Case, KnownWord, across, refused_on_one_side, slow};
use tombolo_core::report::{
    Evidence, EvidenceId, EvidenceKind, Judgement, Mode, Openers, Outcome, Verdict,
};

const ROLLBACK: &[EvidenceKind] = &[
    EvidenceKind::PeerSameFile,
    EvidenceKind::PeerPosixLocks,
    EvidenceKind::PeerLockUpgrade,
    EvidenceKind::PeerLockQuery,
    EvidenceKind::PeerContent,
    EvidenceKind::PeerFileSize,
    EvidenceKind::PeerNames,
    EvidenceKind::PeerSqliteRollback,
];

const WAL: &[EvidenceKind] = &[
    EvidenceKind::PeerSameFile,
    EvidenceKind::PeerPosixLocks,
    EvidenceKind::PeerLockUpgrade,
    EvidenceKind::PeerLockQuery,
    EvidenceKind::PeerContent,
    EvidenceKind::PeerFileSize,
    EvidenceKind::PeerNames,
    EvidenceKind::PeerMapCoherence,
    EvidenceKind::PeerSqliteWal,
];

/// The first one locks the others out, if locks cross.
const WAL_ONE_PROCESS: &[EvidenceKind] = &[
    EvidenceKind::PeerSameFile,
    EvidenceKind::PeerPosixLocks,
    EvidenceKind::PeerLockUpgrade,
    EvidenceKind::PeerContent,
    EvidenceKind::PeerFileSize,
];

const fn needs(mode: Mode) -> &'static [EvidenceKind] {
    match mode {
        Mode::Wal => WAL,
        Mode::WalOneProcess => WAL_ONE_PROCESS,
        Mode::Rollback => ROLLBACK,
    }
}

/// The verdict for several kernels, some of which were measured.
pub(super) fn measured(case: &Case<'_>, mode: Mode) -> Verdict {
    let needs = needs(mode);
    let entries = |kind: EvidenceKind| case.log.of_kind(kind).filter(|entry| across(entry));
    let all: Vec<&Evidence> = needs.iter().flat_map(|kind| entries(*kind)).collect();
    let with = |outcome| all.iter().copied().find(|entry| entry.outcome == outcome);
    let verdict = |judgement, because: String, evidence: Vec<EvidenceId>| Verdict {
        mode,
        openers: Openers::SeveralKernels,
        judgement,
        because,
        evidence,
        would_prove: None,
    };
    let broken: Vec<&Evidence> =
        all.iter().copied().filter(|entry| entry.outcome == Outcome::Violated).collect();
    // A loss that was seen says more than why it had to happen; it stands last.
    let seen = broken.last().filter(|entry| is_of_all(entry.kind));
    if let Some(entry) = seen.or(broken.first()) {
        let cited = broken.iter().map(|entry| entry.id).collect();
        return verdict(Judgement::Unsafe, entry.summary.clone(), cited);
    }
    if let Some(entry) = all.iter().find(|entry| refused_on_one_side(entry)) {
        let because = format!(
            "{}; a program there cuts the -shm on which the other side works before it fails",
            entry.summary
        );
        return verdict(Judgement::Unsafe, because, vec![entry.id]);
    }
    if let Some(entry) = with(Outcome::Refused) {
        return verdict(Judgement::Fails, entry.summary.clone(), vec![entry.id]);
    }
    if let Some((because, cited)) = gap(case, needs) {
        let proof = "a two-sided run in which every experiment comes to its end";
        return Verdict {
            would_prove: Some(proof.to_owned()),
            ..verdict(Judgement::NotProven, because, cited)
        };
    }
    let cited: Vec<EvidenceId> = all.iter().map(|entry| entry.id).collect();
    if mode == Mode::WalOneProcess {
        let because = "locks cross: while one process has the database open in this way, others \
                       are told that it is locked";
        return verdict(Judgement::Fails, because.to_owned(), cited);
    }
    let good = "everything it needs was seen to hold from all sides".to_owned();
    let good = match slow(case.log.entries()) {
        Some(slow) => verdict(Judgement::Slow, slow, cited),
        None => verdict(Judgement::Safe, good, cited),
    };
    match case.known.word(mode, Openers::SeveralKernels) {
        KnownWord::LosesData | KnownWord::FailsSafe => with_caution(case, good),
        KnownWord::LosesInCrash | KnownWord::Risky | KnownWord::Fine | KnownWord::NotKnown => {
            known_to_be_worse(case, good)
        }
    }
}

/// What was measured, against what is known: it holds as long as nobody sets the share up anew.
fn with_caution(case: &Case<'_>, mut good: Verdict) -> Verdict {
    good.because = format!(
        "{}; {} is known not to carry locks and data to other kernels, unless it is set up for it \
         as here: measure again after every change of the server, the mount or their versions",
        good.because, case.known.name
    );
    good.evidence.extend(case.log.last(EvidenceKind::Knowledge).map(|entry| entry.id));
    good
}

/// Whether it is a run of SQLite on all sides at once, not between each two.
fn is_of_all(kind: EvidenceKind) -> bool {
    matches!(kind, EvidenceKind::PeerSqliteRollback | EvidenceKind::PeerSqliteWal)
}

/// What was not measured, or not to the end. Every pair of sides measures the same kinds, so that
/// one with fewer results lacks some.
fn gap(case: &Case<'_>, needs: &[EvidenceKind]) -> Option<(String, Vec<EvidenceId>)> {
    let entries = |kind: EvidenceKind| case.log.of_kind(kind).filter(|entry| across(entry));
    let pairs = entries(EvidenceKind::PeerSameFile).count();
    needs.iter().find_map(|kind| {
        if let Some(entry) = entries(*kind).find(|entry| entry.outcome != Outcome::Holds) {
            return Some((entry.summary.clone(), vec![entry.id]));
        }
        let wanted = if is_of_all(*kind) { 1 } else { pairs.max(1) };
        let because = format!("{} was not measured between all sides", kind.as_str());
        (entries(*kind).count() < wanted).then_some((because, Vec::new()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use super::*;
    use crate::findings::testing::{Scene, known_9p};
    use crate::peer::{ACROSS_KERNELS, ONE_SIDED};
    use tombolo_core::report::{KernelCount, Observation};

    fn scene(except: &[EvidenceKind]) -> Scene {
        let mut scene = Scene::new();
        scene.all_hold_except(&[]);
        scene.reach = KernelCount::Several;
        scene.peers_hold_except(true, except);
        scene
    }

    fn record(scene: &mut Scene, kind: EvidenceKind, outcome: Outcome) {
        let seen = Observation::new(kind, outcome, "it was tried").value(ACROSS_KERNELS, true);
        scene.log.record(seen);
    }

    fn cell(scene: &Scene, mode: Mode) -> Judgement {
        let several =
            |verdict: &Verdict| verdict.mode == mode && verdict.openers == Openers::SeveralKernels;
        judge(&scene.case()).into_iter().find(several).expect("each cell is filled").judgement
    }

    #[test]
    fn what_holds_from_all_sides_is_safe() {
        let scene = scene(&[]);
        assert_eq!(cell(&scene, Mode::Rollback), Judgement::Safe);
        assert_eq!(cell(&scene, Mode::Wal), Judgement::Safe);
        assert_eq!(cell(&scene, Mode::WalOneProcess), Judgement::Fails);
    }

    #[test]
    fn one_broken_promise_in_one_direction_is_unsafe() {
        for kind in ROLLBACK {
            let mut scene = scene(&[]);
            record(&mut scene, *kind, Outcome::Violated);
            assert_eq!(cell(&scene, Mode::Rollback), Judgement::Unsafe, "{kind:?}");
        }
        for kind in WAL {
            let mut scene = scene(&[]);
            record(&mut scene, *kind, Outcome::Violated);
            assert_eq!(cell(&scene, Mode::Wal), Judgement::Unsafe, "{kind:?}");
        }
    }

    #[test]
    fn a_loss_is_named_before_its_causes_and_all_are_cited() {
        let mut scene = scene(&[]);
        let run = EvidenceKind::PeerSqliteRollback;
        let lost = Observation::new(run, Outcome::Violated, "7 of 9 are lost");
        scene.log.record(lost.value(ACROSS_KERNELS, true));
        record(&mut scene, EvidenceKind::PeerPosixLocks, Outcome::Violated);
        let verdict = measured(&scene.case(), Mode::Rollback);
        assert_eq!((verdict.because.as_str(), verdict.evidence.len()), ("7 of 9 are lost", 2));
    }

    #[test]
    fn what_is_missing_or_not_run_is_not_proven_and_says_what_would_prove_it() {
        for kind in ROLLBACK {
            let lacking = scene(&[*kind]);
            assert_eq!(cell(&lacking, Mode::Rollback), Judgement::NotProven, "{kind:?}");
            let mut open = scene(&[]);
            record(&mut open, *kind, Outcome::NotRun);
            assert_eq!(cell(&open, Mode::Rollback), Judgement::NotProven, "{kind:?}");
        }
        let mut late = scene(&[]);
        record(&mut late, EvidenceKind::PeerNames, Outcome::Noted);
        assert_eq!(cell(&late, Mode::Rollback), Judgement::NotProven, "a crash is not covered");
    }

    #[test]
    fn a_pair_that_was_not_measured_to_the_end_keeps_the_rest_from_being_safe() {
        let mut scene = scene(&[]);
        for kind in &ROLLBACK[..3] {
            record(&mut scene, *kind, Outcome::Holds);
        }
        assert_eq!(cell(&scene, Mode::Rollback), Judgement::NotProven);
    }

    #[test]
    fn one_kernel_decides_nothing_for_several() {
        let mut scene = Scene::new();
        scene.all_hold_except(&[]);
        scene.peers_hold_except(false, &[]);
        for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
            assert_eq!(cell(&scene, mode), Judgement::NotProven);
        }
        // Nor does evidence of one kernel among evidence of several.
        let mut scene = self::scene(&[EvidenceKind::PeerContent]);
        let seen = Observation::new(EvidenceKind::PeerContent, Outcome::Holds, "in one kernel");
        scene.log.record(seen.value(ACROSS_KERNELS, false));
        assert_eq!(cell(&scene, Mode::Rollback), Judgement::NotProven);
    }

    #[test]
    fn refused_locks_fail_and_refused_maps_fail_only_where_all_refuse_them() {
        let mut locks = scene(&[]);
        record(&mut locks, EvidenceKind::PeerPosixLocks, Outcome::Refused);
        assert_eq!(cell(&locks, Mode::Rollback), Judgement::Fails);
        let maps = EvidenceKind::PeerMapCoherence;
        let mut refused = scene(&[maps, EvidenceKind::PeerSqliteWal]);
        record(&mut refused, maps, Outcome::Refused);
        assert_eq!(cell(&refused, Mode::Wal), Judgement::Fails);
        assert_eq!(cell(&refused, Mode::Rollback), Judgement::Safe);
        let mut half = scene(&[maps]);
        let seen = Observation::new(maps, Outcome::Refused, "refused on one side");
        half.log.record(seen.value(ACROSS_KERNELS, true).value(ONE_SIDED, true));
        assert_eq!(cell(&half, Mode::Wal), Judgement::Unsafe);
    }

    fn verdict(scene: &Scene, mode: Mode) -> Verdict {
        measured(&scene.case(), mode)
    }

    /// virtiofsd with `posix_lock`: what is known of it is what it does without.
    #[test]
    fn what_was_measured_outweighs_what_is_known_of_locks_and_the_knowledge_is_cited() {
        let plain = verdict(&scene(&[]), Mode::Rollback);
        let mut known = scene(&[]);
        known.known = known_9p();
        let about = Observation::new(EvidenceKind::Knowledge, Outcome::Noted, "9p of QEMU");
        let cited = known.log.record(about);
        assert_eq!(cell(&known, Mode::Rollback), plain.judgement);
        let cautious = verdict(&known, Mode::Rollback);
        assert!(cautious.because.contains("9p of QEMU is known"), "{}", cautious.because);
        assert!(cautious.evidence.contains(&cited), "{:?}", cautious.evidence);
        record(&mut known, EvidenceKind::PeerContent, Outcome::Violated);
        assert_eq!(cell(&known, Mode::Rollback), Judgement::Unsafe);
    }

    #[test]
    fn what_no_short_run_shows_makes_it_worse_and_so_does_one_kernel() {
        for (word, judgement) in
            [(KnownWord::Risky, Judgement::NotProven), (KnownWord::LosesInCrash, Judgement::Unsafe)]
        {
            let mut known = scene(&[]);
            known.known.words = vec![(Mode::Rollback, Openers::SeveralKernels, word)];
            assert_eq!(cell(&known, Mode::Rollback), judgement);
        }
        let mut bad = scene(&[]);
        bad.fails(EvidenceKind::ProbePosixLocks, Outcome::Violated, None);
        assert_eq!(cell(&bad, Mode::Rollback), Judgement::Unsafe);
        let mut failing = scene(&[]);
        failing.fails(EvidenceKind::ProbePosixLocks, Outcome::Refused, None);
        failing.fails(EvidenceKind::SessionRollback, Outcome::Refused, None);
        assert_eq!(cell(&failing, Mode::Rollback), Judgement::Fails);
    }
}

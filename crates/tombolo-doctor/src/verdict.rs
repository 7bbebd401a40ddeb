//! Stage 5: for each way of using SQLite here, whether it is safe.
//!
//! What one kernel can measure decides the column *one kernel*. The column *several kernels* says
//! "safe" only by what was measured together with doctors on other kernels (see `several`). One
//! side cannot see whether its locks and writes reach the other, so without them the best answer
//! there is *not proven*. The knowledge base can only make any answer worse.

mod several;
mod ways;

use crate::findings::{Case, KnownWord, Protection, several_were_met, slow};
use crate::probe::TRANSACTIONS;
use tombolo_core::report::{
    Evidence, EvidenceId, EvidenceKind, Judgement, KernelCount, Mode, Openers, Outcome, Value,
    Verdict,
};
use ways::{OWN_LOAD, State, Way, state, ways, working, worst};

/// The whole table, modes down and openers across.
#[must_use]
pub fn judge(case: &Case<'_>) -> Vec<Verdict> {
    [Mode::Wal, Mode::WalOneProcess, Mode::Rollback]
        .into_iter()
        .flat_map(|mode| {
            let one = one_kernel(case, mode);
            let several = if several_were_met(case) {
                several::measured(case, mode)
            } else {
                several_kernels(case, mode)
            };
            let several = no_better(&one, several);
            [one, several]
        })
        .collect()
}

/// What fails or loses data under one kernel does so under several.
fn no_better(one: &Verdict, several: Verdict) -> Verdict {
    let is_worse = match one.judgement {
        Judgement::Unsafe => several.judgement != Judgement::Unsafe,
        Judgement::Fails => !matches!(several.judgement, Judgement::Unsafe | Judgement::Fails),
        Judgement::Safe | Judgement::Slow | Judgement::NotProven => false,
    };
    if is_worse { Verdict { openers: Openers::SeveralKernels, ..one.clone() } } else { several }
}

/// Why nothing that is stored here lasts, however well the file system works. What was measured was
/// measured in the directory, which is another file system than a file's that is mounted on it.
fn unsound_place(case: &Case<'_>) -> Option<&'static str> {
    let mount = case.mount?;
    if mount.file_mount {
        return Some(
            "the database alone is mounted: its journals and its -wal stand in another directory, \
             and whoever opens it without them damages it",
        );
    }
    mount.deleted.then_some("what is mounted here was deleted, and goes with its last user")
}

fn one_kernel(case: &Case<'_>, mode: Mode) -> Verdict {
    let verdict = |judgement, because: String, cited: Vec<EvidenceId>| Verdict {
        mode,
        openers: Openers::OneKernel,
        judgement,
        because,
        evidence: cited,
        would_prove: None,
    };
    if let Some(because) = unsound_place(case) {
        let cited = case.log.last(EvidenceKind::Mount).map(|entry| entry.id);
        return verdict(Judgement::Unsafe, because.to_owned(), cited.into_iter().collect());
    }
    let ways = ways(case, mode);
    // A promise broken in one way is no ground to trust the other.
    let broken = ways
        .iter()
        .flat_map(|way| way.needs)
        .filter_map(|kind| worst(case, *kind))
        .find(|entry| entry.outcome == Outcome::Violated);
    if let Some(entry) = broken {
        return verdict(Judgement::Unsafe, entry.summary.clone(), vec![entry.id]);
    }
    let states: Vec<(&Way, State<'_>)> =
        ways.into_iter().map(|way| (way, state(case, way))).collect();
    if let Some((because, cited)) = working(&states) {
        return match slow(case.log.entries()) {
            Some(slow) if states.len() > 1 => {
                let because = format!("{because}; {slow}");
                known_to_be_worse(case, verdict(Judgement::Slow, because, cited))
            }
            Some(slow) => known_to_be_worse(case, verdict(Judgement::Slow, slow, cited)),
            None => known_to_be_worse(case, verdict(Judgement::Safe, because, cited)),
        };
    }
    let open = states.iter().find_map(|(_, state)| match state {
        State::Open(gap) => Some(gap),
        _ => None,
    });
    if let Some(gap) = open {
        return Verdict {
            would_prove: Some(gap.proof.to_owned()),
            ..verdict(Judgement::NotProven, gap.because.clone(), gap.cited.clone())
        };
    }
    let mut failed: Vec<&Evidence> = Vec::new();
    for (_, state) in &states {
        let State::Fails(entries) = state else { continue };
        for entry in entries {
            if !failed.iter().any(|other| other.id == entry.id) {
                failed.push(entry);
            }
        }
    }
    let because: Vec<&str> = failed.iter().map(|entry| entry.summary.as_str()).collect();
    let cited = failed.iter().map(|entry| entry.id).collect();
    let fails = verdict(Judgement::Fails, because.join("; "), cited);
    // Where something was committed before the failure, more will be, and "fails" promises that it
    // stays.
    if failed.iter().any(|entry| has_committed(entry)) {
        known_to_be_worse(case, fails)
    } else {
        fails
    }
}

fn has_committed(evidence: &Evidence) -> bool {
    let transactions = evidence.values.get(TRANSACTIONS);
    matches!(transactions, Some(Value::Integer(count)) if *count > 0)
}

/// Lowers a verdict where the file system is known for what a short measurement cannot show.
fn known_to_be_worse(case: &Case<'_>, verdict: Verdict) -> Verdict {
    let (name, because) = (&case.known.name, &verdict.because);
    match case.known.word(verdict.mode, verdict.openers) {
        KnownWord::LosesData => Verdict {
            judgement: Judgement::Unsafe,
            because: format!("{because}; but {name} is known to lose data"),
            ..verdict
        },
        KnownWord::LosesInCrash => Verdict {
            judgement: Judgement::Unsafe,
            because: format!(
                "{because}; but on {name} a crash or a power loss can take committed transactions"
            ),
            ..verdict
        },
        KnownWord::Risky => Verdict {
            judgement: Judgement::NotProven,
            because: format!("{because}; but {name} is known for damage under load"),
            would_prove: Some(OWN_LOAD.to_owned()),
            ..verdict
        },
        KnownWord::Fine | KnownWord::FailsSafe | KnownWord::NotKnown => verdict,
    }
}

fn several_kernels(case: &Case<'_>, mode: Mode) -> Verdict {
    let cited = [EvidenceKind::Topology, EvidenceKind::Mount, EvidenceKind::Knowledge]
        .into_iter()
        .filter_map(|kind| case.log.last(kind).map(|entry| entry.id))
        .collect();
    let verdict = |judgement, because: &str, would_prove: Option<&str>| Verdict {
        mode,
        openers: Openers::SeveralKernels,
        judgement,
        because: because.to_owned(),
        evidence: cited,
        would_prove: would_prove.map(str::to_owned),
    };
    match case.reach {
        KernelCount::One => verdict(
            Judgement::NotProven,
            "no other kernel was found that reaches this path",
            Some(
                "if the directory is exported or its device attached elsewhere: the doctor on \
                  that side",
            ),
        ),
        _ if mode == Mode::Wal => verdict(
            Judgement::Unsafe,
            "WAL mode needs one kernel's shared memory: no file system carries it to another",
            None,
        ),
        _ if case.known.masking.iter().any(|option| option.protection == Protection::Locks) => {
            verdict(
                Judgement::Unsafe,
                "a mount option keeps the locks of this kernel from the others",
                None,
            )
        }
        _ => match case.known.word(mode, Openers::SeveralKernels) {
            KnownWord::LosesData | KnownWord::LosesInCrash => verdict(
                Judgement::Unsafe,
                "locks taken here are not seen by the other kernel, so both may write at once",
                None,
            ),
            KnownWord::FailsSafe => {
                verdict(Judgement::Fails, "the other side is refused its locks", None)
            }
            KnownWord::Fine | KnownWord::Risky | KnownWord::NotKnown => verdict(
                Judgement::NotProven,
                "one side alone cannot show whether locks and data cross",
                Some(
                    "the same locks, writes and maps measured from both kernels at once: tombolo \
                     doctor PATH --peer",
                ),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Known;
    use crate::findings::testing::{Scene, known_9p};
    use tombolo_core::errno::Errno;
    use tombolo_core::report::Observation;

    fn cell(scene: &Scene, mode: Mode, openers: Openers) -> Judgement {
        let table = judge(&scene.case());
        assert_eq!(table.len(), 6);
        let found = table.into_iter().find(|v| v.mode == mode && v.openers == openers);
        found.expect("each cell is filled").judgement
    }

    #[test]
    fn a_good_local_disk_is_safe_in_every_mode_for_one_kernel_and_unproven_for_more() {
        let mut scene = Scene::new();
        scene.all_hold_except(&[]);
        for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
            assert_eq!(cell(&scene, mode, Openers::OneKernel), Judgement::Safe);
            assert_eq!(cell(&scene, mode, Openers::SeveralKernels), Judgement::NotProven);
        }
    }

    #[test]
    fn several_kernels_are_never_safe_whatever_was_measured_here() {
        for known in [Known::default(), known_9p()] {
            for reach in [KernelCount::One, KernelCount::Several, KernelCount::NotKnown] {
                let mut scene = Scene::new();
                scene.all_hold_except(&[]);
                scene.known = known.clone();
                scene.reach = reach;
                for verdict in judge(&scene.case()) {
                    if verdict.openers == Openers::SeveralKernels {
                        assert_ne!(verdict.judgement, Judgement::Safe);
                        assert_ne!(verdict.judgement, Judgement::Slow);
                    }
                }
            }
        }
    }

    #[test]
    fn several_kernels_are_never_better_off_than_one() {
        for (outcome, judgement) in
            [(Outcome::Violated, Judgement::Unsafe), (Outcome::Refused, Judgement::Fails)]
        {
            let mut scene = Scene::new();
            let kinds = EvidenceKind::ALL.iter().copied();
            let spoilt =
                kinds.filter(|kind| kind.is_session()).chain([EvidenceKind::ProbePosixLocks]);
            let spoilt: Vec<EvidenceKind> = spoilt.collect();
            scene.all_hold_except(&spoilt);
            spoilt.iter().for_each(|kind| scene.fails(*kind, outcome, None));
            for verdict in judge(&scene.case()) {
                assert_eq!(verdict.judgement, judgement, "{verdict:?}");
                assert!(!verdict.evidence.is_empty());
            }
        }
    }

    #[test]
    fn the_default_9p_mount_fails_in_wal_mode_and_works_from_one_process() {
        let mut scene = Scene::new();
        let broken = [
            EvidenceKind::ProbeSharedMap,
            EvidenceKind::ProbeMapCoherence,
            EvidenceKind::SessionWal,
            EvidenceKind::SessionWalExisting,
        ];
        scene.all_hold_except(&broken);
        scene.fails(EvidenceKind::ProbeSharedMap, Outcome::Refused, Some(Errno::EINVAL));
        scene.fails(EvidenceKind::ProbeMapCoherence, Outcome::NotRun, None);
        scene.fails(EvidenceKind::SessionWal, Outcome::Refused, None);
        scene.fails(EvidenceKind::SessionWalExisting, Outcome::Refused, None);
        scene.known = known_9p();
        scene.reach = KernelCount::Several;
        assert_eq!(cell(&scene, Mode::Wal, Openers::OneKernel), Judgement::Fails);
        assert_eq!(cell(&scene, Mode::WalOneProcess, Openers::OneKernel), Judgement::Safe);
        assert_eq!(cell(&scene, Mode::Rollback, Openers::OneKernel), Judgement::Safe);
        for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
            assert_eq!(cell(&scene, mode, Openers::SeveralKernels), Judgement::Unsafe);
        }
    }

    fn one_process(scene: &Scene) -> Verdict {
        let found = judge(&scene.case()).into_iter().find(|verdict| {
            verdict.mode == Mode::WalOneProcess && verdict.openers == Openers::OneKernel
        });
        found.expect("the cell is filled")
    }

    /// SMB: SHARED cannot become EXCLUSIVE, which `unix-excl` never asks for.
    #[test]
    fn one_way_that_works_is_enough_and_is_named() {
        let mut scene = Scene::new();
        let refused = [
            EvidenceKind::ProbeLockUpgrade,
            EvidenceKind::SessionWalExclusive,
            EvidenceKind::SessionWal,
            EvidenceKind::SessionRollback,
        ];
        scene.all_hold_except(&refused);
        refused.iter().for_each(|kind| scene.fails(*kind, Outcome::Refused, Some(Errno::EAGAIN)));
        let verdict = one_process(&scene);
        assert_eq!(verdict.judgement, Judgement::Safe);
        assert!(verdict.because.contains("hold by the VFS unix-excl, but"), "{}", verdict.because);
        assert!(verdict.because.contains("EXCLUSIVE before anything else fails"));
        assert_eq!(cell(&scene, Mode::Rollback, Openers::OneKernel), Judgement::Fails);

        let mut scene = Scene::new();
        scene.all_hold_except(&[EvidenceKind::SessionUnixExcl]);
        scene.fails(EvidenceKind::SessionUnixExcl, Outcome::NotRun, None);
        let verdict = one_process(&scene);
        assert_eq!(verdict.judgement, Judgement::Safe);
        assert!(verdict.because.contains("hold by locking_mode=EXCLUSIVE"), "{}", verdict.because);
        assert!(verdict.because.contains("unix-excl is not proven"), "{}", verdict.because);
    }

    /// What SMB does, by the outcome of the session on a database that is in WAL mode already.
    fn smb(existing: Outcome) -> Scene {
        let mut scene = Scene::new();
        let refused = [
            EvidenceKind::ProbeLockUpgrade,
            EvidenceKind::SessionWal,
            EvidenceKind::SessionRollback,
        ];
        let existing_kind = EvidenceKind::SessionWalExisting;
        scene.all_hold_except(&[&refused[..], &[existing_kind]].concat());
        refused.iter().for_each(|kind| scene.fails(*kind, Outcome::Refused, Some(Errno::EACCES)));
        scene.fails(existing_kind, existing, None);
        scene
    }

    #[test]
    fn a_database_in_wal_mode_already_is_told_from_the_step_into_it() {
        for (existing, judgement) in [
            (Outcome::Holds, Judgement::Safe),
            (Outcome::Refused, Judgement::Fails),
            (Outcome::Violated, Judgement::Unsafe),
            // Where it was not tried, "fails" would promise that nothing is lost.
            (Outcome::NotRun, Judgement::NotProven),
        ] {
            let scene = smb(existing);
            assert_eq!(cell(&scene, Mode::Wal, Openers::OneKernel), judgement, "{existing:?}");
            assert_eq!(cell(&scene, Mode::Rollback, Openers::OneKernel), Judgement::Fails);
        }
        // A second program is refused beside the first, whose commits are acknowledged.
        let mut half = smb(Outcome::NotRun);
        let refused = Observation::new(EvidenceKind::SessionWalExisting, Outcome::Refused, "15");
        half.log.record(refused.value(TRANSACTIONS, 2_u64));
        assert_eq!(cell(&half, Mode::Wal, Openers::OneKernel), Judgement::Fails);
        half.known.words.push((Mode::Wal, Openers::OneKernel, KnownWord::Risky));
        assert_eq!(cell(&half, Mode::Wal, Openers::OneKernel), Judgement::NotProven);
        let mut scene = smb(Outcome::Holds);
        let of_wal =
            |verdict: &Verdict| verdict.mode == Mode::Wal && verdict.openers == Openers::OneKernel;
        let because =
            |scene: &Scene| judge(&scene.case()).into_iter().find(of_wal).expect("filled").because;
        assert!(because(&scene).contains("put into WAL mode here fails"), "{}", because(&scene));
        scene.known.words.push((Mode::Wal, Openers::OneKernel, KnownWord::Risky));
        assert_eq!(cell(&scene, Mode::Wal, Openers::OneKernel), Judgement::NotProven);
        assert!(because(&scene).contains("put into WAL mode here fails"), "{}", because(&scene));
    }

    /// A lock of another mode is no ground for a verdict: diod locks whole files.
    #[test]
    fn a_mode_is_judged_by_its_own_locks() {
        let mut scene = Scene::new();
        let of_wal = [
            EvidenceKind::ProbeWalLocks,
            EvidenceKind::ProbeWalLockQuery,
            EvidenceKind::SessionWal,
            EvidenceKind::SessionWalExisting,
        ];
        scene.all_hold_except(&of_wal);
        of_wal.iter().for_each(|kind| scene.fails(*kind, Outcome::Refused, Some(Errno::EAGAIN)));
        assert_eq!(cell(&scene, Mode::Wal, Openers::OneKernel), Judgement::Fails);
        for mode in [Mode::WalOneProcess, Mode::Rollback] {
            assert_eq!(cell(&scene, mode, Openers::OneKernel), Judgement::Safe);
        }
    }

    #[test]
    fn a_session_that_held_where_a_part_was_refused_is_neither_safe_nor_a_failure() {
        let mut scene = Scene::new();
        scene.all_hold_except(&[EvidenceKind::ProbeLockQuery]);
        scene.fails(EvidenceKind::ProbeLockQuery, Outcome::Refused, Some(Errno::EINVAL));
        assert_eq!(cell(&scene, Mode::Rollback, Openers::OneKernel), Judgement::NotProven);
        scene.fails(EvidenceKind::SessionRollback, Outcome::Refused, None);
        assert_eq!(cell(&scene, Mode::Rollback, Openers::OneKernel), Judgement::Fails);
    }

    #[test]
    fn a_promise_broken_in_one_way_makes_both_unsafe() {
        let mut scene = Scene::new();
        scene.all_hold_except(&[EvidenceKind::SessionWalExclusive]);
        scene.fails(EvidenceKind::SessionWalExclusive, Outcome::Violated, None);
        assert_eq!(one_process(&scene).judgement, Judgement::Unsafe);
    }

    #[test]
    fn a_mode_fails_only_when_each_of_its_ways_does() {
        let both = [EvidenceKind::SessionUnixExcl, EvidenceKind::SessionWalExclusive];
        let mut scene = Scene::new();
        scene.all_hold_except(&both);
        scene.fails(both[0], Outcome::Refused, None);
        assert_eq!(one_process(&scene).judgement, Judgement::NotProven);
        scene.fails(both[1], Outcome::Refused, None);
        let verdict = one_process(&scene);
        assert_eq!((verdict.judgement, verdict.evidence.len()), (Judgement::Fails, 2));
    }

    #[test]
    fn where_nothing_lasts_nothing_is_safe_however_well_it_was_measured() {
        for (file_mount, deleted) in [(true, false), (false, true)] {
            let mut scene = Scene::new();
            scene.all_hold_except(&[]);
            scene.fails(EvidenceKind::Mount, Outcome::Noted, None);
            (scene.mount.file_mount, scene.mount.deleted) = (file_mount, deleted);
            for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
                assert_eq!(cell(&scene, mode, Openers::OneKernel), Judgement::Unsafe);
            }
        }
    }

    #[test]
    fn what_a_crash_can_take_is_not_safe_however_well_it_was_measured() {
        let mut scene = Scene::new();
        scene.all_hold_except(&[]);
        scene.known.words.push((Mode::Rollback, Openers::OneKernel, KnownWord::LosesInCrash));
        assert_eq!(cell(&scene, Mode::Rollback, Openers::OneKernel), Judgement::Unsafe);
        assert_eq!(cell(&scene, Mode::Wal, Openers::OneKernel), Judgement::Safe);
    }

    #[test]
    fn locks_that_lie_make_every_mode_unsafe() {
        let mut scene = Scene::new();
        scene.all_hold_except(&[]);
        scene.fails(EvidenceKind::ProbePosixLocks, Outcome::Violated, None);
        for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
            assert_eq!(cell(&scene, mode, Openers::OneKernel), Judgement::Unsafe);
        }
    }

    #[test]
    fn what_was_not_measured_is_not_proven_and_says_what_would_prove_it() {
        let scene = Scene::new();
        for verdict in judge(&scene.case()) {
            assert_eq!(verdict.judgement, Judgement::NotProven);
            assert!(verdict.would_prove.is_some());
        }
    }
}

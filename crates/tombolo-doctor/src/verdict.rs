//! Stage 5: for each way of using SQLite here, whether it is safe.
//!
//! What one kernel can measure decides the column *one kernel*. The column *several kernels* never
//! says "safe": one side cannot see whether its locks and writes reach the other, so the best
//! answer there is *not proven*, and the knowledge base can only make it worse.

use crate::findings::{Case, KnownWord, Protection, slow};
use tombolo_core::report::{
    Evidence, EvidenceId, EvidenceKind, Judgement, KernelCount, Mode, Openers, Outcome, Verdict,
};

/// What every way of using SQLite rests on.
const COMMON: &[EvidenceKind] = &[
    EvidenceKind::ProbePosixLocks,
    EvidenceKind::ProbeLockUpgrade,
    EvidenceKind::ProbeLockQuery,
    EvidenceKind::ProbeFileSize,
    EvidenceKind::ProbeFileSync,
];

/// What each way needs besides; the session comes last, as it shows the whole.
fn needs(mode: Mode) -> impl Iterator<Item = EvidenceKind> {
    let own: &[EvidenceKind] = match mode {
        Mode::Wal => &[
            EvidenceKind::ProbeSharedMap,
            EvidenceKind::ProbeMapCoherence,
            EvidenceKind::SessionWal,
        ],
        Mode::WalOneProcess => &[EvidenceKind::SessionWalExclusive, EvidenceKind::SessionUnixExcl],
        Mode::Rollback => &[EvidenceKind::SessionRollback],
    };
    COMMON.iter().chain(own).copied()
}

/// The whole table, modes down and openers across.
#[must_use]
pub fn judge(case: &Case<'_>) -> Vec<Verdict> {
    [Mode::Wal, Mode::WalOneProcess, Mode::Rollback]
        .into_iter()
        .flat_map(|mode| [one_kernel(case, mode), several_kernels(case, mode)])
        .collect()
}

fn one_kernel(case: &Case<'_>, mode: Mode) -> Verdict {
    let evidence: Vec<&Evidence> = needs(mode).filter_map(|kind| worst(case, kind)).collect();
    let of = |outcome| evidence.iter().copied().find(|entry| entry.outcome == outcome);
    let verdict = |judgement, because: String, cited: Vec<EvidenceId>| Verdict {
        mode,
        openers: Openers::OneKernel,
        judgement,
        because,
        evidence: cited,
        would_prove: None,
    };
    if let Some(entry) = of(Outcome::Violated) {
        return verdict(Judgement::Unsafe, entry.summary.clone(), vec![entry.id]);
    }
    if let Some(entry) = of(Outcome::Refused) {
        return verdict(Judgement::Fails, entry.summary.clone(), vec![entry.id]);
    }
    let missing = needs(mode).find(|kind| {
        worst(case, *kind).is_none_or(|entry| !matches!(entry.outcome, Outcome::Holds))
    });
    let cited: Vec<EvidenceId> = evidence.iter().map(|entry| entry.id).collect();
    if let Some(kind) = missing {
        let because = worst(case, kind).map_or_else(
            || format!("{} was not measured", kind.as_str()),
            |entry| entry.summary.clone(),
        );
        let proof = "a run of the doctor in which every probe can work: a writable directory on \
                     this mount, as the user that runs the program";
        return Verdict {
            would_prove: Some(proof.to_owned()),
            ..verdict(Judgement::NotProven, because, cited)
        };
    }
    match slow(case.log.entries()) {
        Some(slow) => known_to_be_worse(case, verdict(Judgement::Slow, slow, cited)),
        None => {
            let because = "everything it needs was seen to hold".to_owned();
            known_to_be_worse(case, verdict(Judgement::Safe, because, cited))
        }
    }
}

/// Lowers a good verdict where the file system is known for what a short measurement cannot show.
fn known_to_be_worse(case: &Case<'_>, good: Verdict) -> Verdict {
    let name = &case.known.name;
    match case.known.word(good.mode, good.openers) {
        KnownWord::LosesData => Verdict {
            judgement: Judgement::Unsafe,
            because: format!("measured well here, but {name} is known to lose data"),
            ..good
        },
        KnownWord::LosesInCrash => Verdict {
            judgement: Judgement::Unsafe,
            because: format!(
                "measured well here, but on {name} a crash or a power loss can take committed \
                 transactions"
            ),
            ..good
        },
        KnownWord::Risky => Verdict {
            judgement: Judgement::NotProven,
            because: format!("measured well here, but {name} is known for damage under load"),
            would_prove: Some(
                "a long run of the program's own load on a copy, judged on a local disk".to_owned(),
            ),
            ..good
        },
        KnownWord::Fine | KnownWord::FailsSafe | KnownWord::NotKnown => good,
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
                Some("the same locks, writes and maps measured from both kernels at once"),
            ),
        },
    }
}

/// The worst result of an experiment: a promise broken once is broken.
fn worst<'a>(case: &Case<'a>, kind: EvidenceKind) -> Option<&'a Evidence> {
    case.log.of_kind(kind).max_by_key(|entry| match entry.outcome {
        Outcome::Violated => 5,
        Outcome::Refused => 4,
        Outcome::TimedOut => 3,
        Outcome::NotRun => 2,
        Outcome::Holds => 1,
        Outcome::Noted => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Known;
    use crate::findings::testing::{Scene, known_9p};
    use tombolo_core::errno::Errno;

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
    fn the_default_9p_mount_fails_in_wal_mode_and_works_from_one_process() {
        let mut scene = Scene::new();
        let broken = [
            EvidenceKind::ProbeSharedMap,
            EvidenceKind::ProbeMapCoherence,
            EvidenceKind::SessionWal,
        ];
        scene.all_hold_except(&broken);
        scene.fails(EvidenceKind::ProbeSharedMap, Outcome::Refused, Some(Errno::EINVAL));
        scene.fails(EvidenceKind::ProbeMapCoherence, Outcome::NotRun, None);
        scene.fails(EvidenceKind::SessionWal, Outcome::Refused, None);
        scene.known = known_9p();
        scene.reach = KernelCount::Several;
        assert_eq!(cell(&scene, Mode::Wal, Openers::OneKernel), Judgement::Fails);
        assert_eq!(cell(&scene, Mode::WalOneProcess, Openers::OneKernel), Judgement::Safe);
        assert_eq!(cell(&scene, Mode::Rollback, Openers::OneKernel), Judgement::Safe);
        for mode in [Mode::Wal, Mode::WalOneProcess, Mode::Rollback] {
            assert_eq!(cell(&scene, mode, Openers::SeveralKernels), Judgement::Unsafe);
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

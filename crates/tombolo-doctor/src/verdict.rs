//! Stage 5: for each way of using SQLite here, whether it is safe.
//!
//! What one kernel can measure decides the column *one kernel*. The column *several kernels* says
//! "safe" only by what was measured together with doctors on other kernels (see `several`). One
//! side cannot see whether its locks and writes reach the other, so without them the best answer
//! there is *not proven*. The knowledge base can only make any answer worse.

mod several;

use crate::findings::{Case, KnownWord, Protection, several_were_met, slow};
use tombolo_core::report::{
    Evidence, EvidenceId, EvidenceKind, Judgement, KernelCount, Mode, Openers, Outcome, Verdict,
};

/// One way to use a mode. A mode works where one of its ways does.
struct Way {
    /// What a program has to do, where that is not the only way.
    name: &'static str,
    /// What it rests on; the session comes last, as it shows the whole.
    needs: &'static [EvidenceKind],
}

/// The switch to WAL mode and the last close take EXCLUSIVE on the database; the first opener asks
/// by F_GETLK for others (`unixLockSharedMemory` in `os_unix.c`).
const WAL: Way = Way {
    name: "any number of processes",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeLockUpgrade,
        EvidenceKind::ProbeLockQuery,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::ProbeSharedMap,
        EvidenceKind::ProbeMapCoherence,
        EvidenceKind::SessionWal,
    ],
};

/// Locks the database once, for as long as it is open, and for writing from the start: no upgrade
/// and no query (`bProcessLock` in `os_unix.c`).
const UNIX_EXCL: Way = Way {
    name: "the VFS unix-excl",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::SessionUnixExcl,
    ],
};

/// Goes from SHARED to EXCLUSIVE and stays there (`sqlite3PagerOpenWal`).
const EXCLUSIVE: Way = Way {
    name: "locking_mode=EXCLUSIVE before anything else",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeLockUpgrade,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::SessionWalExclusive,
    ],
};

/// A reader asks by F_GETLK whether a journal is hot (`unixCheckReservedLock`).
const ROLLBACK: Way = Way {
    name: "any number of processes",
    needs: &[
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeLockUpgrade,
        EvidenceKind::ProbeLockQuery,
        EvidenceKind::ProbeFileSize,
        EvidenceKind::ProbeFileSync,
        EvidenceKind::SessionRollback,
    ],
};

const fn ways(mode: Mode) -> &'static [Way] {
    match mode {
        Mode::Wal => &[WAL],
        Mode::WalOneProcess => &[UNIX_EXCL, EXCLUSIVE],
        Mode::Rollback => &[ROLLBACK],
    }
}

/// What the measurements say of one way.
enum State<'a> {
    Works(Vec<EvidenceId>),
    Fails(&'a Evidence),
    /// Not everything was measured: why, and what was.
    Open(String, Vec<EvidenceId>),
}

fn state<'a>(case: &Case<'a>, way: &Way) -> State<'a> {
    let evidence: Vec<&Evidence> = way.needs.iter().filter_map(|kind| worst(case, *kind)).collect();
    if let Some(entry) = evidence.iter().copied().find(|e| e.outcome == Outcome::Refused) {
        return State::Fails(entry);
    }
    let cited = evidence.iter().map(|entry| entry.id).collect();
    let missing = way.needs.iter().find_map(|kind| match worst(case, *kind) {
        Some(entry) if entry.outcome == Outcome::Holds => None,
        Some(entry) => Some(entry.summary.clone()),
        None => Some(format!("{} was not measured", kind.as_str())),
    });
    match missing {
        Some(because) => State::Open(because, cited),
        None => State::Works(cited),
    }
}

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
    let ways = ways(mode);
    // A promise broken in one way is no ground to trust the other.
    let broken = ways
        .iter()
        .flat_map(|way| way.needs)
        .filter_map(|kind| worst(case, *kind))
        .find(|entry| entry.outcome == Outcome::Violated);
    if let Some(entry) = broken {
        return verdict(Judgement::Unsafe, entry.summary.clone(), vec![entry.id]);
    }
    let states: Vec<(&Way, State<'_>)> = ways.iter().map(|way| (way, state(case, way))).collect();
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
        State::Open(because, cited) => Some((because, cited)),
        _ => None,
    });
    if let Some((because, cited)) = open {
        let proof = "a run of the doctor in which every probe can work: a writable directory with \
                     free space on this mount, as the user that runs the program";
        return Verdict {
            would_prove: Some(proof.to_owned()),
            ..verdict(Judgement::NotProven, because.clone(), cited.clone())
        };
    }
    let mut failed: Vec<&Evidence> = Vec::new();
    for (_, state) in &states {
        if let State::Fails(entry) = state
            && !failed.iter().any(|other| other.id == entry.id)
        {
            failed.push(entry);
        }
    }
    let because: Vec<&str> = failed.iter().map(|entry| entry.summary.as_str()).collect();
    let cited = failed.iter().map(|entry| entry.id).collect();
    verdict(Judgement::Fails, because.join("; "), cited)
}

/// Why a mode works, and what shows it; `None` if no way of it is known to work. Where only some
/// ways do, it says which, and what became of the others.
fn working(states: &[(&Way, State<'_>)]) -> Option<(String, Vec<EvidenceId>)> {
    let mut cited: Vec<EvidenceId> = Vec::new();
    let (mut good, mut rest) = (Vec::new(), Vec::new());
    for (way, state) in states {
        let more = match state {
            State::Works(evidence) => {
                good.push(way.name);
                evidence.clone()
            }
            State::Fails(entry) => {
                rest.push(format!("{} fails ({})", way.name, entry.summary));
                vec![entry.id]
            }
            State::Open(because, _) => {
                rest.push(format!("{} is not proven ({because})", way.name));
                Vec::new()
            }
        };
        cited.extend(more);
    }
    if good.is_empty() {
        return None;
    }
    cited.sort_unstable();
    cited.dedup();
    if rest.is_empty() {
        return Some(("everything it needs was seen to hold".to_owned(), cited));
    }
    let because = format!(
        "everything it needs was seen to hold by {}, but {}",
        good.join(" and "),
        rest.join(" and ")
    );
    Some((because, cited))
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
                Some(
                    "the same locks, writes and maps measured from both kernels at once: tombolo \
                     doctor PATH --peer",
                ),
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
    fn several_kernels_are_never_better_off_than_one() {
        for (outcome, judgement) in
            [(Outcome::Violated, Judgement::Unsafe), (Outcome::Refused, Judgement::Fails)]
        {
            let mut scene = Scene::new();
            scene.all_hold_except(&[EvidenceKind::ProbePosixLocks]);
            scene.fails(EvidenceKind::ProbePosixLocks, outcome, None);
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
        scene.all_hold_except(&[EvidenceKind::ProbeLockUpgrade, EvidenceKind::SessionWalExclusive]);
        scene.fails(EvidenceKind::ProbeLockUpgrade, Outcome::Refused, Some(Errno::EAGAIN));
        scene.fails(EvidenceKind::SessionWalExclusive, Outcome::Refused, Some(Errno::EAGAIN));
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

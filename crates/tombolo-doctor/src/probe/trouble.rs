//! What stands between an experiment and its result.
//!
//! A *refusal* is a result: the kernel said no, and SQLite will hear the same. That a disk is full,
//! a directory read-only or a second process late says nothing about the promise in question, so
//! the experiment did not run.

use serde::{Deserialize, Serialize};
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::error::CallError;

/// Why an experiment could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct NotRun {
    pub(super) summary: String,
    pub(super) errno: Option<Errno>,
    /// The signal that killed a process of the experiment.
    pub(super) signal: Option<i32>,
}

impl NotRun {
    pub(super) fn new(summary: impl Into<String>) -> Self {
        NotRun { summary: summary.into(), errno: None, signal: None }
    }

    /// A call that only prepares the experiment failed.
    pub(super) fn failed(call: &str, errno: Errno) -> Self {
        NotRun { errno: Some(errno), ..Self::new(format!("{call}: {errno}")) }
    }

    /// A process of the experiment was killed.
    pub(super) fn killed(signal: i32) -> Self {
        let summary = format!("the second process was killed by signal {signal}");
        NotRun { signal: Some(signal), ..Self::new(summary) }
    }
}

impl From<CallError> for NotRun {
    fn from(error: CallError) -> Self {
        NotRun { errno: Some(error.errno), ..Self::new(error.to_string()) }
    }
}

/// Makes one observation of what was measured or of why nothing was.
pub(super) fn settle(kind: EvidenceKind, result: Result<Observation, NotRun>) -> Observation {
    match result {
        Ok(observation) => observation,
        Err(NotRun { summary, errno, .. }) => {
            Observation { errno, ..Observation::new(kind, Outcome::NotRun, summary) }
        }
    }
}

/// The call that an experiment is about failed: a refusal, unless the machine had no room for it.
pub(super) fn refused(kind: EvidenceKind, what: &str, errno: Errno) -> Observation {
    let outcome = if is_about_room(errno) { Outcome::NotRun } else { Outcome::Refused };
    Observation::new(kind, outcome, format!("{what}: {errno}")).errno(errno)
}

/// The call was granted before and its effect is gone: a broken promise, unless there was no room.
pub(super) fn lost(kind: EvidenceKind, what: &str, errno: Errno) -> Observation {
    let outcome = if is_about_room(errno) { Outcome::NotRun } else { Outcome::Violated };
    Observation::new(kind, outcome, format!("{what}: {errno}")).errno(errno)
}

/// Whether an error tells of the state of the machine and not of the file system's abilities.
pub(super) fn is_about_room(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENOSPC
            | Errno::EDQUOT
            | Errno::EROFS
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOMEM
            | Errno::EINTR
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: EvidenceKind = EvidenceKind::ProbeFileSync;

    #[test]
    fn a_full_disk_is_no_refusal_and_no_lie() {
        for errno in [Errno::ENOSPC, Errno::EDQUOT, Errno::EROFS, Errno::EMFILE] {
            for observation in [refused(KIND, "call", errno), lost(KIND, "call", errno)] {
                assert_eq!(
                    (observation.outcome, observation.errno),
                    (Outcome::NotRun, Some(errno))
                );
            }
        }
        assert_eq!(refused(KIND, "call", Errno::EINVAL).outcome, Outcome::Refused);
        assert_eq!(lost(KIND, "call", Errno::ESTALE).outcome, Outcome::Violated);
    }

    #[test]
    fn what_did_not_run_keeps_its_errno() {
        let observation = settle(KIND, Err(NotRun::failed("open", Errno::EROFS)));
        assert_eq!((observation.outcome, observation.errno), (Outcome::NotRun, Some(Errno::EROFS)));
        assert!(observation.summary.starts_with("open: EROFS"), "{}", observation.summary);
    }
}

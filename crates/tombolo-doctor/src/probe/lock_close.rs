//! Do a process's locks vanish when it closes another descriptor of the file?
//!
//! *What SQLite needs.* POSIX says they do, and SQLite is built around it: it keeps a list of files
//! it must not close yet. A program that opens and closes a database beside SQLite, in the same
//! process, takes SQLite's locks away.
//!
//! *What the outcomes mean.* Noted, whichever it is: the loss is what the standard says, and locks
//! that stay do no harm. Refused is never given; not run where nothing can be locked.
//!
//! *Sources.* fcntl(2), "record locks are automatically released"; `os_unix.c`, "Posix Advisory
//! Locking"; howtocorrupt.html, section 2.2.

use super::lock_script::{Answer, Call, Expect, Purpose, RESERVED, Step, Who};
use super::lock_script::{excludes, open_again, perform};
use super::peer::beside;
use super::trouble::{NotRun, settle};
use std::path::Path;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::lock::{Family, Strength};
use tombolo_os::scratch;

const KIND: EvidenceKind = EvidenceKind::ProbeLockClose;

pub(super) fn close(directory: &Path) -> Observation {
    settle(KIND, measure(&directory.join("probe.close")))
}

fn step(who: Who, expect: Expect) -> Step {
    Step {
        who,
        call: Call::Set(Family::Posix, Strength::Exclusive, RESERVED),
        expect,
        purpose: Purpose::Preparation,
        when: "",
    }
}

fn measure(path: &Path) -> Result<Observation, NotRun> {
    let file = scratch::create(path)?;
    let second = |()| perform(&file, &step(Who::Second, Expect::Excluded));
    beside(second, |peer| {
        let file = open_again(path)?;
        let mine = perform(&file, &step(Who::First, Expect::Granted));
        let before = peer.ask(())?;
        drop(open_again(path)?);
        judge(mine, before, peer.ask(())?)
    })
}

/// `before` and `after` are what a second process was told when it asked for our lock.
fn judge(mine: Answer, before: Answer, after: Answer) -> Result<Observation, NotRun> {
    let noted = |summary: &str, lost: bool| {
        Ok(Observation::new(KIND, Outcome::Noted, summary).value("lost_on_close", lost))
    };
    match (mine, before, after) {
        (Answer::Done, Answer::Failed(first), Answer::Failed(then))
            if excludes(first) && excludes(then) =>
        {
            noted("a lock stays when its process closes another descriptor of the file", false)
        }
        (Answer::Done, Answer::Failed(first), Answer::Done) if excludes(first) => noted(
            "a lock is lost when its process closes any descriptor of the file, as POSIX says",
            true,
        ),
        (Answer::Failed(errno), _, _)
        | (_, Answer::Failed(errno), _)
        | (_, _, Answer::Failed(errno)) => Err(NotRun::failed("fcntl(F_SETLK)", errno)),
        _ => Err(NotRun::new("not measured, because locks do not exclude a second process")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::errno::Errno;
    use tombolo_core::report::Value;

    #[test]
    fn linux_loses_the_lock_on_disk_and_in_memory() {
        for seen in on_disk_and_in_memory(Outcome::Noted, close) {
            assert_eq!(seen.values.get("lost_on_close"), Some(&Value::Flag(true)));
        }
        not_run_without_a_directory(close);
    }

    #[test]
    fn a_lock_that_stays_is_noted_and_one_that_never_was_is_not_run() {
        let held = Answer::Failed(Errno::EAGAIN);
        let stays = judge(Answer::Done, held, held).expect("measured");
        assert_eq!(stays.values.get("lost_on_close"), Some(&Value::Flag(false)));
        let refused = Answer::Failed(Errno::ENOLCK);
        assert!(judge(refused, refused, refused).is_err_and(|e| e.errno == Some(Errno::ENOLCK)));
        assert!(judge(Answer::Done, Answer::Done, Answer::Done).is_err());
    }
}

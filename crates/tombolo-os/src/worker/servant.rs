//! A child that answers questions, one at a time, until its parent has no more.

use super::birth::{self, Born, Outbox, Tie};
use super::inbox::{Event, Heed, Inbox, Tag};
use super::pipe_end::PipeEnd;
use super::{End, end_of, kill, reap, waiting};
use crate::error::CallError;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest question; less than a pipe holds (pipe(7): 64 KiB), so that asking never waits.
pub const QUESTION_BYTES_MAX: usize = 16 * 1024;

/// How long a child that has closed its end may take to end.
const ENDING: Duration = Duration::from_secs(1);

/// A child that dies with its parent, and is killed when this is dropped.
#[derive(Debug)]
pub struct Servant {
    /// `None` once it has been reaped.
    pid: Option<i32>,
    inbox: Inbox,
    questions: PipeEnd,
}

/// The child's side: the questions that come.
#[derive(Debug)]
pub struct Questions<'a> {
    pipe: &'a PipeEnd,
}

impl Questions<'_> {
    /// Waits for the next question; `None` when there will be none.
    pub fn next_question(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 5];
        self.pipe.file().read_exact(&mut header).ok()?;
        let [_, length @ ..] = header;
        let length = u32::from_le_bytes(length) as usize;
        let mut question = vec![0; length.min(QUESTION_BYTES_MAX)];
        self.pipe.file().read_exact(&mut question).ok()?;
        (length <= QUESTION_BYTES_MAX).then_some(question)
    }
}

impl Servant {
    /// Starts one. `body` should send one message for each question, and return after the last.
    ///
    /// # Errors
    /// When no pipe or no process can be had.
    pub fn start(body: impl FnOnce(&mut Questions<'_>, &mut Outbox)) -> Result<Self, CallError> {
        super::bury_abandoned();
        // The line by which other children learn that their parent is gone carries the questions.
        let Born { pid, reader, lifeline } =
            birth::fork(Tie::DiesWithParent, |outbox, lifeline| {
                body(&mut Questions { pipe: lifeline.pipe() }, outbox);
            })?;
        Ok(Servant { pid: Some(pid), inbox: Inbox::new(reader), questions: lifeline })
    }

    /// Asks something; [`Servant::answer`] must follow before the next question.
    ///
    /// # Errors
    /// `EMSGSIZE` for a question longer than [`QUESTION_BYTES_MAX`].
    pub fn ask(&mut self, question: &[u8]) -> Result<(), CallError> {
        if question.len() > QUESTION_BYTES_MAX {
            let errno = rustix::io::Errno::MSGSIZE;
            return Err(CallError::from_rustix("write", Path::new("pipe"), errno));
        }
        let frame = [Tag::Message.header(question.len()).as_slice(), question].concat();
        // That it has ended is told by the answer.
        let _ = self.questions.file().write_all(&frame);
        Ok(())
    }

    /// Waits for the answer; `None` if it has not come by the deadline.
    ///
    /// # Errors
    /// How the child ended, where it did.
    pub fn answer(&mut self, deadline: Instant) -> Result<Option<Vec<u8>>, End> {
        match self.inbox.next(deadline, Heed::Stop) {
            Event::Message(message) => Ok(Some(message)),
            Event::Early(End::DeadlinePassed { .. }) => Ok(None),
            Event::Early(end) => Err(end),
            Event::Closed => Err(self.ended()),
        }
    }

    /// The call on a file that it sleeps in, where the kernel says so.
    #[must_use]
    pub fn call(&self) -> Option<&'static str> {
        self.pid.and_then(waiting::call_of)
    }

    fn ended(&mut self) -> End {
        let Some(pid) = self.pid else { return End::NotKnown };
        match reap(pid, Instant::now() + ENDING) {
            Some(status) => {
                self.pid = None;
                end_of(status, std::mem::take(&mut self.inbox))
            }
            None => End::NotKnown,
        }
    }
}

impl Drop for Servant {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            kill(pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    fn echo(questions: &mut Questions<'_>, outbox: &mut Outbox) {
        while let Some(question) = questions.next_question() {
            outbox.send(&[b"re: ", question.as_slice()].concat());
        }
    }

    #[test]
    fn questions_are_answered_one_after_the_other() {
        let mut servant = Servant::start(echo).expect("a process");
        for question in [b"one".as_slice(), b"", &[7; QUESTION_BYTES_MAX]] {
            servant.ask(question).expect("asked");
            let answer = servant.answer(soon()).expect("alive").expect("an answer");
            assert_eq!(answer, [b"re: ", question].concat());
        }
        assert!(servant.ask(&[7; QUESTION_BYTES_MAX + 1]).is_err());
        assert_eq!(servant.answer(Instant::now()), Ok(None), "nothing was asked");
    }

    #[test]
    fn one_that_dies_says_how_and_one_that_hangs_is_killed() {
        let mut servant = Servant::start(|questions, _| {
            questions.next_question();
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .expect("killed");
        })
        .expect("a process");
        servant.ask(b"die").expect("asked");
        assert_eq!(servant.answer(soon()), Err(End::Signalled(9)));
        servant.ask(b"are you there?").expect("nobody hears it");

        let servant = Servant::start(|_, _| {
            loop {
                std::thread::park();
            }
        })
        .expect("a process");
        let pid = rustix::process::Pid::from_raw(servant.pid.expect("alive")).expect("an id");
        drop(servant);
        assert!(rustix::process::test_kill_process(pid).is_err(), "it lives on");
    }
}

//! A second process that goes in lock-step with the first.
//!
//! Most promises of a file system are made to two processes, so most experiments need two. One of
//! them follows a script: it does its own steps and asks the other, the *peer*, for the rest. Each
//! question is one message and has one answer, so that what was done before is done for both when
//! the next step begins; no experiment rests on a pause.
//!
//! The script runs in a [`worker`], the peer's steps in the process that started it. So no wait is
//! without a bound: a script that hangs is given up after [`TIME`], and a peer that hangs is the
//! probe itself, which the doctor gives up.

use super::trouble::NotRun;
use serde::{Serialize, de::DeserializeOwned};
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::marker::PhantomData;
use std::time::{Duration, Instant};
use tombolo_core::report::Observation;
use tombolo_os::worker::{self, End, Outbox};

/// An experiment between two processes that takes longer than this has not been measured. A server
/// that takes 100 ms for each request stays below it.
pub(super) const TIME: Duration = Duration::from_secs(8);

/// Longest answer; far less than a pipe holds, so that the peer never waits for its reader.
const ANSWER_BYTES_MAX: u64 = 4096;

/// What the script sends.
#[derive(Serialize, serde::Deserialize)]
enum Message<Step> {
    Do(Step),
    End(Result<Observation, NotRun>),
}

/// The peer, as the script sees it.
pub(super) struct Peer<'a, Step, Answer> {
    outbox: &'a mut Outbox,
    answers: BufReader<PipeReader>,
    types: PhantomData<fn(Step) -> Answer>,
}

impl<Step: Serialize, Answer: DeserializeOwned> Peer<'_, Step, Answer> {
    /// Has the peer do a step, and waits for what came of it.
    pub(super) fn ask(&mut self, step: Step) -> Result<Answer, NotRun> {
        self.tell(step)?;
        self.hear()
    }

    /// Has the peer do a step while the script goes on; [`Peer::hear`] must follow.
    pub(super) fn tell(&mut self, step: Step) -> Result<(), NotRun> {
        let message = serde_json::to_vec(&Message::Do(step)).map_err(garbled)?;
        self.outbox.send(&message);
        Ok(())
    }

    /// Waits for what came of the step that was told.
    pub(super) fn hear(&mut self) -> Result<Answer, NotRun> {
        let mut line = Vec::new();
        (&mut self.answers).take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line).map_err(garbled)?;
        serde_json::from_slice(&line).map_err(garbled)
    }
}

fn garbled(error: impl std::fmt::Display) -> NotRun {
    NotRun::new(format!("the second process could not be understood: {error}"))
}

/// Runs a script in a process of its own, with the calling process as its peer.
///
/// Descriptors that are open already are open in both: a file whose locks matter must be opened by
/// the script itself.
pub(super) fn beside<Step, Answer>(
    peer: impl FnMut(Step) -> Answer,
    script: impl FnOnce(&mut Peer<'_, Step, Answer>) -> Result<Observation, NotRun>,
) -> Result<Observation, NotRun>
where
    Step: Serialize + DeserializeOwned,
    Answer: Serialize + DeserializeOwned,
{
    beside_for(TIME, peer, script)
}

fn beside_for<Step, Answer>(
    time: Duration,
    mut peer: impl FnMut(Step) -> Answer,
    script: impl FnOnce(&mut Peer<'_, Step, Answer>) -> Result<Observation, NotRun>,
) -> Result<Observation, NotRun>
where
    Step: Serialize + DeserializeOwned,
    Answer: Serialize + DeserializeOwned,
{
    let (reader, mut writer) = std::io::pipe()
        .map_err(|error| NotRun::failed("pipe2", tombolo_os::error::errno_of(&error)))?;
    let mut ended = None;
    let end = worker::run(
        Instant::now() + time,
        |outbox| {
            let answers = BufReader::new(reader);
            let mut peer = Peer { outbox, answers, types: PhantomData };
            let ended = script(&mut peer);
            if let Ok(message) = serde_json::to_vec(&Message::<Step>::End(ended)) {
                peer.outbox.send(&message);
            }
        },
        &mut |message| match serde_json::from_slice(message) {
            Ok(Message::Do(step)) => answer(&mut writer, &peer(step)),
            Ok(Message::End(result)) => ended = Some(result),
            Err(error) => ended = Some(Err(garbled(error))),
        },
    );
    match (ended, end) {
        (Some(result), _) => result,
        (None, Ok(End::Signalled(signal))) => Err(NotRun::killed(signal)),
        (None, Ok(end)) => Err(NotRun::new(format!("a second process gave no result: {end}"))),
        (None, Err(error)) => Err(error.into()),
    }
}

/// A script that is gone hears nothing; its end is told by the worker.
fn answer<Answer: Serialize>(writer: &mut PipeWriter, answer: &Answer) {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    if line.len() as u64 <= ANSWER_BYTES_MAX {
        let _ = writer.write_all(&line);
    } else {
        let _ = writer.write_all(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::report::{EvidenceKind, Outcome};

    fn note(summary: String) -> Observation {
        Observation::new(EvidenceKind::ProbeFlock, Outcome::Noted, summary)
    }

    #[test]
    fn each_question_has_its_answer_from_another_process() {
        let mut sum = 0;
        let own = std::process::id();
        let add = |number: u32| {
            sum += number;
            (sum, std::process::id())
        };
        let result = beside(add, |peer| {
            let mut answers = Vec::new();
            for number in 1..=100 {
                answers.push(peer.ask(number)?);
            }
            let other = std::process::id() != own;
            assert!(answers.iter().all(|(_, process)| *process == own && other));
            Ok(note(format!("{:?}", answers.last().map(|(sum, _)| *sum))))
        });
        assert_eq!(result.map(|one| one.summary), Ok("Some(5050)".to_owned()));
    }

    #[test]
    fn a_script_that_dies_or_hangs_is_not_run_and_a_signal_is_told() {
        let died = beside(|(): ()| (), |_| std::panic::resume_unwind(Box::new(())));
        assert!(died.is_err_and(|not_run| not_run.signal.is_none()));
        // An answer that never comes: nothing was asked.
        let short = Duration::from_millis(200);
        let hung = beside_for(short, |(): ()| (), |peer| peer.hear().map(|()| note(String::new())));
        assert!(hung.is_err_and(|not_run| not_run.summary.contains("in time")));
    }

    #[test]
    fn an_answer_that_is_too_long_is_refused_and_not_waited_for() {
        let result = beside(
            |(): ()| "x".repeat(1 << 20),
            |peer| peer.ask(()).map(|text: String| note(text)),
        );
        assert!(result.is_err_and(|not_run| not_run.summary.contains("understood")));
    }
}

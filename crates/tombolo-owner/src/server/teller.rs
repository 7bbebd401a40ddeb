//! A thread that asks all databases how they are, so that the front waits for none of them.

use super::database::Event;
use super::registry::Line;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tombolo_core::owner::status::DatabaseStatus;
use tombolo_os::socket::Waker;

/// How long databases may take to answer: one of them may wait for its disk.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// Somebody wants to know how the owner is.
#[derive(Debug)]
pub(super) struct Question {
    /// Who, as the front has it.
    pub(super) key: u64,
    pub(super) databases: Vec<Line>,
}

/// What is known.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) key: u64,
    /// By path.
    pub(super) databases: Vec<DatabaseStatus>,
    /// How many did not answer.
    pub(super) silent_count: usize,
}

/// Starts it. It ends with the sender of its questions.
///
/// # Errors
///
/// Where there is no thread to be had.
pub(super) fn start(front: Waker) -> std::io::Result<(Sender<Question>, Receiver<Answer>)> {
    let (questions, asked) = channel::<Question>();
    let (answered, answers) = channel();
    let builder = std::thread::Builder::new().name("tombolo-teller".into());
    builder.spawn(move || {
        while let Ok(question) = asked.recv() {
            if answered.send(answer(question)).is_err() {
                return;
            }
            front.wake();
        }
    })?;
    Ok((questions, answers))
}

fn answer(question: Question) -> Answer {
    let count = question.databases.len();
    let (asker, answers) = channel();
    for (events, waker) in question.databases {
        // One that has just ended is not there any more, and counts as silent.
        let _ = events.send(Event::Status(asker.clone()));
        waker.wake();
    }
    drop(asker);
    let deadline = Instant::now() + ANSWER_TIME;
    let mut databases = Vec::with_capacity(count);
    while databases.len() < count {
        match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(status) => databases.push(status),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    databases.sort_by(|one: &DatabaseStatus, other| one.path.cmp(&other.path));
    Answer { key: question.key, silent_count: count - databases.len(), databases }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_os::socket::Poller;

    #[test]
    fn a_database_that_does_not_answer_is_counted_and_waited_for_no_longer() {
        let poller = Poller::new().expect("a poller");
        // One has ended, one never looks.
        let (gone, _) = channel();
        let (busy, _kept) = channel();
        let databases = vec![(gone, poller.waker()), (busy, poller.waker())];
        let began = Instant::now();
        let answer = answer(Question { key: 7, databases });
        assert_eq!((answer.key, answer.silent_count, answer.databases.len()), (7, 2, 0));
        assert!(began.elapsed() < 3 * ANSWER_TIME);
    }
}

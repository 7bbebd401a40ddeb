//! The process of this side that does steps.

use super::{sql, wire};
use std::time::{Duration, Instant};
use tombolo_core::peer::message::{Did, HandEnd};
use tombolo_core::peer::step::{Answer, Step};
use tombolo_os::hand::Hand;
use tombolo_os::worker::{End, Outbox, Questions, Servant};

/// A child that does steps, and is replaced by a fresh one when asked for or when it has ended.
pub(super) struct LocalHand {
    servant: Option<Servant>,
    /// For each call beyond the time that the steps take by their own will.
    patience: Duration,
    wanted: usize,
    did: Did,
    end: Instant,
}

impl LocalHand {
    pub(super) fn new(patience: Duration) -> Self {
        let did = Did::default();
        LocalHand { servant: None, patience, wanted: 0, did, end: Instant::now() }
    }

    /// Begins to do steps; [`LocalHand::poll`] gives what came of them.
    pub(super) fn tell(&mut self, fresh: bool, steps: &[Step]) {
        if fresh {
            self.servant = None;
        }
        self.did = Did::default();
        self.wanted = steps.len();
        let own_ms: u64 = steps.iter().map(|step| u64::from(step.time_ms())).sum();
        self.end = Instant::now() + self.patience + Duration::from_millis(own_ms);
        if self.servant.is_none() {
            self.servant = Servant::start(serve).ok();
        }
        let question = wire::to_bytes(&steps);
        let asked = match (&mut self.servant, &question) {
            (Some(servant), Some(question)) => servant.ask(question).is_ok(),
            _ => false,
        };
        if !asked {
            self.finish(HandEnd::Failed);
        }
    }

    /// Waits a while for the steps to be done.
    pub(super) fn poll(&mut self, wait: Duration) -> Option<Did> {
        let until = Instant::now() + wait;
        while self.did.ended.is_none() && self.did.answers.len() < self.wanted {
            let Some(servant) = &mut self.servant else {
                self.finish(HandEnd::Failed);
                break;
            };
            match servant.answer(until) {
                Ok(Some(bytes)) => match wire::from_bytes(&bytes) {
                    Some(answer) => self.did.answers.push(answer),
                    None => self.finish(HandEnd::Failed),
                },
                Ok(None) if Instant::now() >= self.end => self.finish(HandEnd::Hung),
                Ok(None) => return None,
                Err(End::Signalled(signal)) => self.finish(HandEnd::Killed(signal)),
                Err(_) => self.finish(HandEnd::Failed),
            }
        }
        Some(std::mem::take(&mut self.did))
    }

    fn finish(&mut self, ended: HandEnd) {
        self.did.ended = Some(ended);
        self.servant = None;
    }
}

fn serve(questions: &mut Questions<'_>, outbox: &mut Outbox) {
    let mut hand = Hand::default();
    while let Some(question) = questions.next_question() {
        let steps: Vec<Step> = wire::from_bytes(&question).unwrap_or_default();
        for step in steps {
            let answer = match step {
                Step::Sql(sql) if step.is_bounded() => sql::perform(sql),
                step => hand.perform(&step),
            };
            outbox.send(&wire::to_bytes(&answer).or_else(too_long).unwrap_or_default());
        }
    }
}

/// No answer is longer than a message; if one were, it would not be an answer.
fn too_long() -> Option<Vec<u8>> {
    wire::to_bytes(&Answer::Senseless)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::testing::within_scratch;
    use tombolo_core::peer::step::{LENGTH_BYTES_MAX, Look, Opening};

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn steps_are_answered_and_a_fresh_hand_holds_nothing() {
        within_scratch(|| {
            let mut hand = LocalHand::new(LONG);
            hand.tell(true, &[Step::Open(0, 1, Opening::New), Step::Look(Look::Size(0))]);
            let did = hand.poll(LONG).expect("done");
            assert_eq!(did.answers, [Answer::Done, Answer::Value(0)]);
            hand.tell(false, &[Step::Look(Look::Size(0))]);
            assert_eq!(hand.poll(LONG).expect("done").answers, [Answer::Value(0)]);
            hand.tell(true, &[Step::Look(Look::Size(0))]);
            assert_eq!(hand.poll(LONG).expect("done").answers, [Answer::Senseless]);
        });
    }

    #[test]
    fn a_hand_that_is_killed_by_a_page_that_is_gone_says_so_and_the_next_works() {
        within_scratch(|| {
            let mut hand = LocalHand::new(LONG);
            let map = [
                Step::Open(0, 1, Opening::New),
                Step::Map(0, LENGTH_BYTES_MAX),
                Step::Look(Look::MapByte(0, 5000)),
            ];
            hand.tell(true, &map);
            let did = hand.poll(LONG).expect("ended");
            assert_eq!(did.answers, [Answer::Done, Answer::Done]);
            assert_eq!(did.ended, Some(HandEnd::Killed(tombolo_os::signal::SIGBUS)));
            hand.tell(false, &[Step::Look(Look::Exists(1))]);
            assert_eq!(hand.poll(LONG).expect("done").answers, [Answer::Value(1)]);
        });
    }

    #[test]
    fn a_hand_that_does_not_answer_in_time_is_given_up() {
        within_scratch(|| {
            let mut hand = LocalHand::new(Duration::ZERO);
            hand.servant = Servant::start(|_, _| {
                loop {
                    std::thread::park();
                }
            })
            .ok();
            hand.tell(false, &[Step::Look(Look::Exists(1))]);
            let did = hand.poll(Duration::from_millis(20)).expect("given up");
            assert_eq!(did, Did { answers: Vec::new(), ended: Some(HandEnd::Hung) });
        });
    }
}

//! All hands at one table: that of this process, and those of the other sides.

use super::exchange::{Exchange, Lost};
use super::hand::LocalHand;
use std::time::{Duration, Instant};
use tombolo_core::peer::message::{Did, HandEnd, Leaving, Message};
use tombolo_core::peer::part::PeerId;
use tombolo_core::peer::step::{Answer, Step};
use tombolo_os::worker::pause;

/// Number of a side; 0 is this one.
pub(super) type Seat = usize;

/// Steps for one side.
pub(super) type Work = (Seat, Vec<Step>);

/// Why steps were not all done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A side's hand ended.
    Hand(Seat, HandEnd),
    /// A side has left, or is silent.
    Gone(Seat),
    /// There is no talking any more.
    Lost(Lost),
}

impl From<Lost> for Trouble {
    fn from(lost: Lost) -> Self {
        Trouble::Lost(lost)
    }
}

/// Whoever can have steps done by several sides at the same time.
pub(super) trait Hands {
    /// Has each side do its steps, by fresh hands if that is wanted. One answer for each step.
    fn all(&mut self, fresh: bool, work: &[Work]) -> Result<Vec<Vec<Answer>>, Trouble>;
}

/// The hands of a conversation.
pub(super) struct Table {
    pub(super) exchange: Exchange,
    local: LocalHand,
    /// Of seat 1 on.
    others: Vec<Other>,
    patience: Duration,
    /// Number of the steps that are being done. What comes of earlier ones is late.
    number: u32,
}

struct Other {
    id: PeerId,
    gone: Option<Gone>,
}

/// How a side came to be no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// It has said so.
    Left(Leaving),
    /// It is not heard of, or does not do what it is asked for.
    Silent,
}

impl Table {
    /// `patience` is how long a side may be silent, and how long one call may take.
    pub(super) fn new(exchange: Exchange, others: &[PeerId], patience: Duration) -> Self {
        let others = others.iter().map(|id| Other { id: *id, gone: None }).collect();
        Table { exchange, local: LocalHand::new(patience), others, patience, number: 0 }
    }

    fn other(&self, seat: Seat) -> Option<&Other> {
        seat.checked_sub(1).and_then(|index| self.others.get(index))
    }

    pub(super) fn is_here(&self, seat: Seat) -> bool {
        seat == 0 || self.other(seat).is_some_and(|other| other.gone.is_none())
    }

    /// How a side came to be no longer there; `None` while it is.
    pub(super) fn gone(&self, seat: Seat) -> Option<Gone> {
        self.other(seat).and_then(|other| other.gone)
    }

    /// Those that have not gone.
    pub(super) fn here(&self) -> Vec<PeerId> {
        self.others.iter().filter(|other| other.gone.is_none()).map(|other| other.id).collect()
    }

    fn forget(&mut self, seat: Seat, how: Gone) -> Trouble {
        if let Some(other) = seat.checked_sub(1).and_then(|index| self.others.get_mut(index)) {
            other.gone.get_or_insert(how);
            self.exchange.drop_link(other.id);
        }
        Trouble::Gone(seat)
    }

    /// Says something to all that are here.
    pub(super) fn tell_all(&mut self, message: &Message) -> Result<(), Lost> {
        for id in self.here() {
            self.exchange.say(id, message)?;
        }
        Ok(())
    }

    /// Hears what was said. Whoever leaves is gone.
    pub(super) fn hear(&mut self) -> Result<Vec<(Seat, Message)>, Lost> {
        let mut heard = Vec::new();
        for (id, message) in self.exchange.poll()? {
            let Some(index) = self.others.iter().position(|other| other.id == id) else { continue };
            match message {
                Message::Leave(why) => {
                    self.forget(index + 1, Gone::Left(why));
                }
                message => heard.push((index + 1, message)),
            }
        }
        Ok(heard)
    }

    /// The first side at work that cannot be waited for any longer.
    fn missing(&mut self, waiting: &[Seat]) -> Option<Trouble> {
        let lost = waiting.iter().copied().find(|seat| match self.other(*seat) {
            Some(other) => other.gone.is_some() || self.exchange.silence(other.id) > self.patience,
            None => *seat != 0,
        });
        lost.map(|seat| self.forget(seat, Gone::Silent))
    }
}

impl Hands for Table {
    fn all(&mut self, fresh: bool, work: &[Work]) -> Result<Vec<Vec<Answer>>, Trouble> {
        let gone = work.iter().find(|(seat, _)| !self.is_here(*seat));
        if let Some((seat, _)) = gone {
            return Err(Trouble::Gone(*seat));
        }
        self.number = self.number.wrapping_add(1);
        // The others first: they begin while this side does.
        for (seat, steps) in work {
            if let Some(id) = self.other(*seat).map(|other| other.id) {
                self.exchange.say(id, &Message::Do(self.number, fresh, steps.clone()))?;
            }
        }
        if let Some((_, steps)) = work.iter().find(|(seat, _)| *seat == 0) {
            self.local.tell(fresh, steps);
        }
        let own_ms = |steps: &[Step]| steps.iter().map(|step| u64::from(step.time_ms())).sum();
        let longest_ms: u64 = work.iter().map(|(_, steps)| own_ms(steps)).max().unwrap_or(0);
        // A side tells of its own hand that it hangs; only if it does not, it is given up.
        let end = Instant::now() + self.patience * 3 + Duration::from_millis(longest_ms);
        let mut done: Vec<Option<Did>> = vec![None; work.len()];
        loop {
            for (seat, message) in self.hear()? {
                let place = work.iter().position(|(worker, _)| *worker == seat);
                match (message, place) {
                    (Message::Did(number, did), Some(place)) if number == self.number => {
                        done[place] = Some(did);
                    }
                    _ => {}
                }
            }
            let local = work.iter().position(|(seat, _)| *seat == 0);
            match local.filter(|place| done[*place].is_none()) {
                Some(place) => done[place] = self.local.poll(self.exchange.rest()),
                None => pause(self.exchange.rest()),
            }
            let waiting: Vec<Seat> = work
                .iter()
                .zip(&done)
                .filter(|(_, done)| done.is_none())
                .map(|((seat, _), _)| *seat)
                .collect();
            if waiting.is_empty() {
                break;
            }
            if let Some(trouble) = self.missing(&waiting) {
                return Err(trouble);
            }
            if Instant::now() > end {
                return Err(self.forget(waiting[0], Gone::Silent));
            }
        }
        collect(work, done)
    }
}

fn collect(work: &[Work], done: Vec<Option<Did>>) -> Result<Vec<Vec<Answer>>, Trouble> {
    let mut answers = Vec::new();
    for ((seat, steps), did) in work.iter().zip(done) {
        let did = did.unwrap_or_default();
        if let Some(end) = did.ended {
            return Err(Trouble::Hand(*seat, end));
        }
        if did.answers.len() != steps.len() {
            return Err(Trouble::Hand(*seat, HandEnd::Failed));
        }
        answers.push(did.answers);
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::post::Post;
    use crate::peer::testing::within_scratch;
    use tombolo_core::peer::message::Hello;
    use tombolo_core::peer::part::LEADER;
    use tombolo_core::peer::step::Look;

    const LONG: Duration = Duration::from_secs(20);

    /// A side that says hello and then does what the test wants with what it is told, until that
    /// answers `false`.
    fn side(id: PeerId, mut heed: impl FnMut(&mut Exchange, Message) -> bool + Send + 'static) {
        std::thread::spawn(move || {
            let mut exchange = Exchange::new(id, Post::find(id, LONG).expect("found"));
            exchange.say(LEADER, &Message::Hello(Hello::default())).expect("said");
            loop {
                for (_, message) in exchange.poll().expect("heard") {
                    if !heed(&mut exchange, message) {
                        return;
                    }
                }
                pause(exchange.rest());
            }
        });
    }

    fn table(ids: &[PeerId], patience: Duration) -> Table {
        let mut exchange = Exchange::new(LEADER, Post::make().expect("made"));
        let mut here = 0;
        while here < ids.len() {
            here += exchange.poll().expect("heard").len();
            pause(exchange.rest());
        }
        Table::new(exchange, ids, patience)
    }

    fn did(exchange: &mut Exchange, number: u32, value: u64) {
        let did = Did { answers: vec![Answer::Value(value)], ended: None };
        exchange.say(LEADER, &Message::Did(number, did)).expect("said");
    }

    fn look() -> Vec<Step> {
        vec![Step::Look(Look::Exists(0))]
    }

    #[test]
    fn a_late_answer_to_steps_that_were_given_up_is_not_taken_for_the_next() {
        within_scratch(|| {
            side(PeerId(7), |exchange, message| {
                if let Message::Do(2, ..) = message {
                    did(exchange, 1, 111);
                    did(exchange, 2, 222);
                }
                true
            });
            side(PeerId(8), |exchange, message| {
                if let Message::Do(..) = message {
                    exchange.leave(Leaving::Interrupted, LONG);
                    return false;
                }
                true
            });
            let mut table = table(&[PeerId(7), PeerId(8)], LONG);
            let given_up = table.all(false, &[(1, look()), (2, look())]);
            assert_eq!(given_up, Err(Trouble::Gone(2)));
            assert_eq!(table.gone(2), Some(Gone::Left(Leaving::Interrupted)));
            assert_eq!(table.here(), [PeerId(7)]);
            assert_eq!(table.all(false, &[(1, look())]), Ok(vec![vec![Answer::Value(222)]]));
            assert_eq!(table.all(false, &[(2, look())]), Err(Trouble::Gone(2)));
        });
    }

    #[test]
    fn a_side_that_falls_silent_is_gone_after_the_time_of_patience_and_not_before() {
        within_scratch(|| {
            side(PeerId(7), |_, message| !matches!(message, Message::Do(..)));
            let patience = Duration::from_secs(2);
            let mut table = table(&[PeerId(7)], patience);
            let start = Instant::now();
            assert_eq!(table.all(false, &[(1, look())]), Err(Trouble::Gone(1)));
            assert_eq!(table.gone(1), Some(Gone::Silent));
            let took = start.elapsed();
            assert!(patience / 2 < took && took < patience * 4, "{took:?}");
        });
    }

    #[test]
    fn a_side_whose_hand_ended_says_so_and_is_not_gone() {
        within_scratch(|| {
            side(PeerId(7), |exchange, message| {
                if let Message::Do(number, ..) = message {
                    let did = Did { answers: Vec::new(), ended: Some(HandEnd::Hung) };
                    exchange.say(LEADER, &Message::Did(number, did)).expect("said");
                }
                true
            });
            let mut table = table(&[PeerId(7)], LONG);
            let ended = table.all(true, &[(1, look())]);
            assert_eq!(ended, Err(Trouble::Hand(1, HandEnd::Hung)));
            assert!(table.is_here(1));
        });
    }
}

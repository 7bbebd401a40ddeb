//! All hands at one table: that of this process, and those of the other sides.

use super::exchange::{Exchange, Lost};
use super::hand::LocalHand;
use std::time::{Duration, Instant};
use tombolo_core::peer::message::{Did, HandEnd, Message};
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
    gone: bool,
}

impl Table {
    /// `patience` is how long a side may be silent, and how long one call may take.
    pub(super) fn new(exchange: Exchange, others: &[PeerId], patience: Duration) -> Self {
        let others = others.iter().map(|id| Other { id: *id, gone: false }).collect();
        Table { exchange, local: LocalHand::new(patience), others, patience, number: 0 }
    }

    fn other(&self, seat: Seat) -> Option<&Other> {
        seat.checked_sub(1).and_then(|index| self.others.get(index))
    }

    pub(super) fn is_here(&self, seat: Seat) -> bool {
        seat == 0 || self.other(seat).is_some_and(|other| !other.gone)
    }

    /// Those that have not gone.
    pub(super) fn here(&self) -> Vec<PeerId> {
        self.others.iter().filter(|other| !other.gone).map(|other| other.id).collect()
    }

    fn forget(&mut self, seat: Seat) -> Trouble {
        if let Some(other) = seat.checked_sub(1).and_then(|index| self.others.get_mut(index)) {
            other.gone = true;
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
                Message::Leave(_) => {
                    self.forget(index + 1);
                }
                message => heard.push((index + 1, message)),
            }
        }
        Ok(heard)
    }

    /// The first side at work that cannot be waited for any longer.
    fn missing(&mut self, waiting: &[Seat]) -> Option<Trouble> {
        let lost = waiting.iter().copied().find(|seat| match self.other(*seat) {
            Some(other) => other.gone || self.exchange.silence(other.id) > self.patience,
            None => *seat != 0,
        });
        lost.map(|seat| self.forget(seat))
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
                return Err(self.forget(waiting[0]));
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

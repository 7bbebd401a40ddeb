//! A side that joined: does the steps that it is asked for, and hears what was learned.

use super::exchange::{Exchange, Lost};
use super::hand::LocalHand;
use super::meeting::LISTEN;
use super::{Plan, Said, name};
use std::time::{Duration, Instant};
use tombolo_core::peer::message::{Hello, Leaving, Message};
use tombolo_core::peer::part::LEADER;
use tombolo_core::report::{Observation, Value};
use tombolo_core::text::printable;
use tombolo_os::scratch::{Place, remove_here};
use tombolo_os::worker::pause;

/// How long the last word may take.
pub(super) const LEAVE: Duration = Duration::from_millis(1500);

/// How a conversation ended for this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Everything was heard.
    Over,
    /// The leader has said so.
    Left(Leaving),
    /// The leader is not heard of any more.
    Silent,
    /// The leader was never heard of.
    NeverHeard,
    Lost(Lost),
}

impl From<Lost> for Ending {
    fn from(lost: Lost) -> Self {
        Ending::Lost(lost)
    }
}

/// Takes part in a conversation in the working directory, which is `place`.
pub(super) fn follow(
    own: &Hello,
    plan: Plan,
    mut exchange: Exchange,
    place: &Place,
    say: &mut dyn FnMut(Said),
) {
    let ending = match serve(&mut exchange, own, plan, say) {
        Ok(never) => match never {},
        Err(ending) => ending,
    };
    match ending {
        Ending::Over => exchange.leave(Leaving::Finished, LEAVE),
        Ending::Left(Leaving::OtherProtocol(_)) => say(Said::Missing(
            "the side that waits speaks another language: use the same version of tombolo on all \
             sides"
                .to_owned(),
        )),
        Ending::Left(Leaving::Full) => say(Said::Missing(
            "as many sides as were wanted are there already; --peer=N waits for N others"
                .to_owned(),
        )),
        Ending::Left(Leaving::Interrupted) => say(Said::Missing(
            "the side that leads was interrupted; not everything was measured".to_owned(),
        )),
        Ending::Left(_) => say(Said::Missing("the side that leads has left".to_owned())),
        Ending::NeverHeard => {
            // That side may be there, and the directory is its own.
            exchange.drop_link(LEADER);
            return say(Said::Missing(format!(
                "the directory in which the sides meet is here, but nothing that the side that \
                 waits says appears in it; {LISTEN}"
            )));
        }
        // Whoever sees to this process says so.
        Ending::Lost(Lost::StopWanted) => return exchange.leave(Leaving::Interrupted, LEAVE),
        Ending::Silent => {
            say(Said::Missing(
                "the side that leads is not heard of any more; not everything was measured"
                    .to_owned(),
            ));
        }
        Ending::Lost(lost) => {
            return say(Said::Missing(format!("{lost}; not everything was measured")));
        }
    }
    // Whoever made the directory removes it. If it does not, it is dead.
    let end = Instant::now() + plan.patience;
    let mut dead = ending == Ending::Silent;
    while !dead && exchange.poll().is_ok() {
        pause(exchange.rest());
        dead = Instant::now() >= end;
    }
    if dead && matches!(ending, Ending::Over | Ending::Silent) {
        let _ = remove_here(place);
    }
}

/// Nothing but an ending.
enum Never {}

fn serve(
    exchange: &mut Exchange,
    own: &Hello,
    plan: Plan,
    say: &mut dyn FnMut(Said),
) -> Result<Never, Ending> {
    exchange.say(LEADER, &Message::Hello(own.clone()))?;
    let mut hand = LocalHand::new(plan.patience);
    let mut at_work = None;
    let start = Instant::now();
    loop {
        for (_, message) in exchange.poll()? {
            match message {
                Message::Welcome(_, sides) => {
                    let names = sides.into_iter().map(Hello::bounded).enumerate();
                    let names: Vec<_> = names.map(|(at, hello)| name(at, &hello)).collect();
                    say(Said::Progress(format!("met {}", names.join(", "))));
                }
                Message::Do(number, fresh, steps) => {
                    hand.tell(fresh || at_work.is_some(), &steps);
                    at_work = Some(number);
                }
                Message::Evidence(text) => {
                    if let Some(observation) = evidence(&text) {
                        let kind = observation.kind.as_str();
                        say(Said::Progress(format!("{kind}: {}", observation.summary)));
                        say(Said::Evidence(observation));
                    }
                }
                Message::Missing(what) => say(Said::Missing(printable(what.as_bytes()))),
                Message::Over => return Err(Ending::Over),
                Message::Leave(why) => return Err(Ending::Left(why)),
                Message::Hello(_) | Message::Did(..) | Message::Still => {}
            }
        }
        match at_work {
            Some(number) => {
                if let Some(did) = hand.poll(exchange.rest()) {
                    exchange.say(LEADER, &Message::Did(number, did))?;
                    at_work = None;
                }
            }
            None => pause(exchange.rest()),
        }
        // A leader that has heard of this side shows that it is there, also while it waits.
        let heard = exchange.has_heard(LEADER);
        let bound = if heard { plan.patience } else { plan.first_word };
        if exchange.silence(LEADER).min(start.elapsed()) > bound {
            return Err(if heard { Ending::Silent } else { Ending::NeverHeard });
        }
    }
}

/// What the leader has learned. Its texts come from another machine.
fn evidence(text: &str) -> Option<Observation> {
    let observation: Observation = serde_json::from_str(text).ok()?;
    if !observation.kind.is_of_peers() {
        return None;
    }
    let plain = |text: &String| printable(text.as_bytes());
    let values = observation.values.iter().map(|(key, value)| {
        let value = match value {
            Value::Text(text) => Value::Text(plain(text)),
            Value::List(list) => Value::List(list.iter().map(plain).collect()),
            other => other.clone(),
        };
        (plain(key), value)
    });
    let (summary, values) = (plain(&observation.summary), values.collect());
    Some(Observation { summary, values, ..observation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::report::{EvidenceKind, Outcome};

    #[test]
    fn evidence_of_others_is_of_their_kind_and_steers_no_terminal() {
        let sent = |kind| {
            let observation = Observation::new(kind, Outcome::Holds, "a\x1b[31m");
            serde_json::to_string(&observation.value("sides", vec!["\n".to_owned()])).expect("JSON")
        };
        let heard = evidence(&sent(EvidenceKind::PeerFlock)).expect("of peers");
        assert_eq!(heard.summary, "a?[31m");
        assert_eq!(heard.values.get("sides"), Some(&Value::List(vec!["?".to_owned()])));
        assert_eq!(evidence(&sent(EvidenceKind::ProbeFlock)), None, "measured here, not there");
        assert_eq!(evidence("{"), None);
    }
}

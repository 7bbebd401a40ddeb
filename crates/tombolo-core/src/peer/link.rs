//! From names to messages: one link for each pair of sides, at each of the two.
//!
//! A directory that is listed over a cache shows names late, out of order, again after they were
//! removed, or not at all. So messages have numbers and are handed out in their order, each once;
//! each name also says what its sender has heard, and what was not heard in time is said again
//! under new names. A side that has nothing to say says so now and then, because silence is how
//! the other learns that it is gone.
//!
//! Times are milliseconds of the caller's own clock. The clocks of two sides are never compared.

use super::part::{
    MESSAGE_BYTES_MAX, PARTS_MAX, PAYLOAD_BYTES_MAX, Part, PeerId, SEQUENCE_MAX, TRY_MAX,
};
use std::collections::BTreeMap;

/// A side that has said nothing for so long shows that it is there.
pub const BEAT_MS: u64 = 1_000;

/// What has not been heard after so long is said again.
pub const RESEND_MS: u64 = 4_000;

/// How far ahead of the last message in order one is kept.
pub const AHEAD_MAX: u32 = 64;

/// A message is longer than [`MESSAGE_BYTES_MAX`], or there have been too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message is too long, or the conversation is")]
pub struct TooLong;

/// What came out of one listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Messages, in their order.
    pub messages: Vec<Vec<u8>>,
    /// Own names that have served.
    pub remove: Vec<String>,
}

/// One end of the line between two sides.
#[derive(Debug)]
pub struct Link {
    own: PeerId,
    other: PeerId,
    said: u32,
    heard: u32,
    unheard: BTreeMap<u32, Said>,
    arriving: BTreeMap<u32, Arriving>,
    /// The newest name that was ever seen.
    newest: (u32, u8),
    said_at_ms: u64,
    heard_at_ms: u64,
}

/// A message that the other side has not confirmed.
#[derive(Debug)]
struct Said {
    payload: Vec<u8>,
    attempt: u8,
    at_ms: u64,
    names: Vec<String>,
}

/// A message of which not all parts have been seen.
#[derive(Debug)]
struct Arriving {
    parts: u8,
    seen: BTreeMap<u8, Vec<u8>>,
}

impl Link {
    /// A line on which nothing has been said.
    #[must_use]
    pub fn new(own: PeerId, other: PeerId, now_ms: u64) -> Self {
        Link {
            own,
            other,
            said: 0,
            heard: 0,
            unheard: BTreeMap::new(),
            arriving: BTreeMap::new(),
            newest: (0, 0),
            said_at_ms: now_ms,
            heard_at_ms: now_ms,
        }
    }

    /// The side at the other end.
    #[must_use]
    pub fn other(&self) -> PeerId {
        self.other
    }

    /// Says something: the names to make, in their order.
    ///
    /// # Errors
    /// See [`TooLong`].
    pub fn say(&mut self, payload: &[u8], now_ms: u64) -> Result<Vec<String>, TooLong> {
        let fits = (1..=MESSAGE_BYTES_MAX).contains(&payload.len()) && self.said < SEQUENCE_MAX;
        if !fits {
            return Err(TooLong);
        }
        self.said += 1;
        let names = self.names(self.said, payload, 0);
        let said =
            Said { payload: payload.to_vec(), attempt: 0, at_ms: now_ms, names: names.clone() };
        self.unheard.insert(self.said, said);
        self.said_at_ms = now_ms;
        Ok(names)
    }

    fn names(&self, sequence: u32, payload: &[u8], attempt: u8) -> Vec<String> {
        let pieces = payload.chunks(PAYLOAD_BYTES_MAX);
        let parts = u8::try_from(pieces.len()).unwrap_or(PARTS_MAX);
        (0..parts)
            .zip(pieces)
            .map(|(part, payload)| {
                let (from, to, heard) = (self.own, self.other, self.heard);
                let payload = payload.to_vec();
                Part { from, to, sequence, heard, attempt, part, parts, payload }.name()
            })
            .collect()
    }

    /// Takes what a listing shows. Names of other lines are passed over.
    pub fn hear<'a>(&mut self, shown: impl IntoIterator<Item = &'a Part>, now_ms: u64) -> Heard {
        let mut confirmed = 0;
        for part in shown {
            if part.from != self.other || part.to != self.own {
                continue;
            }
            if (part.sequence, part.attempt) > self.newest {
                self.newest = (part.sequence, part.attempt);
                self.heard_at_ms = now_ms;
            }
            confirmed = confirmed.max(part.heard.min(self.said));
            self.keep(part);
        }
        let mut result = Heard::default();
        while let Some(payload) = self.take_next() {
            result.messages.push(payload);
        }
        let unheard = self.unheard.split_off(&(confirmed + 1));
        let served = std::mem::replace(&mut self.unheard, unheard);
        result.remove = served.into_values().flat_map(|said| said.names).collect();
        result
    }

    fn keep(&mut self, part: &Part) {
        let wanted = part.sequence > self.heard && part.sequence - self.heard <= AHEAD_MAX;
        if !wanted {
            return;
        }
        let fresh = || Arriving { parts: part.parts, seen: BTreeMap::new() };
        let arriving = self.arriving.entry(part.sequence).or_insert_with(fresh);
        if arriving.parts == part.parts {
            arriving.seen.entry(part.part).or_insert_with(|| part.payload.clone());
        }
    }

    /// The message that follows the last one, if all of it has been seen.
    fn take_next(&mut self) -> Option<Vec<u8>> {
        let next = self.heard + 1;
        let arriving = self.arriving.get(&next)?;
        if arriving.seen.len() != usize::from(arriving.parts) {
            return None;
        }
        let whole = self.arriving.remove(&next)?;
        self.heard = next;
        Some(whole.seen.into_values().flatten().collect())
    }

    /// Says again what was not heard in time: the names to make.
    pub fn again(&mut self, now_ms: u64) -> Vec<String> {
        let late = |said: &Said| now_ms.saturating_sub(said.at_ms) >= RESEND_MS;
        let late: Vec<u32> = self
            .unheard
            .iter()
            .filter(|(_, said)| late(said) && said.attempt < TRY_MAX)
            .map(|(sequence, _)| *sequence)
            .collect();
        let mut made = Vec::new();
        for sequence in late {
            let Some(mut said) = self.unheard.remove(&sequence) else { continue };
            said.attempt += 1;
            said.at_ms = now_ms;
            let names = self.names(sequence, &said.payload, said.attempt);
            made.extend_from_slice(&names);
            said.names.extend(names);
            self.unheard.insert(sequence, said);
            self.said_at_ms = now_ms;
        }
        made
    }

    /// Whether it is time to show that one is there. While the other side has yet to hear
    /// [`AHEAD_MAX`] messages, more of them would not reach it.
    #[must_use]
    pub fn owes_a_beat(&self, now_ms: u64) -> bool {
        let room = self.unheard.len() < AHEAD_MAX as usize / 2;
        room && now_ms.saturating_sub(self.said_at_ms) >= BEAT_MS
    }

    /// Whether anything was ever heard of the other side.
    #[must_use]
    pub fn has_heard(&self) -> bool {
        self.newest != (0, 0)
    }

    /// How long the other side has been silent.
    #[must_use]
    pub fn silent_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.heard_at_ms)
    }

    /// Whether the other side has confirmed everything.
    #[must_use]
    pub fn all_heard(&self) -> bool {
        self.unheard.is_empty()
    }

    /// All own names that may still be there.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        self.unheard.values().flat_map(|said| said.names.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::part::LEADER;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const OTHER: PeerId = PeerId(7);

    /// Names of few senders, messages and parts, so that they meet.
    const NAMES: &str = r"peer(\.[07]){2}\.[1-9]{1,2}\.[0-9]\.0\.[0-3]\.[1-4]\.[0-9]0";

    fn pair() -> (Link, Link) {
        (Link::new(LEADER, OTHER, 0), Link::new(OTHER, LEADER, 0))
    }

    fn parts(names: &[String]) -> Vec<Part> {
        names.iter().map(|name| Part::parse(name.as_bytes()).expect("a part")).collect()
    }

    #[test]
    fn a_long_message_crosses_in_any_order_and_is_handed_out_once() {
        let (mut one, mut two) = pair();
        let payload: Vec<u8> = (0..500_u16).map(|n| (n % 251) as u8).collect();
        let mut shown = parts(&one.say(&payload, 0).expect("fits"));
        shown.reverse();
        let (last, rest) = shown.split_last().expect("parts");
        assert_eq!(two.hear(rest, 1), Heard::default());
        assert_eq!(two.hear([last], 2).messages, [payload]);
        assert_eq!(two.hear(&shown, 3), Heard::default(), "still listed, already heard");
    }

    #[test]
    fn what_was_confirmed_is_removed_and_what_was_not_is_said_again_under_new_names() {
        let (mut one, mut two) = pair();
        let first = one.say(b"first", 0).expect("fits");
        let second = one.say(b"second", 0).expect("fits");
        assert_eq!(two.hear(&parts(&first), 0).messages, [b"first"]);
        let answer = two.say(b"yes", 0).expect("fits");
        assert_eq!(one.hear(&parts(&answer), 0).remove, first);
        assert!(one.again(RESEND_MS - 1).is_empty());
        let again = one.again(RESEND_MS);
        assert!(again.iter().all(|name| !second.contains(name)));
        let both: Vec<String> = second.iter().chain(&again).cloned().collect();
        assert_eq!(one.left(), both);
        assert_eq!(two.hear(&parts(&both), 0).messages, [b"second"], "once, though twice said");
        assert!(!one.all_heard());
    }

    #[test]
    fn silence_is_ended_by_new_names_alone() {
        let (mut one, mut two) = pair();
        let shown = parts(&one.say(b"x", 0).expect("fits"));
        assert!(!two.has_heard());
        two.hear(&shown, 100);
        assert!(two.has_heard());
        two.hear(&shown, 5_000);
        assert_eq!(two.silent_ms(5_000), 4_900);
        assert!(one.owes_a_beat(BEAT_MS) && !one.owes_a_beat(BEAT_MS - 1));
    }

    #[test]
    fn a_message_from_the_far_future_or_of_another_line_is_not_kept() {
        let (_, mut two) = pair();
        let far = Part {
            from: LEADER,
            to: OTHER,
            sequence: AHEAD_MAX + 1,
            heard: 900,
            attempt: 0,
            part: 0,
            parts: 1,
            payload: vec![1],
        };
        let foreign = Part { from: PeerId(9), sequence: 1, ..far.clone() };
        assert_eq!(two.hear([&far, &foreign], 0), Heard::default());
        assert!(two.arriving.is_empty());
    }

    proptest! {
        #[test]
        fn whatever_is_shown_each_message_is_heard_once_and_little_is_kept(
            names in vec(NAMES, 0..80),
        ) {
            let shown: Vec<Part> =
                names.iter().filter_map(|name| Part::parse(name.as_bytes())).collect();
            let mut one = Link::new(LEADER, OTHER, 0);
            one.say(b"x", 0).expect("fits");
            let heard = one.hear(&shown, 0).messages.len();
            prop_assert_eq!(heard, one.heard as usize);
            prop_assert!(one.hear(&shown, 1).messages.is_empty());
            prop_assert!(one.arriving.len() <= AHEAD_MAX as usize);
        }
    }

    #[test]
    fn nothing_and_too_much_cannot_be_said() {
        let (mut one, _) = pair();
        assert_eq!(one.say(&[], 0), Err(TooLong));
        assert_eq!(one.say(&vec![0; MESSAGE_BYTES_MAX + 1], 0), Err(TooLong));
        assert_eq!(one.say(&vec![0; MESSAGE_BYTES_MAX], 0).map(|n| n.len()), Ok(99));
    }
}

//! Two and three sides on a directory that shows names late, in any order, again after their
//! removal, or never.

use super::link::{BEAT_MS, Link};
use super::part::{LEADER, Part, PeerId};
use std::collections::{BTreeMap, BTreeSet};

/// xorshift64*: the same seed, the same run.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of_seed(seed: u64) -> Self {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// What one kernel shows of one name.
struct Shown {
    from_ms: u64,
    until_ms: u64,
}

/// A directory as `eyes` different kernels see it.
struct Directory {
    chance: Chance,
    eyes: usize,
    /// One name in so many is never shown to one of the others; 0 for none.
    lost_one_in: u64,
    delay_ms: u64,
    names: BTreeMap<String, (Part, Vec<Shown>)>,
    /// How many names there have been; none may come twice.
    used: BTreeSet<String>,
}

impl Directory {
    fn create(&mut self, name: String, now_ms: u64) {
        let shown = (0..self.eyes).map(|_| {
            let lost = self.lost_one_in > 0 && self.chance.below(self.lost_one_in) == 0;
            let delay_ms = self.chance.below(self.delay_ms + 1);
            Shown { from_ms: if lost { u64::MAX } else { now_ms + delay_ms }, until_ms: u64::MAX }
        });
        let shown = shown.collect();
        let part = Part::parse(name.as_bytes()).expect("a part");
        assert!(self.used.insert(name.clone()), "a name was used twice");
        self.names.insert(name, (part, shown));
    }

    fn remove(&mut self, name: &str, now_ms: u64) {
        let Some((_, shown)) = self.names.get_mut(name) else { panic!("removed, but not there") };
        for shown in shown {
            shown.until_ms = now_ms + self.chance.below(self.delay_ms + 1);
        }
    }

    fn list(&mut self, eye: usize, now_ms: u64) -> Vec<Part> {
        self.names.retain(|_, (_, shown)| shown.iter().any(|shown| now_ms < shown.until_ms));
        let seen = self.names.values().filter(|(_, shown)| {
            let shown = &shown[eye];
            (shown.from_ms..shown.until_ms).contains(&now_ms)
        });
        let mut parts: Vec<Part> = seen.map(|(part, _)| part.clone()).collect();
        for place in (1..parts.len()).rev() {
            let other = self.chance.below(place as u64 + 1) as usize;
            parts.swap(place, other);
        }
        parts
    }
}

/// A line end that says so many numbered messages, as fast as it is answered.
struct Talker {
    link: Link,
    eye: usize,
    to_say: Vec<Vec<u8>>,
    said: usize,
    heard: Vec<Vec<u8>>,
    alive_until_ms: u64,
}

impl Talker {
    fn new(own: PeerId, other: PeerId, eye: usize, chance: &mut Chance) -> Self {
        let length = |chance: &mut Chance| 1 + chance.below(150) as usize;
        let to_say = (0..30_u8).map(|number| vec![number; length(chance)]).collect();
        let (said, heard, alive_until_ms) = (0, Vec::new(), u64::MAX);
        Talker { link: Link::new(own, other, 0), eye, to_say, said, heard, alive_until_ms }
    }

    fn turn(&mut self, directory: &mut Directory, now_ms: u64) {
        if now_ms >= self.alive_until_ms {
            return;
        }
        let heard = self.link.hear(&directory.list(self.eye, now_ms), now_ms);
        self.heard.extend(heard.messages.into_iter().filter(|message| message != b"beat"));
        for name in heard.remove {
            directory.remove(&name, now_ms);
        }
        let mut names = self.link.again(now_ms);
        if self.said < self.to_say.len() && self.said <= self.heard.len() {
            names.extend(self.link.say(&self.to_say[self.said], now_ms).expect("fits"));
            self.said += 1;
        } else if self.link.owes_a_beat(now_ms) {
            names.extend(self.link.say(b"beat", now_ms).expect("fits"));
        }
        for name in names {
            directory.create(name, now_ms);
        }
    }
}

fn directory(seed: u64, eyes: usize) -> Directory {
    let mut chance = Chance::of_seed(seed);
    let lost_one_in = [0, 0, 20, 5][chance.below(4) as usize];
    let delay_ms = [0, 30, 300, 3_000][chance.below(4) as usize];
    Directory { chance, eyes, lost_one_in, delay_ms, names: BTreeMap::new(), used: BTreeSet::new() }
}

const SEEDS: u64 = 40;

const TICK_MS: u64 = 100;

/// Longer than any silence of a side that is alive in these directories: a beat, its delay, and the
/// attempts that were lost.
const PATIENCE_MS: u64 = 40_000;

#[test]
fn every_message_arrives_once_and_in_order_whatever_the_directory_shows() {
    for seed in 0..SEEDS {
        let mut directory = directory(seed, 3);
        let mut chance = Chance(seed + 1);
        let others = [PeerId(11), PeerId(22)];
        let mut talkers: Vec<Talker> = Vec::new();
        for (index, other) in others.into_iter().enumerate() {
            talkers.push(Talker::new(LEADER, other, 0, &mut chance));
            talkers.push(Talker::new(other, LEADER, index + 1, &mut chance));
        }
        let mut now_ms = 0;
        let done = |talkers: &[Talker]| {
            talkers.iter().all(|talker| talker.heard.len() == talker.to_say.len())
        };
        while !done(&talkers) {
            for talker in &mut talkers {
                talker.turn(&mut directory, now_ms);
                assert!(talker.link.silent_ms(now_ms) < PATIENCE_MS, "seed {seed}");
            }
            now_ms += TICK_MS;
            assert!(now_ms < 4_000_000, "seed {seed}: it comes to no end");
        }
        for pair in talkers.chunks(2) {
            assert!(pair[0].heard == pair[1].to_say && pair[1].heard == pair[0].to_say);
        }
    }
}

#[test]
fn a_side_that_vanishes_at_any_moment_is_missed_in_time_and_nothing_false_is_heard() {
    for seed in 0..SEEDS {
        let mut directory = directory(seed, 2);
        let mut chance = Chance(seed + 1);
        let mut left = Talker::new(LEADER, PeerId(7), 0, &mut chance);
        let mut right = Talker::new(PeerId(7), LEADER, 1, &mut chance);
        right.alive_until_ms = chance.below(20_000);
        let mut now_ms = 0;
        while left.link.silent_ms(now_ms) < PATIENCE_MS {
            left.turn(&mut directory, now_ms);
            right.turn(&mut directory, now_ms);
            now_ms += TICK_MS;
            // The last name may be shown late, and no later.
            let latest = right.alive_until_ms + directory.delay_ms + PATIENCE_MS + 2 * TICK_MS;
            assert!(now_ms <= latest, "seed {seed}: missed too late");
        }
        assert!(now_ms >= right.alive_until_ms.min(BEAT_MS), "seed {seed}");
        assert_eq!(left.heard, right.to_say[..left.heard.len()], "seed {seed}");
        assert!(left.link.left().len() < 1_600, "seed {seed}: names grow without bound");
    }
}

//! Two sides over connections of which anybody may change, repeat, drop or add to the bytes, and
//! break off any of them; among callers who say whatever comes to mind.

use super::channel::{ANSWER_BYTES, CALL_BYTES, Call, Channel, NONCE_BYTES, Secret, answer};
use super::link::Link;
use super::part::{LEADER, Part, PeerId};
use super::simulation::Chance;

const OWN: PeerId = PeerId(7);
const TICK_MS: u64 = 100;
const SEEDS: u64 = 60;

/// Which bytes may be on their way at most, as in the buffers of a connection.
const UNDER_WAY_MAX: usize = 20_000;

/// A side, with what is on its way to it.
struct Side {
    link: Link,
    channel: Option<Channel>,
    coming: Vec<u8>,
    to_say: Vec<Vec<u8>>,
    said: usize,
    heard: Vec<Vec<u8>>,
}

impl Side {
    fn new(own: PeerId, other: PeerId, chance: &mut Chance) -> Self {
        let to_say =
            (0..20_u8).map(|number| vec![number; 1 + chance.below(200) as usize]).collect();
        let (said, heard, coming) = (0, Vec::new(), Vec::new());
        Side { link: Link::new(own, other, 0), channel: None, coming, to_say, said, heard }
    }

    /// Answers with what it sends.
    fn turn(&mut self, now_ms: u64) -> Vec<u8> {
        let arrived = std::mem::take(&mut self.coming);
        let contents = self.channel.as_mut().map(|channel| channel.open(&arrived));
        let contents = match contents {
            Some(Ok(contents)) => contents,
            Some(Err(_)) => {
                self.channel = None;
                Vec::new()
            }
            None => Vec::new(),
        };
        let shown: Vec<Part> = contents.iter().filter_map(|content| Part::parse(content)).collect();
        let heard = self.link.hear(&shown, now_ms).messages;
        self.heard.extend(heard.into_iter().filter(|message| message != b"beat"));
        let mut names = self.link.again(now_ms);
        if self.said < self.to_say.len() && self.said <= self.heard.len() {
            names.extend(self.link.say(&self.to_say[self.said], now_ms).expect("fits"));
            self.said += 1;
        } else if self.link.owes_a_beat(now_ms) {
            names.extend(self.link.say(b"beat", now_ms).expect("fits"));
        }
        let Some(channel) = &mut self.channel else { return Vec::new() };
        names.iter().flat_map(|name| channel.seal(name.as_bytes()).expect("fits")).collect()
    }
}

/// Does to bytes on their way what the owner of the network may.
struct Network {
    chance: Chance,
    /// One turn in so many is bad; 0 for none.
    bad_one_in: u64,
    recorded: Vec<u8>,
}

impl Network {
    fn carry(&mut self, sent: Vec<u8>, coming: &mut Vec<u8>) {
        if self.recorded.len() < UNDER_WAY_MAX {
            self.recorded.extend_from_slice(&sent);
        }
        coming.extend_from_slice(&sent);
        if self.bad_one_in == 0 || self.chance.below(self.bad_one_in) != 0 || coming.is_empty() {
            return;
        }
        let place = self.chance.below(coming.len() as u64) as usize;
        match self.chance.below(5) {
            0 => coming[place] ^= 1 << self.chance.below(8),
            1 => coming.truncate(place),
            2 => {
                let from = self.chance.below(self.recorded.len() as u64 + 1) as usize;
                coming.extend_from_slice(&self.recorded[from..]);
            }
            3 => drop(coming.drain(..place)),
            _ => coming.insert(place, self.chance.below(256) as u8),
        }
        coming.truncate(UNDER_WAY_MAX);
    }

    fn nonce(&mut self) -> [u8; NONCE_BYTES] {
        [(); NONCE_BYTES].map(|()| self.chance.below(256) as u8)
    }
}

fn secret() -> Secret {
    Secret::from_bytes([9; 16])
}

/// A new connection. The network may spoil it as well.
fn connect(caller: &mut Side, listener: &mut Side, network: &mut Network) {
    let call = Call::new(&secret(), network.nonce());
    let (mut sent, mut answered) = (Vec::new(), Vec::new());
    network.carry(call.bytes().to_vec(), &mut sent);
    let Some(sent) = sent.first_chunk::<CALL_BYTES>() else { return };
    let Some((bytes, theirs)) = answer(&secret(), sent, network.nonce()) else { return };
    (listener.channel, listener.coming) = (Some(theirs), Vec::new());
    network.carry(bytes.to_vec(), &mut answered);
    let Some(answered) = answered.first_chunk::<ANSWER_BYTES>() else { return };
    (caller.channel, caller.coming) = (call.answered(answered), Vec::new());
}

#[test]
fn what_is_heard_was_said_once_and_in_order_and_all_of_it_in_the_end() {
    for seed in 0..SEEDS {
        let mut chance = Chance::of_seed(seed);
        let mut caller = Side::new(OWN, LEADER, &mut chance);
        let mut listener = Side::new(LEADER, OWN, &mut chance);
        let bad_one_in = [0, 50, 10, 4][chance.below(4) as usize];
        let mut network = Network { chance, bad_one_in, recorded: Vec::new() };
        let (mut now_ms, mut connected_ms) = (0, 0);
        while caller.heard.len() < 20 || listener.heard.len() < 20 {
            // One end that is broken breaks the other.
            if caller.channel.is_none() || listener.channel.is_none() {
                (caller.channel, listener.channel) = (None, None);
                connect(&mut caller, &mut listener, &mut network);
                connected_ms = now_ms;
            }
            let sent = caller.turn(now_ms);
            network.carry(sent, &mut listener.coming);
            let sent = listener.turn(now_ms);
            network.carry(sent, &mut caller.coming);
            // What is cut off may never be missed in its own direction: then silence tells.
            let silent_ms = caller.link.silent_ms(now_ms).max(listener.link.silent_ms(now_ms));
            if silent_ms.min(now_ms - connected_ms) > 5_000 {
                caller.channel = None;
            }
            for (one, other) in [(&caller, &listener), (&listener, &caller)] {
                assert!(other.to_say.starts_with(&one.heard), "seed {seed}: never said");
            }
            now_ms += TICK_MS;
            assert!(now_ms < 2_000_000, "seed {seed}: it comes to no end");
        }
    }
}

#[test]
fn a_stranger_who_knows_all_but_the_secret_gets_no_answer() {
    let mut network = Network { chance: Chance::of_seed(1), bad_one_in: 1, recorded: Vec::new() };
    let good = Call::new(&secret(), network.nonce()).bytes();
    for _ in 0..5_000 {
        let mut call = Vec::new();
        network.carry(good.to_vec(), &mut call);
        let Some(call) = call.first_chunk::<CALL_BYTES>() else { continue };
        let answered = answer(&secret(), call, network.nonce()).is_some();
        assert!(!answered || *call == good, "a call that nobody made was answered");
    }
}

//! One side's talk with the others.

use super::post::Post;
use super::wire;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::peer::link::Link;
use tombolo_core::peer::message::{Leaving, Message, SIDES_MAX};
use tombolo_core::peer::part::{LEADER, PeerId};
use tombolo_os::signal;
use tombolo_os::worker::pause;

/// Between two looks at the directory: at first, and when nothing has come for a while.
const REST_MIN: Duration = Duration::from_millis(1);
const REST_MAX: Duration = Duration::from_millis(25);

/// Most sides that are listened to. Those that are not wanted are told so.
pub(super) const LINKS_MAX: usize = 4 * SIDES_MAX;

/// Why there is no talking any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    /// The directory was removed: whoever made it has ended.
    #[error("the directory in which the sides meet is gone: the side that made it has ended")]
    Directory,
    /// A call on it failed.
    #[error("the directory in which the sides meet does not work: {0}")]
    Call(Errno),
    /// There have been too many messages.
    #[error("the conversation has become too long")]
    TooLong,
    /// What the leader makes first does not appear.
    #[error("what the side that waits has made in the directory does not appear here")]
    NotShown,
    /// Nobody listens where the leader did.
    #[error("nothing listens any more where the side that leads did: it has ended")]
    Ended,
    /// The user of this side wishes it.
    #[error("this side was interrupted")]
    StopWanted,
}

impl From<Errno> for Lost {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::ENOENT | Errno::ESTALE => Lost::Directory,
            errno => Lost::Call(errno),
        }
    }
}

/// The lines to all others.
pub(super) struct Exchange {
    own: PeerId,
    post: Post,
    links: BTreeMap<PeerId, Link>,
    /// Those that are not listened to any more; their names may still be there.
    gone: BTreeSet<PeerId>,
    start: Instant,
    rest: Duration,
}

impl Exchange {
    pub(super) fn new(own: PeerId, post: Post) -> Self {
        let (mut links, gone) = (BTreeMap::new(), BTreeSet::new());
        if own != LEADER {
            links.insert(LEADER, Link::new(own, LEADER, 0));
        }
        Exchange { own, post, links, gone, start: Instant::now(), rest: REST_MIN }
    }

    /// By what the sides talk.
    pub(super) fn way(&self) -> &'static str {
        self.post.in_words()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Says something to one side. To one that is not known, nothing.
    ///
    /// # Errors
    /// Where there is no talking any more.
    pub(super) fn say(&mut self, to: PeerId, message: &Message) -> Result<(), Lost> {
        let now_ms = self.now_ms();
        let bytes = wire::to_bytes(message);
        let (Some(link), Some(bytes)) = (self.links.get_mut(&to), bytes) else { return Ok(()) };
        let names = link.say(&bytes, now_ms).map_err(|_| Lost::TooLong)?;
        self.rest = REST_MIN;
        names.iter().try_for_each(|name| self.post.put(to, name))
    }

    /// Hears what is there to be heard, says again what was not heard, shows that one is there.
    ///
    /// # Errors
    /// Where there is no talking any more, or the user of this side wants none.
    pub(super) fn poll(&mut self) -> Result<Vec<(PeerId, Message)>, Lost> {
        if signal::stop_wanted() { Err(Lost::StopWanted) } else { self.turn() }
    }

    fn turn(&mut self) -> Result<Vec<(PeerId, Message)>, Lost> {
        let parts = self.post.list()?;
        let now_ms = self.now_ms();
        if self.own == LEADER {
            let callers = parts.iter().filter(|part| part.to == self.own).map(|part| part.from);
            for caller in callers {
                let room = self.links.len() + self.gone.len() < LINKS_MAX;
                if room && !self.gone.contains(&caller) && !self.links.contains_key(&caller) {
                    self.links.insert(caller, Link::new(self.own, caller, now_ms));
                }
            }
        }
        let (mut messages, mut put, mut served) = (Vec::new(), Vec::new(), Vec::new());
        for link in self.links.values_mut() {
            let heard = link.hear(&parts, now_ms);
            served.extend(heard.remove);
            let said = heard.messages.iter().filter_map(|bytes| wire::message(bytes));
            messages.extend(said.map(|message| (link.other(), message)));
            let mut names = link.again(now_ms);
            if link.owes_a_beat(now_ms) {
                let still = wire::to_bytes(&Message::Still).unwrap_or_default();
                names.extend(link.say(&still, now_ms).unwrap_or_default());
            }
            put.extend(names.into_iter().map(|name| (link.other(), name)));
        }
        for name in served {
            self.post.remove(&name);
        }
        put.iter().try_for_each(|(to, name)| self.post.put(*to, name))?;
        messages.retain(|(_, message)| *message != Message::Still);
        self.rest = if messages.is_empty() { (self.rest * 2).min(REST_MAX) } else { REST_MIN };
        Ok(messages)
    }

    /// How long to do something else before the next [`Exchange::poll`].
    pub(super) fn rest(&self) -> Duration {
        self.rest
    }

    /// How long a side has said nothing. One that is not known has never spoken.
    pub(super) fn silence(&self, of: PeerId) -> Duration {
        let link = self.links.get(&of);
        Duration::from_millis(link.map_or(u64::MAX, |link| link.silent_ms(self.now_ms())))
    }

    /// Whether anything was ever heard of a side.
    pub(super) fn has_heard(&self, of: PeerId) -> bool {
        self.links.get(&of).is_some_and(Link::has_heard)
    }

    /// Listens to a side no longer, and removes what was said to it.
    pub(super) fn drop_link(&mut self, other: PeerId) {
        self.gone.insert(other);
        if let Some(link) = self.links.remove(&other) {
            for name in link.left() {
                self.post.remove(&name);
            }
        }
    }

    /// Says the last word, and waits a moment until it was heard. A wish to stop is the reason to
    /// say it, not to be silent.
    pub(super) fn leave(&mut self, why: Leaving, at_most: Duration) {
        let end = Instant::now() + at_most;
        let others: Vec<PeerId> = self.links.keys().copied().collect();
        for other in &others {
            if self.say(*other, &Message::Leave(why)).is_err() {
                return;
            }
        }
        let heard = |exchange: &Self| exchange.links.values().all(Link::all_heard);
        while !heard(self) && Instant::now() < end && self.turn().is_ok() {
            pause(self.rest);
        }
        for other in others {
            self.drop_link(other);
        }
    }
}

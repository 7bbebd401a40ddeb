//! What is said between sides.

use super::step::{Answer, STEPS_MAX, Step};
use crate::text::printable;
use serde::{Deserialize, Serialize};

/// Changes with the meaning of any message or step. Sides of different numbers do not talk.
pub const PROTOCOL: u16 = 2;

/// Longest text of a [`Hello`], in bytes.
const TEXT_BYTES_MAX: usize = 100;

/// Most sides of one conversation.
pub const SIDES_MAX: usize = 5;

/// Who somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// The boot id of its kernel, by which kernels are told apart; `None` where it is not known.
    pub boot_id: Option<String>,
    /// `uname -r`.
    pub release: String,
    /// `uname -n`.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// The type of the file system, as its mount table has it.
    pub filesystem: String,
}

impl Hello {
    /// With all texts short and free of control characters.
    #[must_use]
    pub fn bounded(self) -> Self {
        let short = |text: String| {
            let text = printable(text.as_bytes());
            let end =
                (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
        };
        Hello {
            protocol: self.protocol,
            boot_id: self.boot_id.map(short),
            release: short(self.release),
            host: short(self.host),
            version: short(self.version),
            filesystem: short(self.filesystem),
        }
    }
}

/// Why a side leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Leaving {
    /// Everything was said.
    Finished,
    /// Its user wished it.
    Interrupted,
    /// Another [`PROTOCOL`].
    OtherProtocol(u16),
    /// As many as were wanted are here already.
    Full,
    /// It does not find the directory in which the sides work, though it was told its name.
    NotFound,
    /// It may not work in that directory, which belongs to another user.
    OtherUser,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Message {
    /// A side introduces itself to the one that began.
    Hello(Hello),
    /// The answer: which number the side has, and who the others are, from 0 on.
    Welcome(u8, Vec<Hello>),
    /// Steps to be done, by their number; by a fresh process, which holds nothing, if the flag is
    /// set. Earlier steps that are not done yet are given up.
    Do(u32, bool, Vec<Step>),
    /// What came of the steps of this number.
    Did(u32, Did),
    /// A piece of evidence, as JSON: its values have no fixed types.
    Evidence(String),
    /// What was not examined.
    Missing(String),
    /// That was all of the evidence.
    Over,
    /// Nothing to say.
    Still,
    /// The last message.
    Leave(Leaving),
}

/// What came of steps. There are fewer answers than steps where the hand ended before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Did {
    /// One for each step that was done.
    pub answers: Vec<Answer>,
    /// How the process that did the steps came to an end, if it did.
    pub ended: Option<HandEnd>,
}

/// How a process that did steps ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum HandEnd {
    /// A signal killed it.
    Killed(i32),
    /// A call did not return in time.
    Hung,
    /// It could not be started, or failed by a fault of its own.
    Failed,
}

impl Message {
    /// Whether it keeps to the bounds of this module; what does not is not to be acted on.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        match self {
            Message::Do(_, _, steps) => {
                steps.len() <= STEPS_MAX && steps.iter().all(Step::is_bounded)
            }
            Message::Did(_, did) => did.answers.len() <= STEPS_MAX,
            Message::Welcome(number, sides) => {
                sides.len() <= SIDES_MAX && usize::from(*number) < SIDES_MAX
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::step::Opening;

    #[test]
    fn texts_of_strangers_are_short_and_steer_no_terminal() {
        let hello = Hello { host: format!("\x1b[31m{}", "\u{e9}".repeat(300)), ..Hello::default() };
        let host = hello.bounded().host;
        assert!(host.len() <= TEXT_BYTES_MAX && host.starts_with("?[31m"), "{host}");
    }

    #[test]
    fn too_many_steps_and_wild_ones_are_refused() {
        let step = Step::Open(0, 0, Opening::New);
        assert!(Message::Do(1, true, vec![step; STEPS_MAX]).is_bounded());
        assert!(!Message::Do(1, true, vec![step; STEPS_MAX + 1]).is_bounded());
        assert!(!Message::Do(1, true, vec![Step::Open(u8::MAX, 0, Opening::New)]).is_bounded());
        assert!(!Message::Welcome(SIDES_MAX as u8, Vec::new()).is_bounded());
    }
}

//! The parent's side: bytes of a pipe become messages.
//!
//! A frame is a tag, the length as four bytes, and as many bytes. So a message may hold any bytes,
//! and what was cut off by the death of the child is never taken for one.

use super::pipe_end::PipeEnd;
use super::{End, MESSAGE_BYTES_MAX, MESSAGES_BYTES_MAX, MESSAGES_MAX, PANIC_BYTES_MAX};
use crate::signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// How often the parent looks at the clock and at [`signal::stop_wanted`].
const TICK: Duration = Duration::from_millis(50);

const HEADER_BYTES: usize = 5;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Message = 0,
    /// A message that was too long to be sent.
    Lost = 1,
    /// What a panic said.
    Panic = 2,
}

impl Tag {
    pub(super) fn header(self, bytes: usize) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        [self as u8, a, b, c, d]
    }
}

/// What comes next from a child.
pub(super) enum Event {
    Message(Vec<u8>),
    /// It closed its end: it has ended, or is about to.
    Closed,
    /// It is not to be waited for any longer.
    Early(End),
}

/// What ends the waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heed {
    /// The deadline, and a wish of the user.
    Stop,
    DeadlineOnly,
}

/// Frames that arrive.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pipe: Option<PipeEnd>,
    pending: Vec<u8>,
    /// How much of `pending` has been taken.
    taken: usize,
    messages: usize,
    messages_bytes: usize,
    lost: usize,
    panic: String,
}

impl Inbox {
    pub(super) fn new(pipe: PipeEnd) -> Self {
        Inbox { pipe: Some(pipe), ..Inbox::default() }
    }

    pub(super) fn lost_any(&self) -> bool {
        self.lost > 0
    }

    pub(super) fn into_panic_text(self) -> String {
        self.panic
    }

    pub(super) fn next(&mut self, deadline: Instant, heed: Heed) -> Event {
        loop {
            match self.take() {
                Ok(Some(message)) => return Event::Message(message),
                Ok(None) => {}
                Err(TooMany) => return Event::Early(End::TooManyMessages),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Event::Early(End::DeadlinePassed { call: None });
            }
            if heed == Heed::Stop && signal::stop_wanted() {
                return Event::Early(End::StopWanted);
            }
            match self.read(left.min(TICK)) {
                Arrived::Bytes | Arrived::Nothing => {}
                Arrived::End => return Event::Closed,
            }
        }
    }

    /// What is in the pipe of a child that was killed.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.take() {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(TooMany) => return None,
            }
            match self.read(Duration::ZERO) {
                Arrived::Bytes => {}
                Arrived::Nothing | Arrived::End => return None,
            }
        }
    }

    fn read(&mut self, wait: Duration) -> Arrived {
        let Some(pipe) = &self.pipe else { return Arrived::End };
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        let mut watched = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(0) | Err(_) => return Arrived::Nothing,
            Ok(_) => {}
        }
        self.pending.drain(..self.taken);
        self.taken = 0;
        let mut buffer = [0; 16 * 1024];
        match pipe.file().read(&mut buffer) {
            Ok(0) | Err(_) => Arrived::End,
            Ok(count) => {
                self.pending.extend_from_slice(buffer.get(..count).unwrap_or_default());
                Arrived::Bytes
            }
        }
    }

    /// The next message that has arrived whole.
    fn take(&mut self) -> Result<Option<Vec<u8>>, TooMany> {
        loop {
            let waiting = self.pending.get(self.taken..).unwrap_or_default();
            let Some((&[tag, a, b, c, d], rest)) = waiting.split_first_chunk() else {
                return Ok(None);
            };
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            if length > MESSAGE_BYTES_MAX {
                return Err(TooMany);
            }
            let Some(content) = rest.get(..length) else { return Ok(None) };
            let content = content.to_vec();
            self.taken += HEADER_BYTES + length;
            self.messages += 1;
            self.messages_bytes += length;
            if self.messages > MESSAGES_MAX || self.messages_bytes > MESSAGES_BYTES_MAX {
                return Err(TooMany);
            }
            if tag == Tag::Message as u8 {
                return Ok(Some(content));
            } else if tag == Tag::Lost as u8 {
                self.lost += 1;
            } else {
                let kept = content.get(..PANIC_BYTES_MAX).unwrap_or(&content);
                self.panic = tombolo_core::text::printable(kept);
            }
        }
    }
}

enum Arrived {
    Bytes,
    Nothing,
    End,
}

struct TooMany;

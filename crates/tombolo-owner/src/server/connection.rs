//! One connection, which is never waited for.

use std::io::ErrorKind;
use tombolo_core::wire::frame::Frame;
use tombolo_core::wire::{FrameReader, Malformed, Reply};
use tombolo_os::socket::Stream;

/// Bytes that are received at a time, or as many as a frame has that has begun: what an idle
/// connection costs.
const RECEIVE_BYTES: usize = 1 << 10;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ended {
    /// By the other side, or the network.
    #[error("the connection has ended")]
    Gone,
    /// What came is no message.
    #[error("what came is no message: {0}")]
    Malformed(Malformed),
    /// What came is one, at a time when nobody says that.
    #[error("this was not to be said now")]
    OutOfPlace,
    /// It was turned away.
    #[error("it was turned away")]
    Refused,
    /// The owner ends.
    #[error("the owner ends")]
    Stop,
}

/// Who is calling.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    pub(super) boot_id: String,
    pub(super) process: u32,
    pub(super) program: String,
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    reader: FrameReader,
    unsent: Vec<u8>,
    pub(super) caller: Caller,
}

/// Whether there was something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Bytes,
    Nothing,
}

/// Whether all is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    All,
    /// The other side does not read. Nothing more is heard from it until it does.
    Waiting,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        let reader = FrameReader::default();
        Connection { stream, reader, unsent: Vec::new(), caller: Caller::default() }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Whether the other side has to read first.
    pub(super) fn is_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Receives what is there, up to the end of a frame.
    pub(super) fn receive(&mut self) -> Result<Received, Ended> {
        let mut received = Received::Nothing;
        loop {
            let room = self.reader.room(RECEIVE_BYTES);
            let room_bytes = room.len();
            match self.stream.receive(room) {
                // The end is heard again.
                Ok(0) if received == Received::Bytes => return Ok(received),
                Ok(0) => return Err(Ended::Gone),
                Ok(count) => {
                    self.reader.arrived(count);
                    received = Received::Bytes;
                    if count < room_bytes || self.reader.is_ready() {
                        return Ok(received);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(received),
                Err(_) => return Err(Ended::Gone),
            }
        }
    }

    /// The next message, unless the other side has to read first.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Ended> {
        if !self.unsent.is_empty() {
            return Ok(None);
        }
        self.reader.next_frame().map_err(Ended::Malformed)
    }

    /// Sends a reply, as far as the other side takes it.
    pub(super) fn send(&mut self, reply: &Reply) -> Result<Flushed, Ended> {
        reply.encode(&mut self.unsent);
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Result<Flushed, Ended> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.stream.send(self.unsent.get(sent..).unwrap_or_default()) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.drain(..sent);
                    return Ok(Flushed::Waiting);
                }
                Err(_) => return Err(Ended::Gone),
            }
        }
        // What a window of pages took is given back.
        self.unsent = Vec::new();
        Ok(Flushed::All)
    }
}

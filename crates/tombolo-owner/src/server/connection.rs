//! One connection, which is never waited for.

use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tombolo_core::wire::frame::Frame;
use tombolo_core::wire::limits::NEWCOMER_FRAME_BYTES_MAX;
use tombolo_core::wire::{FrameReader, Malformed, Reply};
use tombolo_os::socket::Stream;
use tombolo_os::socket::tls::TlsError;

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
    /// It came over a network, and has other credentials than it should, or none.
    #[error("it has not the credentials of this owner")]
    Stranger,
    /// It came over a network where everything is encrypted.
    #[error("it does not speak TLS")]
    NotTls,
    /// What came is one, at a time when nobody says that.
    #[error("this was not to be said now")]
    OutOfPlace,
    /// A request was begun and not finished, or an answer not read, for too long.
    #[error("it left a request or an answer unfinished for too long")]
    Late,
    /// It said nothing for very long.
    #[error("it said nothing for too long")]
    Silent,
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
    /// How much of that is sent.
    sent: usize,
    /// What was encrypted is not sent.
    is_sealed_unsent: bool,
    /// When something came last.
    heard: Instant,
    /// Messages that came or went whole.
    messages: u64,
    /// Since when the same message is unfinished, as far as was looked, and how many were whole.
    unfinished: Option<(Instant, u64)>,
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
        let reader = FrameReader::with_limit(NEWCOMER_FRAME_BYTES_MAX);
        Connection {
            stream,
            reader,
            unsent: Vec::new(),
            sent: 0,
            is_sealed_unsent: false,
            heard: Instant::now(),
            messages: 0,
            unfinished: None,
            caller: Caller::default(),
        }
    }

    /// It has said what it wants: from now on it may say as much as a session.
    pub(super) fn let_in(&mut self) {
        self.reader.lift_limit();
    }

    /// Where it comes from; `None` of a Unix socket.
    pub(super) fn address(&self) -> Option<String> {
        self.stream.peer().map(|peer| peer.to_string())
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Whether the other side has to read first.
    pub(super) fn is_unsent(&self) -> bool {
        !self.unsent.is_empty() || self.is_sealed_unsent
    }

    /// Whether the same request has been unfinished, or the same answer not read, for so long.
    pub(super) fn is_unfinished_for(&mut self, time: Duration, now: Instant) -> bool {
        if !self.is_unsent() && !self.reader.has_rest() {
            self.unfinished = None;
            return false;
        }
        match self.unfinished {
            Some((since, messages)) if messages == self.messages => {
                now.duration_since(since) >= time
            }
            _ => {
                self.unfinished = Some((now, self.messages));
                false
            }
        }
    }

    /// Whether nothing has come for so long.
    pub(super) fn is_silent_for(&self, time: Duration, now: Instant) -> bool {
        now.duration_since(self.heard) >= time
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
                    self.heard = Instant::now();
                    self.reader.arrived(count);
                    received = Received::Bytes;
                    // Of what is decrypted already no poller tells.
                    let may_stop = self.reader.is_ready() && !self.stream.is_encrypted();
                    if count < room_bytes || may_stop {
                        return Ok(received);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(received),
                Err(error) => {
                    return Err(match TlsError::of(&error) {
                        Some(TlsError::NotTls) => Ended::NotTls,
                        Some(_) => Ended::Stranger,
                        None => Ended::Gone,
                    });
                }
            }
        }
    }

    /// The next message, unless the other side has to read first.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Ended> {
        if self.is_unsent() {
            return Ok(None);
        }
        let frame = self.reader.next_frame().map_err(Ended::Malformed)?;
        self.messages += u64::from(frame.is_some());
        Ok(frame)
    }

    /// Sends a reply, as far as the other side takes it.
    pub(super) fn send(&mut self, reply: &Reply) -> Result<Flushed, Ended> {
        self.send_by(reply, &mut Vec::new())
    }

    /// The same, with memory for the message, of which the next one makes use.
    pub(super) fn send_by(&mut self, reply: &Reply, room: &mut Vec<u8>) -> Result<Flushed, Ended> {
        if self.is_unsent() {
            reply.encode(&mut self.unsent);
            return self.flush();
        }
        room.clear();
        reply.encode(room);
        let sent = send_some(&mut self.stream, room)?;
        let rest = room.get(sent..).unwrap_or_default();
        if rest.is_empty() {
            return self.all_sent();
        }
        self.unsent.extend_from_slice(rest);
        Ok(Flushed::Waiting)
    }

    pub(super) fn flush(&mut self) -> Result<Flushed, Ended> {
        let unsent = self.unsent.get(self.sent..).unwrap_or_default();
        self.sent += send_some(&mut self.stream, unsent)?;
        if self.sent < self.unsent.len() {
            return Ok(Flushed::Waiting);
        }
        // What a window of pages took is given back.
        (self.unsent, self.sent) = (Vec::new(), 0);
        self.all_sent()
    }

    fn all_sent(&mut self) -> Result<Flushed, Ended> {
        self.messages += 1;
        let flushed = self.stream.flush();
        self.is_sealed_unsent = flushed.is_err();
        match flushed {
            Ok(()) => Ok(Flushed::All),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Flushed::Waiting),
            Err(_) => Err(Ended::Gone),
        }
    }
}

/// How many of the bytes the other side has room for.
fn send_some(stream: &mut Stream, bytes: &[u8]) -> Result<usize, Ended> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.send(bytes.get(sent..).unwrap_or_default()) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return Err(Ended::Gone),
        }
    }
    Ok(sent)
}

//! What the lab and the agent in a guest say to each other: one TCP connection for each request.
//!
//! A frame is a kind (one byte), a length (four, big-endian) and that many bytes. The lab's first
//! frame is a [`Request`]; all that follow are said by the kind.

use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// Changes with the protocol: an agent of another build is recognised, not misunderstood.
pub(crate) const VERSION: u32 = 1;

/// Where the agent listens in every guest.
pub(crate) const PORT: u16 = 7000;

/// What the agent writes on the console when it listens.
pub(crate) const READY: &str = "tombolo-lab: ready";

/// Where the script of the initramfs leaves the secret for the agent, which removes it. It is not
/// among the kernel's arguments: those are QEMU's, which every user of the host can read.
pub(crate) const SECRET_FILE: &str = "/run/tombolo-lab.secret";

/// The most bytes in one frame.
pub(crate) const FRAME_BYTES_MAX: usize = 256 << 10;

/// The most bytes that one file or one stream of a command may have.
pub(crate) const STREAM_BYTES_MAX: usize = 256 << 20;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A [`Request`] as JSON.
    Request = 1,
    /// Bytes for standard input, or of a file that is put.
    Input = 2,
    /// The end of these.
    InputEnd = 3,
    /// A signal for the command's process group: its number as text.
    Signal = 4,
    /// Bytes of standard output, or of a file that is got.
    Output = 5,
    /// Bytes of standard error.
    Errors = 6,
    /// The last frame of the agent: an [`Answer`] as JSON.
    Answer = 7,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        [
            Kind::Request,
            Kind::Input,
            Kind::InputEnd,
            Kind::Signal,
            Kind::Output,
            Kind::Errors,
            Kind::Answer,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// What the lab asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) version: u32,
    pub(crate) secret: String,
    pub(crate) action: Action,
}

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Action {
    /// Run a command.
    Run {
        argv: Vec<String>,
        environment: Vec<(String, String)>,
        directory: Option<String>,
        /// By the guest's clock, which stands still while the guest is paused.
        timeout_ms: Option<u64>,
    },
    /// Make a file of what follows as input.
    Put { path: String, mode: u32 },
    /// Read a file.
    Get { path: String },
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The command ended: its code, or the signal that killed it.
    Ended { code: Option<i32>, signal: Option<i32>, timed_out: bool },
    /// The file is there, or all of it was sent.
    Done,
    /// It could not be done.
    Failed { message: String, errno: Option<i32> },
}

impl Answer {
    pub(crate) fn failed(what: &str, error: &io::Error) -> Answer {
        Answer::Failed { message: format!("{what}: {error}"), errno: error.raw_os_error() }
    }
}

/// Sends one frame; longer content goes out as several.
pub(crate) fn send(stream: &mut impl Write, kind: Kind, content: &[u8]) -> io::Result<()> {
    let mut rest = content;
    loop {
        let (piece, after) = rest.split_at(rest.len().min(FRAME_BYTES_MAX));
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        let mut frame = Vec::with_capacity(piece.len() + 5);
        frame.push(kind as u8);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(piece);
        stream.write_all(&frame)?;
        rest = after;
        if rest.is_empty() {
            return stream.flush();
        }
    }
}

/// Sends a value as one frame.
pub(crate) fn send_value(
    stream: &mut impl Write,
    kind: Kind,
    value: &impl Serialize,
) -> io::Result<()> {
    let content = serde_json::to_vec(value)?;
    if content.len() > FRAME_BYTES_MAX {
        let message = format!("{} bytes, at most {FRAME_BYTES_MAX} go into one", content.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    send(stream, kind, &content)
}

/// The next frame; `None` where the other side has ended between two of them.
pub(crate) fn receive(stream: &mut impl Read) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut head = [0; 5];
    if stream.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..])?;
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    let kind = Kind::of(kind).ok_or_else(|| invalid("a frame of an unknown kind"))?;
    if length > FRAME_BYTES_MAX {
        return Err(invalid("a frame longer than any may be"));
    }
    let mut content = vec![0; length];
    stream.read_exact(&mut content)?;
    Ok(Some((kind, content)))
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_sent() {
        let mut wire = Vec::new();
        let long = vec![7; FRAME_BYTES_MAX + 1];
        send(&mut wire, Kind::Output, &long).expect("sent");
        send(&mut wire, Kind::InputEnd, b"").expect("sent");
        let mut from = wire.as_slice();
        let first = receive(&mut from).expect("whole").expect("there");
        assert_eq!((first.0, first.1.len()), (Kind::Output, FRAME_BYTES_MAX));
        assert_eq!(receive(&mut from).expect("whole"), Some((Kind::Output, vec![7])));
        assert_eq!(receive(&mut from).expect("whole"), Some((Kind::InputEnd, vec![])));
        assert_eq!(receive(&mut from).expect("the end"), None);
    }

    #[test]
    fn what_is_too_long_unknown_or_cut_is_refused() {
        for bad in [&[2, 0xff, 0, 0, 0][..], &[99, 0, 0, 0, 0], &[2, 0, 0, 0, 9, 1], &[2, 0]] {
            let mut from = bad;
            assert!(receive(&mut from).is_err(), "{bad:?}");
        }
        let huge = "x".repeat(FRAME_BYTES_MAX);
        assert!(send_value(&mut Vec::new(), Kind::Request, &huge).is_err());
    }
}

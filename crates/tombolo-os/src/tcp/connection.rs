//! One connection on which both sides have shown that they know the secret, or are about to.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use tombolo_core::peer::channel::Channel;

/// Most bytes that are kept for a side that does not read; ten of the longest messages.
const UNSENT_BYTES_MAX: usize = 256 * 1024;

/// Most bytes that are read at a time, so that one side cannot keep this one from the others.
const READ_BYTES_MAX: usize = 64 * 1024;

const BUFFER_BYTES: usize = 4096;

/// What was said broke off, by whatever: there is no use in telling how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Never waits. Its end is told to the other side, even where a child that hangs holds a copy.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    channel: Channel,
    unsent: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, channel: Channel) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, channel, unsent: Vec::new() })
    }

    /// Sends these bytes as they are, which no frame may precede.
    pub(super) fn send_bare(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.unsent.extend_from_slice(bytes);
        self.flush()
    }

    pub(super) fn send(&mut self, content: &[u8]) -> Result<(), Broken> {
        // What is too long for a frame is not sent; no name is.
        let frame = self.channel.seal(content).unwrap_or_default();
        if self.unsent.len() + frame.len() > UNSENT_BYTES_MAX {
            return Err(Broken);
        }
        self.unsent.extend_from_slice(&frame);
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Broken> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(Broken),
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// What has arrived by now.
    pub(super) fn receive(&mut self) -> Result<Vec<Vec<u8>>, Broken> {
        self.flush()?;
        let (mut contents, mut count) = (Vec::new(), 0);
        let mut buffer = [0; BUFFER_BYTES];
        while count < READ_BYTES_MAX {
            match self.stream.read(&mut buffer) {
                // What was said before the end counts; the next turn finds the end again.
                Ok(0) if contents.is_empty() => return Err(Broken),
                Ok(0) => break,
                Ok(length) => {
                    let arrived = buffer.get(..length).unwrap_or_default();
                    contents.extend(self.channel.open(arrived).map_err(|_| Broken)?);
                    count += length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if contents.is_empty() => return Err(Broken),
                Err(_) => break,
            }
        }
        Ok(contents)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

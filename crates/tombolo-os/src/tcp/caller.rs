//! The side that calls.

use super::connection::{Broken, Connection};
use super::listener::parts;
use super::{INTRODUCTION_TIME, fresh_nonce};
use crate::error::errno_of;
use crate::worker::pause;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::peer::channel::{ANSWER_BYTES, Call};
use tombolo_core::peer::invitation::Endpoint;
use tombolo_core::peer::part::Part;

/// Between two calls, where the connection broke.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a call in the middle of the conversation is waited for: meanwhile nothing else is done.
const AGAIN_TIME: Duration = Duration::from_secs(1);

/// Why a side was not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotMet {
    /// No connection was made.
    #[error("connect({address}): {errno}")]
    NotConnected {
        /// Who was called.
        address: SocketAddr,
        /// What the kernel said.
        errno: Errno,
    },
    /// Whoever listens there did not answer as one who knows the secret.
    #[error("what listens at {address} does not know this code")]
    Stranger {
        /// Who was called.
        address: SocketAddr,
    },
    /// A call to the kernel failed.
    #[error("the connection could not be set up: {0}")]
    Failed(Errno),
}

/// Talks with the one side that listens.
#[derive(Debug)]
pub struct Caller {
    endpoint: Endpoint,
    connection: Option<Connection>,
    /// When to call again.
    next: Instant,
}

impl Caller {
    /// Calls, and answers with what it was greeted with.
    ///
    /// # Errors
    /// See [`NotMet`].
    pub fn call(endpoint: Endpoint, within: Duration) -> Result<(Self, Vec<u8>), NotMet> {
        let mut connection = connect(&endpoint, within)?;
        let stranger = NotMet::Stranger { address: endpoint.address() };
        let end = Instant::now() + INTRODUCTION_TIME;
        let greeting = loop {
            // Nothing but the greeting comes before this side has said something.
            if let Some(first) = connection.receive().map_err(|_| stranger)?.into_iter().next() {
                break first;
            }
            if Instant::now() > end || crate::signal::stop_wanted() {
                return Err(stranger);
            }
            pause(Duration::from_millis(1));
        };
        let next = Instant::now();
        Ok((Caller { endpoint, connection: Some(connection), next }, greeting))
    }

    /// Sends a name. What is not heard is lost, until this side is connected again.
    pub fn put(&mut self, name: &str) {
        let sent = self.connection.as_mut().map(|connection| connection.send(name.as_bytes()));
        if sent == Some(Err(Broken)) {
            self.connection = None;
        }
    }

    /// What has arrived since the last time. Calls again if the connection broke.
    ///
    /// # Errors
    /// `ECONNREFUSED` where nobody listens any more.
    pub fn list(&mut self) -> Result<Vec<Part>, Errno> {
        if self.connection.is_none() && Instant::now() >= self.next {
            match connect(&self.endpoint, AGAIN_TIME) {
                Ok(connection) => self.connection = Some(connection),
                Err(NotMet::NotConnected { errno: Errno::ECONNREFUSED, .. }) => {
                    return Err(Errno::ECONNREFUSED);
                }
                Err(_) => self.next = Instant::now() + PAUSE,
            }
        }
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        match connection.receive() {
            Ok(contents) => Ok(parts(&contents).collect()),
            Err(Broken) => {
                self.connection = None;
                Ok(Vec::new())
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_cut(&self) -> bool {
        self.connection.is_none()
    }

    #[cfg(test)]
    pub(super) fn cut(&mut self) {
        self.connection = None;
    }
}

fn connect(endpoint: &Endpoint, within: Duration) -> Result<Connection, NotMet> {
    let address = endpoint.address();
    let mut stream = TcpStream::connect_timeout(&address, within)
        .map_err(|error| NotMet::NotConnected { address, errno: connect_errno(&error) })?;
    let failed = |error: std::io::Error| NotMet::Failed(errno_of(&error));
    let patience = Some(within.min(INTRODUCTION_TIME));
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(patience).map_err(failed)?;
    stream.set_write_timeout(patience).map_err(failed)?;
    let call = Call::new(endpoint.secret(), fresh_nonce().map_err(failed)?);
    let mut answer = [0; ANSWER_BYTES];
    let talked = stream.write_all(&call.bytes()).and_then(|()| stream.read_exact(&mut answer));
    let channel = talked.ok().and_then(|()| call.answered(&answer));
    let channel = channel.ok_or(NotMet::Stranger { address })?;
    Connection::new(stream, channel).map_err(failed)
}

/// `connect_timeout` makes up its own error when the time is over.
fn connect_errno(error: &std::io::Error) -> Errno {
    match error.kind() {
        std::io::ErrorKind::TimedOut => Errno::ETIMEDOUT,
        _ => errno_of(error),
    }
}

//! The side that is called.

use super::connection::{Broken, Connection};
use super::{INTRODUCTION_TIME, fresh_nonce};
use crate::error::CallError;
use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;
use tombolo_core::peer::channel::{self, CALL_BYTES, Secret};
use tombolo_core::peer::part::{Part, PeerId};

/// Most callers who have not said anything yet. One more takes the place of the oldest.
const STRANGERS_MAX: usize = 32;

/// Most calls that are taken at a time.
const ACCEPTS_MAX: usize = 16;

/// Hears all who call and know the secret.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    secret: Secret,
    greeting: Vec<u8>,
    strangers: VecDeque<Stranger>,
    sides: BTreeMap<PeerId, Box<Connection>>,
    sides_max: usize,
}

/// Somebody who has called and is not known yet.
#[derive(Debug)]
struct Stranger {
    since: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Has not said all of a call.
    Calls { stream: TcpStream, call: [u8; CALL_BYTES], arrived: usize },
    /// Has sent a call that somebody made who knows the secret. That may have been somebody else.
    Answered(Box<Connection>),
}

/// What became of a stranger.
enum Step {
    Waits(State),
    /// Has said something: is the side that it says it is.
    Known(PeerId, Box<Connection>, Vec<Part>),
    Gone,
}

impl Listener {
    /// Listens at an address; port 0 is any that is free. Each side that calls is greeted with some
    /// bytes, and at most so many are listened to.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn bind(
        address: SocketAddr,
        secret: Secret,
        greeting: &[u8],
        sides_max: usize,
    ) -> Result<Self, CallError> {
        let place = address.to_string();
        let refused = |call| {
            let place = place.clone();
            move |error| CallError::new(call, Path::new(&place), &error)
        };
        let socket = TcpListener::bind(address).map_err(refused("bind"))?;
        socket.set_nonblocking(true).map_err(refused("fcntl"))?;
        let address = socket.local_addr().map_err(refused("getsockname"))?;
        let (strangers, sides) = (VecDeque::new(), BTreeMap::new());
        let greeting = greeting.to_vec();
        Ok(Listener { socket, address, secret, greeting, strangers, sides, sides_max })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a name to a side. One that does not hear has to call again.
    pub fn put(&mut self, to: PeerId, name: &str) {
        let sent = self.sides.get_mut(&to).map(|side| side.send(name.as_bytes()));
        if sent == Some(Err(Broken)) {
            self.sides.remove(&to);
        }
    }

    /// What has arrived since the last time. It cannot fail: whatever is wrong with one connection
    /// is no harm to the others.
    pub fn list(&mut self) -> Vec<Part> {
        self.accept();
        let mut heard = Vec::new();
        for _ in 0..self.strangers.len() {
            let Some(Stranger { since, state }) = self.strangers.pop_front() else { break };
            let late = since.elapsed() > INTRODUCTION_TIME;
            match self.step(state) {
                Step::Waits(state) if !late => self.strangers.push_back(Stranger { since, state }),
                Step::Known(id, connection, parts) => {
                    // A side that calls again has lost the connection that it had.
                    if self.sides.len() < self.sides_max || self.sides.contains_key(&id) {
                        self.sides.insert(id, connection);
                        heard.extend(parts);
                    }
                }
                Step::Waits(_) | Step::Gone => {}
            }
        }
        self.sides.retain(|id, side| match side.receive() {
            Ok(contents) => {
                heard.extend(parts(&contents).filter(|part| part.from == *id));
                true
            }
            Err(Broken) => false,
        });
        heard
    }

    fn accept(&mut self) {
        // An error is of one call, or passes when others have gone (accept(2)).
        for stream in self.socket.incoming().take(ACCEPTS_MAX) {
            let Ok(stream) = stream else { return };
            if stream.set_nonblocking(true).is_err() || stream.set_nodelay(true).is_err() {
                continue;
            }
            if self.strangers.len() == STRANGERS_MAX {
                self.strangers.pop_front();
            }
            let state = State::Calls { stream, call: [0; CALL_BYTES], arrived: 0 };
            self.strangers.push_back(Stranger { since: Instant::now(), state });
        }
    }

    fn step(&self, state: State) -> Step {
        match state {
            State::Calls { mut stream, mut call, mut arrived } => {
                while let Some(room) = call.get_mut(arrived..).filter(|room| !room.is_empty()) {
                    match stream.read(room) {
                        Ok(0) => return Step::Gone,
                        Ok(length) => arrived += length,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            return Step::Waits(State::Calls { stream, call, arrived });
                        }
                        Err(_) => return Step::Gone,
                    }
                }
                self.answer(stream, &call)
                    .map_or(Step::Gone, |c| Step::Waits(State::Answered(Box::new(c))))
            }
            State::Answered(mut connection) => match connection.receive() {
                Err(Broken) => Step::Gone,
                Ok(contents) => {
                    let mut parts = parts(&contents);
                    let Some(first) = parts.next() else {
                        return Step::Waits(State::Answered(connection));
                    };
                    let id = first.from;
                    let rest = parts.filter(|part| part.from == id);
                    let parts = std::iter::once(first).chain(rest).collect();
                    Step::Known(id, connection, parts)
                }
            },
        }
    }

    fn answer(&self, stream: TcpStream, call: &[u8; CALL_BYTES]) -> Option<Connection> {
        let (answer, channel) = channel::answer(&self.secret, call, fresh_nonce().ok()?)?;
        let mut connection = Connection::new(stream, channel).ok()?;
        connection.send_bare(&answer).ok()?;
        connection.send(&self.greeting).ok()?;
        Some(connection)
    }

    #[cfg(test)]
    pub(super) fn strangers(&self) -> usize {
        self.strangers.len()
    }
}

/// A child that hangs may hold a copy of the socket. Nobody is to wait for it.
impl Drop for Listener {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }
}

/// What does not read as a name is passed over, as in a directory.
pub(super) fn parts(contents: &[Vec<u8>]) -> impl Iterator<Item = Part> {
    contents.iter().filter_map(|content| Part::parse(content))
}

//! One connection.

use super::network;
use super::tls::{DoorTls, OwnerTls, Session};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::wire::address::Endpoint;

/// A connection, over whatever.
#[derive(Debug)]
pub struct Stream {
    descriptor: OwnedFd,
    peer: Option<Endpoint>,
    tls: Option<Box<Session>>,
}

/// Whether a call waits for the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It does.
    Blocking,
    /// It fails with `EAGAIN`.
    NonBlocking,
}

/// What came of waiting for the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// There is something to receive, or the end.
    Something,
    /// Not yet.
    Nothing,
}

impl Stream {
    pub(super) fn new(descriptor: OwnedFd, peer: Option<Endpoint>) -> Self {
        Stream { descriptor, peer, tls: None }
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// `connect(2)`: `ENOENT` where nothing is at the path, `ECONNREFUSED` where nobody listens.
    pub fn connect_unix(path: &Path) -> io::Result<Self> {
        let descriptor = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let address = super::path::address(path)?;
        rustix::net::connect(&descriptor, &address.address)?;
        Ok(Stream::new(descriptor, None))
    }

    /// Connects over a network, `within` a time. A side that has been silent for about `silence`
    /// without being there is given up.
    ///
    /// # Errors
    /// `connect(2)`, `setsockopt(2)`.
    pub fn connect_network(
        endpoint: Endpoint,
        within: Duration,
        silence: Duration,
    ) -> io::Result<Self> {
        network::connect(endpoint, within, silence)
    }

    /// Who is at the other end of a network; `None` of a Unix socket.
    #[must_use]
    pub fn peer(&self) -> Option<Endpoint> {
        self.peer
    }

    /// Whether what is received is decrypted first. Then there may be more of it in here than was
    /// asked for, of which who polls the descriptor hears nothing: a call that filled its buffer is
    /// to be made again.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Encrypts all that follows, as who was called. Nothing is received before the other side has
    /// shown that it has the credentials, and nothing is waited for.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn secure_as_owner(&mut self, tls: &OwnerTls) -> io::Result<()> {
        self.tls = Some(Box::new(tls.session()?));
        Ok(())
    }

    /// Encrypts all that follows, as who has called; `within` a time, for each call on the
    /// connection as well until [`Stream::set_timeout`] says otherwise. Whether the other side
    /// accepts the credentials is told when something is received.
    ///
    /// # Errors
    /// [`super::tls::TlsError`] within the error, `send(2)`, `recv(2)`; `TimedOut`.
    pub fn secure_as_door(&mut self, tls: &DoorTls, within: Duration) -> io::Result<()> {
        self.set_timeout(within)?;
        let deadline = Instant::now() + within;
        let mut session = tls.session()?;
        while session.is_handshaking() {
            session.advance(&mut Raw(&self.descriptor))?;
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        self.tls = Some(Box::new(session));
        Ok(())
    }

    /// Sets whether calls wait.
    ///
    /// # Errors
    /// `ioctl(2)`.
    pub fn set_waiting(&self, waiting: Waiting) -> io::Result<()> {
        Ok(rustix::io::ioctl_fionbio(&self.descriptor, waiting == Waiting::NonBlocking)?)
    }

    /// How long receiving and sending wait before they fail with `EAGAIN`.
    ///
    /// # Errors
    /// `setsockopt(2)`.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        for kind in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
            sockopt::set_socket_timeout(&self.descriptor, kind, Some(timeout))?;
        }
        Ok(())
    }

    /// Takes some of the bytes; how many. Those that it has encrypted may be left: see
    /// [`Stream::flush`].
    ///
    /// # Errors
    /// `send(2)`, but for `EINTR`.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let raw = &mut Raw(&self.descriptor);
        match &mut self.tls {
            Some(session) => session.send(raw, bytes),
            None => io::Write::write(raw, bytes),
        }
    }

    /// Sends what was taken and is left.
    ///
    /// # Errors
    /// `send(2)`: `EAGAIN` where the other side has to read first.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(session) => session.flush(&mut Raw(&self.descriptor)),
            None => Ok(()),
        }
    }

    /// Sends all of the bytes.
    ///
    /// # Errors
    /// `send(2)`.
    pub fn send_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.send(bytes)?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        self.flush()
    }

    /// Receives what is there; 0 bytes at the end. Of an encrypted connection, see
    /// [`Stream::is_encrypted`].
    ///
    /// # Errors
    /// `recv(2)`, but for `EINTR`; [`super::tls::TlsError`] within the error.
    pub fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let raw = &mut Raw(&self.descriptor);
        match &mut self.tls {
            Some(session) => session.receive(raw, into),
            None => io::Read::read(raw, into),
        }
    }

    /// Waits until something comes, or the connection ends, for a time or until a signal is
    /// handled.
    ///
    /// # Errors
    /// `ppoll(2)`, but for `EINTR`.
    pub fn wait_for_bytes(&self, within: Duration) -> io::Result<Arrival> {
        let mut one = [PollFd::new(&self.descriptor, PollFlags::IN)];
        let within = Timespec::try_from(within).map_err(io::Error::other)?;
        match rustix::event::poll(&mut one, Some(&within)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(Arrival::Nothing),
            Ok(_) => Ok(Arrival::Something),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the connection for both sides, whoever else has the descriptor.
    pub fn shut_down(&self) {
        let _ = rustix::net::shutdown(&self.descriptor, Shutdown::Both);
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The bytes as they are on the way.
pub(super) struct Raw<'a>(&'a OwnedFd);

impl io::Read for Raw<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(self.0, &mut *into, RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?.0),
            }
        }
    }
}

impl io::Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

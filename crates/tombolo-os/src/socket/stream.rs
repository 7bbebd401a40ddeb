//! One connection.

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// A connection, over whatever.
#[derive(Debug)]
pub struct Stream {
    descriptor: OwnedFd,
}

/// Whether a call waits for the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It does.
    Blocking,
    /// It fails with `EAGAIN`.
    NonBlocking,
}

impl Stream {
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Stream { descriptor }
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
        Ok(Stream { descriptor })
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

    /// Sends some of the bytes; how many.
    ///
    /// # Errors
    /// `send(2)`, but for `EINTR`.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(&self.descriptor, bytes, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Sends all of the bytes.
    ///
    /// # Errors
    /// `send(2)`.
    pub fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.send(bytes)?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Receives what is there; 0 bytes at the end.
    ///
    /// # Errors
    /// `recv(2)`, but for `EINTR`.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.descriptor, &mut *into, RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?.0),
            }
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

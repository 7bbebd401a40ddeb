//! Connections to other kernels.

use super::listener::{BACKLOG, accept};
use super::{Stream, vsock};
use rustix::net::{SocketFlags, SocketType, sockopt};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use tombolo_core::wire::address::Endpoint;

/// How often a side that says nothing is asked whether it is there, before it is given up.
const KEEPALIVE_PROBES: u32 = 3;

/// A listener on a network.
#[derive(Debug)]
pub struct NetworkListener {
    descriptor: OwnedFd,
    endpoint: Endpoint,
}

impl NetworkListener {
    /// Listens; port 0 is any that is free.
    ///
    /// # Errors
    /// `bind(2)`, `listen(2)`.
    pub fn bind(endpoint: Endpoint) -> io::Result<Self> {
        let descriptor = match endpoint {
            Endpoint::Tcp(address) => bind_tcp(address)?,
            Endpoint::Vsock { cid, port } => vsock::bind(cid, port)?,
        };
        rustix::net::listen(&descriptor, BACKLOG)?;
        let endpoint = match endpoint {
            Endpoint::Tcp(_) => Endpoint::Tcp(tcp(rustix::net::getsockname(&descriptor)?)?),
            Endpoint::Vsock { .. } => vsock::own(&descriptor)?,
        };
        Ok(NetworkListener { descriptor, endpoint })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The next connection, if one waits; calls on it do not wait. A side that has been silent for
    /// about `silence` without being there is given up.
    ///
    /// # Errors
    /// `accept(2)`, `setsockopt(2)`.
    pub fn accept(&self, silence: Duration) -> io::Result<Option<Stream>> {
        let Some(descriptor) = accept(&self.descriptor)? else { return Ok(None) };
        let peer = match self.endpoint {
            // It has no name any more where it has gone already.
            Endpoint::Tcp(_) => match rustix::net::getpeername(&descriptor)? {
                Some(name) => Endpoint::Tcp(tcp(name)?),
                None => return Err(io::ErrorKind::NotConnected.into()),
            },
            Endpoint::Vsock { .. } => vsock::peer(&descriptor)?,
        };
        tune(&descriptor, peer, silence)?;
        Ok(Some(Stream::new(descriptor, Some(peer))))
    }
}

impl AsFd for NetworkListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => rustix::net::AddressFamily::INET,
        SocketAddr::V6(_) => rustix::net::AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let descriptor = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // An owner that starts anew does not wait until connections of the last one are forgotten.
    sockopt::set_socket_reuseaddr(&descriptor, true)?;
    rustix::net::bind(&descriptor, &address)?;
    Ok(descriptor)
}

fn tcp(name: rustix::net::SocketAddrAny) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(name)?)
}

pub(super) fn connect(
    endpoint: Endpoint,
    within: Duration,
    silence: Duration,
) -> io::Result<Stream> {
    let descriptor = match endpoint {
        Endpoint::Tcp(address) => OwnedFd::from(TcpStream::connect_timeout(&address, within)?),
        Endpoint::Vsock { cid, port } => vsock::connect(cid, port)?,
    };
    tune(&descriptor, endpoint, silence)?;
    Ok(Stream::new(descriptor, Some(endpoint)))
}

/// Messages are sent at once, and a machine that is gone is noticed (`tcp(7)`). Over vsock both is
/// so by itself: the host knows which machines are there.
fn tune(descriptor: &OwnedFd, peer: Endpoint, silence: Duration) -> io::Result<()> {
    if !matches!(peer, Endpoint::Tcp(_)) {
        return Ok(());
    }
    sockopt::set_tcp_nodelay(descriptor, true)?;
    sockopt::set_socket_keepalive(descriptor, true)?;
    // Whole seconds, which the kernel would round up.
    let pause_s = silence.as_secs() / (u64::from(KEEPALIVE_PROBES) + 1);
    let pause = Duration::from_secs(pause_s.max(1));
    sockopt::set_tcp_keepidle(descriptor, pause)?;
    sockopt::set_tcp_keepintvl(descriptor, pause)?;
    sockopt::set_tcp_keepcnt(descriptor, KEEPALIVE_PROBES)?;
    // Of what was sent and not taken. It also ends the probes before their number is reached.
    let silence_ms = u32::try_from(silence.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(descriptor, silence_ms)?;
    Ok(())
}

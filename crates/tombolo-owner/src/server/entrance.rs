//! Where connections come in.

use super::{Network, ServeError};
use std::io;
use std::path::Path;
use std::time::Duration;
use tombolo_core::wire::address::{NetworkAddress, Protection};
use tombolo_os::socket::poll::{Interest, Poller};
use tombolo_os::socket::tls::OwnerTls;
use tombolo_os::socket::{Listener, NetworkListener, Stream};

/// All places where an owner listens. Each has a number, from 0, by which a poller knows it.
#[derive(Debug)]
pub(super) struct Entrances {
    unix: Listener,
    network: Vec<(NetworkListener, Guard)>,
    /// How long a machine may be gone.
    silence: Duration,
}

/// What is done against strangers.
#[derive(Debug)]
enum Guard {
    Tls(OwnerTls),
    None,
}

impl Guard {
    fn protection(&self) -> Protection {
        match self {
            Guard::Tls(_) => Protection::Tls,
            Guard::None => Protection::None,
        }
    }
}

impl Entrances {
    /// Listens. `tls` is asked for what is encrypted, and only if something is.
    pub(super) fn open(
        socket: &Path,
        network: &Network,
        silence: Duration,
        tls: impl FnOnce() -> Result<OwnerTls, ServeError>,
    ) -> Result<Self, ServeError> {
        let is_guarded = |address: &NetworkAddress| address.protection == Protection::Tls;
        let tls = network.listen.iter().any(is_guarded).then(tls).transpose()?;
        let mut listeners = Vec::with_capacity(network.listen.len());
        for address in &network.listen {
            let text = address.to_string();
            let guard = match (&tls, address.protection) {
                (Some(tls), Protection::Tls) => Guard::Tls(tls.clone()),
                _ => Guard::None,
            };
            let listener = NetworkListener::bind(address.endpoint);
            listeners.push((listener.map_err(ServeError::io(Path::new(&text)))?, guard));
        }
        // Last, so that nobody finds the socket of an owner that does not start.
        let unix = Listener::unix(socket).map_err(ServeError::io(socket))?;
        Ok(Entrances { unix, network: listeners, silence })
    }

    pub(super) fn count(&self) -> u64 {
        1 + self.network.len() as u64
    }

    pub(super) fn watch(&self, poller: &Poller) -> io::Result<()> {
        poller.add(&self.unix, 0, Interest::Receive)?;
        for (number, (listener, _)) in self.network.iter().enumerate() {
            poller.add(listener, 1 + number as u64, Interest::Receive)?;
        }
        Ok(())
    }

    /// Takes back what [`Entrances::watch`] did: what comes waits.
    pub(super) fn look_away(&self, poller: &Poller) {
        let _ = poller.remove(&self.unix);
        for (listener, _) in &self.network {
            let _ = poller.remove(listener);
        }
    }

    /// As `owner=` wants it.
    pub(super) fn unix_address(&self) -> String {
        format!("unix:{}", self.unix.path().display())
    }

    pub(super) fn network_addresses(&self) -> impl Iterator<Item = NetworkAddress> {
        self.network.iter().map(|(listener, guard)| NetworkAddress {
            endpoint: listener.endpoint(),
            protection: guard.protection(),
        })
    }

    /// The next connection at an entrance, if one waits.
    pub(super) fn accept(&self, number: u64) -> io::Result<Option<Stream>> {
        let Some(index) = number.checked_sub(1) else { return self.unix.accept() };
        let listener = usize::try_from(index).ok().and_then(|index| self.network.get(index));
        let Some((listener, guard)) = listener else { return Ok(None) };
        let Some(mut stream) = listener.accept(self.silence)? else { return Ok(None) };
        if let Guard::Tls(tls) = guard {
            stream.secure_as_owner(tls)?;
        }
        Ok(Some(stream))
    }
}

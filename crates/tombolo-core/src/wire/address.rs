//! Where owners listen on networks, as it is written: `tcp://IP:PORT`, `vsock://CID:PORT`.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::fmt;

/// Every machine (`VMADDR_CID_ANY`, linux/vm_sockets.h): one can listen there, and not call.
pub const CID_ANY: u32 = u32::MAX;
/// The machine itself (`VMADDR_CID_LOCAL`).
pub const CID_LOCAL: u32 = 1;

/// Written before an address over which nothing is encrypted and nobody shows who he is.
const INSECURE: &str = "insecure-";

/// An address that other kernels can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkAddress {
    /// Where.
    pub endpoint: Endpoint,
    /// What is done against whoever else is there.
    pub protection: Protection,
}

/// Where on a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `tcp(7)`.
    Tcp(SocketAddr),
    /// `vsock(7)`: between a virtual machine and its host.
    Vsock {
        /// The machine.
        cid: u32,
        /// The port.
        port: u32,
    },
}

/// What is done against whoever else is on a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS, in which both sides show who they are.
    Tls,
    /// Nothing.
    None,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAddress {
    /// It begins with nothing that is known.
    #[error(
        "`{0}` is no address of an owner: unix:/absolute/path, tcp://IP:PORT, vsock://CID:PORT"
    )]
    Form(String),
    /// Its host is a name.
    #[error("`{0}` is no IP address; names are not resolved: `getent hosts {0}` may tell it")]
    Name(String),
}

impl NetworkAddress {
    /// Reads one. Port 0 is for owners, who take any that is free.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, NoAddress> {
        let form = || NoAddress::Form(crate::text::printable(text));
        let text = std::str::from_utf8(text).map_err(|_| form())?;
        let (protection, rest) = match text.strip_prefix(INSECURE) {
            Some(rest) => (Protection::None, rest),
            None => (Protection::Tls, text),
        };
        let endpoint = match rest.split_once("://") {
            Some(("tcp", place)) => tcp(place, form)?,
            Some(("vsock", place)) => vsock(place).ok_or_else(form)?,
            _ => return Err(form()),
        };
        Ok(NetworkAddress { endpoint, protection })
    }
}

fn tcp(place: &str, form: impl Fn() -> NoAddress) -> Result<Endpoint, NoAddress> {
    if let Ok(address) = place.parse::<SocketAddr>() {
        return Ok(Endpoint::Tcp(address));
    }
    let (host, port) = place.rsplit_once(':').ok_or_else(&form)?;
    let port = port.parse::<u16>().map_err(|_| form())?;
    match host {
        "localhost" => Ok(Endpoint::Tcp((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into())),
        "" => Err(form()),
        name if name.contains(['[', ']', '/', ':']) => Err(form()),
        name => Err(NoAddress::Name(crate::text::printable(name.as_bytes()))),
    }
}

fn vsock(place: &str) -> Option<Endpoint> {
    let (cid, port) = place.split_once(':')?;
    let cid = if cid == "any" { CID_ANY } else { cid.parse().ok()? };
    Some(Endpoint::Vsock { cid, port: port.parse().ok()? })
}

impl Endpoint {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Endpoint::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Endpoint::Vsock { cid, .. } => *cid == CID_LOCAL,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(address) => write!(formatter, "tcp://{address}"),
            Endpoint::Vsock { cid: CID_ANY, port } => write!(formatter, "vsock://any:{port}"),
            Endpoint::Vsock { cid, port } => write!(formatter, "vsock://{cid}:{port}"),
        }
    }
}

impl fmt::Display for NetworkAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = if self.protection == Protection::None { INSECURE } else { "" };
        write!(formatter, "{before}{}", self.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("tcp://10.0.2.2:7000", "tcp://10.0.2.2:7000"),
            ("tcp://localhost:0", "tcp://127.0.0.1:0"),
            ("tcp://[fe80::1]:7000", "tcp://[fe80::1]:7000"),
            ("insecure-tcp://[::1]:7000", "insecure-tcp://[::1]:7000"),
            ("vsock://2:7000", "vsock://2:7000"),
            ("vsock://any:7000", "vsock://any:7000"),
            ("insecure-vsock://1:4294967295", "insecure-vsock://1:4294967295"),
        ] {
            let address = NetworkAddress::parse(text.as_bytes()).expect(text);
            assert_eq!(address.to_string(), written, "{text}");
            assert_eq!(NetworkAddress::parse(written.as_bytes()), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "app.sock",
            "tcp:1.2.3.4:5",
            "tcp://1.2.3.4",
            "tcp://1.2.3.4:65536",
            "tcp://:7000",
            "tcp://[::1:7000",
            "tcp://a/b:7000",
            "udp://1.2.3.4:5",
            "vsock://2",
            "vsock://host:7",
            "vsock://2:-1",
            "insecure-unix:/run/o",
        ] {
            let refused = NetworkAddress::parse(text.as_bytes());
            assert!(matches!(refused, Err(NoAddress::Form(_))), "{text}: {refused:?}");
        }
        assert!(matches!(NetworkAddress::parse(b"tcp://db.example:7"), Err(NoAddress::Name(_))));
        assert!(NetworkAddress::parse(b"tcp://\xff:7").is_err());
    }

    #[test]
    fn loopback_is_what_no_other_machine_reaches() {
        for (text, expected) in [
            ("tcp://127.0.0.1:7", true),
            ("tcp://127.1.2.3:7", true),
            ("tcp://[::1]:7", true),
            ("tcp://[::ffff:127.0.0.1]:7", true),
            ("tcp://0.0.0.0:7", false),
            ("tcp://[::]:7", false),
            ("tcp://10.0.0.1:7", false),
            ("vsock://1:7", true),
            ("vsock://any:7", false),
            ("vsock://2:7", false),
        ] {
            let address = NetworkAddress::parse(text.as_bytes()).expect(text);
            assert_eq!(address.endpoint.is_loopback(), expected, "{text}");
        }
    }
}

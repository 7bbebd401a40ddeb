//! What one side is told so that it can join another: `k3v9-x0q2-7d`, or where the sides talk over
//! a network `k3v9-x0q2-7d-SECRET@192.0.2.7:4711`.

use super::alphabet::{CODE_LETTERS, Code, NoCode, typed};
use super::channel::{SECRET_LETTERS, Secret};
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Of a code and a secret.
const LETTERS: usize = CODE_LETTERS + SECRET_LETTERS;

/// Longest text that is read.
const TEXT_BYTES_MAX: usize = 200;

/// Where a side listens, and what a caller must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// An address and a port that can be called: neither is zero.
    address: SocketAddr,
    secret: Secret,
}

impl Endpoint {
    /// `None` where nobody can call that address.
    #[must_use]
    pub fn new(address: SocketAddr, secret: Secret) -> Option<Self> {
        let callable = address.port() != 0 && !address.ip().is_unspecified();
        callable.then_some(Endpoint { address, secret })
    }

    /// Where to call.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to know.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// How to join a side that waits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct Invitation {
    /// By which the directory is known in which the sides meet.
    pub code: Code,
    /// Where the sides talk over a network; `None` where they do by the names of files.
    pub endpoint: Option<Endpoint>,
}

/// What was given is no invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoInvitation {
    /// What stands before `@`, or all of it, is no code.
    #[error(transparent)]
    Code(#[from] NoCode),
    /// What stands before `@` is not as long as a code with its secret, or has other letters.
    #[error("before @, a code and its secret have {LETTERS} letters and digits together")]
    Secret,
    /// What follows `@` is no address.
    #[error(
        "after @, an address and a port are wanted, as in 192.0.2.7:4711 or [2001:db8::7]:4711"
    )]
    Address,
}

impl FromStr for Invitation {
    type Err = NoInvitation;

    /// As it was typed: dashes and the case of letters do not count.
    fn from_str(text: &str) -> Result<Self, NoInvitation> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(NoCode.into());
        }
        let Some((words, address)) = text.split_once('@') else {
            return Ok(Invitation { code: Code::parse(text)?, endpoint: None });
        };
        let letters = typed(words);
        let (code, secret) = letters.split_at_checked(CODE_LETTERS).ok_or(NoInvitation::Secret)?;
        let secret = Secret::from_letters(secret).ok_or(NoInvitation::Secret)?;
        let address = address.parse().map_err(|_| NoInvitation::Address)?;
        let endpoint = Endpoint::new(address, secret).ok_or(NoInvitation::Address)?;
        Ok(Invitation { code: Code::parse(code)?, endpoint: Some(endpoint) })
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            None => self.code.fmt(formatter),
            Some(Endpoint { address, secret }) => {
                write!(formatter, "{}-{}@{address}", self.code, secret.letters())
            }
        }
    }
}

impl From<Invitation> for String {
    fn from(invitation: Invitation) -> Self {
        invitation.to_string()
    }
}

impl TryFrom<String> for Invitation {
    type Error = NoInvitation;

    fn try_from(text: String) -> Result<Self, NoInvitation> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::channel::SECRET_BYTES;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Invitation, NoInvitation> {
        text.parse()
    }

    #[test]
    fn a_bare_code_is_an_invitation_into_the_directory_alone() {
        let invitation = parse("K3V9x0q2-7d").expect("a code");
        assert_eq!(invitation.endpoint, None);
        assert_eq!(invitation.to_string(), "k3v9-x0q2-7d");
        assert_eq!(parse("k3v9"), Err(NoInvitation::Code(NoCode)));
        assert_eq!(parse(&format!("k3v9-x0q2-7d{}", "-".repeat(200))), Err(NoCode.into()));
    }

    #[test]
    fn an_address_needs_a_secret_and_a_port_that_can_be_called() {
        let secret = Secret::from_bytes([0x5a; SECRET_BYTES]).letters();
        let good = format!("k3v9-x0q2-7d-{secret}@192.0.2.7:4711");
        assert!(parse(&good).is_ok());
        for (text, wrong) in [
            ("k3v9-x0q2-7d@192.0.2.7:4711".to_owned(), NoInvitation::Secret),
            ("k3v9@192.0.2.7:4711".to_owned(), NoInvitation::Secret),
            (good.replace(":4711", ""), NoInvitation::Address),
            (good.replace("4711", "0"), NoInvitation::Address),
            (good.replace("192.0.2.7", "0.0.0.0"), NoInvitation::Address),
            (good.replace("192.0.2.7", "host.example"), NoInvitation::Address),
            (good.replace("k3v9", "u3v9"), NoInvitation::Code(NoCode)),
            (good.replace(&secret, &secret.replace(&secret[..1], "u")), NoInvitation::Secret),
        ] {
            assert_eq!(parse(&text), Err(wrong), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            bits: u64,
            secret: [u8; SECRET_BYTES],
            ip: core::net::IpAddr,
            port in 1..=u16::MAX,
        ) {
            let endpoint = Endpoint::new(SocketAddr::new(ip, port), Secret::from_bytes(secret));
            let invitation = Invitation { code: Code::from_bits(bits), endpoint };
            prop_assert_eq!(parse(&invitation.to_string()), Ok(invitation));
        }

        #[test]
        fn text_of_anybody_does_no_harm(text: String) {
            if let Ok(invitation) = parse(&text) {
                prop_assert_eq!(parse(&invitation.to_string()), Ok(invitation));
            }
        }
    }
}

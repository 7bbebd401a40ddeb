//! Messages of doctors over TCP, where the directory in which they work does not show to one what
//! the other makes there.
//!
//! A frame of [`tombolo_core::peer::channel`] holds what is a name in [`crate::mailbox`], so that
//! all that copes with a directory that forgets copes with a connection that breaks: the side that
//! called calls again, and what was not heard is said again.
//!
//! Anybody can call. Who does not know the secret is told nothing, holds one of a few places for a
//! short time, and takes no more memory than a call is long.

mod caller;
mod connection;
mod listener;

pub use caller::{Caller, NotMet};
pub use listener::Listener;

use std::time::Duration;
use tombolo_core::peer::channel::{NONCE_BYTES, SECRET_BYTES, Secret};

/// How long whoever calls may take to show that he knows the secret, and whoever is called to show
/// it as well.
const INTRODUCTION_TIME: Duration = Duration::from_secs(5);

/// A fresh secret.
///
/// # Errors
/// Where the kernel has no random bytes to give.
pub fn fresh_secret() -> std::io::Result<Secret> {
    let mut bytes = [0; SECRET_BYTES];
    crate::random::fill(&mut bytes)?;
    Ok(Secret::from_bytes(bytes))
}

fn fresh_nonce() -> std::io::Result<[u8; NONCE_BYTES]> {
    let mut bytes = [0; NONCE_BYTES];
    crate::random::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;

//! Connections between doors and owners.
//!
//! No signal is ever raised (`MSG_NOSIGNAL`): the door lives in other people's programs.
//!
//! * [`stream`]: one connection.
//! * [`listener`]: where connections come in.
//! * [`network`]: connections to other kernels.
//! * [`tls`]: how both sides of such a one know each other.
//! * [`poll`]: waiting for many of them.

pub mod listener;
pub mod network;
mod path;
pub mod poll;
pub mod stream;
pub mod tls;
mod vsock;

pub use listener::Listener;
pub use network::NetworkListener;
pub use poll::{Poller, Waker};
pub use stream::Stream;

#[cfg(test)]
mod tests;

//! Connections between doors and owners.
//!
//! No signal is ever raised (`MSG_NOSIGNAL`): the door lives in other people's programs.
//!
//! * [`stream`]: one connection.
//! * [`listener`]: where connections come in.
//! * [`poll`]: waiting for many of them.

pub mod listener;
mod path;
pub mod poll;
pub mod stream;

pub use listener::Listener;
pub use poll::{Poller, Waker};
pub use stream::Stream;

#[cfg(test)]
mod tests;

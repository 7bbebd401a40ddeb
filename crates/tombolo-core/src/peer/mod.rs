//! What two or more doctors say to each other, on one directory that each of them reaches by a
//! kernel of its own.
//!
//! They meet in a hidden directory beside the target. The contents, sizes and inodes of files may
//! be stale there for ever, which is what is to be measured; names are what every file system
//! shows sooner or later. So a message is the *name* of an empty file:
//!
//! * [`alphabet`]: bytes and numbers as letters that every file system keeps apart, and the code by
//!   which the sides find each other.
//! * [`part`]: one name and what stands in it.
//! * [`link`]: from names that appear late, twice or never to messages in their order.
//! * [`message`]: what is said.
//! * [`channel`]: where names do not cross, the same names go over a connection; who does not know
//!   the secret of the conversation can add nothing to it.
//! * [`invitation`]: what a side must know to join.
//! * [`step`]: the operations that one side asks of another. They have numbers where a file would
//!   have a path, so that a forged message can do nothing but touch numbered scratch files.

pub mod alphabet;
pub mod channel;
#[cfg(test)]
mod hostile_network;
pub mod invitation;
pub mod link;
pub mod message;
pub mod part;
#[cfg(test)]
mod simulation;
pub mod step;

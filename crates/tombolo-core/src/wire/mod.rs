//! What doors and owners say to each other, as bytes.
//!
//! A connection is one session: one file handle of one SQLite. It begins with [`Request::Hello`],
//! then [`Request::Open`]; after that each request that [`Request::is_answered`] gets one reply, in
//! order. A door never has two of them under way.
//!
//! A frame is its length (4 bytes, without these), a byte that says what it is, and the fields. All
//! numbers are little-endian. Whatever is malformed ends the session that sent it, and no other.
//!
//! * [`frame`]: frames out of a stream of bytes.
//! * [`request`], [`reply`]: what is said.
//! * [`limits`]: how much of it.
//! * [`place`]: by which names an owner is found.
//! * [`address`]: where it listens.
//! * [`keys`]: how both ends know each other on a network.

pub mod address;
mod fields;
pub mod frame;
pub mod keys;
pub mod limits;
pub mod place;
pub mod reply;
pub mod request;

pub use frame::FrameReader;
pub use reply::Reply;
pub use request::Request;

/// Changes with the meaning of any message. Both ends must have the same.
pub const PROTOCOL: u16 = 1;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A frame of this many bytes is announced.
    #[error("a frame of {0} bytes is announced")]
    Length(u32),
    /// No message has this number.
    #[error("there is no message {0}")]
    Kind(u8),
    /// The fields end before they are complete.
    #[error("the fields of message {0} are cut short")]
    CutShort(u8),
    /// Something follows the fields.
    #[error("{1} bytes follow the fields of message {0}")]
    Rest(u8, usize),
    /// A field has a value that it cannot have.
    #[error("a field of message {0} has a value that it cannot have")]
    Value(u8),
}

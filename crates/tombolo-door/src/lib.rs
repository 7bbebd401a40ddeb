//! The client side: drives the facade of `tombolo-core` against an owner.
//!
//! * [`Door`]: one open file.
//! * [`address`]: where its owner is.
//! * [`OwnerStatus`]: what an owner says of itself.
//!
//! No SQLite is in here, and no thread: whatever waits, waits in the call of the program.

pub mod address;
mod connection;
mod door;
mod status;
mod waiting;

pub use address::Address;
pub use door::{Door, Prepare, ReadOutcome};
pub use status::OwnerStatus;

//! Ways out, carried out: step by step, with a record on disk, so that what was interrupted is
//! finished or undone by the next run.
//!
//! * [`plan`]: what a remedy will do, as data that can be printed and tested.
//! * [`record`]: which steps were begun and done, and what is needed to undo them.
//! * [`run`]: carries a plan out, takes it up again, or undoes it.
//! * [`state`]: where the database is, and where a run keeps what it needs.
//! * [`migrate`]: carries a database over to another kind of server.
//! * [`config`]: better options of a mount, written into what defines it.
//! * [`protocol`]: another protocol for a share, at both of its ends.
//! * [`service`]: an owner as a service, and how it is looked at from an app's side.
//! * [`guard`]: who uses the database, on this kernel or by signs on another.
//!
//! A plan is made of facts that its caller has found. Nothing here examines a file system: whether
//! a remedy helps at all is the doctor's to say.

mod action;
pub mod config;
mod copy;
pub mod error;
mod files;
pub mod guard;
mod image;
pub mod migrate;
pub mod plan;
pub mod protocol;
pub mod record;
pub mod remedies;
pub mod run;
pub mod service;
mod sqlite;
pub mod state;

pub use copy::Attend;
pub use error::Error;

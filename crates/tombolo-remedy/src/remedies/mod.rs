//! From what is known of a database to a plan.

mod journal_mode;
mod mount;
mod relocate;

pub use journal_mode::{enter_wal, leave_wal};
pub use mount::{Wish, configuration_text, difference, mount};
pub(crate) use relocate::FINDING;
pub use relocate::{Behind, is_relocated, relocate};

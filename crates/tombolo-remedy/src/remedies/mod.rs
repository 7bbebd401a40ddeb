//! From what is known of a database to a plan.

mod journal_mode;
mod mount;
mod mount_over;
mod relocate;
mod serve;

pub use journal_mode::{enter_wal, leave_wal};
pub use mount::{Wish, configuration_text, difference, mount};
pub use mount_over::{Table, is_under_mount, relocate_under_mount};
pub(crate) use mount_over::{hidden, in_words, of_plan};
pub use relocate::{Behind, is_relocated, relocate};
pub use serve::{By, Serving, serve};

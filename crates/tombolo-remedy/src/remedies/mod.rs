//! From what is known of a database to a plan.

mod journal_mode;
mod mount;
mod mount_over;
mod relocate;
mod serve;

use crate::plan::{Action, Step};
use crate::state::Place;
use std::path::Path;

pub use journal_mode::{enter_wal, leave_wal};
pub use mount::{Wish, configuration_text, difference, mount};
pub use mount_over::{Table, is_under_mount, relocate_under_mount};
pub(crate) use mount_over::{hidden, in_words, of_plan};
pub use relocate::{Behind, is_relocated, relocate};
pub use serve::{By, Serving, serve};

/// The step that keeps a file which a later one edits, and whose text has the digest `before`.
fn keep(place: &Place, file: &Path, before: &str) -> Step {
    Step {
        title: format!("Copy {}, as it is", file.display()),
        action: Action::KeepFile { before: before.to_owned(), file: Some(file.to_owned()) },
        reads: vec![file.to_owned()],
        writes: vec![place.state()],
        could_break: "Nothing of yours.".to_owned(),
    }
}

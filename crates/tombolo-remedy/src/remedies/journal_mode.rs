//! `leave-wal` and `enter-wal`.

use crate::error::Error;
use crate::files;
use crate::plan::{Action, JournalMode, PLAN_SCHEMA, Plan, RemedyName, Step};
use crate::state::Place;
use std::path::PathBuf;
use tombolo_core::report::{Database, HeaderMode};

/// From WAL mode to a rollback journal, with everything that is committed in the log.
///
/// # Errors
/// [`Error::NotApplicable`] when it is not in WAL mode, or no database.
pub fn leave_wal(place: &Place, database: &Database) -> Result<Plan, Error> {
    // The first frame of a log can be what says that a database of no bytes is in WAL mode.
    let log = database.wal.as_ref().is_some_and(|wal| wal.committed_frames > 0);
    match database.journal_mode {
        HeaderMode::Wal => {}
        HeaderMode::Rollback | HeaderMode::Empty if log => {}
        HeaderMode::Rollback => return not("it is not in WAL mode; there is nothing to do"),
        HeaderMode::Empty => return not("it is empty; whoever opens it first decides the mode"),
        HeaderMode::Unreadable => return not("its header cannot be read"),
    }
    Ok(plan(place, RemedyName::LeaveWal, JournalMode::Delete))
}

/// From a rollback journal to WAL mode. Whether WAL works there is not asked here.
///
/// # Errors
/// [`Error::NotApplicable`] when it is in WAL mode already, or no database.
pub fn enter_wal(place: &Place, database: &Database) -> Result<Plan, Error> {
    match database.journal_mode {
        HeaderMode::Rollback => {}
        HeaderMode::Wal => return not("it is in WAL mode already; there is nothing to do"),
        HeaderMode::Empty => return not("it is empty; whoever opens it first decides the mode"),
        HeaderMode::Unreadable => return not("its header cannot be read"),
    }
    Ok(plan(place, RemedyName::EnterWal, JournalMode::Wal))
}

fn not(text: &str) -> Result<Plan, Error> {
    Err(Error::NotApplicable(text.to_owned()))
}

fn plan(place: &Place, remedy: RemedyName, to: JournalMode) -> Plan {
    let files: Vec<PathBuf> = files::ALL.iter().map(|suffix| place.beside(suffix)).collect();
    let database = place.target();
    let mut steps = vec![
        Step {
            title: "Copy the database and the files beside it, as they are".to_owned(),
            action: Action::Save,
            reads: files.clone(),
            writes: vec![place.state()],
            could_break: "Nothing of yours. It needs room for two copies.".to_owned(),
        },
        Step {
            title: format!(
                "Check a copy, convert the copy to journal_mode={}, and check it again",
                to.as_str().to_uppercase()
            ),
            action: Action::Rehearse { to },
            reads: vec![place.state()],
            writes: vec![place.state()],
            could_break: "Nothing of yours. A damaged database ends the run here.".to_owned(),
        },
        Step {
            title: format!("Set journal_mode={}", to.as_str().to_uppercase()),
            action: Action::Convert { to },
            reads: files.clone(),
            writes: files,
            could_break: "A program of another kernel that writes at the same moment can lose a \
                          transaction; programs of this kernel wait. A crash leaves what SQLite \
                          recovers by itself."
                .to_owned(),
        },
        Step {
            title: "Compare the database with the copy that was converted, page by page".to_owned(),
            action: Action::Compare,
            reads: vec![database.clone()],
            writes: Vec::new(),
            could_break: "Nothing.".to_owned(),
        },
    ];
    if to == JournalMode::Delete {
        steps.push(Step {
            title: "Remove the wal-index, which a rollback journal has no use for".to_owned(),
            action: Action::RemoveLeftovers,
            reads: Vec::new(),
            writes: vec![place.beside("-shm")],
            could_break: "Nothing: it holds no data.".to_owned(),
        });
    }
    Plan { schema: PLAN_SCHEMA.to_owned(), remedy, target: database, steps, cautions: cautions(to) }
}

fn cautions(to: JournalMode) -> Vec<String> {
    let mut cautions =
        vec!["The program that uses the database must be stopped until this is done.".to_owned()];
    cautions.push(match to {
        JournalMode::Delete => {
            "A program that sets journal_mode=WAL when it starts puts the database back into WAL \
             mode: turn that off in its settings. And a rollback journal is safe for one kernel \
             only, unless the locks of the file system reach all of them."
        }
        JournalMode::Wal => {
            "WAL mode needs programs of one kernel, and a file system whose shared maps work."
        }
    }
    .to_owned());
    cautions
}

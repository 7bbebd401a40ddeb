//! What a remedy will do, as data.

use crate::config::Edit;
use crate::service::{Engine, Look, Service};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Name and version of the JSON of a plan.
pub const PLAN_SCHEMA: &str = "tombolo.plan/1";

/// Every step of a remedy, in order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Plan {
    /// Always [`PLAN_SCHEMA`].
    pub schema: String,
    /// Which remedy.
    pub remedy: RemedyName,
    /// The database or configuration file that is changed, free of symbolic links.
    pub target: PathBuf,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What to know before it is done.
    pub cautions: Vec<String>,
}

/// The remedies that can be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemedyName {
    /// From WAL mode to a rollback journal.
    LeaveWal,
    /// From a rollback journal to WAL mode.
    EnterWal,
    /// To another directory.
    Move,
    /// Other options of a mount, in the file that defines it.
    Mount,
    /// Another protocol for a share, in the file that defines one of its ends.
    Protocol,
    /// An owner as a service.
    Serve,
}

impl RemedyName {
    /// As it is typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RemedyName::LeaveWal => "leave-wal",
            RemedyName::EnterWal => "enter-wal",
            RemedyName::Move => "move",
            RemedyName::Mount => "mount",
            RemedyName::Protocol => "protocol",
            RemedyName::Serve => "serve",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Step {
    /// What it does, in a sentence.
    pub title: String,
    /// What is done.
    pub action: Action,
    /// Files that it reads.
    pub reads: Vec<PathBuf>,
    /// Files that it makes, changes or removes.
    pub writes: Vec<PathBuf>,
    /// What could break, and what is done about it.
    pub could_break: String,
}

/// What a step does. Each can be repeated after it was cut off, and undone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Copies the database and the files beside it into the directory of the run.
    Save,
    /// Converts a copy, and checks the copy before and after.
    Rehearse {
        /// To what.
        to: JournalMode,
    },
    /// Converts the database itself.
    Convert {
        /// To what.
        to: JournalMode,
    },
    /// Removes files beside the database that nobody needs after it was converted.
    RemoveLeftovers,
    /// Compares the database with the copy that was converted first.
    Compare,
    /// Copies the database to where it is to be, lets SQLite recover and check the copy, and
    /// compares it with the original page by page.
    CopyTo {
        /// Its new path.
        to: PathBuf,
    },
    /// Puts a symbolic link in the place of the database, and gives the old files other names.
    PutLink {
        /// Where the link leads.
        to: PathBuf,
    },
    /// Gives the old files other names, so that no program opens them.
    Retire,
    /// Copies a configuration file into the directory of the run.
    KeepFile {
        /// SHA-256 of its bytes.
        before: String,
        /// Which, where it is not the target of the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
    },
    /// Puts an edited configuration file in the place of the old one.
    WriteFile {
        /// What is replaced, by ranges of bytes.
        edits: Vec<Edit>,
        /// SHA-256 of the bytes before.
        before: String,
        /// SHA-256 of the bytes afterwards.
        after: String,
        /// Which, where it is not the target of the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
    },
    /// Mounts a directory over another one where no other program sees it, and lets it go.
    TryMount {
        /// What is shown.
        from: PathBuf,
        /// Where.
        over: PathBuf,
    },
    /// Mounts a directory over another one.
    MountOver {
        /// What is shown.
        from: PathBuf,
        /// Where.
        over: PathBuf,
    },
    /// Makes sure that nobody else serves the database, and, where the owner will use it alone,
    /// that nobody has it open. Undone after all else, it lets systemd forget the unit.
    CheckFree {
        /// Which engine the owner will have.
        engine: Engine,
        /// What will be started; `None` where nothing here can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<Service>,
    },
    /// Writes a file that is not there yet.
    MakeFile {
        /// Where.
        file: PathBuf,
        /// All of it.
        text: String,
    },
    /// Starts a service, now and whenever the machine or its user's session starts.
    StartService {
        /// Which.
        service: Service,
    },
    /// Looks at the database from an app's side.
    CheckService {
        /// How.
        look: Look,
    },
}

/// Where SQLite keeps what is not yet in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalMode {
    /// `journal_mode=WAL`.
    Wal,
    /// `journal_mode=DELETE`.
    Delete,
}

impl JournalMode {
    /// As `PRAGMA journal_mode` names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            JournalMode::Wal => "wal",
            JournalMode::Delete => "delete",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            JournalMode::Wal => JournalMode::Delete,
            JournalMode::Delete => JournalMode::Wal,
        }
    }
}

//! Why a remedy could not be carried out.

use crate::config::Refusal;
use crate::guard::Sign;
use std::path::PathBuf;
use tombolo_core::errno::Errno;
use tombolo_core::report::Opener;
use tombolo_os::error::CallError;

/// What went wrong. Whatever it is, the files are as [`crate::run`] promises: as before, as
/// planned, or to be finished or undone by the next run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused a call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// SQLite refused.
    #[error("SQLite, {during}: {text}{}", said(*.errno))]
    Sqlite {
        /// What was being done.
        during: &'static str,
        /// SQLite's words and code.
        text: String,
        /// What the kernel had said, where SQLite kept it.
        errno: Option<Errno>,
    },
    /// The directory that something is to go to cannot be found.
    #[error(transparent)]
    NoDirectory(CallError),
    /// Programs of this kernel have the database open.
    #[error("{} has it open", programs(.0))]
    InUse(Vec<Opener>),
    /// It could not be found out who has the database open.
    #[error("who has it open could not be found out: {0}")]
    UseNotKnown(String),
    /// Something changes the files that is no program of this kernel.
    #[error("a program of another kernel seems to use it: {}", signs(.0))]
    UsedElsewhere(Vec<Sign>),
    /// The files are not as they were when an earlier step looked at them.
    #[error("{path} has changed since the run began")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The database that a run has made was written to since, so it is not taken away.
    #[error("{path} was written to since")]
    CommittedSince {
        /// The database.
        path: PathBuf,
    },
    /// The database is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A copy is not what it was copied from.
    #[error("{copy} is not what {original} is: {difference}")]
    Differs {
        /// What was copied.
        original: PathBuf,
        /// The copy.
        copy: PathBuf,
        /// Where they differ.
        difference: String,
    },
    /// One directory cannot be mounted over another.
    #[error("nothing can be mounted over {directory}: {said}")]
    NoMount {
        /// The directory.
        directory: PathBuf,
        /// What the kernel said of a trial.
        said: String,
    },
    /// There is not enough room.
    #[error("{directory} has {free_bytes} bytes free, {needed_bytes} are needed")]
    NoRoom {
        /// Where.
        directory: PathBuf,
        /// What is free there.
        free_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// An earlier run was not finished, and it was about something else.
    #[error("an earlier run of {remedy} is not finished")]
    Unfinished {
        /// Its remedy.
        remedy: &'static str,
    },
    /// There is nothing to undo or to take up.
    #[error("no run is recorded in {0}")]
    NothingRecorded(PathBuf),
    /// Another run is at work.
    #[error("another run works on it")]
    Busy,
    /// The record cannot be trusted or understood.
    #[error("{path} cannot be used: {reason}")]
    Record {
        /// The record, or the directory that it is in.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The remedy does not apply.
    #[error("{0}")]
    NotApplicable(String),
    /// The database server refused, or could not be reached.
    #[error("the server, {during}: {text}{}", in_brackets(code.as_deref()))]
    Server {
        /// What was being done.
        during: &'static str,
        /// The server's words, or the kernel's.
        text: String,
        /// The server's SQLSTATE or the name of its error, where it was the server that said it.
        code: Option<String>,
    },
    /// Another run works on the same target.
    #[error("another migration to this database is running")]
    MigrationRuns,
    /// A run was done before.
    #[error("a migration to this database was finished before")]
    MigrationFinished,
    /// A run was cut off that began with other files, or with other options.
    #[error("a migration of another state of this database, or of another one, was cut off there")]
    MigrationOfOther,
    /// What is in one of the databases is not what this migration has put or found there.
    #[error("{0}")]
    MigrationRecord(String),
    /// A configuration file is not edited.
    #[error("{path}: {refusal}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
    /// A file was edited after the run, so the original is not put back over it.
    #[error("{path} was edited since; the original is kept as {saved}")]
    EditedSince {
        /// The file.
        path: PathBuf,
        /// Where its original is.
        saved: PathBuf,
    },
    /// A file that a run has made was edited after it, so it is not removed.
    #[error("{path} was edited since it was made")]
    MadeEdited {
        /// The file.
        path: PathBuf,
    },
    /// Another owner serves the database.
    #[error("it is served already, by {by}")]
    ServedAlready {
        /// Who answers, in words.
        by: String,
    },
    /// An earlier run has set up a service for the database.
    #[error("a service was set up for it")]
    IsService,
    /// What runs services knows one of this name.
    #[error("there is a service {name} already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A service does not run, or its owner does not answer as it should.
    #[error("{asked}: {said}")]
    Service {
        /// What was asked for.
        asked: String,
        /// What was said, or seen.
        said: String,
    },
    /// The user wished to stop.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// Whether undoing a step says this before it has changed anything, so that the run stands as
    /// it stood.
    pub(crate) fn leaves_all(&self) -> bool {
        self.comes_first()
            || matches!(
                self,
                Error::EditedSince { .. } | Error::MadeEdited { .. } | Error::CommittedSince { .. }
            )
    }

    /// Whether a step says this before it has made or changed anything.
    pub(crate) fn comes_first(&self) -> bool {
        matches!(
            self,
            Error::InUse(_)
                | Error::UseNotKnown(_)
                | Error::UsedElsewhere(_)
                | Error::NoRoom { .. }
                | Error::NoMount { .. }
                | Error::ServedAlready { .. }
                | Error::NameTaken { .. }
                | Error::Service { .. }
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Error::InUse(_) => "stop it first; while it runs, nothing is touched",
            Error::UseNotKnown(_) => {
                "run this as root where all programs can be looked at, or say --assume-unused if \
                 you know that nobody uses it"
            }
            Error::UsedElsewhere(_) => {
                "stop the program on the other machine; if you know that there is none, say \
                 --assume-unused"
            }
            Error::Changed { .. } => "stop whatever writes there, then run this again",
            Error::CommittedSince { .. } => {
                "what was committed there would be lost; --forget keeps it as it is, and removes \
                 the old files"
            }
            Error::Damaged(_) => {
                "nothing was changed; keep a copy of all files before trying to recover it"
            }
            Error::NoMount { .. } => {
                "run this as root, or leave a link in its place: without --bind"
            }
            Error::Call(CallError { call: "umount2", errno: Errno::EBUSY, .. }) => {
                "stop what works in that directory, then run this again"
            }
            Error::NoRoom { .. } => "free some space, then run this again",
            Error::Unfinished { .. } => {
                "finish it by its own command with --apply, or take it back with --undo"
            }
            Error::MigrationFinished | Error::MigrationOfOther => {
                "with --replace, the tables that it has made are dropped and made anew"
            }
            Error::MigrationRuns => {
                "wait for it; after a cut the server takes some seconds to notice"
            }
            Error::ServedAlready { .. } => {
                "`tombolo status` says how that owner is; end it before another is set up"
            }
            Error::IsService => {
                "take it back with serve --undo, or keep it for good with serve --forget"
            }
            Error::NameTaken { .. } => "take another name with --name",
            Error::Service { .. } => {
                "the log of the service says more; when it is mended, finish it by the same \
                 command, or take it back with --undo"
            }
            Error::MadeEdited { .. } => "remove by hand what is not needed, then say --forget",
            Error::EditedSince { .. } => {
                "take the change back by hand, then say --forget to remove the original"
            }
            Error::Config { refusal: Refusal::NotThere { .. }, .. } => {
                "name the mount as it stands there with --mount"
            }
            Error::Stopped => "finish it by the same command, or take it back with --undo",
            Error::Record { .. } => "look at it by hand; nothing was changed",
            // Whose it is to be, only the user knows.
            Error::NoDirectory(CallError { errno: Errno::ENOENT, .. }) => {
                "make the directory first, so that the program may write in it"
            }
            Error::Server { code: Some(code), .. } => return server_hint(code),
            Error::Sqlite { errno: Some(Errno::ENOLCK), .. } => {
                "locks are refused here: move the database instead"
            }
            _ => return None,
        })
    }

    /// A failed call of `std`.
    pub(crate) fn call(call: &'static str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Error::Call(CallError::new(call, path, error))
    }
}

/// By the code that a server's error begins with: a SQLSTATE of PostgreSQL, or a name of MySQL.
fn server_hint(code: &str) -> Option<&'static str> {
    let hints = [
        ("28P01", "give the password in PGPASSWORD, or in a URL that nobody else can read"),
        ("28000", "look at the server's pg_hba.conf: it says who may log in, and how"),
        ("3D000", "make the database first: CREATE DATABASE"),
        ("42501", "the user needs CREATE on the schema: GRANT CREATE ON SCHEMA public"),
        ("53100", "the server's disk is full; after that the same command goes on"),
        ("53300", "the server has no connection left; the same command goes on later"),
        (
            "ER_ACCESS_DENIED",
            "give the password in MYSQL_PWD, or in a URL that nobody else can read",
        ),
        ("ER_DBACCESS_DENIED", "the user needs all rights on the database: GRANT ALL"),
        ("ER_TABLEACCESS_DENIED", "the user needs all rights on the database: GRANT ALL"),
        ("ER_BAD_DB", "make the database first: CREATE DATABASE"),
        ("ER_CON_COUNT", "the server has no connection left; the same command goes on later"),
        ("ER_HOST", "the server does not let this machine log in"),
        ("ER_RECORD_FILE_FULL", "the server's disk is full; after that the same command goes on"),
        (
            "ER_NET_PACKET_TOO_LARGE",
            "set the server's max_allowed_packet to 1 GB, or its local_infile to 1; then the same \
             command goes on",
        ),
    ];
    let found = hints.iter().find(|(start, _)| code.starts_with(start));
    found.map(|(_, hint)| *hint)
}

fn said(errno: Option<Errno>) -> String {
    errno.map(|errno| format!("; the kernel said {errno}")).unwrap_or_default()
}

fn in_brackets(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

pub(crate) fn programs(openers: &[Opener]) -> String {
    let names: Vec<String> = openers
        .iter()
        .map(|opener| format!("{} (process {})", opener.program, opener.pid))
        .collect();
    names.join(", ")
}

fn signs(signs: &[Sign]) -> String {
    let texts: Vec<String> = signs.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

//! What stands at the path, and which mount holds it.

use super::place::{self, Place};
use crate::child::{self, NotSeen, Viewpoint};
use crate::database;
use crate::findings::{Draft, NO_DIRECTORY};
use crate::mount::{self, Touch};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tombolo_core::report::{Database, EvidenceKind, Mount, Observation, Outcome, TargetKind};
use tombolo_core::text::printable;
use tombolo_os::mount_table;
use tombolo_os::worker::End;

/// What the look found.
pub(super) struct Looked {
    pub(super) kind: TargetKind,
    pub(super) resolved: PathBuf,
    /// Whether the path answered, and be it with a refusal.
    answered: bool,
    /// The directory whose file system decides; `None` where it cannot be told.
    pub(super) directory: Option<PathBuf>,
    pub(super) mount: Option<Mount>,
    /// Where that is an overlay: the mount below, into which it writes.
    pub(super) below: Option<Mount>,
    pub(super) database: Option<Database>,
    pub(super) observations: Vec<Observation>,
    /// What follows from the database's own files.
    pub(super) drafts: Vec<Draft>,
    /// One sentence for each thing that was not examined.
    pub(super) missing: Vec<String>,
}

/// What the child says. Paths go as bytes: they need not be UTF-8.
#[derive(Deserialize, Serialize)]
enum Message {
    Place {
        kind: TargetKind,
        resolved: Vec<u8>,
        directory: Option<Vec<u8>>,
        refused: Option<Observation>,
        no_directory: Option<Observation>,
    },
    Examined {
        /// `None` of a file that is none.
        database: Option<Box<Database>>,
        observations: Vec<Observation>,
        drafts: Vec<Draft>,
    },
}

pub(super) fn look(path: &Path, viewpoint: Viewpoint, deadline: Instant) -> Looked {
    let absolute = match viewpoint {
        Viewpoint::Own => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        Viewpoint::Process(_) => Path::new("/").join(path),
    };
    let mut looked = Looked::unseen(absolute.clone());
    let end = child::run(
        viewpoint,
        deadline,
        |send: &mut dyn FnMut(&Message)| say(&absolute, deadline, send),
        &mut |message| looked.hear(message),
    );
    looked.end(end);
    looked.find_mount(viewpoint);
    looked
}

fn say(path: &Path, deadline: Instant, send: &mut dyn FnMut(&Message)) {
    let place = place::stand_at(path);
    let no_directory = place.missing_directory().map(|directory| {
        let text = printable(directory.as_os_str().as_bytes());
        let summary = format!("there is no directory {text}");
        Observation::new(EvidenceKind::Path, Outcome::Noted, summary).value(NO_DIRECTORY, text)
    });
    let Place { kind, resolved, directory, refused } = place;
    send(&Message::Place {
        kind,
        resolved: resolved.as_os_str().as_bytes().to_vec(),
        directory: directory.map(|directory| directory.into_os_string().into_vec()),
        refused: refused.map(|error| {
            Observation::new(EvidenceKind::Path, Outcome::Refused, error.to_string())
                .errno(error.errno)
        }),
        no_directory,
    });
    let is_database = matches!(kind, TargetKind::Database | TargetKind::EmptyFile);
    if is_database || kind == TargetKind::OtherFile {
        let examined = database::examine(&resolved, deadline);
        send(&Message::Examined {
            drafts: database::conclude(&examined.facts),
            database: is_database.then(|| Box::new(examined.database)),
            observations: examined.observations,
        });
    }
}

impl Looked {
    /// Before anything was seen of the path.
    fn unseen(resolved: PathBuf) -> Self {
        Looked {
            kind: TargetKind::Unreadable,
            resolved,
            answered: false,
            directory: None,
            mount: None,
            below: None,
            database: None,
            observations: Vec::new(),
            drafts: Vec::new(),
            missing: Vec::new(),
        }
    }

    fn hear(&mut self, message: Message) {
        let path = |bytes| PathBuf::from(OsString::from_vec(bytes));
        match message {
            Message::Place { kind, resolved, directory, refused, no_directory } => {
                self.missing.extend(refused.iter().map(|refused| refused.summary.clone()));
                self.observations.extend(refused.into_iter().chain(no_directory));
                self.kind = kind;
                self.resolved = path(resolved);
                self.directory = directory.map(path);
                self.answered = true;
            }
            Message::Examined { database, observations, drafts } => {
                self.database = database.map(|database| *database);
                self.observations.extend(observations);
                self.drafts.extend(drafts);
            }
        }
    }

    /// How the child ended decides whether the path may be worked with.
    fn end(&mut self, end: Result<End, NotSeen>) {
        let path = self.resolved.display();
        let (outcome, summary, errno) = match end {
            Ok(End::Finished) if self.answered => return,
            Ok(End::DeadlinePassed { .. }) => {
                let text = "the path did not answer in time".to_owned();
                (Outcome::TimedOut, text, None)
            }
            // The path answered; only what the child would have said of it is lost.
            Ok(end) if self.answered && end != End::StopWanted => {
                self.missing.push(format!("{path}: the database was not examined: {end}"));
                return;
            }
            Ok(end) => (Outcome::NotRun, format!("the path was not looked at: {end}"), None),
            Err(NotSeen { text, errno }) => (Outcome::Refused, text, Some(errno)),
        };
        self.missing.push(format!("{path}: {summary}"));
        let mut observation = Observation::new(EvidenceKind::Path, outcome, summary);
        observation.errno = errno;
        self.observations.push(observation);
        self.directory = None;
        self.kind = TargetKind::Unreadable;
    }

    /// From the table alone: the path itself might hang.
    fn find_mount(&mut self, viewpoint: Viewpoint) {
        match mount_table::read(Path::new("/proc"), viewpoint) {
            Ok(table) => {
                let (mount, more) = mount::examine(&table, &self.resolved, Touch::TextOnly);
                self.mount = mount;
                let (below, layer) = mount::below(&table, &self.resolved).unzip();
                self.below = below;
                self.observations.splice(0..0, more.into_iter().chain(layer));
            }
            Err(error) => self.missing.push(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::errno::Errno;

    fn ended(end: Result<End, NotSeen>) -> Looked {
        let mut looked = Looked {
            kind: TargetKind::Database,
            answered: true,
            directory: Some(PathBuf::from("/data")),
            ..Looked::unseen(PathBuf::from("/data/app.db"))
        };
        looked.end(end);
        looked
    }

    #[test]
    fn what_was_lost_is_missing_and_the_path_is_worked_with_still() {
        for end in [End::MessageLost, End::Panicked("oh".to_owned()), End::Signalled(7)] {
            let looked = ended(Ok(end.clone()));
            assert_eq!((looked.kind, looked.directory.is_some()), (TargetKind::Database, true));
            assert_eq!(looked.missing.len(), 1, "{end:?}");
            assert!(looked.missing[0].contains(&end.to_string()), "{:?}", looked.missing);
        }
    }

    #[test]
    fn a_hung_path_an_interrupted_look_and_a_refused_viewpoint_are_three_things() {
        let refused = NotSeen { text: "needs root".to_owned(), errno: Errno::EPERM };
        for (end, outcome, errno) in [
            (Ok(End::DeadlinePassed { call: None }), Outcome::TimedOut, None),
            (Ok(End::StopWanted), Outcome::NotRun, None),
            (Err(refused), Outcome::Refused, Some(Errno::EPERM)),
        ] {
            let looked = ended(end);
            assert_eq!((looked.kind, &looked.directory), (TargetKind::Unreadable, &None));
            let seen = looked.observations.first().expect("evidence");
            assert_eq!((seen.outcome, seen.errno), (outcome, errno));
            assert_eq!(looked.missing.len(), 1);
        }
    }
}

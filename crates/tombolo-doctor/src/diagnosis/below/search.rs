//! The search of one mount, in a child process that can be given up.
//!
//! The child tells of each database as soon as it was examined, so that a mount that stops to
//! answer half-way takes nothing away from what was found before.

use super::places::Shown;
use crate::child::{self, NotSeen, Viewpoint};
use crate::database::{self, DATABASES_MAX, Examination, Scan, Sight};
use crate::findings::Draft;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{Database, EvidenceKind, HeaderMode, Observation, Outcome};
use tombolo_core::sqlite::header::{HEADER_BYTES, is_sqlite_header};
use tombolo_core::text::printable;
use tombolo_os::error::CallError;
use tombolo_os::read;
use tombolo_os::walk::{Bounds, Seen, Step, WalkEnd};
use tombolo_os::worker::End;

/// Databases with findings of which the evidence is kept; of the rest the codes are.
const TROUBLES_MAX: usize = 1000;

/// Problems that are named; the rest is counted.
const PROBLEMS_NAMED_MAX: usize = 3;

/// A child that was silent for so long before it was given up is stuck in a call, not slow.
const SILENCE: Duration = Duration::from_secs(1);

/// Between two messages that only tell how far the search has come.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// What the search of one mount gave.
#[derive(Debug, Default)]
pub(in crate::diagnosis) struct Found {
    /// Sorted by path.
    pub(in crate::diagnosis) databases: Vec<Database>,
    /// What is wrong with them, and with sidecars whose database is gone; sorted by path.
    pub(in crate::diagnosis) troubles: Vec<Trouble>,
    /// What was searched, and how far.
    pub(in crate::diagnosis) scan: Option<Observation>,
    /// One sentence for each thing that was not looked at.
    pub(in crate::diagnosis) missing: Vec<String>,
    /// The directory of the first database that was found.
    pub(super) home: Option<PathBuf>,
    /// Whether the mount answered.
    pub(super) answer: Answer,
    troubles_left_out: usize,
    seen: Seen,
}

/// One database with findings.
#[derive(Debug)]
pub(in crate::diagnosis) struct Trouble {
    path: String,
    /// What shows them.
    pub(in crate::diagnosis) observations: Vec<Observation>,
    /// The findings.
    pub(in crate::diagnosis) drafts: Vec<Draft>,
}

/// Whether a mount answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes, or it was never asked.
    #[default]
    Given,
    /// A call on it did not return.
    Hung,
}

/// What to search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    pub(super) viewpoint: Viewpoint,
    pub(super) root: &'a Path,
    pub(super) shown: Shown,
    /// Mount points, none of which is touched.
    pub(super) untouched: &'a [PathBuf],
    pub(super) deadline: Instant,
}

#[derive(Deserialize, Serialize)]
enum Message {
    Seen {
        directories: u64,
        files: u64,
    },
    Examined {
        path: Vec<u8>,
        database: Option<Box<Database>>,
        observations: Vec<Observation>,
        drafts: Vec<Draft>,
    },
    Ended {
        scan: Observation,
        missing: Vec<String>,
    },
}

impl Search<'_> {
    /// Searches. `on_progress` hears of files seen and of databases found.
    pub(super) fn run(&self, on_progress: &mut dyn FnMut(u64, u64)) -> Found {
        let mut found = Found::default();
        let mut heard = Instant::now();
        // The child ends by itself before it is given up, if no call holds it.
        let left = self.deadline.saturating_duration_since(heard);
        let own_deadline = self.deadline - (left / 10).min(Duration::from_millis(300));
        let end = child::run(
            self.viewpoint,
            self.deadline,
            |send: &mut dyn FnMut(&Message)| self.say(own_deadline, send),
            &mut |message| {
                heard = Instant::now();
                found.hear(message);
                on_progress(found.seen.files, found.databases.len() as u64);
            },
        );
        let answer = if heard.elapsed() < SILENCE { Answer::Given } else { Answer::Hung };
        found.finish(self.root, answer, end);
        found
    }

    fn say(&self, deadline: Instant, send: &mut dyn FnMut(&Message)) {
        let mut teller = Teller { send, deadline, told: Instant::now() };
        let bounds = Bounds { deadline: Some(deadline), untouched: self.untouched };
        let scanned = match self.shown {
            Shown::Here => database::scan(self.root, bounds, &mut |sight| teller.tell(sight)),
            Shown::Elsewhere => match read::status(self.root) {
                Ok(status) if status.kind == read::Kind::Directory => return,
                Ok(_) => return teller.file(self.root),
                Err(error) => Err(error),
            },
        };
        match scanned {
            Ok(scan) => (teller.send)(&end_of(self.root, &scan)),
            Err(error) if error.errno == Errno::ENOTDIR => teller.file(self.root),
            Err(error) => {
                let kind = EvidenceKind::DatabaseScan;
                let scan = Observation::new(kind, Outcome::Refused, in_words(&error));
                let missing = vec![in_words(&error)];
                (teller.send)(&Message::Ended { scan: scan.errno(error.errno), missing });
            }
        }
    }
}

/// The child's voice.
struct Teller<'a> {
    send: &'a mut dyn FnMut(&Message),
    deadline: Instant,
    told: Instant,
}

impl Teller<'_> {
    fn tell(&mut self, sight: Sight) -> Step {
        match sight {
            Sight::Progress(seen) => {
                if self.told.elapsed() >= PROGRESS_PERIOD {
                    self.told = Instant::now();
                    (self.send)(&Message::Seen {
                        directories: seen.directories,
                        files: seen.files,
                    });
                }
            }
            Sight::Database(path) => {
                let Examination { database, observations, facts } =
                    database::examine(&path, self.deadline);
                let drafts = database::conclude(&facts);
                self.examined(&path, Some(Box::new(database)), observations, drafts);
            }
            Sight::Missing(path) => {
                let seen = database::examine(&path, self.deadline);
                let drafts = database::conclude(&seen.facts);
                self.examined(&path, None, seen.observations, drafts);
            }
        }
        Step::Go
    }

    fn examined(
        &mut self,
        path: &Path,
        database: Option<Box<Database>>,
        observations: Vec<Observation>,
        drafts: Vec<Draft>,
    ) {
        let observations = if drafts.is_empty() { Vec::new() } else { observations };
        let path = path.as_os_str().as_bytes().to_vec();
        (self.send)(&Message::Examined { path, database, observations, drafts });
    }

    /// A mount of a single file.
    fn file(&mut self, path: &Path) {
        let is_database = read::open(path)
            .ok()
            .and_then(|opened| opened.bytes_at(0, HEADER_BYTES).ok())
            .is_some_and(|start| is_sqlite_header(&start));
        if is_database {
            self.tell(Sight::Database(path.to_owned()));
        }
        let path = printable(path.as_os_str().as_bytes());
        let summary = format!("{path} is a mount of a single file");
        let scan = Observation::new(EvidenceKind::DatabaseScan, Outcome::Noted, summary);
        (self.send)(&Message::Ended { scan, missing: Vec::new() });
    }
}

fn in_words(error: &CallError) -> String {
    printable(error.to_string().as_bytes())
}

fn end_of(root: &Path, scan: &Scan) -> Message {
    let walked = &scan.walked;
    let Seen { directories, files } = walked.seen;
    let root = printable(root.as_os_str().as_bytes());
    let mut missing = Vec::new();
    if walked.end != WalkEnd::Complete {
        missing.push(format!(
            "what lies further in {root}: time was up after {files} files in {directories} \
             directories (--timeout gives more)"
        ));
    }
    if walked.problem_count > 0 {
        let named = walked.problems.iter().take(PROBLEMS_NAMED_MAX).map(in_words);
        let named = named.collect::<Vec<_>>().join("; ");
        let count = walked.problem_count;
        let more = if count > PROBLEMS_NAMED_MAX as u64 { "; ..." } else { "" };
        missing.push(format!(
            "{count} files or directories below {root} that could not be read: {named}{more}"
        ));
    }
    if scan.unnamed > 0 {
        missing.push(format!(
            "{} databases below {root} beyond the first {DATABASES_MAX}",
            scan.unnamed
        ));
    }
    let summary = format!("read the start of {files} files in {directories} directories");
    let scan = Observation::new(EvidenceKind::DatabaseScan, Outcome::Noted, summary)
        .value("files", files)
        .value("directories", directories)
        .value("not_read", walked.problem_count)
        .value("complete", walked.end == WalkEnd::Complete);
    Message::Ended { scan, missing }
}

impl Found {
    /// The gravest journal mode: WAL, if any database is in WAL mode.
    pub(in crate::diagnosis) fn journal_mode(&self) -> Option<HeaderMode> {
        let has = |mode| self.databases.iter().any(|database| database.journal_mode == mode);
        [HeaderMode::Wal, HeaderMode::Rollback, HeaderMode::Empty, HeaderMode::Unreadable]
            .into_iter()
            .find(|mode| has(*mode))
    }

    /// Whether there is anything to report.
    pub(super) fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.troubles.is_empty()
    }

    /// Keeps what is wrong with a database, as far as there is room.
    pub(in crate::diagnosis) fn add_trouble(
        &mut self,
        path: String,
        observations: Vec<Observation>,
        drafts: Vec<Draft>,
    ) {
        if self.troubles.len() == TROUBLES_MAX {
            self.troubles_left_out += 1;
            return;
        }
        let named = |seen: Observation| seen.value("database", path.as_str());
        let observations = observations.into_iter().map(named).collect();
        self.troubles.push(Trouble { path, observations, drafts });
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Seen { directories, files } => self.seen = Seen { directories, files },
            Message::Examined { path, database, observations, drafts } => {
                let path = PathBuf::from(OsString::from_vec(path));
                if database.is_some() && self.home.is_none() {
                    self.home = path.parent().map(Path::to_owned);
                }
                self.databases.extend(database.map(|database| *database));
                if !drafts.is_empty() {
                    let path = printable(path.as_os_str().as_bytes());
                    self.add_trouble(path, observations, drafts);
                }
            }
            Message::Ended { scan, missing } => {
                self.scan = Some(scan);
                self.missing.extend(missing);
            }
        }
    }

    fn finish(&mut self, root: &Path, answer: Answer, end: Result<End, NotSeen>) {
        let root = printable(root.as_os_str().as_bytes());
        let files = self.seen.files;
        let broken = match end {
            Ok(End::Finished) => None,
            Ok(End::DeadlinePassed { .. }) if self.scan.is_some() => None,
            Ok(End::DeadlinePassed { .. }) => {
                self.answer = answer;
                Some(match answer {
                    Answer::Hung => (Outcome::TimedOut, "a call did not return".to_owned()),
                    Answer::Given => (Outcome::NotRun, "time was up".to_owned()),
                })
            }
            Ok(end) => Some((Outcome::NotRun, format!("{end},"))),
            Err(error) => Some((Outcome::NotRun, format!("{error},"))),
        };
        if let Some((outcome, why)) = broken {
            let sentence = format!("what lies further in {root}: {why} after {files} files");
            self.missing.push(sentence.clone());
            let scan = Observation::new(EvidenceKind::DatabaseScan, outcome, sentence);
            self.scan.get_or_insert(scan);
        }
        if self.troubles_left_out > 0 {
            self.missing.push(format!(
                "the evidence of {} more databases below {root} with findings",
                self.troubles_left_out
            ));
        }
        self.databases.sort_by(|left, right| left.path.cmp(&right.path));
        self.troubles.sort_by(|left, right| left.path.cmp(&right.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["b.db", "a.db"] {
            rusqlite::Connection::open(directory.path().join(name))
                .and_then(|connection| connection.execute_batch("CREATE TABLE t(x)"))
                .expect("written");
        }
        directory
    }

    fn search(root: &Path, shown: Shown, time: Duration) -> Found {
        let deadline = Instant::now() + time;
        Search { viewpoint: Viewpoint::Own, root, shown, untouched: &[], deadline }
            .run(&mut |_, _| {})
    }

    #[test]
    fn a_finished_search_has_no_gaps() {
        let tree = tree();
        let found = search(tree.path(), Shown::Here, Duration::from_secs(20));
        let paths: Vec<_> = found.databases.iter().map(|one| one.path.clone()).collect();
        let expected = ["a.db", "b.db"].map(|name| tree.path().join(name).display().to_string());
        assert_eq!(paths, expected);
        assert_eq!((found.missing.len(), found.answer), (0, Answer::Given));
        assert_eq!(found.home.as_deref(), Some(tree.path()));
        assert_eq!(found.journal_mode(), Some(HeaderMode::Rollback));
        let scan = found.scan.expect("an observation");
        assert_eq!(scan.values["files"], 2.into());
    }

    #[test]
    fn those_who_wait_hear_how_many_were_found() {
        let tree = tree();
        let deadline = Instant::now() + Duration::from_secs(20);
        let (viewpoint, root, shown) = (Viewpoint::Own, tree.path(), Shown::Here);
        let mut heard = Vec::new();
        Search { viewpoint, root, shown, untouched: &[], deadline }
            .run(&mut |_, databases| heard.push(databases));
        assert_eq!(heard, [1, 2, 2], "with each database, and at the end");
    }

    #[test]
    fn time_that_is_up_is_a_gap_and_no_dead_mount() {
        let tree = tree();
        let found = search(tree.path(), Shown::Here, Duration::ZERO);
        assert_eq!((found.databases.len(), found.answer), (0, Answer::Given));
        let scan = found.scan.expect("an observation");
        assert_eq!(scan.outcome, Outcome::NotRun);
        assert!(found.missing[0].contains("time was up after 0 files"), "{:?}", found.missing);
        // Where the walk itself sees the deadline, it says how far it came.
        let bounds = Bounds { deadline: Some(Instant::now()), ..Bounds::default() };
        let scan = database::scan(tree.path(), bounds, &mut |_| Step::Go).expect("a scan");
        let Message::Ended { scan, missing } = end_of(tree.path(), &scan) else { panic!() };
        assert_eq!(scan.values["complete"], false.into());
        assert!(missing[0].contains("time was up"), "{missing:?}");
    }

    #[test]
    fn a_directory_that_is_shown_elsewhere_is_not_searched_and_a_file_is() {
        let tree = tree();
        let time = Duration::from_secs(20);
        assert!(search(tree.path(), Shown::Elsewhere, time).is_empty());
        for shown in [Shown::Here, Shown::Elsewhere] {
            let file = search(&tree.path().join("a.db"), shown, time);
            assert_eq!((file.databases.len(), file.missing.len()), (1, 0));
        }
    }

    #[test]
    fn a_directory_that_is_gone_is_refused_with_its_errno() {
        let tree = tree();
        let gone = search(&tree.path().join("gone"), Shown::Here, Duration::from_secs(20));
        let scan = gone.scan.expect("an observation");
        assert_eq!((scan.outcome, scan.errno), (Outcome::Refused, Some(Errno::ENOENT)));
        assert_eq!(gone.missing.len(), 1);
    }
}

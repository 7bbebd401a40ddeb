//! Programs that work on databases: Debian's Python with its stock SQLite, in processes of their
//! own.

use crate::child::{Batch, Program};
use crate::error::LabError;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The distribution's, and no other that a search path may find.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
const PACKAGE: &str = "install the package python3";

pub(crate) const SESSION: &str = include_str!("../workloads/session.py");
const INCREMENT: &str = include_str!("../workloads/increment.py");

/// How long one statement may take. It decides nothing: who is slower is broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// How long a whole run of transactions may take.
const END_WITHIN: Duration = Duration::from_secs(600);

/// The tables that [`Increments`] works on. An entry may be there twice: no index hides it.
pub const TABLES: &str = "CREATE TABLE counter(n INTEGER); INSERT INTO counter VALUES(0); \
     CREATE TABLE entry(client TEXT, number INTEGER, padding BLOB);";

fn python(script: &str) -> Command {
    let mut command = Command::new(PYTHON);
    // Isolated from the environment and the modules of whoever runs it.
    command.args(["-I", "-c", script]);
    command
}

/// What a statement led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It ran. The rows, with their fields as Python writes them.
    Rows(Vec<Vec<String>>),
    /// It failed.
    Failed {
        /// Such as `SQLITE_IOERR_SHMMAP`.
        name: String,
        /// Such as `disk I/O error`.
        text: String,
    },
    /// The program died of it, as by SIGBUS.
    Died,
}

impl Answer {
    /// The first field of the first row.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match self {
            Answer::Rows(rows) => rows.first()?.first().map(String::as_str),
            Answer::Failed { .. } | Answer::Died => None,
        }
    }

    /// `ok`, the name of the error, or `died`.
    #[must_use]
    pub fn outcome(&self) -> &str {
        match self {
            Answer::Rows(_) => "ok",
            Answer::Failed { name, .. } => name,
            Answer::Died => "died",
        }
    }
}

/// An answer of `workloads/session.py` that comes line by line.
#[derive(Debug, Default)]
pub struct Reply {
    rows: Vec<Vec<String>>,
}

impl Reply {
    /// Takes one line, without its end; the answer, where it is the last.
    pub fn take(&mut self, line: &str) -> Option<Answer> {
        let mut fields = line.split('\t').map(str::to_owned);
        match fields.next().as_deref() {
            Some("row") => {
                self.rows.push(fields.collect());
                None
            }
            Some("done") => Some(Answer::Rows(std::mem::take(&mut self.rows))),
            _ => {
                let mut next = || fields.next().unwrap_or_default();
                Some(Answer::Failed { name: next(), text: next() })
            }
        }
    }
}

/// A connection that does one statement after the other, so that a test decides in which order two
/// of them work. It never waits for a lock. Killed when dropped.
#[derive(Debug)]
pub struct Session {
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    program: Program,
}

impl Session {
    /// Starts the program. The database is opened with the first statement, by SQLite's own choice
    /// of a VFS.
    ///
    /// # Errors
    /// When there is no Python.
    pub fn new(database: &Path) -> Result<Self, LabError> {
        Self::start(python(SESSION).arg(database))
    }

    /// The same, with one of SQLite's VFSes, such as `unix-dotfile`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_vfs(database: &Path, vfs: &str) -> Result<Self, LabError> {
        Self::start(python(SESSION).arg(database).arg(vfs))
    }

    /// The same, started by another program with these words, such as one that records its calls.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn within(words: &[&str], database: &Path) -> Result<Self, LabError> {
        let Some((program, arguments)) = words.split_first() else { return Self::new(database) };
        let mut command = Command::new(program);
        command.args(arguments).args([PYTHON, "-I", "-c", SESSION]).arg(database);
        Self::start(&mut command)
    }

    fn start(command: &mut Command) -> Result<Self, LabError> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut program = Program::start(command, PACKAGE)?;
        let pipes = program.child().map(|child| (child.stdin.take(), child.stdout.take()));
        let (input, output) = pipes.unwrap_or_default();
        let (sender, answers) = channel();
        // A thread, because a program that hangs in a mount answers nothing at all.
        std::thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Session { input, answers, program })
    }

    /// Runs one statement, and waits for its answer.
    pub fn run(&mut self, statement: &str) -> Answer {
        let line = statement.replace('\n', " ");
        if self.input.as_mut().is_none_or(|input| writeln!(input, "{line}").is_err()) {
            return Answer::Died;
        }
        let mut reply = Reply::default();
        while let Ok(line) = self.answers.recv_timeout(ANSWER_WITHIN) {
            if let Some(answer) = reply.take(&line) {
                return answer;
            }
        }
        self.kill();
        Answer::Died
    }

    /// Ends it as a crash does, in whatever transaction it is.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Closes the connection and waits for the end of the program.
    ///
    /// # Errors
    /// When it does not end.
    pub fn close(mut self) -> Result<(), LabError> {
        self.input = None;
        self.program.wait(ANSWER_WITHIN).map(drop)
    }
}

/// A run of transactions, each of which counts up and adds a row, in a database with [`TABLES`].
#[derive(Clone, Debug)]
pub struct Increments {
    /// The database, as this program sees it.
    pub database: PathBuf,
    /// The name in its rows and acknowledgements; another one for each program.
    pub client: String,
    /// How many transactions.
    pub count: u32,
    /// Where acknowledgements are written, each synced: on a local disk, not on the share.
    pub acknowledgements: PathBuf,
    /// Of the pauses between transactions.
    pub seed: u64,
    /// One of SQLite's VFSes; none is SQLite's own choice.
    pub vfs: Option<&'static str>,
    /// Statements before the first transaction.
    pub setup: Vec<String>,
    /// Rolls each n-th transaction back, from the first on, and acknowledges it all the same: a
    /// program that loses updates on purpose, for whoever must catch it.
    pub forget_every: Option<u32>,
}

/// A program that is doing [`Increments`]. Killed when dropped.
#[derive(Debug)]
pub struct Incrementing {
    batch: Batch,
    seed: u64,
}

/// What became of [`Increments`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incremented {
    /// To be said where a run is reported, so that it can be repeated.
    pub seed: u64,
    /// Transactions whose COMMIT returned.
    pub acknowledged: u32,
    /// How often each error came.
    pub errors: BTreeMap<String, u32>,
}

impl Increments {
    /// Starts the program.
    ///
    /// # Errors
    /// When there is no Python.
    pub fn start(&self) -> Result<Incrementing, LabError> {
        let mut command = python(INCREMENT);
        command.arg(&self.database).arg("--acknowledgements").arg(&self.acknowledgements);
        command.args(["--client", &self.client]);
        command.args(["--count", &self.count.to_string(), "--seed", &self.seed.to_string()]);
        command.args(self.vfs.iter().flat_map(|vfs| ["--vfs", vfs]));
        for statement in &self.setup {
            // As one word: a statement may begin with what looks like an option.
            command.arg(OsString::from(format!("--setup={statement}")));
        }
        if let Some(forget_every) = self.forget_every {
            command.args(["--forget-every", &forget_every.to_string()]);
        }
        Ok(Incrementing { batch: Batch::start(&mut command, PACKAGE)?, seed: self.seed })
    }
}

impl Incrementing {
    /// Waits for the end.
    ///
    /// # Errors
    /// When the program failed, died or did not end.
    pub fn end(self) -> Result<Incremented, LabError> {
        let ended = self.batch.end(END_WITHIN)?;
        if !ended.status.success() {
            let output = format!("{} (seed {}): {}", ended.status, self.seed, ended.errors.trim());
            return Err(LabError::Program { program: PYTHON.to_owned(), output });
        }
        let mut done = Incremented { seed: self.seed, acknowledged: 0, errors: BTreeMap::new() };
        for line in ended.output.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["acknowledged", count] => done.acknowledged = count.parse().unwrap_or(0),
                ["error", count, name] => {
                    done.errors.insert(name.to_owned(), count.parse().unwrap_or(0));
                }
                _ => {}
            }
        }
        Ok(done)
    }

    /// Ends it as a crash does. What it has acknowledged counts.
    pub fn kill(&mut self) {
        self.batch.kill();
    }
}

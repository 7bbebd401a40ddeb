//! Fresh databases: each experiment has one of its own, since a failed open alone changes the files
//! beside a database.

use super::clock::Clock;
use super::outcome::{Client, Opened, PairReport, Updates, Way};
use super::session::{Said, Session};
use super::{end_of, outcome};
use crate::error::LabError;
use crate::judge::{Charge, Integrity, Verdict, judge};
use crate::side::{Ended, Program, Side};
use crate::workload::{PYTHON, TABLES};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Before the work: both programs begin at the same time, however long each takes to start.
const GATE: &str = include_str!("../../workloads/gate.py");
const INCREMENT: &str = include_str!("../../workloads/increment.py");

/// How long making a database, or moving one, may take.
const STEP: Duration = Duration::from_secs(30);

/// How many characters of a complaint go into a table.
const SHOWN_CHARACTERS: usize = 80;

/// How a run of transactions is sized.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) transactions: u32,
    pub(super) limit: Duration,
    /// How long SQLite waits for a lock.
    pub(super) busy_timeout: Duration,
    pub(super) seed: u64,
}

/// Makes databases where the directory itself is, and judges them there.
#[derive(Debug)]
pub(super) struct Databases<'a> {
    server: &'a Side,
    /// For what is judged; on the host, of the lab alone.
    place: PathBuf,
    clock: Clock,
    size: Size,
}

impl<'a> Databases<'a> {
    pub(super) fn new(
        server: &'a Side,
        place: PathBuf,
        clock: Clock,
        size: Size,
    ) -> Result<Self, LabError> {
        fs::create_dir(&place).map_err(LabError::call("mkdir", &place))?;
        Ok(Databases { server, place, clock, size })
    }

    /// A database in this journal mode, closed.
    fn make(&self, name: &str, journal_mode: &str) -> Result<(), LabError> {
        let path = self.server.directory().join(name);
        let sql = format!("PRAGMA journal_mode={journal_mode}; {TABLES}");
        let argv = ["sqlite3", "-batch", "-init", "/dev/null", &path.to_string_lossy(), &sql];
        let limit = self.clock.left(STEP)?;
        let ended = self.server.run(&argv, limit)?.require_success("sqlite3", limit)?;
        if ended.stderr.trim().is_empty() {
            return Ok(());
        }
        let output = ended.stderr.trim().to_owned();
        Err(LabError::Program { program: "sqlite3".to_owned(), output })
    }

    /// What one kernel gets when it opens databases in WAL mode, in three ways.
    pub(super) fn opens(&self, side: &Side) -> Result<Vec<Opened>, LabError> {
        let first = ["", "PRAGMA journal_mode=DELETE", "PRAGMA locking_mode=EXCLUSIVE"];
        let mut opened = Vec::new();
        for (number, (name, first)) in outcome::OPENS.iter().zip(first).enumerate() {
            let file = format!("open-{number}.db");
            self.make(&file, "WAL")?;
            let outcome = self.open(&side.directory().join(file), side, first)?;
            opened.push(Opened { name: (*name).to_owned(), outcome });
        }
        Ok(opened)
    }

    fn open(&self, path: &Path, side: &Side, first: &str) -> Result<String, LabError> {
        let mut session = Session::sqlite(side, path, self.clock)?;
        let then = ["SELECT n FROM counter", "UPDATE counter SET n = n + 1"];
        for statement in [first].into_iter().filter(|text| !text.is_empty()).chain(then) {
            let said = session.say(statement)?;
            if let Said::Failed(error) = &said {
                let verb = statement.split(' ').next().unwrap_or_default();
                return Ok(format!("{error} ({verb})"));
            }
            if statement.ends_with("=DELETE") && said.word() != "delete" {
                return Ok(format!("it stays {}", said.word()));
            }
        }
        Ok("ok".to_owned())
    }

    /// Two programs at once, in each way.
    pub(super) fn pair(
        &self,
        sides: [&Side; 2],
        ways: &[Way],
        report: &mut PairReport,
    ) -> Result<(), LabError> {
        let name = format!("{}-{}", sides[0].name(), sides[1].name());
        report.exclusive = self.exclusive(sides, &format!("{name}-exclusive.db"))?;
        for way in ways {
            report.updates.push(self.updates(sides, &name, *way)?);
        }
        Ok(())
    }

    /// BEGIN EXCLUSIVE on both, the second while the first holds what it got.
    fn exclusive(&self, sides: [&Side; 2], file: &str) -> Result<[String; 2], LabError> {
        self.make(file, "DELETE")?;
        let open = |side: &Side| Session::sqlite(side, &side.directory().join(file), self.clock);
        let (mut first, mut second) = (open(sides[0])?, open(sides[1])?);
        let here = first.say("BEGIN EXCLUSIVE")?.outcome().to_owned();
        Ok([here, second.say("BEGIN EXCLUSIVE")?.outcome().to_owned()])
    }

    fn updates(&self, sides: [&Side; 2], pair: &str, way: Way) -> Result<Updates, LabError> {
        let name = format!("{pair}-{}", way.name());
        let file = format!("{name}.db");
        self.make(&file, way.journal_mode())?;
        let acknowledgements = [0, 1].map(|of| format!("{name}-{of}.acknowledged"));
        let mut programs = Vec::new();
        for (number, side) in sides.into_iter().enumerate() {
            programs.push(self.start(side, &file, way, &acknowledgements[number], number)?);
        }
        for program in &mut programs {
            // One that does not come so far says at its end why.
            let _ = program.next_line(self.clock.left(STEP)?);
        }
        for program in &programs {
            program.write_line("go");
        }
        let limit = self.clock.left(self.size.limit)?;
        let begun = std::time::Instant::now();
        let mut ends = Vec::new();
        for program in programs {
            ends.push(program.end(limit.saturating_sub(begun.elapsed()))?);
        }
        for side in sides {
            side.flush(self.clock.left(STEP)?)?;
        }
        let logs = acknowledgements.each_ref().map(|log| self.place.join(log));
        for (side, (from, to)) in sides.iter().zip(acknowledgements.iter().zip(&logs)) {
            side.fetch(&side.local(from), to)?;
        }
        let verdict = self.judge(&file, logs.to_vec())?;
        let clients = [0, 1].map(|of| client(&ends[of], &logs[of]));
        Ok(Updates {
            way,
            seed: self.size.seed,
            wanted: self.size.transactions,
            clients,
            lost: verdict.missing.len(),
            integrity: integrity(&verdict),
            broken: broken(&verdict),
        })
    }

    fn start(
        &self,
        side: &Side,
        file: &str,
        way: Way,
        log: &str,
        number: usize,
    ) -> Result<Program, LabError> {
        let (path, log) = (side.directory().join(file), side.local(log));
        let (path, log) = (path.to_string_lossy(), log.to_string_lossy());
        let client = format!("client-{number}");
        let count = self.size.transactions.to_string();
        let seed = (self.size.seed + number as u64).to_string();
        let timeout_ms = self.size.busy_timeout.as_millis().to_string();
        let script = format!("{GATE}\n{INCREMENT}");
        let mut argv = vec![PYTHON, "-I", "-c", &script, &path, "--client", &client];
        argv.extend(["--count", &count, "--seed", &seed, "--timeout-ms", &timeout_ms]);
        argv.extend(["--acknowledgements", &log]);
        if way == Way::UnixDotfile {
            argv.extend(["--vfs", "unix-dotfile"]);
        }
        side.start(&argv)
    }

    /// Judges the database as the server has it.
    fn judge(&self, file: &str, acknowledgements: Vec<PathBuf>) -> Result<Verdict, LabError> {
        for suffix in ["", "-wal", "-journal"] {
            let name = format!("{file}{suffix}");
            self.server.fetch(&self.server.directory().join(&name), &self.place.join(&name))?;
        }
        judge(&self.place.join(file), &Charge::of_increments(acknowledgements))
    }
}

impl Way {
    /// As the files and tables call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::Delete => "DELETE",
            Way::Wal => "WAL",
            Way::UnixDotfile => "unix-dotfile",
        }
    }

    fn journal_mode(self) -> &'static str {
        if self == Way::Wal { "WAL" } else { "DELETE" }
    }
}

/// What the program said of itself, except for what it acknowledged: its log counts, since a
/// program that was killed says nothing.
fn client(ended: &Ended, log: &Path) -> Client {
    let log = fs::read_to_string(log).unwrap_or_default();
    let mut errors = BTreeMap::new();
    for line in ended.stdout.lines() {
        if let ["error", count, name] = line.split('\t').collect::<Vec<_>>()[..] {
            errors.insert(name.to_owned(), count.parse().unwrap_or(0));
        }
    }
    let mut end = end_of(ended.status);
    if ended.status == crate::guest::Status::Exited(1) {
        let last = ended.stderr.trim().lines().last().unwrap_or_default();
        end = format!("{end}: {}", shown(last));
    }
    Client { acknowledged: log.matches('\n').count(), errors, end }
}

fn integrity(verdict: &Verdict) -> String {
    match &verdict.integrity {
        Integrity::Sound => "ok".to_owned(),
        Integrity::Damaged(said) | Integrity::Unreadable(said) => shown(said),
    }
}

fn broken(verdict: &Verdict) -> Vec<String> {
    let twice = verdict.duplicates.len();
    let twice = (twice > 0).then(|| format!("{twice} rows twice"));
    let broken = verdict.broken.iter();
    twice
        .into_iter()
        .chain(broken.map(|(of, answer)| format!("{}: {}", of.name, shown(answer))))
        .collect()
}

/// The beginning of the first line, with nothing that would break a table.
fn shown(text: &str) -> String {
    // The shell begins with a heading, `*** in database main ***`.
    let says = |line: &&str| !line.trim().is_empty() && !line.starts_with("***");
    let line = text.lines().find(says).unwrap_or_default();
    line.replace('|', "/").chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::Status;

    #[test]
    fn what_a_killed_program_has_acknowledged_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("log");
        fs::write(&log, "client-0 0\nclient-0 1\nclient-0").expect("written");
        let ended = |status, stdout: &str| Ended {
            status,
            stdout: stdout.to_owned(),
            stderr: "Traceback\nOSError: gone\n".to_owned(),
        };
        let killed = client(&ended(Status::Killed(7), ""), &log);
        assert_eq!((killed.acknowledged, killed.end.as_str()), (2, "SIGBUS"));
        let report = "seed\t1\nacknowledged\t9\nerror\t3\tSQLITE_BUSY\n";
        let other = client(&ended(Status::Exited(1), report), &directory.path().join("none"));
        assert_eq!((other.acknowledged, other.errors["SQLITE_BUSY"]), (0, 3));
        assert_eq!(other.end, "exit code 1: OSError: gone");
    }

    #[test]
    fn nothing_breaks_the_table() {
        assert_eq!(shown("\n  \na | b\nc"), "a / b");
        assert_eq!(shown("*** in database main ***\nPage 3: never used"), "Page 3: never used");
        assert_eq!(shown(&"x".repeat(500)).len(), SHOWN_CHARACTERS);
    }
}

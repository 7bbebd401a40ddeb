//! What real runtimes say of real errors.
//!
//! For each language a small program opens a database as programs do, writes, reads, and dies of
//! the first error as an application without a handler does. It runs once without a fault, which
//! must succeed, and then once under each fault; what it leaves on standard error is kept as data.
//! A fault that was not met (no call refused, no file there to remove) is an error of the
//! recording, not a text.
//!
//! The recorder installs nothing: it says which package is missing.

mod catalogue;
mod expected;
mod fault;
mod neutral;
mod recording;
mod session;

use crate::error::LabError;
use crate::preload::{Preload, Times};
use crate::stock::{Shell, sqlite};
use catalogue::{RUNTIMES, Runtime};
use fault::{Act, FAULTS, Fault, Journal, Since};
use recording::{Recorded, Recording, Silent};
use session::{Ended, RUNNING, TRANSACTION};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than any busy time-out of a runtime, on a machine that does other work as well.
const RUN_TIMEOUT: Duration = Duration::from_secs(90);

/// The runtimes that can be recorded, by the names of their files.
pub fn names() -> impl Iterator<Item = &'static str> {
    RUNTIMES.iter().map(|runtime| runtime.name)
}

/// Records one runtime under every fault, into `NAME.toml` in `out`. Answers how many texts there
/// are, and under how many faults it said nothing.
///
/// # Errors
/// When the runtime is not known or not installed, when a program fails without a fault, or when a
/// fault was not met.
pub fn record(name: &str, out: &Path) -> Result<(usize, usize), LabError> {
    let missing = || LabError::Missing {
        what: format!("runtime {name}"),
        how: "tombolo-lab record --help lists the names that it knows",
    };
    let runtime = RUNTIMES.iter().find(|runtime| runtime.name == name).ok_or_else(missing)?;
    let directory = tempfile::Builder::new().prefix("tombolo-lab-").tempdir();
    let directory = directory.map_err(LabError::call("mkdtemp", Path::new("")))?;
    let mut recording = Recording { runtime: name.to_owned(), ..Recording::default() };
    for journal in [Journal::Wal, Journal::Delete] {
        let bench = Bench::new(runtime, journal, &directory.path().join(journal.mode()))?;
        recording.version = bench.control()?;
        for fault in FAULTS.iter().filter(|fault| fault.journal == journal) {
            bench.record(fault, &mut recording)?;
        }
    }
    recording.write(out)?;
    Ok((recording.recorded.len(), recording.silent.len()))
}

/// A program, built, with a place to run in.
struct Bench {
    runtime: &'static Runtime,
    journal: Journal,
    directory: PathBuf,
    database: PathBuf,
}

impl Bench {
    fn new(
        runtime: &'static Runtime,
        journal: Journal,
        directory: &Path,
    ) -> Result<Self, LabError> {
        std::fs::create_dir(directory).map_err(LabError::call("mkdir", directory))?;
        let (directory, database) = (directory.to_owned(), directory.join("app.db"));
        let bench = Bench { runtime, journal, directory, database };
        if !runtime.program.0.is_empty() {
            let file = bench.directory.join(runtime.program.0);
            let text = runtime.text(&bench.database, journal.mode());
            std::fs::write(&file, text).map_err(LabError::call("write", &file))?;
        }
        if let Some(mut build) = runtime.build(&bench.directory) {
            let name = Path::new(build.get_program()).to_owned();
            let output = build.output().map_err(LabError::call("execve", &name));
            let output = output.map_err(|error| bench.not_there(&error.to_string()))?;
            if !output.status.success() {
                return Err(bench.not_there(&String::from_utf8_lossy(&output.stderr)));
            }
        }
        Ok(bench)
    }

    fn not_there(&self, said: &str) -> LabError {
        let output = format!("{}\nIt needs {}", said.trim(), self.runtime.needs);
        LabError::Program { program: self.runtime.name.to_owned(), output }
    }

    /// A run without a fault: the program works, also behind the preload. Answers its version.
    fn control(&self) -> Result<String, LabError> {
        let preload = self.preload()?;
        let ended = self.run(&preload, |_| Ok(()));
        let ended = ended.map_err(|error| self.not_there(&error.to_string()))?;
        self.clear()?;
        match ended.is_success && !ended.version.is_empty() {
            true => Ok(ended.version),
            false => Err(self.not_there(&ended.text)),
        }
    }

    fn record(&self, fault: &Fault, recording: &mut Recording) -> Result<(), LabError> {
        let armed = self.directory.join("armed");
        let mut preload = self.preload()?;
        if let Act::Refuse(calls) = fault.act {
            for (call, suffix, errno) in calls {
                preload = preload.refuse(*call, suffix, *errno, Times::From(1));
            }
            preload = preload.when(&armed);
        }
        if fault.since == Since::OldDatabase {
            self.make_database()?;
        }
        let mut holder = None;
        let mut act = || match fault.act {
            Act::Refuse(_) => std::fs::write(&armed, "").map_err(LabError::call("write", &armed)),
            Act::Remove(suffix) => {
                let sidecar = self.directory.join(format!("app.db{suffix}"));
                std::fs::remove_file(&sidecar).map_err(LabError::call("unlink", &sidecar))
            }
            Act::Hold => {
                let mut shell = Shell::new(&self.database);
                let answer = shell.ask("BEGIN EXCLUSIVE; SELECT 'held';");
                holder = Some(shell);
                match &*answer {
                    "held" => Ok(()),
                    _ => Err(self.unmet(fault)),
                }
            }
        };
        if matches!(fault.since, Since::NewDatabase | Since::OldDatabase) {
            act()?;
        }
        let ended = self.run(&preload, |stage| match (fault.since, stage) {
            (Since::Running, RUNNING) | (Since::Transaction, TRANSACTION) => act(),
            _ => Ok(()),
        })?;
        let mut answers = preload.answers();
        answers.dedup();
        if matches!(fault.act, Act::Refuse(_)) && answers.is_empty() {
            return Err(self.unmet(fault));
        }
        drop(holder);
        self.clear()?;
        recording.add(self.keep(fault, &ended, answers));
        Ok(())
    }

    fn keep(&self, fault: &Fault, ended: &Ended, refused: Vec<String>) -> Result<Recorded, Silent> {
        let journal = self.journal.mode();
        if ended.is_success {
            return Err(Silent { fault: fault.name.to_owned(), journal: journal.to_owned() });
        }
        let text = neutral::neutral(&ended.text, &self.directory, &modules());
        Ok(Recorded::new(fault, refused, text))
    }

    fn unmet(&self, fault: &Fault) -> LabError {
        let output = format!("the fault was not met: {} ({})", fault.name, self.journal.mode());
        LabError::Program { program: self.runtime.name.to_owned(), output }
    }

    fn preload(&self) -> Result<Preload, LabError> {
        let preload = Preload::new(&self.directory.join("answers"))?;
        Ok(match self.runtime.deep_bound {
            Some(library) => preload.with(Path::new(library)),
            None => preload,
        })
    }

    fn make_database(&self) -> Result<(), LabError> {
        let statements = format!(
            "PRAGMA journal_mode={}; CREATE TABLE items(id INTEGER PRIMARY KEY, data);
             INSERT INTO items(data) VALUES('old');",
            self.journal.mode()
        );
        let said = sqlite(&self.database, &statements);
        match said.trim().eq_ignore_ascii_case(self.journal.mode()) {
            true => Ok(()),
            false => Err(LabError::Program { program: "sqlite3".to_owned(), output: said }),
        }
    }

    fn run(
        &self,
        preload: &Preload,
        at_stage: impl FnMut(&str) -> Result<(), LabError>,
    ) -> Result<Ended, LabError> {
        let mut command = self.runtime.start(&self.directory, &self.database, self.journal.mode());
        command.env("LC_ALL", "C");
        preload.apply(&mut command);
        session::run(&mut command, &self.directory, &self.pieces(), RUN_TIMEOUT, at_stage)
    }

    /// What is written to the program: itself, cut behind each stage, or a line for each stage.
    fn pieces(&self) -> Vec<String> {
        if !self.runtime.is_read_from_input() {
            return vec![String::new(), "\n".to_owned(), "\n".to_owned()];
        }
        let text = self.runtime.text(&self.database, self.journal.mode());
        let cut = |line: &str| line.starts_with(".print ");
        let mut pieces = vec![String::new()];
        for line in text.lines() {
            if let Some(piece) = pieces.last_mut() {
                piece.push_str(line);
                piece.push('\n');
            }
            if cut(line) {
                pieces.push(String::new());
            }
        }
        pieces
    }

    /// Takes away what the last run left.
    fn clear(&self) -> Result<(), LabError> {
        for name in ["app.db", "app.db-wal", "app.db-shm", "app.db-journal", "armed", "answers"] {
            let path = self.directory.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(LabError::call("unlink", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where runtimes look for modules on this machine.
fn modules() -> Vec<PathBuf> {
    let paths = ["NODE_PATH", "PYTHONPATH"].map(|name| std::env::var_os(name).unwrap_or_default());
    paths.iter().flat_map(std::env::split_paths).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preload::Refused;
    use fault::Kind;
    use nix::errno::Errno;

    const SYNC: Fault = Fault {
        name: "a sync that fails",
        kind: Kind::Device,
        journal: Journal::Wal,
        since: Since::Running,
        act: Act::Refuse(&[(Refused::Sync, "app.db", Errno::EIO)]),
    };

    fn bench(runtime: &'static Runtime) -> (tempfile::TempDir, Bench) {
        let directory = tempfile::tempdir().expect("a directory");
        let bench = Bench::new(runtime, Journal::Wal, &directory.path().join("WAL"));
        (directory, bench.expect("made"))
    }

    fn said(result: Result<(), LabError>) -> String {
        result.expect_err("refused").to_string()
    }

    #[test]
    fn a_runtime_that_is_missing_is_named_with_its_package() {
        static MISSING: Runtime =
            Runtime::new("python", "Debian: python3", &["/nonexistent/python"]);
        static FAILING: Runtime =
            Runtime::new("apsw", "PyPI: x", &["sh", "-c", "echo no module >&2; exit 1"]);
        let (_directory, missing) = bench(&MISSING);
        let missing = said(missing.control().map(drop));
        assert!(missing.contains("It needs Debian: python3"), "{missing}");
        let (_directory, failing) = bench(&FAILING);
        let failing = said(failing.control().map(drop));
        assert!(failing.contains("no module") && failing.contains("PyPI: x"), "{failing}");
    }

    #[test]
    fn a_fault_that_was_not_met_is_no_text() {
        static PROGRAM: Runtime =
            Runtime::new("sh", "sh", &["sh", "-c", "echo version 1; echo running; read x; exit 1"]);
        let (_directory, bench) = bench(&PROGRAM);
        assert_eq!(bench.control().expect_err("it fails").to_string(), "sh: \nIt needs sh");
        let unmet = said(bench.record(&SYNC, &mut Recording::default()));
        assert!(unmet.contains("not met: a sync that fails (WAL)"), "{unmet}");
        let gone = Fault { act: Act::Remove("-wal"), ..SYNC };
        let unmet = said(bench.record(&gone, &mut Recording::default()));
        assert!(unmet.contains("unlink") && unmet.contains("app.db-wal"), "{unmet}");
    }

    #[test]
    fn a_program_that_goes_on_is_silent_and_one_that_dies_is_kept() {
        const SCRIPT: &str = "echo version 1; echo running; read x;
            dd if=/dev/zero of=app.db count=1 conv=fsync,notrunc 2>/dev/null || {
                echo app: disk I/O error $PWD/app.db >&2; $0; }";
        static CAREFUL: Runtime = Runtime::new("a", "sh", &["sh", "-c", SCRIPT, "false"]);
        static CARELESS: Runtime = Runtime::new("b", "sh", &["sh", "-c", SCRIPT, "true"]);
        let mut recording = Recording::default();
        for runtime in [&CAREFUL, &CARELESS] {
            let (_directory, bench) = bench(runtime);
            assert_eq!(bench.control().expect("it works"), "1");
            bench.record(&SYNC, &mut recording).expect("met");
        }
        assert_eq!((recording.recorded.len(), recording.silent.len()), (1, 1));
        let out = tempfile::tempdir().expect("a directory");
        recording.runtime = "two".to_owned();
        recording.write(out.path()).expect("written");
        let text = std::fs::read_to_string(out.path().join("two.toml")).expect("read");
        assert!(text.contains("app: disk I/O error /srv/app/app.db\n"), "{text}");
        assert!(text.contains("refused = [\"sync app.db EIO\"]"), "{text}");
        assert!(text.contains("[[silent]]\nfault = \"a sync that fails\""), "{text}");
    }
}

//! A user's database on a mount, the doctor on top of it, and what may not have changed after.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};
use tombolo_lab::{Shell, sqlite};

/// What the doctor must say.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    /// The exit code. Where nothing is wrong, 2 is right as long as the report is partial.
    pub(crate) exit: i32,
    /// The verdict for one kernel, then for several.
    pub(crate) wal: [&'static str; 2],
    /// See [`Self::wal`].
    pub(crate) wal_one_process: [&'static str; 2],
    /// See [`Self::wal`].
    pub(crate) rollback: [&'static str; 2],
    /// The codes of all findings that are more than a notice, sorted.
    pub(crate) codes: &'static [&'static str],
}

/// A file system that is local to this kernel, and good.
pub(crate) const SAFE_HERE: Expected = Expected {
    exit: 0,
    wal: ["safe", "not_proven"],
    wal_one_process: ["safe", "not_proven"],
    rollback: ["safe", "not_proven"],
    codes: &[],
};

/// Everything works, and is lost all the same.
pub(crate) const NOTHING_LASTS: Expected = Expected {
    exit: 1,
    wal: ["unsafe", "unsafe"],
    wal_one_process: ["unsafe", "unsafe"],
    rollback: ["unsafe", "unsafe"],
    codes: &[],
};

/// What the doctor said of one path.
pub(crate) struct Answer {
    pub(crate) report: Value,
    pub(crate) exit: Option<i32>,
    pub(crate) took: Duration,
}

/// Runs the real program in the caller's mount namespace, and reads its output to the end: a child
/// of the doctor that sleeps in the kernel may not keep a reader waiting.
pub(crate) fn doctor(path: &Path, timeout_seconds: u64) -> Answer {
    let start = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["doctor", "--format", "json", "--timeout", &timeout_seconds.to_string()])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(Duration::from_secs(timeout_seconds + 20));
    let output = output.expect("the output comes to its end").expect("waited");
    let took = start.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&said);
    let report = report.unwrap_or_else(|error| panic!("{error} in {said:?}; also said: {wrong}"));
    Answer { report, exit: output.status.code(), took }
}

impl Answer {
    /// All that a mount decides, in one comparison, so that a failure shows the whole answer.
    #[track_caller]
    pub(crate) fn assert(&self, expected: &Expected) {
        let partial = self.report["completeness"]["state"] == "partial";
        let exit = if expected.exit == 0 && partial { 2 } else { expected.exit };
        let Expected { wal, wal_one_process, rollback, codes, .. } = *expected;
        assert_eq!(
            (self.exit, self.cells("wal"), self.cells("wal_one_process"), self.cells("rollback")),
            (Some(exit), wal, wal_one_process, rollback),
            "{:#}",
            self.report
        );
        assert_eq!(self.codes(), codes, "{:#}", self.report["findings"]);
    }

    /// The report on another mount below the directory. There is one exit code for all.
    #[track_caller]
    pub(crate) fn nested_at(&self, path: &Path) -> Answer {
        let name = path.to_str().expect("UTF-8");
        let mut nested = self.report["nested"].as_array().into_iter().flatten();
        let found = nested.find(|report| report["target"]["resolved"] == name);
        let report = found.unwrap_or_else(|| panic!("not there: {:#}", self.report)).clone();
        Answer { report, exit: self.exit, took: self.took }
    }

    /// The verdict for one kernel, then for several.
    pub(crate) fn cells(&self, mode: &str) -> [&str; 2] {
        let verdicts = self.report["verdicts"].as_array().expect("an array");
        ["one_kernel", "several_kernels"].map(|openers| {
            let found = verdicts.iter().find(|v| v["mode"] == mode && v["openers"] == openers);
            found.map_or("", |verdict| verdict["judgement"].as_str().expect("a word"))
        })
    }

    /// Why it says so.
    pub(crate) fn because(&self, mode: &str, openers: &str) -> &str {
        let mut verdicts = self.report["verdicts"].as_array().expect("an array").iter();
        let found = verdicts.find(|v| v["mode"] == mode && v["openers"] == openers);
        found.map_or("", |verdict| verdict["because"].as_str().expect("a sentence"))
    }

    fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().expect("an array")
    }

    /// The codes of findings that are more than a notice, each once, sorted.
    pub(crate) fn codes(&self) -> Vec<&str> {
        let graver = self.findings().iter().filter(|finding| finding["severity"] != "notice");
        let mut codes: Vec<&str> =
            graver.map(|finding| finding["code"].as_str().expect("a code")).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// How grave a finding is; empty where there is none with this code.
    pub(crate) fn severity(&self, code: &str) -> &str {
        let found = self.findings().iter().find(|finding| finding["code"] == code);
        found.map_or("", |finding| finding["severity"].as_str().expect("a word"))
    }

    /// One piece of evidence: how it ended, and why.
    pub(crate) fn evidence(&self, kind: &str) -> (&str, &str) {
        let evidence = self.report["evidence"].as_array().expect("an array");
        let found = evidence.iter().rev().find(|entry| entry["kind"] == kind);
        found.map_or(("", ""), |entry| {
            let word = |name: &str| entry[name].as_str().unwrap_or_default();
            (word("outcome"), word("summary"))
        })
    }
}

/// Bytes and time of change of each file of a directory, by name; of a directory the name alone.
type Listing = BTreeMap<PathBuf, Option<(Vec<u8>, SystemTime)>>;

fn listing(directory: &Path) -> Listing {
    let entries = std::fs::read_dir(directory).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let file = |path: &Path| {
        let changed = std::fs::metadata(path).and_then(|status| status.modified());
        (std::fs::read(path).expect("read"), changed.expect("a time"))
    };
    paths.map(|path| (path.clone(), path.is_file().then(|| file(&path)))).collect()
}

/// A user's database. The directory it was made in may lie behind the mount that is examined.
pub(crate) struct UserDatabase {
    directory: PathBuf,
    before: Listing,
    /// The user's program, which works on.
    program: Option<Shell>,
}

impl UserDatabase {
    /// Makes `app.db` with this `journal_mode`, and closes it.
    pub(crate) fn closed(directory: &Path, journal_mode: &str) -> Self {
        let statements = format!("PRAGMA journal_mode={journal_mode}; {FILL}");
        assert_eq!(sqlite(&directory.join("app.db"), &statements), format!("{journal_mode}\n"));
        UserDatabase { directory: directory.to_owned(), before: listing(directory), program: None }
    }

    /// Makes `app.db` with this `journal_mode`, and leaves it open in a program.
    pub(crate) fn open(directory: &Path, journal_mode: &str) -> Self {
        let mut program = Shell::new(&directory.join("app.db"));
        program.ask(".timeout 5000");
        let set = program.ask(&format!("PRAGMA journal_mode={journal_mode};"));
        assert_eq!(set, journal_mode);
        program.ask(FILL);
        assert_eq!(program.ask("SELECT count(*) FROM t;"), "100");
        UserDatabase {
            directory: directory.to_owned(),
            before: listing(directory),
            program: Some(program),
        }
    }

    /// Nothing was changed, nothing was left behind, and the program works on.
    #[track_caller]
    pub(crate) fn assert_untouched(mut self) {
        let after = listing(&self.directory);
        let names = |listing: &Listing| listing.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&self.before));
        for (path, before) in &self.before {
            assert!(after.get(path) == Some(before), "{} was changed", path.display());
        }
        if let Some(program) = &mut self.program {
            program.ask("INSERT INTO t SELECT * FROM t;");
            assert_eq!(program.ask("SELECT count(*) FROM t;"), "200");
            assert_eq!(program.ask("PRAGMA integrity_check;"), "ok");
        }
    }

    /// As [`Self::assert_untouched`], once what slept in the kernel has tidied up.
    #[track_caller]
    pub(crate) fn assert_untouched_in_the_end(self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let left = || listing(&self.directory).len() > self.before.len();
        while left() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        self.assert_untouched();
    }
}

const FILL: &str = "CREATE TABLE t(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
                    SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT i FROM n;";

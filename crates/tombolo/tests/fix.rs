//! `tombolo fix` as a program: its words and exit codes, and what a kill at any moment leaves.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tombolo_lab::{Shell, sqlite};

const ROWS: &str = "4000\n";
const COUNT: &str = "SELECT count(*) FROM t;";

struct Setting {
    directory: TempDir,
}

impl Setting {
    /// A database in WAL mode whose rows are in its log, as a program leaves it that was killed.
    fn new() -> Self {
        let (directory, live) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut program = Shell::new(&live.path().join("app.db"));
        program.ask("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;");
        program.ask("CREATE TABLE t(id INTEGER PRIMARY KEY, x);");
        program.ask("PRAGMA wal_checkpoint(TRUNCATE);");
        program.ask(
            "INSERT INTO t WITH RECURSIVE n(i) AS
               (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
             SELECT i, hex(randomblob(100)) FROM n;",
        );
        for name in ["app.db", "app.db-wal"] {
            std::fs::copy(live.path().join(name), directory.path().join(name)).unwrap();
        }
        std::fs::create_dir(directory.path().join("new")).unwrap();
        Setting { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command.arg("fix").arg("app.db").args(arguments).arg("--assume-unused");
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn is_recorded_as_done(&self) -> bool {
        let record = std::fs::read_to_string(self.path(".tombolo-fix-app.db/record"));
        record.is_ok_and(|record| record.contains(r#""ended":"applied""#))
    }

    /// All rows are there. A copy of the files is asked, so that asking changes nothing.
    #[track_caller]
    fn assert_whole(&self) {
        let copy = tempfile::tempdir().unwrap();
        let real = std::fs::canonicalize(self.path("app.db")).unwrap();
        for suffix in ["", "-wal", "-journal"] {
            let from = PathBuf::from(format!("{}{suffix}", real.display()));
            if from.exists() {
                std::fs::copy(&from, copy.path().join(format!("app.db{suffix}"))).unwrap();
            }
        }
        let said =
            sqlite(&copy.path().join("app.db"), "SELECT count(*) FROM t; PRAGMA quick_check");
        assert_eq!(said, format!("{ROWS}ok\n"));
    }
}

/// Kills it after a while, as the kernel does when memory is short; says whether it had ended.
fn kill_after(mut child: Child, delay: Duration) -> bool {
    let end = Instant::now() + delay;
    while Instant::now() < end {
        std::thread::yield_now();
    }
    let ended = child.try_wait().unwrap().is_some_and(|status| status.success());
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

/// Kills runs at moments spread over the time that one takes, asks after each whether all rows are
/// there, and lets the next run finish it.
fn killed_at_any_moment(arguments: &[&str], after_each: impl Fn(&Setting)) {
    const MOMENTS: u32 = 16;
    let setting = Setting::new();
    let begun = Instant::now();
    assert_done(&setting.run(arguments));
    let whole = begun.elapsed();
    let mut kills = 0;
    for moment in 0..MOMENTS {
        let setting = Setting::new();
        let mut command = setting.command(arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let ended = kill_after(child, whole * moment / MOMENTS);
        setting.assert_whole();
        // It can be killed when all is done, and before it has told.
        if !ended && !setting.is_recorded_as_done() {
            assert_done(&setting.run(arguments));
            kills += 1;
        }
        after_each(&setting);
        setting.assert_whole();
    }
    assert!(kills >= MOMENTS / 3, "only {kills} kills before a run ended");
}

#[track_caller]
fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_killed_conversion_loses_nothing_and_is_finished_by_the_next_run() {
    killed_at_any_moment(&["leave-wal", "--apply"], |setting| {
        assert_eq!(sqlite(&setting.path("app.db"), "PRAGMA journal_mode"), "delete\n");
        assert!(!setting.path("app.db-wal").exists());
    });
}

#[test]
fn a_killed_move_loses_nothing_and_is_finished_by_the_next_run() {
    killed_at_any_moment(&["move", "--to", "new", "--apply"], |setting| {
        assert!(setting.path("app.db").is_symlink());
    });
}

#[test]
fn a_plan_changes_nothing_and_is_data() {
    let setting = Setting::new();
    let before = std::fs::read(setting.path("app.db-wal")).unwrap();
    let output = setting.run(&["leave-wal", "--format", "json"]);
    assert_done(&output);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["schema"], "tombolo.plan/1");
    let actions: Vec<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["action"]["do"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["save", "rehearse", "convert", "compare", "remove_leftovers"]);
    assert_eq!(std::fs::read(setting.path("app.db-wal")).unwrap(), before);
    assert!(!setting.path(".tombolo-fix-app.db").exists());
}

#[test]
fn a_program_that_has_it_open_is_named() {
    let setting = Setting::new();
    let mut program = Shell::new(&setting.path("app.db"));
    assert_eq!(program.ask(COUNT), ROWS.trim());
    let refused = setting.run(&["leave-wal", "--apply"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("sqlite3 (process"), "{said}");
    assert!(said.contains("hint: stop it first"), "{said}");
    assert!(!setting.path(".tombolo-fix-app.db").exists(), "no run is left to be finished");
    assert_eq!(program.ask(COUNT), ROWS.trim());
}

#[test]
fn what_makes_no_sense_is_said() {
    let setting = Setting::new();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["enter-wal"], 1, "in WAL mode already"),
        (&["leave-wal", "--undo"], 1, "no run is recorded"),
        (&["move"], 3, "--to"),
        (&["--apply"], 3, "needs a remedy"),
        (&["move", "--to", "absent"], 2, "make the directory first"),
        (&["move", "--to", "new", "--bind", "--no-link"], 3, "cannot be used with"),
        (&["move", "--to", "new", "--fstab", "x"], 3, "--bind"),
        (&["move", "--to", "new", "--bind"], 1, "one of both directories is within the other"),
    ];
    for (arguments, exit, words) in cases {
        let output = setting.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    assert!(!Path::new(&setting.path(".tombolo-fix-app.db")).exists());
}

#[test]
fn a_move_that_is_done_says_so_when_it_is_asked_for_again() {
    for (options, left) in [(&[][..], true), (&["--no-link"][..], false)] {
        let setting = Setting::new();
        let arguments = [&["move", "--to", "new"], options].concat();
        let apply = [&arguments[..], &["--apply"]].concat();
        assert_done(&setting.run(&apply));
        for again in [&arguments, &apply] {
            let output = setting.run(again);
            assert_done(&output);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("done by an earlier run"), "{said}");
            assert!(said.contains("tombolo fix app.db move --undo"), "{said}");
        }
        assert_eq!(setting.path("app.db").is_symlink(), left);
        std::fs::create_dir(setting.path("other")).unwrap();
        assert!(!setting.run(&["move", "--to", "other", "--apply", "--no-link"]).status.success());
        if !left {
            // A program has made a new one.
            std::fs::write(setting.path("app.db"), "").unwrap();
            let output = setting.run(&apply);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("exists; nothing is overwritten"), "{said}");
            std::fs::remove_file(setting.path("app.db")).unwrap();
        }
        assert_done(&setting.run(&["move", "--undo"]));
        setting.assert_whole();
    }
}

#[test]
fn the_originals_are_removed_on_demand() {
    let setting = Setting::new();
    assert_done(&setting.run(&["leave-wal", "--apply"]));
    assert!(setting.path(".tombolo-fix-app.db").exists());
    assert_done(&setting.run(&["--forget"]));
    assert!(!setting.path(".tombolo-fix-app.db").exists());
    setting.assert_whole();
}

/// What cannot be found is the database here: no directory is to be made for it.
#[test]
fn a_database_that_is_not_there_is_named_without_a_hint_about_directories() {
    let setting = Setting::new();
    std::fs::remove_file(setting.path("app.db")).unwrap();
    let output = setting.run(&["leave-wal"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("ENOENT") && !said.contains("hint"), "{said}");
}

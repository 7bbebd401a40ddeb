//! `tombolo fix PATH serve` as a program. What runs services is played by a script that records
//! what it is asked and really starts and ends the command line of the unit or the Compose file, so
//! that what is looked at from an app's side is an owner.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

#[path = "common/mod.rs"]
mod common;

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tombolo_lab::{Files, Shell, sqlite};

/// Stands for `systemctl --user` and `docker compose`.
const MANAGER: &str = include_str!("fix_serve/manager.sh");
const COMPOSE: &str = "# mine\nservices:\n  # the app\n  app:\n    image: x  # pinned\n";
/// The doctor looks twice, the owner once more, and a scratch database is awaited.
const PATIENCE: Duration = Duration::from_secs(240);

struct Setting {
    directory: TempDir,
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.path("bin/state/pid")) {
            let _ = Command::new("kill").args(["-KILL", pid.trim()]).stderr(Stdio::null()).status();
        }
    }
}

impl Setting {
    fn new() -> Self {
        let setting = Setting { directory: tempfile::tempdir().unwrap() };
        for name in ["data", "bin", "bin/state", "runtime", "runtime/systemd", "config"] {
            std::fs::create_dir(setting.path(name)).unwrap();
        }
        for name in ["systemctl", "docker"] {
            let script = setting.path("bin").join(name);
            std::fs::write(&script, MANAGER).unwrap();
            std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::write(setting.path("compose.yaml"), COMPOSE).unwrap();
        let made = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);";
        assert_eq!(sqlite(&setting.path("data/app.db"), made), "wal\n");
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn unit(&self) -> PathBuf {
        self.path("config/systemd/user/tombolo.service")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command.args(["fix", "data/app.db", "serve"]).args(arguments);
        let programs = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(self.directory.path())
            .env("PATH", format!("{}:{programs}", self.path("bin").display()))
            .env("XDG_RUNTIME_DIR", self.path("runtime"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("PLAYED", env!("CARGO_BIN_EXE_tombolo"))
            .stdin(Stdio::null());
        command
    }

    /// The same, where there is no `sqlite3`.
    fn without_sqlite(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("PATH", self.path("bin"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        let asked = std::fs::read_to_string(self.path("bin/state/asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What is in the directory of the database.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("data")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Everything is as it was: no service, no file of it, and what the database says. An owner
    /// that has opened it counts that in its header.
    #[track_caller]
    fn assert_as_before(&self) {
        // What the doctor tried in is removed by a child that outlives it.
        assert!(common::becomes(|| self.names() == ["app.db"]), "{:?}", self.names());
        let asked = "SELECT a FROM t; PRAGMA integrity_check; PRAGMA journal_mode;";
        assert_eq!(sqlite(&self.path("data/app.db"), asked), "1\nok\nwal\n");
        assert!(!self.unit().exists());
        assert!(!self.path("bin/state/enabled").exists());
        assert_eq!(self.text("compose.yaml"), COMPOSE);
        if self.path("bin/state/started").exists() {
            let (code, said) = (self.text("bin/state/code"), self.text("bin/state/journal"));
            // The signal alone ends what has not begun to serve.
            let is_early = code == "143\n" && !said.contains("is served at");
            assert!(code == "0\n" || is_early, "{code}: {said}");
        }
    }
}

#[track_caller]
fn done(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(output: &Output, exit: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{said}");
    said
}

/// An address of this machine that nobody listens at.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

/// Text without the line ends that a terminal's width makes.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_unit_is_written_started_looked_at_and_taken_back() {
    let setting = Setting::new();
    let mut program = Shell::new(&setting.path("data/app.db"));
    assert_eq!(program.ask("SELECT a FROM t;"), "1");
    let address = free_address();
    let wanted = ["--unit=user", "--listen", &address];

    let shown = done(&setting.run(&wanted));
    assert!(shown.contains("+WantedBy=default.target"), "{shown}");
    let flown = flowing(&shown);
    assert!(flown.contains("has it open and need not stop"), "{shown}");
    assert!(!setting.unit().exists() && setting.asked().is_empty(), "a plan changes nothing");

    let said = flowing(&done(&setting.run(&[&wanted[..], &["--apply"]].concat())));
    let socket = setting.path("data/.tombolo/owner.sock");
    for at in [format!("unix:{}", socket.display()), address.clone()] {
        let words =
            format!("at {at}, sqlite3 through the door has journal mode wal, reads a schema");
        assert!(said.contains(&words), "{said}");
    }
    assert!(said.contains("stock sqlite3 on the file itself: each sees"), "{said}");
    assert!(said.contains(&format!("TOMBOLO_OWNER={address}")), "{said}");
    let expected = [
        "show --property=LoadState tombolo.service",
        "daemon-reload",
        "enable tombolo.service",
        "start tombolo.service",
    ];
    assert_eq!(setting.asked()[..4], expected);
    assert_eq!(Files::of(&setting.path("data")).names(), ["app.db", "app.db-shm", "app.db-wal"]);
    // The program that had it open all the time, and the data.
    assert_eq!(program.ask("INSERT INTO t VALUES(2); SELECT count(*) FROM t;"), "2");

    let again = flowing(&done(&setting.run(&[&wanted[..], &["--apply"]].concat())));
    assert!(again.contains("done by an earlier run"), "{again}");
    let elsewhere = from_another_kernel(&setting, &address);
    assert!(elsewhere.contains("from here no program may use the file itself"), "{elsewhere}");

    assert_eq!(program.ask("DELETE FROM t WHERE a = 2; SELECT count(*) FROM t;"), "1");
    drop(program);
    done(&setting.run(&["--undo"]));
    assert!(setting.asked().ends_with(&[
        "daemon-reload".to_owned(),
        "disable --now tombolo.service".to_owned(),
        "show --property=ActiveState,Result tombolo.service".to_owned(),
        "daemon-reload".to_owned(),
    ]));
    setting.assert_as_before();
}

/// By an address and a copy of the credentials, as on a machine that shares no directory.
fn from_another_kernel(setting: &Setting, address: &str) -> String {
    let copy = setting.path("copied");
    std::fs::copy(setting.path("data/.tombolo/credentials"), &copy).unwrap();
    let copy = copy.to_str().unwrap();
    let mut command = setting.command(&["--check", "--owner", address, "--credentials", copy]);
    command.env("TOMBOLO_TESTING_BOOT_ID", "11111111-2222-3333-4444-555555555555");
    command.args(["--format", "json"]);
    let said = done(&command.output().unwrap());
    let checked: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(checked["schema"], "tombolo.check/1");
    assert_eq!(checked["addresses"], serde_json::json!([address]));
    checked["seen"].to_string()
}

/// Through the door alone where there is no shell, with keys that are kept elsewhere.
#[test]
fn a_service_of_a_compose_file_is_added_and_every_byte_comes_back() {
    let setting = Setting::new();
    let (address, keys) = (free_address(), setting.path("keys"));
    std::fs::create_dir(&keys).unwrap();
    std::fs::set_permissions(&keys, Permissions::from_mode(0o700)).unwrap();
    let wanted = ["--compose", "compose.yaml", "--listen", &address];
    let wanted = [&wanted[..], &["--keys", keys.to_str().unwrap(), "--apply"]].concat();
    let said = flowing(&done(&setting.without_sqlite(&wanted).output().unwrap()));
    let words = format!("at {address}, the door itself opens and reads it, and has the turn");
    assert!(said.contains(&words), "{said}");
    let text = setting.text("compose.yaml");
    assert!(text.starts_with("# mine\nservices:\n  tombolo:\n    image: "), "{text}");
    assert!(text.ends_with("  # the app\n  app:\n    image: x  # pinned\n"), "{text}");
    let file = setting.path("compose.yaml").display().to_string();
    assert_eq!(
        setting.asked(),
        ["compose version".to_owned(), format!("compose -f {file} up --detach tombolo")]
    );
    let check = flowing(&done(&setting.without_sqlite(&["--check"]).output().unwrap()));
    assert!(check.contains("from an app's side"), "{check}");
    done(&setting.run(&["--undo"]));
    setting.assert_as_before();
}

#[test]
fn a_new_compose_file_is_all_where_nothing_runs_it() {
    let setting = Setting::new();
    std::fs::remove_file(setting.path("bin/docker")).unwrap();
    let wanted = ["--compose", "new.yaml", "--name", "owner", "--apply"];
    let mut command = setting.without_sqlite(&wanted);
    let said = flowing(&done(&command.output().unwrap()));
    assert!(said.contains("up --detach owner, and then look at it with"), "{said}");
    assert!(setting.text("new.yaml").contains("\n  owner:\n"));
    assert!(setting.asked().is_empty());
    done(&setting.run(&["--undo"]));
    assert!(!setting.path("new.yaml").exists());
}

#[test]
fn what_cannot_be_set_up_says_why_and_leaves_all_as_it_is() {
    let setting = Setting::new();
    std::fs::remove_dir(setting.path("runtime/systemd")).unwrap();
    let said = refused(&setting.run(&["--unit=user", "--apply"]), 1);
    assert!(said.contains("no systemd of this user runs here"), "{said}");
    assert!(said.contains("--compose FILE") && said.contains("tombolo serve "), "{said}");
    std::fs::create_dir(setting.path("runtime/systemd")).unwrap();

    std::fs::write(setting.path("bin/state/loaded"), "").unwrap();
    let said = refused(&setting.run(&["--unit=user", "--apply"]), 1);
    assert!(said.contains("a service tombolo.service already"), "{said}");
    std::fs::remove_file(setting.path("bin/state/loaded")).unwrap();

    std::fs::create_dir_all(setting.unit().parent().unwrap()).unwrap();
    std::fs::write(setting.unit(), "mine").unwrap();
    let said = refused(&setting.run(&["--unit=user", "--apply"]), 1);
    assert!(said.contains("nothing is overwritten: --name NAME"), "{said}");
    std::fs::remove_file(setting.unit()).unwrap();

    std::fs::create_dir(setting.path("elsewhere")).unwrap();
    for (arguments, exit, words) in [
        (&["--directory", "elsewhere"][..], 1, "is not in"),
        (&["--compose", "data/app.db"], 1, "is no UTF-8"),
        (&["--check"], 2, "no owner is beside"),
        (&["--check", "--apply"], 3, "no file that this would change"),
        (&["--check", "--owner", "nowhere"], 1, "no address of an owner"),
        (&["--check", "--unit"], 3, "cannot be used with"),
        (&["--listen", "unix:/x"], 3, "its Unix socket in the directory"),
        (&["--name", "a b"], 3, "no name of a service"),
        (&["--undo"], 1, "no run is recorded"),
    ] {
        let said = refused(&setting.run(arguments), exit);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    setting.assert_as_before();
}

#[test]
fn an_owner_that_answers_is_named() {
    let setting = Setting::new();
    let mut owner = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["serve", "--engine", "shared"])
        .arg(setting.path("data/app.db"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let socket = setting.path("data/app.db-tombolo/owner.sock");
    assert!(common::becomes(|| socket.exists()), "it listens");
    let said = refused(&setting.run(&["--unit=user", "--apply"]), 1);
    owner.kill().unwrap();
    owner.wait().unwrap();
    let words = format!("served already, by process {} at unix:", owner.id());
    assert!(said.contains(&words) && said.contains("tombolo status"), "{said}");
    assert!(setting.asked().is_empty());
}

/// The address is taken, so the owner ends at once; that is told, and all can be taken back.
#[test]
fn a_service_that_ends_is_told_and_undone() {
    let setting = Setting::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", taken.local_addr().unwrap());
    let wanted = ["--unit=user", "--listen", &address, "--apply"];
    let said = refused(&setting.run(&wanted), 2);
    assert!(said.contains("tombolo.service has ended (ActiveState=failed"), "{said}");
    assert!(said.contains("take it back with --undo"), "{said}");
    drop(taken);
    let undone = flowing(&done(&setting.run(&["--undo"])));
    assert!(undone.contains("did not end cleanly"), "{undone}");
    std::fs::remove_file(setting.path("bin/state/started")).unwrap();
    setting.assert_as_before();
}

/// Killed when a question was asked, or when the owner listens: the next run finishes it or takes
/// it back.
#[test]
fn a_killed_run_is_finished_or_undone() {
    let moments = [
        ("LoadState", Then::Finish),
        ("enable", Then::Undo),
        ("start", Then::Undo),
        ("is served at", Then::Finish),
    ];
    std::thread::scope(|scope| {
        for (moment, then) in moments {
            scope.spawn(move || killed_at(moment, then));
        }
    });
}

/// What follows on a run that was killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Finish,
    Undo,
}

fn killed_at(moment: &str, then: Then) {
    let setting = Setting::new();
    let wanted = ["--unit=user", "--apply"];
    let mut command = setting.without_sqlite(&wanted);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    let has_come = || {
        let asked = setting.asked().iter().any(|line| line.contains(moment));
        asked || setting.text("bin/state/journal").contains(moment)
    };
    while !has_come() {
        assert!(Instant::now() < until, "{moment} comes");
        std::thread::yield_now();
    }
    let _ = run.kill();
    run.wait().unwrap();
    // What the killed run has asked for is done all the same.
    let answers = || setting.text("bin/state/answered").lines().count() == setting.asked().len();
    assert!(common::becomes(answers), "{moment}");
    if then == Then::Finish {
        let said = done(&setting.without_sqlite(&wanted).output().unwrap());
        assert!(flowing(&said).contains("serve applied"), "{said}");
        assert!(setting.path("bin/state/enabled").exists() && setting.unit().exists());
        assert!(!setting.path("bin/state/code").exists(), "it runs");
    }
    done(&setting.run(&["--undo"]));
    setting.assert_as_before();
}

/// As systemd reads it.
#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let setting = Setting::new();
    let shown = done(&setting.run(&["--unit=user", "--format", "json"]));
    let plan: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(plan["remedy"], "serve");
    let made = &plan["steps"][1]["action"];
    assert_eq!(made["do"], "make_file");
    let unit = setting.path("tombolo.service");
    std::fs::write(&unit, made["text"].as_str().unwrap()).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output();
    let verified = verified.expect("systemd-analyze is installed (package systemd)");
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("tombolo.service"), "{said}");
}

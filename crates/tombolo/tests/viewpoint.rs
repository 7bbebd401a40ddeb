//! `--pid` and `--container` on the real binary. Root is needed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tombolo_os::testing::Namespace;

const TOMBOLO: &str = env!("CARGO_BIN_EXE_tombolo");

/// A process in a mount namespace of its own, with a database that nobody else sees.
struct Inside {
    namespace: Namespace,
    database: PathBuf,
    _directory: tempfile::TempDir,
}

impl Inside {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let base = directory.path().canonicalize().expect("real path");
        let database = base.join("app.db");
        let namespace = Namespace::with(&format!(
            "mount -t tmpfs only-inside {}; sqlite3 {} 'CREATE TABLE t(x);'",
            base.display(),
            database.display()
        ));
        Inside { namespace, database, _directory: directory }
    }
}

fn doctor(arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(TOMBOLO);
    command.arg("doctor").args(arguments).args(["--format", "json", "--timeout", "20"]).arg(path);
    command.output().expect("it runs")
}

fn json(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON, but: {text}"))
}

#[test]
fn a_path_is_seen_as_the_process_sees_it() {
    let inside = Inside::new();
    let pid = inside.namespace.pid().to_string();
    let report = json(&doctor(&["--pid", &pid], &inside.database));
    assert_eq!(report["target"]["kind"], "database", "{report}");
    assert_eq!(report["target"]["seen_by"]["pid"], inside.namespace.pid());
    assert_eq!(report["mount"]["source"], "only-inside");
    assert_eq!(report["database"]["journal_mode"], "rollback");
    let outside = json(&doctor(&["--no-probes"], &inside.database));
    assert_eq!(outside["target"]["kind"], "absent", "the mount must not show out here");
}

#[test]
fn a_process_that_is_gone_and_a_container_that_is_not_there_are_not_examined() {
    let gone = doctor(&["--pid", "2147483647"], Path::new("/"));
    assert_eq!(gone.status.code(), Some(2));
    assert_eq!(json(&gone)["target"]["kind"], "unreadable");
    let unknown = doctor(&["--container", "no-such-container-here"], Path::new("/"));
    assert_eq!(unknown.status.code(), Some(2));
    let text = String::from_utf8(unknown.stderr).expect("UTF-8");
    assert!(text.contains("no-such-container-here") && text.contains("hint:"), "{text}");
    let both = doctor(&["--container", "web", "--pid", "7"], Path::new("/"));
    assert_eq!(both.status.code(), Some(3));
}

/// A control group by the name that LXC gives to those of its containers.
struct ControlGroup(PathBuf);

impl ControlGroup {
    fn of(name: &str, pid: i32) -> Option<Self> {
        let hierarchies = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];
        hierarchies.iter().find_map(|hierarchy| {
            let procs = Path::new(hierarchy).join("cgroup.procs");
            let group = Path::new(hierarchy).join(format!("lxc.payload.{name}"));
            if !procs.exists() || std::fs::create_dir(&group).is_err() {
                return None;
            }
            let group = ControlGroup(group);
            std::fs::write(group.0.join("cgroup.procs"), pid.to_string()).ok()?;
            Some(group)
        })
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).ok();
    }
}

#[test]
fn a_container_is_found_by_its_control_group() {
    let inside = Inside::new();
    let name = format!("tombolo-test-{}", inside.namespace.pid());
    let Some(group) = ControlGroup::of(&name, inside.namespace.pid()) else {
        // Written past the capture of the test harness: it must be seen.
        let why = "NOT RUN: root and a writable control group are needed";
        writeln!(std::io::stderr(), "{why}").expect("standard error");
        return;
    };
    let report = json(&doctor(&["--container", &name, "--no-probes"], &inside.database));
    assert_eq!(report["target"]["kind"], "database", "{report}");
    assert_eq!(report["target"]["seen_by"]["container"]["name"], name.as_str());
    assert_eq!(report["target"]["seen_by"]["container"]["runtime"], "lxc");
    drop(inside);
    drop(group);
}

//! A report of a mount with a fault: nothing of the machine is in it, and `explain` reads it back
//! to what the doctor has found.

use rustix::io::Errno;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tombolo_lab::{Faults, FaultyMount, Locks, Maps, Namespace, Syncs, sqlite};

/// A person with a database on the mount.
const PERSON: &str = "zebulon7q";

/// What stands in both files, and what `explain` says of each.
struct Reported {
    post: String,
    page: String,
    causes: [String; 2],
}

fn report(faults: Faults) -> Reported {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let home = Path::new("home").join(PERSON);
        std::fs::create_dir_all(mount.behind().join(&home)).expect("a home");
        let behind = mount.behind().join(&home).join("app.db");
        assert_eq!(sqlite(&behind, "PRAGMA journal_mode=wal; CREATE TABLE t(x);"), "wal\n");
        let out = tempfile::tempdir().expect("a directory");
        let [post, page] = ["report.md", "report.html"].map(|name| out.path().join(name));
        let ended = Command::new(env!("CARGO_BIN_EXE_tombolo"))
            .args(["report", "--yes", "--timeout", "60", "--output"])
            .arg(&post)
            .arg("--html")
            .arg(&page)
            .arg(mount.path().join(&home).join("app.db"))
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{said}");
        assert!(said.contains("replaced: ") && !said.contains(PERSON), "{said}");
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("written");
        let causes = [&post, &page].map(|path| first_cause(path));
        Reported { post: read(&post), page: read(&page), causes }
    })
}

fn first_cause(path: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["explain", "--format", "json"])
        .arg(path)
        .output()
        .expect("the program runs");
    let explanation: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    explanation["causes"][0]["code"].as_str().expect("a code").to_owned()
}

#[track_caller]
fn assert_read_back(faults: Faults, cause: &str) {
    let reported = report(faults);
    assert_eq!(reported.causes, [cause, cause], "{}", reported.post);
    for text in [&reported.post, &reported.page] {
        assert!(!text.contains(PERSON), "{text}");
        assert!(text.contains("/home/user-1/app.db"), "{text}");
    }
}

#[test]
fn refused_maps_are_read_back() {
    assert_read_back(Faults { maps: Maps::Refused, ..Faults::default() }, "MMAP_REFUSED");
}

#[test]
fn incoherent_maps_are_read_back() {
    assert_read_back(Faults { maps: Maps::WritesLost, ..Faults::default() }, "MMAP_INCOHERENT");
}

#[test]
fn faults_of_locks_are_read_back() {
    for (locks, cause) in [
        (Locks::Refused(Errno::NOSYS), "LOCKS_UNSUPPORTED"),
        (Locks::Refused(Errno::NOLCK), "NFS_LOCK_SERVICE"),
        (Locks::UpgradeRefused, "SMB_LOCK_UPGRADE"),
        (Locks::GrantedToAll, "LOCKS_MASKED"),
    ] {
        assert_read_back(Faults { locks, ..Faults::default() }, cause);
    }
}

#[test]
fn nothing_wrong_is_read_back() {
    assert_read_back(Faults::default(), "HEALTHY");
}

#[test]
fn syncs_that_fail_are_read_back() {
    assert_read_back(
        Faults { syncs: Syncs::Refused(Errno::IO), ..Faults::default() },
        "VENDOR_FS_BUG",
    );
}

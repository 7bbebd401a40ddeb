//! `tombolo fix PATH mount --tune` in a guest: options of 9p, which give really different answers.

use crate::common::{PATIENCE, guest_spec, lab, wait_until};
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST};
use crate::tool_build::built;
use serde_json::Value;
use std::path::Path;
use tombolo_lab::{Files, Guest, Output, QemuShare, SecurityModel, Status, killed_in_wal_mode};

const DATABASE: &str = "/srv/media/app.db";
/// A second way of QEMU to the same directory.
const SECOND_TAG: &str = "media-again";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn options_are_tried_where_nobody_sees_it_and_ranked_by_what_was_measured() {
    let lab = lab(&["qemu-system-x86_64", "a kernel", "sqlite3"]);
    let directory = lab.directory().join("share");
    std::fs::create_dir(&directory).expect("made");
    killed_in_wal_mode(&directory);
    let share = |tag| QemuShare::virtfs(&directory, tag).security_model(SecurityModel::Passthrough);
    let spec = guest_spec().share(share("media")).share(share(SECOND_TAG));
    let guest = &lab.guest(spec).expect("a guest");
    let mount = format!("mkdir -p {IN_GUEST}; mount -t 9p -o {DEFAULT_OPTIONS} media {IN_GUEST}");
    guest.shell(&mount).expect("it ran").require_success().expect("it succeeded");
    let (files, mounts) = (Files::of(&directory), mounts(guest));

    // The tag that is mounted cannot be mounted again.
    let (status, tuned) = tune(guest, &[]);
    assert_eq!(status, Status::Exited(2), "{tuned}");
    for trial in trials(&tuned) {
        assert_eq!(trial["result"]["errno"]["name"], "EBUSY", "{tuned}");
        let why = trial["result"]["why"].as_str().expect("a reason");
        assert!(why.contains("--source"), "{why}");
    }
    assert!(tuned["command"].is_null(), "{tuned}");

    let (status, tuned) = tune(guest, &["--source", SECOND_TAG]);
    assert_eq!(status, Status::Exited(0), "{tuned}");
    let of = |option: &str| {
        let mut all = trials(&tuned).iter();
        let trial = all.find(|trial| trial["options"][0] == option).expect("tried");
        assert_eq!(trial["result"]["state"], "measured", "{option}: {tuned}");
        trial
    };
    let (none, mmap, loose) = (of("cache=none"), of("cache=mmap"), of("cache=loose"));
    for (trial, wal, map) in [(none, "fails", false), (mmap, "safe", true), (loose, "safe", true)] {
        assert_eq!(trial["result"]["wal"], wal, "{tuned}");
        assert_eq!(trial["result"]["shared_map"], map, "{tuned}");
        assert_eq!(trial["result"]["rollback"], "safe", "{tuned}");
        let speed = &trial["result"]["rollback_speed"]["transactions_per_second"];
        assert!(speed.as_f64().is_some_and(|speed| speed > 0.0), "{tuned}");
        assert_eq!(trial["result"]["wal_speed"].is_null(), wal == "fails", "{tuned}");
    }
    let place = |wanted: &Value| trials(&tuned).iter().position(|trial| trial == wanted);
    assert!(place(mmap) < place(none) && place(loose) < place(none), "{tuned}");
    // However fast it is: it hides what other kernels write.
    assert!(loose["withheld"].is_string() && mmap["withheld"].is_null(), "{tuned}");
    let command = tuned["command"].as_str().expect("a command");
    assert!(command.contains("--set cache=mmap --apply"), "{command}");
    let known = tuned["several_kernels"].to_string();
    assert!(known.contains("this guest alone"), "{known}");
    assert_unchanged(guest, &directory, &files, &mounts);

    // Killed in the midst of a trial.
    let argv = [built(), "fix", DATABASE, "mount", "--tune", "--source", SECOND_TAG];
    let running = guest.spawn(&argv).expect("it started");
    wait_until("a scratch directory", || scratch_directories(&directory) > 0);
    running.kill().expect("killed");
    wait_until("the end of the scratch directory", || scratch_directories(&directory) == 0);
    assert_unchanged(guest, &directory, &files, &mounts);
}

fn trials(tuned: &Value) -> &[Value] {
    tuned["trials"].as_array().expect("a list")
}

fn tune(guest: &Guest, options: &[&str]) -> (Status, Value) {
    let argv = [built(), "fix", DATABASE, "mount", "--tune", "--format", "json"];
    let command = guest.command(&[&argv[..], options].concat()).timeout(PATIENCE);
    let Output { status, stdout, stderr, .. } = command.run().expect("it ran");
    let said = String::from_utf8_lossy(&stderr).into_owned();
    let tuned = serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (status, tuned)
}

/// What the guest has mounted by 9p.
fn mounts(guest: &Guest) -> String {
    guest.shell("grep ' 9p ' /proc/mounts").expect("it ran").text()
}

fn scratch_directories(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).expect("readable").flatten();
    entries.filter(|entry| entry.path().is_dir()).count()
}

#[track_caller]
fn assert_unchanged(guest: &Guest, directory: &Path, files: &Files, before: &str) {
    Files::of(directory).assert_same(files);
    assert_eq!(scratch_directories(directory), 0);
    assert_eq!(mounts(guest), before);
}

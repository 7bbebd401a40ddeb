//! `tombolo fix PATH mount --tune` in a client of a network share: what is measured of NFS and SMB
//! is ranked, and what a second mount needs that the mount table does not show is asked for.

use crate::common::{PATIENCE, lab};
use crate::tool_build::built;
use serde_json::Value;
use std::time::Duration;
use tombolo_lab::{Lab, Rig, Side, Status, matrix};

/// Where rigs mount the share.
const DATABASE: &str = "/mnt/share/app.db";

/// For all trials of a file system, on a busy machine.
const ALL_TRIALS: Duration = Duration::from_secs(1200);

/// A file with the name and password of the lab's server of SMB.
const CREDENTIALS: &str = "/run/credentials";

/// A rig of `matrix.toml` with one client.
fn rig(lab: &Lab, name: &str) -> Rig {
    let rigs = matrix::rigs(None).expect("sound");
    let mut data = rigs.into_iter().find(|one| one.name == name).expect("a rig");
    data.guests = 1;
    let kernel = std::env::var("TOMBOLO_LAB_KERNEL").unwrap_or_default();
    data.bring_up(lab, &kernel).expect("it is up")
}

fn shell(client: &Side, script: &str) -> String {
    client.shell(script, PATIENCE).expect("it succeeded")
}

/// What is mounted, and which files with which bytes there are.
fn state(client: &Side) -> String {
    shell(client, "cat /proc/self/mountinfo; cd /mnt/share; find . -type f -exec md5sum {} +; ls")
}

/// What became of the trials; nothing is otherwise than it was.
fn tune(client: &Side, options: &[&str]) -> (Status, Value) {
    let before = state(client);
    let argv = [built(), "fix", DATABASE, "mount", "--tune", "--format", "json"];
    let ended = client.run(&[&argv[..], options].concat(), ALL_TRIALS).expect("it ended");
    let tuned = serde_json::from_str(&ended.stdout);
    let tuned: Value = tuned.unwrap_or_else(|error| panic!("{error}: {}", ended.stderr));
    assert_eq!(state(client), before);
    assert_ranked(&tuned);
    (ended.status, tuned)
}

fn trials(tuned: &Value) -> &[Value] {
    tuned["trials"].as_array().expect("a list")
}

/// The trial of these options.
fn trial<'a>(tuned: &'a Value, options: &[&str]) -> &'a Value {
    let mut all = trials(tuned).iter();
    all.find(|trial| trial["options"] == Value::from(options)).expect("tried")
}

/// What was measured comes first; of equal verdicts, the faster.
#[track_caller]
fn assert_ranked(tuned: &Value) {
    let verdicts = |trial: &Value| {
        let of = |name: &str| trial["result"][name].clone();
        [of("wal"), of("rollback"), of("shared_map")]
    };
    let speed = |trial: &Value| {
        let of = |name: &str| trial["result"][name]["transactions_per_second"].as_f64();
        of("wal_speed").unwrap_or(0.0).max(of("rollback_speed").unwrap_or(0.0)).floor()
    };
    let is_measured = |trial: &Value| trial["result"]["state"] == "measured";
    for pair in trials(tuned).windows(2) {
        assert!(is_measured(&pair[0]) || !is_measured(&pair[1]), "{tuned:#}");
        if is_measured(&pair[1]) && verdicts(&pair[0]) == verdicts(&pair[1]) {
            assert!(speed(&pair[0]) >= speed(&pair[1]), "{tuned:#}");
        }
    }
}

/// What the doctor says of the mount as it is, for programs of one kernel, is what the trial of its
/// options has said.
#[track_caller]
fn assert_doctor_agrees(client: &Side, trial: &Value) {
    let argv = [built(), "doctor", "--timeout", "300", "--format", "json", DATABASE];
    let ended = client.run(&argv, ALL_TRIALS).expect("it ended");
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    for mode in ["wal", "rollback"] {
        let mut verdicts = report["verdicts"].as_array().expect("a list").iter();
        let verdict = verdicts.find(|one| one["mode"] == mode && one["openers"] == "one_kernel");
        let judgement = &verdict.expect("a verdict")["judgement"];
        assert_eq!(*judgement, trial["result"][mode], "{mode}: {trial:#}");
    }
}

/// Why each trial was refused, which is the same for all.
#[track_caller]
fn assert_refused(tuned: &Value, errno: &str, way_out: &str) {
    assert!(tuned["command"].is_null(), "{tuned:#}");
    for trial in trials(tuned) {
        assert_eq!(trial["result"]["errno"]["name"], errno, "{trial:#}");
        let why = trial["result"]["why"].as_str().expect("a reason");
        assert!(why.contains(way_out), "{why}");
    }
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn options_of_nfs_are_ranked_by_what_was_measured() {
    let lab = lab(&["qemu-system-x86_64", "a kernel", "sqlite3", "exportfs", "mount.nfs"]);
    let rig = rig(&lab, "nfs-4-2");
    let client = &rig.clients()[0];
    shell(client, &format!("sqlite3 {DATABASE} 'CREATE TABLE t(x); INSERT INTO t VALUES (1)'"));

    let (status, tuned) = tune(client, &[]);
    assert_eq!(status, Status::Exited(0), "{tuned:#}");
    let best = &trials(&tuned)[0];
    assert_eq!(best["result"]["rollback"], "safe", "{tuned:#}");
    let options = best["options"].as_array().expect("a list").iter();
    let set: String = options.map(|one| format!(" --set {}", one.as_str().unwrap_or(""))).collect();
    let wanted = format!("tombolo fix {DATABASE} mount --config FILE{set} --apply");
    assert_eq!(tuned["command"], wanted, "{tuned:#}");
    for version in ["vers=4.2", "vers=4.1", "vers=4.0"] {
        let result = &trial(&tuned, &[version])["result"];
        assert_eq!(result["state"], "measured", "{result:#}");
        let speed = result["rollback_speed"]["transactions_per_second"].as_f64();
        assert!(speed.is_some_and(|speed| speed > 0.0), "{result:#}");
        let used = result["super_options"].as_array().expect("a list");
        assert!(used.contains(&version.into()) && used.contains(&"nosharecache".into()));
    }
    assert_doctor_agrees(client, trial(&tuned, &["vers=4.2"]));
    // The server's directory is the root of version 4, and has another name in version 3.
    let refused = &trial(&tuned, &["vers=3"])["result"];
    assert_eq!(refused["errno"]["name"], "EACCES", "{refused:#}");
    assert!(refused["why"].as_str().expect("a reason").contains("--source"), "{refused:#}");
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn options_of_smb_are_ranked_once_a_second_mount_can_log_in() {
    let lab = lab(&["qemu-system-x86_64", "a kernel", "sqlite3", "smbd", "mount.cifs"]);
    let rig = rig(&lab, "smb-strict");
    let client = &rig.clients()[0];
    let settings = std::fs::read_to_string(lab.directory().join("smb/smb.conf"));
    let settings = settings.expect("the server has it");
    let port = settings.lines().find_map(|line| line.strip_prefix("smb ports = "));
    let port = format!("port={}", port.expect("a port"));
    let write = "CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES (1);";
    let as_it_is = shell(client, &format!("sqlite3 {DATABASE} '{write}' 2>&1 || true"));
    assert!(as_it_is.contains("database is locked"), "{as_it_is}");

    let (status, tuned) = tune(client, &[]);
    assert_eq!(status, Status::Exited(2), "{tuned:#}");
    assert_refused(&tuned, "ECONNREFUSED", "--with port=");
    let (status, tuned) = tune(client, &["--with", &port]);
    assert_eq!(status, Status::Exited(2), "{tuned:#}");
    assert_refused(&tuned, "EACCES", "--credentials");

    // As the rig has set it.
    shell(client, &format!("printf 'username=root\\npassword=lab\\n' > {CREDENTIALS}"));
    let (status, tuned) = tune(client, &["--with", &port, "--credentials", CREDENTIALS]);
    assert_eq!(status, Status::Exited(0), "{tuned:#}");
    assert!(!tuned.to_string().contains("password"), "{tuned:#}");
    let best = &trials(&tuned)[0];
    assert_eq!(best["options"], Value::from(["cache=strict", "nobrl"].as_slice()), "{tuned:#}");
    assert_eq!(best["result"]["rollback"], "safe", "{tuned:#}");
    // Safe for this kernel, because no other sees its locks.
    assert!(best["withheld"].is_string() && tuned["command"].is_null(), "{tuned:#}");
    for cache in ["cache=strict", "cache=none", "cache=loose"] {
        let trial = trial(&tuned, &[cache]);
        assert_eq!(trial["result"]["rollback"], "fails", "{trial:#}");
    }
    assert_doctor_agrees(client, trial(&tuned, &["cache=strict"]));
    // Stock SQLite on what was ranked first.
    let options = format!("vers=3.1.1,credentials={CREDENTIALS},{port},cache=strict,nobrl");
    let mount = format!("mkdir /mnt/best && mount -t cifs -o {options} //10.0.2.2/share /mnt/best");
    shell(client, &mount);
    let wrote =
        shell(client, &format!("sqlite3 /mnt/best/app.db '{write} SELECT count(*) FROM t'"));
    assert_eq!(wrote.trim(), "1");
}

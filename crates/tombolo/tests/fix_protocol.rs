//! `tombolo fix PATH protocol` as a program: both ends of a share, and the change of a file.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const FSTAB: &str = "media\t/srv/media\t9p\ttrans=virtio,cache=none,nofail 0 0\n";

fn protocol(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.args(["fix", "app.db", "protocol"]).args(arguments).current_dir(directory);
    command.output().unwrap()
}

fn json(directory: &Path, arguments: &[&str]) -> Value {
    let output = protocol(directory, &[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn cell<'a>(comparison: &'a Value, mode: &str, openers: &str) -> &'a Value {
    let mut cells = comparison["cells"].as_array().unwrap().iter();
    cells.find(|cell| cell["mode"] == mode && cell["openers"] == openers).unwrap()
}

#[test]
fn every_protocol_says_what_changes_with_its_evidence() {
    let directory = tempfile::tempdir().unwrap();
    for (to, wal, several) in [
        ("virtiofs", "probe", "unsafe"),
        ("nfs", "risky", "ok_if"),
        ("smb", "risky", "fails_safe"),
        ("block", "ok", "unsafe"),
    ] {
        let comparison = json(directory.path(), &["--to", to, "--mount", "media"]);
        assert_eq!(comparison["schema"], "tombolo.protocol/1");
        assert_eq!(cell(&comparison, "wal", "one_kernel")["before"], "fails_safe");
        assert_eq!(cell(&comparison, "wal", "one_kernel")["after"], wal, "{to}");
        assert_eq!(cell(&comparison, "rollback", "several_kernels")["after"], several, "{to}");
        assert_eq!(cell(&comparison, "wal", "several_kernels")["after"], "unsafe", "{to}");
        let evidence = comparison["evidence"].as_array().unwrap();
        assert!(evidence.iter().any(|claim| claim["about"] == "byte_range_locks"), "{to}");
        let pieces = comparison["arrangement"]["pieces"].as_array().unwrap();
        for end in ["server", "client"] {
            assert!(pieces.iter().any(|piece| piece["end"] == end), "{to}");
        }
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn the_pieces_are_written_to_new_files_only() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--to", "nfs", "--mount", "media", "--directory", "/tank/media"];
    let arguments = [&arguments[..], &["--server", "192.0.2.1", "--write-to", "pieces"]].concat();
    let comparison = json(directory.path(), &arguments);
    assert_eq!(comparison["written"].as_array().unwrap().len(), 3);
    let exports = std::fs::read_to_string(directory.path().join("pieces/server-exports")).unwrap();
    assert_eq!(exports, "/tank/media CLIENT(rw,sync,no_subtree_check)\n");
    let again = protocol(directory.path(), &arguments);
    assert_eq!(again.status.code(), Some(2), "{}", String::from_utf8_lossy(&again.stdout));
}

#[test]
fn a_file_is_changed_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fstab");
    std::fs::write(&file, FSTAB).unwrap();
    let wanted = ["--to", "virtiofs", "--mount", "media", "--config", "fstab"];
    let comparison = json(directory.path(), &wanted);
    assert_eq!(comparison["plan"]["remedy"], "protocol");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), FSTAB);
    let output = protocol(directory.path(), &[&wanted[..], &["--apply"]].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("tombolo fix app.db protocol --config fstab --undo"), "{said}");
    let after = "media\t/srv/media\tvirtiofs\tnofail 0 0\n";
    assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
    assert!(protocol(directory.path(), &["--config", "fstab", "--undo"]).status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), FSTAB);
}

#[test]
fn what_makes_no_sense_is_said() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("fstab"), FSTAB).unwrap();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--to", "virtiofs"], 1, "this kernel's own storage"),
        (&["--to", "nfs", "--mount", "media", "--apply"], 3, "no file that this would change"),
        (&["--to", "nfs", "--mount", "media", "--config", "fstab"], 1, "only virtiofs"),
        (&["--to", "afp"], 3, "afp"),
        (&["--undo"], 3, "no file that this would change"),
    ];
    for (arguments, exit, words) in cases {
        let output = protocol(directory.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    assert_eq!(std::fs::read_to_string(directory.path().join("fstab")).unwrap(), FSTAB);
}

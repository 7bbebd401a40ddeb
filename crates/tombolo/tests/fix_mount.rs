//! `tombolo fix PATH mount` as a program: its words and exit codes, and what a kill leaves.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BEFORE: &str = "services:\n  app:\n    volumes:\n      - ./data:/data  # all of it\n";
const FSTAB: &str = "share\t/mnt/share\t9p\ttrans=virtio,cache=none 0 0\n";

struct Setting {
    directory: TempDir,
}

impl Setting {
    fn new() -> Self {
        let setting = Setting { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(setting.path("data")).unwrap();
        std::fs::write(setting.path("compose.yaml"), BEFORE).unwrap();
        std::fs::write(setting.path("fstab"), FSTAB).unwrap();
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, config: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command.args(["fix", "data/app.db", "mount", "--config", config]).args(arguments);
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, config: &str, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(config, arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

const CACHE: [&str; 4] = ["--mount", "/mnt/share", "--set", "cache=mmap"];

fn cache(last: &'static str) -> Vec<&'static str> {
    CACHE.into_iter().chain([last]).collect()
}

#[test]
fn a_plan_shows_the_difference_and_changes_nothing() {
    let setting = Setting::new();
    let (exit, said, _) = setting.run("fstab", &CACHE);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("-share\t/mnt/share\t9p\ttrans=virtio,cache=none 0 0\n"), "{said}");
    assert!(said.contains("+share\t/mnt/share\t9p\ttrans=virtio,cache=mmap 0 0\n"), "{said}");
    assert_eq!(setting.text("fstab"), FSTAB);
    let (_, said, _) = setting.run("fstab", &[&CACHE[..], &["--format", "json"]].concat());
    let plan: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(plan["remedy"], "mount");
    assert_eq!(plan["target"], setting.path("fstab").canonicalize().unwrap().to_str().unwrap());
    let edits = &plan["steps"][1]["action"]["edits"];
    assert_eq!(edits, &serde_json::json!([{"start": 33, "end": 43, "text": "cache=mmap"}]));
}

#[test]
fn it_is_applied_once_and_taken_back() {
    let setting = Setting::new();
    let (exit, said, _) = setting.run("fstab", &cache("--apply"));
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("tombolo fix data/app.db mount --config fstab --undo"), "{said}");
    assert!(said.contains("unmounted and mounted again"), "{said}");
    assert_eq!(setting.text("fstab"), FSTAB.replace("none", "mmap"));
    let (exit, _, said) = setting.run("fstab", &cache("--apply"));
    assert_eq!(exit, 1);
    assert!(said.contains("says so already"), "{said}");
    let (exit, said, _) = setting.run("fstab", &["--undo"]);
    assert_eq!(exit, 0, "{said}");
    assert_eq!(setting.text("fstab"), FSTAB);
    assert!(!setting.path(".tombolo-fix-fstab").exists());
}

#[test]
fn what_is_refused_says_why_and_where() {
    let setting = Setting::new();
    std::fs::write(setting.path("notes.txt"), "nothing\n").unwrap();
    let cases: [(&str, &[&str], i32, &str); 6] = [
        ("fstab", &["--mount", "/none", "--set", "hard"], 1, "/none is not defined in it"),
        ("fstab", &["--mount", "/none", "--set", "hard"], 1, "hint: name the mount"),
        ("fstab", &["--mount", "/mnt/share", "--set", "cache=loose"], 1, "cache=loose is not set"),
        ("notes.txt", &CACHE, 1, "say --kind"),
        ("absent", &CACHE, 2, "ENOENT"),
        ("fstab", &["--mount", "x", "--set", "a b"], 3, "has a character"),
    ];
    for (config, arguments, exit, words) in cases {
        let (code, _, said) = setting.run(config, arguments);
        assert_eq!(code, exit, "{said}");
        assert!(said.contains(words), "{said:?} says {words:?}");
    }
    assert_eq!(setting.text("fstab"), FSTAB);
}

/// Kills runs at moments spread over the time that one takes: the file is the old one or the new
/// one, and the next run finishes it or takes it back.
#[test]
fn a_killed_run_is_finished_or_undone() {
    const MOMENTS: u32 = 24;
    // The fastest of some: on a busy machine one run tells little of the others.
    let timed = |_| {
        let setting = Setting::new();
        let begun = Instant::now();
        assert_eq!(setting.run("fstab", &cache("--apply")).0, 0);
        begun.elapsed()
    };
    let whole = (0..5).map(timed).min().unwrap();
    let after = FSTAB.replace("none", "mmap");
    let mut kills = 0;
    for moment in 0..MOMENTS {
        let setting = Setting::new();
        let mut command = setting.command("fstab", &cache("--apply"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait(whole * moment / MOMENTS);
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        child.wait().unwrap();
        assert!([FSTAB, after.as_str()].contains(&setting.text("fstab").as_str()));
        if moment % 2 == 0 {
            let (exit, _, said) = setting.run("fstab", &cache("--apply"));
            assert!(exit == 0 || said.contains("says so already"), "{said}");
            assert_eq!(setting.text("fstab"), after);
        } else {
            let (exit, _, said) = setting.run("fstab", &["--undo"]);
            assert!(exit == 0 || said.contains("no run is recorded"), "{said}");
            assert_eq!(setting.text("fstab"), FSTAB);
        }
        kills += u32::from(!ended);
    }
    assert!(kills >= MOMENTS / 3, "only {kills} kills before a run ended");
}

fn wait(delay: Duration) {
    let end = Instant::now() + delay;
    while Instant::now() < end {
        std::thread::yield_now();
    }
}

#[test]
fn where_nothing_is_wrong_no_way_out_is_written() {
    let setting = Setting::new();
    let (exit, _, said) = setting.run("compose.yaml", &["--way", "NAMED_VOLUME", "--apply"]);
    assert_eq!(exit, 1);
    assert!(said.contains("the doctor finds no way out"), "{said}");
    assert_eq!(setting.text("compose.yaml"), BEFORE);
}

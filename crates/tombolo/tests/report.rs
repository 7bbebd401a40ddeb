//! The `report` command as a program is used: what it writes, and when it does not.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A directory with a database of somebody.
fn home() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().join("home/zebulon7q");
    std::fs::create_dir_all(&home).expect("a home");
    let database = rusqlite::Connection::open(home.join("acme.db")).expect("a database");
    database.execute_batch("CREATE TABLE t(x);").expect("a table");
    directory
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("report").args(arguments).arg("home/zebulon7q/acme.db");
    command.current_dir(directory).stdin(Stdio::null());
    command
}

fn report(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn nobody_asked_means_nothing_written() {
    let directory = home();
    let output = report(directory.path(), &["--no-probes", "--output", "report.md"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("replaced: 1 user name"), "{}", said(&output));
    assert!(!said(&output).contains("zebulon7q"), "a log is not told names: {}", said(&output));
    assert!(!directory.path().join("report.md").exists());
    let output = report(directory.path(), &["--no-probes"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
}

#[test]
fn without_a_file_the_text_goes_to_standard_output() {
    let directory = home();
    let output = report(directory.path(), &["--no-probes", "--yes", "--hide", "acme"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with("# Tombolo report\n") && text.contains("tombolo.bundle/1"), "{text}");
    assert!(text.contains("home/user-1/word-1.db"), "{text}");
    assert!(!text.contains("zebulon7q") && !text.contains("acme"), "{text}");
}

#[test]
fn a_file_that_exists_is_not_overwritten() {
    let directory = home();
    std::fs::write(directory.path().join("report.html"), "mine").expect("written");
    let arguments = ["--no-probes", "--yes", "--output", "report.md", "--html", "report.html"];
    let output = report(directory.path(), &arguments);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("report.html"), "{}", said(&output));
    let kept = std::fs::read_to_string(directory.path().join("report.html"));
    assert_eq!(kept.expect("read"), "mine");
    assert!(!directory.path().join("report.md").exists(), "half a report is none");
}

/// On a terminal, which script(1) makes, the names are shown and the user is asked.
#[test]
fn on_a_terminal_names_are_shown_and_the_user_is_asked() {
    for (answer, written) in [("n\n", false), ("y\n", true)] {
        let directory = home();
        let program = env!("CARGO_BIN_EXE_tombolo");
        let line = format!("{program} report --no-probes -o report.md home/zebulon7q/acme.db");
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1) runs (Debian: bsdutils)");
        let mut input = child.stdin.take().expect("piped");
        input.write_all(answer.as_bytes()).expect("answered");
        let output = child.wait_with_output().expect("it ends");
        drop(input);
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("zebulon7q  ->  user-1"), "{shown}");
        assert!(shown.contains("Write the report? [y/N]"), "{shown}");
        assert_eq!(output.status.code(), Some(i32::from(!written)), "{shown}");
        assert_eq!(directory.path().join("report.md").exists(), written, "{shown}");
    }
}

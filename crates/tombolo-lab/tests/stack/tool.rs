//! The doctor, as it is built from this workspace.

use crate::common::PATIENCE;
use crate::container::Container;
use crate::tool_build::built;
use serde_json::Value;
use tombolo_lab::{Guest, Output, Status};

/// The doctor's command. Nothing here is decided by how busy the machine is.
fn doctor<'a>(options: &[&'a str], path: &'a str) -> Vec<&'a str> {
    [&[built(), "doctor", "--timeout", "300"], options, &[path]].concat()
}

/// What the doctor says in a container of a path there, for programs. `expected` is the exit code.
pub(crate) fn doctor_json(container: &Container<'_>, path: &str, expected: i32) -> Value {
    let output = container.exec(&doctor(&["--format", "json"], path));
    assert_eq!(output.status, Status::Exited(expected), "{}", both(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["schema"], "tombolo.doctor/1");
    report
}

/// What it says from outside of the container, in the guest, to people; on one line.
pub(crate) fn doctor_from_outside(guest: &Guest, pid: &str, path: &str) -> String {
    let text = from_outside(guest, &["--pid", pid], path);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What it says from outside, to programs, of the container that is called so.
pub(crate) fn doctor_of_container(guest: &Guest, name: &str, path: &str) -> Value {
    let text = from_outside(guest, &["--format", "json", "--container", name], path);
    serde_json::from_str(&text).expect("JSON")
}

fn from_outside(guest: &Guest, options: &[&str], path: &str) -> String {
    let command = guest.command(&doctor(options, path)).timeout(PATIENCE);
    let output = command.run().expect("it ran");
    assert_eq!(output.status, Status::Exited(1), "{}", both(&output));
    output.text()
}

/// What the tool makes of the log of an app.
pub(crate) fn explain(guest: &Guest, log: &str) -> String {
    let command = guest.command(&[built(), "explain", "-"]).input(log.as_bytes());
    command.run().expect("it ran").text()
}

fn both(output: &Output) -> String {
    output.text() + &output.error_text()
}

/// One field of each entry of a list in a report.
pub(crate) fn each<'a>(report: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    let entries = report[list].as_array().into_iter().flatten();
    entries.filter_map(|entry| entry[field].as_str()).collect()
}

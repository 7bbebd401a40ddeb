//! The `explain` command as a program is used: arguments, standard input, exit codes, JSON.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const REPORT: &str = "hostshare on /work type 9p (rw,trans=virtio)\ndisk I/O error (5386)\n";

fn explain(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .arg("explain")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that refuses its arguments does not read its input.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("the program ends")
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn text_file_and_standard_input_give_one_answer() {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), REPORT).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    let by_text = explain(&["--format", "json", REPORT], b"");
    let by_file = explain(&["--format", "json", path], b"");
    let by_input = explain(&["--format", "json", "-"], REPORT.as_bytes());
    assert_eq!(by_text.status.code(), Some(1));
    assert_eq!(json(&by_text), json(&by_file));
    assert_eq!(json(&by_text), json(&by_input));
    let answer = json(&by_text);
    assert_eq!(answer["schema"], "tombolo.explain/1");
    assert_eq!(answer["causes"][0]["code"], "MMAP_REFUSED");
    assert_eq!(answer["sqlite"][0]["code"], 5386);
    assert_eq!(answer["sqlite"][0]["name"], "SQLITE_IOERR_SHMMAP");
    assert_eq!(answer["facts"]["filesystem"], "nine_p");
}

#[test]
fn the_first_line_for_people_is_the_answer() {
    let output = explain(&[REPORT], b"");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let first = text.split("\n\n").next().expect("a paragraph");
    assert!(first.starts_with("The file system refuses the shared memory map"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours into a pipe");
    assert!(text.lines().all(|line| line.len() <= 110), "{text}");
}

#[test]
fn exit_codes_tell_healthy_from_refused() {
    let healthy = "filesystem: ext4\nkernels_opening: 1\nworks, integrity_check ok";
    assert_eq!(explain(&[healthy], b"").status.code(), Some(0));
    assert_eq!(explain(&["-"], b" \n").status.code(), Some(3));
    assert_eq!(explain(&["--format", "xml", "x"], b"").status.code(), Some(3));
}

#[test]
fn broken_utf8_is_read_all_the_same() {
    let output = explain(&["--format", "json", "-"], b"\xff\xfe database is locked \xc3 nfs");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["sqlite"][0]["name"], "SQLITE_BUSY");
}

#[test]
fn the_last_lines_of_a_long_log_are_read() {
    let mut log = "INFO request served in 3 ms\n".repeat((10 << 20) / 28);
    log.push_str(REPORT);
    let output = explain(&["--format", "json", "-"], log.as_bytes());
    assert_eq!(json(&output)["causes"][0]["code"], "MMAP_REFUSED");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.contains("bytes between them are not"), "{said}");
}

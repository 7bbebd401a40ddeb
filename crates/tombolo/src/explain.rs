//! `tombolo explain`: from error text to causes.

use crate::answer;
use crate::args::ExplainArguments;
use crate::exit::{Exit, Failure};
use crate::render::{self};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use tombolo_doctor::explain::{CauseCode, explain};

/// Bytes explained from the beginning of a report, where the set-up stands.
const HEAD_BYTES: usize = 2 << 20;
/// Bytes explained from its end, where a log has its last error. What lies between the two is left
/// out, and that is said.
const TAIL_BYTES: usize = 6 << 20;
/// Bytes after which an endless input is given up.
const INPUT_BYTES_MAX: u64 = 1 << 30;

pub(crate) fn run(arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let text = report(arguments.input.as_deref()).map_err(|error| {
        let hint = "give a readable file, `-` for standard input, or the text itself";
        Failure::new(Exit::NotExamined, error).hint(hint)
    })?;
    if text.trim().is_empty() {
        let failure = Failure::new(Exit::Usage, "there is no text to explain");
        return Err(failure.hint("give a log line, a trace or a whole report"));
    }
    let explanation = explain(&text);
    answer::print(arguments.format, &explanation, |page| {
        render::explanation(page, &explanation);
    })?;
    let healthy = explanation.causes.first().is_some_and(|cause| cause.code == CauseCode::Healthy);
    Ok(if healthy { Exit::Healthy } else { Exit::Findings })
}

/// The text of the report: of an existing regular file, of standard input, or the argument itself.
fn report(input: Option<&str>) -> io::Result<String> {
    match input {
        None | Some("-") => bounded(io::stdin().lock()),
        Some(argument) if names_file(argument) => bounded(File::open(argument)?),
        Some(text) => {
            if looks_like_name(text) {
                anstream::eprintln!("tombolo: no file is called {text:?}: it is taken for text");
            }
            Ok(text.to_owned())
        }
    }
}

/// One word with what names of files have and words seldom.
fn looks_like_name(text: &str) -> bool {
    text.contains(['/', '.']) && !text.contains(char::is_whitespace)
}

/// Only a regular file is read: a directory or a pipe of that name is text.
fn names_file(argument: &str) -> bool {
    Path::new(argument).metadata().is_ok_and(|found| found.is_file())
}

/// Logs are seldom clean UTF-8; what is not becomes replacement characters.
fn bounded(source: impl Read) -> io::Result<String> {
    let (bytes, left_out) = ends(source, HEAD_BYTES, TAIL_BYTES)?;
    if left_out > 0 {
        anstream::eprintln!(
            "tombolo: only the first 2 and the last 6 MiB of the report are read, {left_out} bytes \
             between them are not"
        );
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The beginning and the end of an input, and how many bytes between them are left out.
fn ends(source: impl Read, head: usize, tail: usize) -> io::Result<(Vec<u8>, usize)> {
    let mut source = source.take(INPUT_BYTES_MAX);
    let mut bytes = Vec::new();
    source.by_ref().take(head as u64).read_to_end(&mut bytes)?;
    let mut left_out = 0;
    loop {
        // Twice the tail at most is held; the older half goes.
        if source.by_ref().take(tail as u64).read_to_end(&mut bytes)? == 0 {
            break;
        }
        let surplus = bytes.len().saturating_sub(head + tail);
        bytes.drain(head.min(bytes.len())..(head + surplus).min(bytes.len()));
        left_out += surplus;
    }
    if left_out > 0 {
        bytes.insert(head, b'\n');
    }
    Ok((bytes, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_bounded_and_need_not_be_utf8() {
        assert_eq!(bounded(&b"a\xffb"[..]).expect("read"), "a\u{fffd}b");
        let long = io::repeat(b'x').take((HEAD_BYTES + TAIL_BYTES) as u64 + 100);
        assert_eq!(bounded(long).expect("read").len(), HEAD_BYTES + TAIL_BYTES + 1);
    }

    #[test]
    fn of_a_long_report_the_beginning_and_the_end_are_kept() {
        for (input, kept, left_out) in [
            (&b"ab"[..], &b"ab"[..], 0),
            (b"abcdefg", b"abcdefg", 0),
            (b"abc-defg", b"abc\ndefg", 1),
            (b"abc12345678901234567defg", b"abc\ndefg", 17),
        ] {
            assert_eq!(ends(input, 3, 4).expect("read"), (kept.to_vec(), left_out));
        }
    }

    #[test]
    fn a_name_of_no_file_is_told_from_a_message() {
        assert!(looks_like_name("app.log") && looks_like_name("logs/today"));
        assert!(!looks_like_name("SQLITE_BUSY") && !looks_like_name("cannot open a/b.db"));
    }

    #[test]
    fn text_is_not_taken_for_a_file() {
        assert!(!names_file("database is locked"));
        assert!(!names_file("/"));
        assert!(!names_file(&"x".repeat(100_000)));
    }
}

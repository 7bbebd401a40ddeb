//! `tombolo explain`: from error text to causes.

use crate::args::{ExplainArguments, Format};
use crate::exit::{self, Exit, Failure};
use crate::render::{self, Page};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use tombolo_doctor::explain::{CauseCode, Explanation, explain};

/// Bytes of a report that are read. What lies behind is left out, and that is said.
const REPORT_BYTES_MAX: u64 = 8 << 20;

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
    exit::printed(print(arguments.format, &explanation))?;
    let healthy = explanation.causes.first().is_some_and(|cause| cause.code == CauseCode::Healthy);
    Ok(if healthy { Exit::Healthy } else { Exit::Findings })
}

fn print(format: Format, explanation: &Explanation) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, explanation)?;
            writeln!(out)?;
        }
        Format::Text => {
            let mut page = Page::new();
            render::explanation(&mut page, explanation);
            out.write_all(page.into_text().as_bytes())?;
        }
    }
    out.flush()
}

/// The text of the report: of an existing regular file, of standard input, or the argument itself.
fn report(input: Option<&str>) -> io::Result<String> {
    match input {
        None | Some("-") => bounded(io::stdin().lock()),
        Some(argument) if names_file(argument) => bounded(File::open(argument)?),
        Some(text) => Ok(text.to_owned()),
    }
}

/// Only a regular file is read: a directory or a pipe of that name is text.
fn names_file(argument: &str) -> bool {
    Path::new(argument).metadata().is_ok_and(|found| found.is_file())
}

/// Logs are seldom clean UTF-8; what is not becomes replacement characters.
fn bounded(source: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    let length = source.take(REPORT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if length as u64 > REPORT_BYTES_MAX {
        bytes.truncate(REPORT_BYTES_MAX as usize);
        anstream::eprintln!("tombolo: only the first 8 MiB of the report are read");
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_bounded_and_need_not_be_utf8() {
        assert_eq!(bounded(&b"a\xffb"[..]).expect("read"), "a\u{fffd}b");
        let long = io::repeat(b'x').take(REPORT_BYTES_MAX + 100);
        assert_eq!(bounded(long).expect("read").len() as u64, REPORT_BYTES_MAX);
    }

    #[test]
    fn text_is_not_taken_for_a_file() {
        assert!(!names_file("database is locked"));
        assert!(!names_file("/"));
        assert!(!names_file(&"x".repeat(100_000)));
    }
}

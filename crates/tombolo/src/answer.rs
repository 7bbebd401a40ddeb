//! What a subcommand answers, on standard output: one document as JSON, or the same as text.

use crate::args::Format;
use crate::exit::{self, Failure};
use crate::render::Page;
use serde::Serialize;
use std::io::Write as _;

/// Prints an answer; `text` writes it for people.
///
/// # Errors
/// As [`exit::printed`] has them.
pub(crate) fn print(
    format: Format,
    document: &impl Serialize,
    text: impl FnOnce(&mut Page),
) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let written = match format {
        Format::Json => serde_json::to_writer_pretty(&mut out, document)
            .map_err(Into::into)
            .and_then(|()| writeln!(out)),
        Format::Text => {
            let mut page = Page::new();
            text(&mut page);
            out.write_all(page.into_text().as_bytes())
        }
    };
    exit::printed(written.and_then(|()| out.flush()))
}

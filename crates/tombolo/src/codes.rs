//! `tombolo codes`: the manual of findings.

use crate::args::CodesArguments;
use crate::exit::{self, Exit, Failure};
use std::io::Write as _;
use tombolo_core::finding::Code;

pub(crate) fn run(arguments: &CodesArguments) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    let written = match &arguments.code {
        None => Code::ALL.iter().try_for_each(|code| writeln!(out, "{code}  {}", code.title())),
        Some(name) => match Code::from_name(name) {
            Some(code) => write!(out, "{}", code.page()),
            None => {
                let failure = Failure::new(Exit::Usage, format!("there is no code {name:?}"));
                return Err(failure.hint("`tombolo codes` lists them all"));
            }
        },
    };
    exit::printed(written).map(|()| Exit::Healthy)
}

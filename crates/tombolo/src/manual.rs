//! Shell completion and the manual page, made from the command line's own definition.

use crate::args::Arguments;
use crate::exit::{Exit, Failure};
use clap::CommandFactory as _;

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    clap_complete::generate(shell, &mut Arguments::command(), "tombolo", &mut std::io::stdout());
    Ok(Exit::Healthy)
}

pub(crate) fn man() -> Result<Exit, Failure> {
    clap_mangen::Man::new(Arguments::command())
        .render(&mut std::io::stdout())
        .map_err(|error| Failure::new(Exit::NotExamined, error))?;
    Ok(Exit::Healthy)
}

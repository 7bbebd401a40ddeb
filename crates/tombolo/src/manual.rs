//! Shell completion and the manual page, made from the command line's own definition.

use crate::args::Arguments;
use crate::exit::{self, Exit, Failure};
use clap::CommandFactory as _;
use std::io::Write as _;

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tombolo", &mut script);
    exit::printed(std::io::stdout().write_all(&script)).map(|()| Exit::Healthy)
}

pub(crate) fn man() -> Result<Exit, Failure> {
    let written = clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout());
    exit::printed(written).map(|()| Exit::Healthy)
}

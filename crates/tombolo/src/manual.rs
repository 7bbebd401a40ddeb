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

/// The manual page of a command, or of the whole.
pub(crate) fn man(name: Option<&str>) -> Result<Exit, Failure> {
    let all = Arguments::command();
    let command = match name {
        None => all,
        Some(name) => command_of(&all, name).ok_or_else(|| {
            let failure = Failure::new(Exit::Usage, format!("there is no command {name:?}"));
            failure.hint("`tombolo help` lists them all")
        })?,
    };
    let written = clap_mangen::Man::new(command).render(&mut std::io::stdout());
    exit::printed(written).map(|()| Exit::Healthy)
}

fn command_of(all: &clap::Command, name: &str) -> Option<clap::Command> {
    let mut all = all.clone();
    // Gives each command the name of its page and the options that all have.
    all.build();
    all.find_subcommand(name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_the_manual_refers_to_has_a_page() {
        let all = Arguments::command();
        for command in all.get_subcommands() {
            let name = command.get_name();
            let page = clap_mangen::Man::new(command_of(&all, name).expect("a command"));
            let mut text = Vec::new();
            page.render(&mut text).expect("into memory");
            let text = String::from_utf8(text).expect("UTF-8");
            assert!(text.contains(&format!(".TH tombolo-{name} 1")), "{text}");
        }
        assert!(command_of(&all, "cure").is_none());
    }
}

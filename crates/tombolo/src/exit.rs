//! Exit codes, in one place.

use std::io::{self, Write as _};
use std::{error::Error, fmt, process::ExitCode};

/// How the command ended, as its exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Looked, and nothing is wrong.
    Healthy = 0,
    /// Looked, and found something.
    Findings = 1,
    /// Could not look. Never the same code as "found nothing".
    NotExamined = 2,
    /// The command line made no sense.
    Usage = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why the command could not do its work: kind and cause chain, and a hint.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) cause: Box<dyn Error>,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, cause: impl Into<Box<dyn Error>>) -> Self {
        Failure { exit, cause: cause.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.hint_if_any(Some(hint))
    }

    pub(crate) fn hint_if_any(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "tombolo: {}", self.cause)?;
        let mut source = self.cause.source();
        while let Some(cause) = source {
            write!(formatter, ": {cause}")?;
            source = cause.source();
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// What became of writing to standard output. A reader that has seen enough, such as `head`, is no
/// failure: the exit code tells what was found, as it does without a pipe.
pub(crate) fn printed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let failure = Failure::new(Exit::NotExamined, error);
            Err(failure.hint("the answer could not be written to standard output"))
        }
        _ => Ok(()),
    }
}

/// Turns the end of a subcommand into the exit code, and says what failed.
pub(crate) fn from(result: Result<Exit, Failure>) -> ExitCode {
    result.map_or_else(failed, ExitCode::from)
}

/// Says what failed.
pub(crate) fn failed(failure: Failure) -> ExitCode {
    // Nobody may be left to read this either.
    let _ = writeln!(anstream::stderr(), "{failure}");
    failure.exit.into()
}

/// Help and version are no failures; everything else that `clap` refuses is [`Exit::Usage`].
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let written = error.print();
    if error.use_stderr() {
        return Exit::Usage.into();
    }
    from(printed(written).map(|()| Exit::Healthy))
}

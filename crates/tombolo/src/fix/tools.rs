//! What a run works with: progress on standard error, the wish to stop, and who has files open.

use super::serve::Live;
use crate::args::FixRun;
use crate::progress::ProgressLine;
use crate::unused::Kernel;
use std::cell::RefCell;
use tombolo_os::signal;
use tombolo_remedy::guard::Elsewhere;
use tombolo_remedy::run::Tools;
use tombolo_remedy::{Attend, Error};

/// Runs `work` with tools, and takes the progress away afterwards.
pub(super) fn with<T>(how: &FixRun, steps: usize, work: impl FnOnce(&mut Tools<'_>) -> T) -> T {
    let line = RefCell::new(ProgressLine::new());
    let elsewhere = if how.assume_unused { Elsewhere::AssumeUnused } else { Elsewhere::Look };
    let mut attend = Shown { line: &line, bytes: 0 };
    let mut watch = Kernel;
    work(&mut Tools {
        attend: &mut attend,
        watch: &mut watch,
        services: &mut Live,
        elsewhere,
        on_step: &mut |number, step| {
            line.borrow_mut().say(&format!("{}/{steps} {}", number + 1, step.title));
        },
        stop_wanted: signal::stop_wanted,
    })
}

/// Progress in bytes.
pub(crate) struct Shown<'a> {
    pub(crate) line: &'a RefCell<ProgressLine>,
    pub(crate) bytes: u64,
}

impl Attend for Shown<'_> {
    fn pass(&mut self) -> Result<(), Error> {
        if signal::stop_wanted() { Err(Error::Stopped) } else { Ok(()) }
    }

    fn worked(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.line.borrow_mut().show(&format!("{} MB", self.bytes / 1_000_000));
    }
}

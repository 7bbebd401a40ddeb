//! What a run works with: progress on standard error, the wish to stop, and who has files open.

use crate::args::FixRun;
use crate::progress::ProgressLine;
use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{HeaderMode, Outcome};
use tombolo_doctor::diagnosis::Viewpoint;
use tombolo_doctor::openers;
use tombolo_os::signal;
use tombolo_remedy::Error;
use tombolo_remedy::guard::{Elsewhere, Programs, Watch};
use tombolo_remedy::run::{Attendant, Tools};

/// How long all programs may be looked at.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `work` with tools, and takes the progress away afterwards.
pub(super) fn with<T>(how: &FixRun, steps: usize, work: impl FnOnce(&mut Tools<'_>) -> T) -> T {
    let line = RefCell::new(ProgressLine::new());
    let elsewhere = if how.assume_unused { Elsewhere::AssumeUnused } else { Elsewhere::Look };
    let mut attend = Shown { line: &line, bytes: 0 };
    let mut watch = Kernel;
    work(&mut Tools {
        attend: &mut attend,
        watch: &mut watch,
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

impl Attendant for Shown<'_> {
    fn pass(&mut self) -> Result<(), Error> {
        if signal::stop_wanted() { Err(Error::Stopped) } else { Ok(()) }
    }

    fn worked(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.line.borrow_mut().show(&format!("{} MB", self.bytes / 1_000_000));
    }
}

/// Programs of this kernel.
pub(crate) struct Kernel;

impl Watch for Kernel {
    fn look(&mut self, database: &Path) -> Result<Programs, String> {
        let place = openers::Place::at(Viewpoint::Own);
        let files = match place.files(database, HeaderMode::Unreadable) {
            Ok(files) => files,
            // What is not there is open nowhere.
            Err(Errno::ENOENT) => return Ok(Programs::default()),
            Err(errno) => return Err(errno.to_string()),
        };
        let mut found = None;
        let deadline = Instant::now() + PATIENCE;
        openers::find(Path::new("/proc"), &[files], deadline, &mut |_, openers| {
            found = Some(openers);
        });
        match found {
            None => Err("no program could be looked at".to_owned()),
            Some(found) if found.observation.outcome == Outcome::NotRun => {
                Err(found.observation.summary)
            }
            Some(found) => Ok(Programs { openers: found.openers, not_seen: found.not_seen }),
        }
    }
}

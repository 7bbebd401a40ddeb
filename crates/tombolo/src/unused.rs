//! Who has a database open, found by the doctor for those who mean to change it.

use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::report::{HeaderMode, Outcome};
use tombolo_doctor::diagnosis::Viewpoint;
use tombolo_doctor::openers::{self, Versions};
use tombolo_remedy::guard::{Programs, Watch};

/// The programs of this kernel, by `/proc`.
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
        openers::find(Path::new("/proc"), &[files], Versions::LeftOut, &mut |_, openers| {
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

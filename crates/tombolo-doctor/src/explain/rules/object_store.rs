//! A bucket mounted as a directory.
//!
//! Object stores replace whole objects: no locks between clients, no writes in the middle of a
//! file, a commit takes seconds or is refused.

use super::Case;
use crate::explain::facts::Facts;
use crate::explain::sign::FileSystem;

pub(super) fn weigh(facts: &Facts, case: &mut Case) {
    if facts.on(FileSystem::ObjectStore) {
        case.speaks(85, "the directory is a bucket, or a cloud drive, behind a FUSE mount");
        if facts.several() && facts.trouble() {
            case.against(30);
        }
    } else if facts.file_systems.contains(&FileSystem::ObjectStore) {
        case.speaks(25, "a bucket mount is named");
    }
}

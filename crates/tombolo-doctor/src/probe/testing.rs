//! Where the tests of experiments work: a disk and memory.

use std::path::Path;
use tombolo_core::report::{Observation, Outcome};

/// Runs an experiment on the disk of the tests and on tmpfs; both keep every promise.
pub(super) fn on_disk_and_in_memory(
    expected: Outcome,
    probe: impl Fn(&Path) -> Observation,
) -> [Observation; 2] {
    let disk = tempfile::tempdir().expect("a directory");
    let memory = tempfile::tempdir_in("/dev/shm").expect("/dev/shm, a tmpfs, is needed");
    [disk, memory].map(|directory| {
        let observation = probe(directory.path());
        assert_eq!(observation.outcome, expected, "{observation:?}");
        observation
    })
}

/// Runs an experiment where nothing can be created: it says so and keeps the errno.
pub(super) fn not_run_without_a_directory(probe: impl Fn(&Path) -> Observation) {
    let observation = probe(Path::new("/proc/tombolo"));
    assert_eq!(observation.outcome, Outcome::NotRun, "{observation:?}");
    assert_eq!(observation.errno, Some(tombolo_core::errno::Errno::ENOENT), "{observation:?}");
}

//! What tests of a conversation share.

use std::time::{Duration, Instant};
use tombolo_os::worker::{self, End};

/// Runs `test` in a process whose working directory is fresh and empty, because that directory is
/// the whole process's.
#[track_caller]
pub(super) fn within_scratch(test: impl FnOnce()) {
    let _alone = crate::SQLITE_HERE.write();
    let directory = tempfile::tempdir().expect("a directory");
    let deadline = Instant::now() + Duration::from_secs(60);
    let body = |_: &mut worker::Outbox| {
        std::env::set_current_dir(directory.path()).expect("entered");
        test();
    };
    assert_eq!(worker::run(deadline, body, &mut |_| {}).expect("a process"), End::Finished);
}

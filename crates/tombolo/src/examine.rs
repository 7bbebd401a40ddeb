//! What the doctor says of a path, for commands that act on it.

use crate::progress::ProgressLine;
use std::path::Path;
use std::time::Duration;
use tombolo_core::report::Report;
use tombolo_doctor::diagnosis::{Probes, Progress, Request, Viewpoint, diagnose};

/// How long the doctor may look.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn report(path: &Path, probes: Probes) -> Report {
    let request = Request {
        path: path.to_owned(),
        viewpoint: Viewpoint::Own,
        probes,
        timeout: TIMEOUT,
        overtime: Duration::ZERO,
        peers: None,
    };
    let mut line = ProgressLine::new();
    diagnose(&request, &mut |progress| {
        if let Progress::Probe(kind) = progress {
            line.show(kind.as_str());
        }
    })
}

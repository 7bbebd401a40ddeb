//! What surrounds the process through whose eyes the path is seen.
//!
//! The signs of machines and containers stand in root directories, which may be on dead mounts too:
//! they are read in a child.

use crate::child::{self, Viewpoint};
use crate::topology::Surroundings;
use std::path::Path;
use std::time::Instant;
use tombolo_core::report::{self, Machine};
use tombolo_os::{kernel, process};

/// The surroundings as far as they answered, and what is missing.
pub(crate) fn gather(viewpoint: Viewpoint, deadline: Instant) -> (Surroundings, Option<String>) {
    let pid = match viewpoint {
        Viewpoint::Own => "self".to_owned(),
        Viewpoint::Process(pid) => pid.to_string(),
    };
    gather_from(deadline, || Surroundings::of(&pid))
}

fn gather_from(
    deadline: Instant,
    collect: impl FnOnce() -> Surroundings,
) -> (Surroundings, Option<String>) {
    let mut seen = None;
    let end = child::run(
        Viewpoint::Own,
        deadline,
        |send: &mut dyn FnMut(&Surroundings)| send(&collect()),
        &mut |around| seen = Some(around),
    );
    if let Some(around) = seen {
        return (around, None);
    }
    let why = end.map_or_else(|error| error.to_string(), |end| end.to_string());
    let missing = format!("the machine and the container were not examined: {why}");
    let kernel = kernel::identify(Path::new("/"));
    (
        Surroundings {
            kernel,
            machine: Machine::NotExamined,
            container: None,
            addresses: Vec::new(),
        },
        Some(missing),
    )
}

pub(super) fn seen_by(viewpoint: Viewpoint, around: &Surroundings) -> Option<report::Viewpoint> {
    let Viewpoint::Process(pid) = viewpoint else { return None };
    let program = process::program(Path::new("/proc"), pid);
    Some(report::Viewpoint { pid, program, container: around.container.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn surroundings_that_hang_are_missing_and_the_kernel_is_known_still() {
        let start = Instant::now();
        let (around, missing) = gather_from(start + Duration::from_millis(200), || {
            loop {
                std::thread::park();
            }
        });
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!((around.machine, around.container), (Machine::NotExamined, None));
        assert!(!around.kernel.release.is_empty());
        assert!(missing.expect("a gap").contains("did not end in time"));
    }

    #[test]
    fn they_are_those_of_this_process() {
        let (around, missing) = gather(Viewpoint::Own, Instant::now() + Duration::from_secs(10));
        assert_eq!(missing, None);
        assert_eq!(around.kernel, Surroundings::of("self").kernel);
        assert!(seen_by(Viewpoint::Own, &around).is_none());
    }
}

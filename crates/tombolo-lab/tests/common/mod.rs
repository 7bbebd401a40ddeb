//! What tests with guests share.

mod session;

pub(crate) use session::{Connection, GuestSession};

use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_lab::{GuestSpec, Lab, needs};

/// Longer than anything takes here, also on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is looked whether something has happened.
pub(crate) const TURN: Duration = Duration::from_millis(5);

/// A lab, on a machine that has these of the lab's needs.
pub(crate) fn lab(required: &[&str]) -> Lab {
    let needs = needs();
    for name in required {
        let need = needs.iter().find(|need| need.name == *name).expect("a need of the lab");
        assert!(need.found.is_some(), "{name} is missing: {}", need.how);
    }
    Lab::with_binary(Path::new(env!("CARGO_BIN_EXE_tombolo-lab"))).expect("a lab")
}

/// A guest on the kernel whose release begins as `TOMBOLO_LAB_KERNEL` says, else on the newest.
pub(crate) fn guest_spec() -> GuestSpec {
    GuestSpec::new("guest").kernel(&std::env::var("TOMBOLO_LAB_KERNEL").unwrap_or_default())
}

/// Waits for something that another process does.
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::park_timeout(TURN);
    }
}

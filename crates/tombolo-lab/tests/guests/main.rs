//! Guests: what is asked of them, what is done to them, and that nothing of them is left.

mod faults;
mod hygiene;
mod requests;

use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_lab::{Guest, GuestSpec, Lab};

/// Longer than anything takes here, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `holds`, without keeping a processor busy.
fn at_last(holds: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if holds() {
            return true;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    false
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tombolo-lab"))
}

fn lab() -> Lab {
    Lab::with_binary(binary()).expect("a lab")
}

/// One guest without shares.
fn guest(lab: &Lab) -> Guest {
    lab.guest(GuestSpec::new("a")).expect("a guest")
}

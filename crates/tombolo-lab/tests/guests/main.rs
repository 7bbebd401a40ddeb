//! Guests: what is asked of them, what is done to them, and that nothing of them is left.

mod faults;
mod hygiene;
mod requests;

use std::path::Path;
use std::time::Duration;
use tombolo_lab::{Guest, GuestSpec, Lab};

/// Longer than anything takes here, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

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

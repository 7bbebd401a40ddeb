//! Stage 6: ways out, filled in for one machine and path.

mod situation;

pub use situation::Situation;

use tombolo_core::report::{Reach, Remedy, RemedyId};

/// Fills a way out in for a situation.
#[must_use]
pub fn build(id: RemedyId, situation: &Situation) -> Remedy {
    let _ = situation;
    Remedy {
        id,
        title: String::new(),
        why: String::new(),
        steps: Vec::new(),
        cost: String::new(),
        risk: String::new(),
        undo: String::new(),
        reach: Reach::OneKernel,
    }
}

//! Stage 6: ways out, filled in for one machine and path.
//!
//! Every way out is safe as it is written: whatever changes a database comes after all programs
//! were stopped and the set of files was copied, and a way that is good for one kernel only says
//! so in its first words.

mod applications;
mod catalog;
pub mod drivers;
mod fill;
pub(crate) mod quote;
mod ranking;
pub mod simplify;
mod situation;
mod warnings;

pub use applications::{Application, Place, Setting, find as application};
pub use quote::shell as quoted;
pub use ranking::for_codes;
pub use situation::Situation;
pub use warnings::warnings;

use fill::Fill;
use tombolo_core::report::{Reach, Remedy, RemedyId};

/// Fills a way out in for a situation. What is not known stands as a plain stand-in, such as
/// `/path/app.db`.
#[must_use]
pub fn build(id: RemedyId, situation: &Situation) -> Remedy {
    let fill = Fill::new(situation);
    let mut remedy = catalog::build(id, &fill);
    if remedy.reach == Reach::OneKernel && fill.maybe_several() {
        remedy.why =
            format!("Only while programs of one kernel alone open the database: {}", remedy.why);
    }
    remedy
}

#[cfg(test)]
mod tests;

//! The owner as a process has it, and connections that say what no door would.

mod ending;
mod harness;
mod limits;
mod rules;
mod slow;
mod strangers;
mod told;

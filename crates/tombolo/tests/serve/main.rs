//! An owner, and stock SQLite at its door.

mod basics;
mod faults;
mod harness;
mod mixed;
mod run;

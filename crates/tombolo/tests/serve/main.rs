//! An owner, and stock SQLite at its door.

mod basics;
mod clients;
mod faults;
mod harness;
mod history;
mod mixed;
mod run;
mod shipped;
mod told;

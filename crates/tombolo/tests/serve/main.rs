//! An owner, and stock SQLite at its door.

mod basics;
mod faults;
mod harness;
mod history;
mod mixed;
mod network;
mod proxy;
mod run;
mod shipped;
mod told;

//! An owner, and stock SQLite at its door.

mod basics;
mod clients;
mod descriptors;
mod disk;
mod faults;
mod harness;
mod history;
mod mixed;
mod network;
mod proxy;
mod run;
mod sessions;
mod several;
mod shipped;
mod told;
mod traps;
mod waiting;

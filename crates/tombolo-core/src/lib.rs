//! The pure part of Tombolo: what SQLite's files look like, and the words in which a diagnosis is
//! spoken.
//!
//! Nothing here opens a file, asks a clock or draws a random number: bytes and times come in as
//! arguments. So every line of this crate can be tested, fuzzed and replayed.
//!
//! * [`sqlite`]: layouts of the files SQLite writes, and its result codes.
//! * [`report`]: evidence, findings, verdicts and remedies, as they are printed and serialised.
//! * [`facade`]: the file that a door shows to a program.
//! * [`finding`]: the stable codes of findings and their manual pages.
//! * [`locktable`]: the kernel's tables of file locks.
//! * [`memory_map`]: the kernel's table of what a process has mapped.
//! * [`mountinfo`]: the kernel's table of mounts.
//! * [`owner`]: who does all input and output on a database.
//! * [`peer`]: what doctors on several kernels say to each other.
//! * [`errno`]: error numbers, which stay visible from the system call to the report.
//! * [`cgroup`]: the names that container tools leave in control-group paths.
//! * [`redact`]: takes names and secrets out of texts.
//! * [`trace`]: the system calls of a program's SQLite, as they are recorded and what they tell.
//! * [`wire`]: what doors and owners say to each other.
//! * [`text`]: bytes from outside, made fit for a report.

pub mod cgroup;
pub mod elf;
pub mod errno;
pub mod facade;
pub mod finding;
pub mod locktable;
pub mod memory_map;
pub mod mountinfo;
pub mod owner;
pub mod peer;
pub mod redact;
pub mod report;
pub mod sqlite;
pub mod text;
pub mod trace;
pub mod wire;

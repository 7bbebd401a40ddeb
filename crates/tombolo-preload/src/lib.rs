//! What is done in a program by a library that stands in front of libc: WAL mode for one process,
//! where a `-shm` cannot be mapped, and a trace of what SQLite asks of the kernel. Each is wanted
//! by an environment variable of its own; without them every call goes through.
//!
//! # A database for one process
//!
//! SQLite's `unix-excl` keeps the wal-index in the heap, but a program has to ask for it. This
//! library gives the same to programs that do not, whichever SQLite they have and however it is
//! linked, as long as it calls libc: the `-shm` that it opens is a file in memory that nobody else
//! can reach, and its place on the share stays empty.
//!
//! That is safe only while one process uses the database. So the process claims it: one lock on
//! SQLite's own bytes of the database, of a kind that belongs to the process and not to a
//! connection. Programs of the same kernel are kept out by it, with this library or without: those
//! with it are refused the file (`EBUSY`) and told why, the others are told "database is locked".
//! The locks that SQLite takes within the process are then granted here: SQLite itself keeps its
//! connections apart within a process (`unixInodeInfo` in `os_unix.c`).
//!
//! A process that was forked does not have the claim of its parent.
//!
//! # A trace
//!
//! Each call on a SQLite file is recorded when it has ended: a database is known by its header, by
//! the bytes that are locked in it, or because it was named; its sidecars by their names. A record
//! goes straight into a shared map of the trace (`tombolo_core::trace::layout`).
//!
//! A SQLite that the library does not stand in front of can load it as an extension, by the path in
//! [`EXTENSION_VARIABLE`]; then the same is recorded, but for syncs.
//!
//! # What is not seen
//!
//! What does not go through libc is not seen (raw system calls, io_uring, programs linked
//! statically). The report says what was claimed, so that a program which was not reached can be
//! named. A library that was loaded past this one (`RTLD_DEEPBIND`) is reached once the program
//! itself has called libc after it was loaded.

pub mod databases;
// Not in unit tests: the test program's own calls would go through it.
#[cfg(not(test))]
mod ffi;

/// The environment variable with the paths of the databases, one on each line, absolute and free of
/// symbolic links, as SQLite opens them.
pub const VARIABLE: &str = "TOMBOLO_EXCLUSIVE";

/// The environment variable with the path of the report, to which each claim adds a line.
pub const REPORT_VARIABLE: &str = "TOMBOLO_EXCLUSIVE_REPORT";

/// The environment variable with the path of the trace, which is made before the program starts.
pub const TRACE_VARIABLE: &str = "TOMBOLO_TRACE";

/// The environment variable with the databases to which a trace is limited, as in [`VARIABLE`].
/// Without it every database is recorded.
pub const TRACE_DATABASES_VARIABLE: &str = "TOMBOLO_TRACE_DATABASES";

/// The environment variable in which a traced program finds the path of this library.
pub const EXTENSION_VARIABLE: &str = "TOMBOLO_TRACE_EXTENSION";

//! A preload library that answers calls of libc on chosen files with a chosen errno.
//!
//! A stock program is started with this library in `LD_PRELOAD` and with rules in the environment
//! variable [`VARIABLE`]; then it meets the errors that a share, a full disk or a server that went
//! away would give it, and says what it says of them. Nothing but the answer of the call changes:
//! a refused call is not made.
//!
//! ```text
//! map,-shm,EINVAL,1+                 every shared map of a file whose name ends in -shm
//! write,app.db,ENOSPC,3              the third write to app.db, and no other
//! sync,-wal,EIO,1+;log=/tmp/answers  each answer leaves a line in that file
//! read,app.db,EIO,1+;when=/tmp/armed  calls count only while that file exists
//! ```
//!
//! [`plan`] reads the rules and decides; `ffi` stands in front of libc. A rule that cannot be read
//! ends the program at once with exit code 97: a fault that is silently not there would make a test
//! that passes without a reason. What reaches the kernel past libc (raw system calls, io_uring,
//! programs linked statically, libraries loaded with `RTLD_DEEPBIND`) is not seen: the log says
//! whether a rule was ever used.

// Not in unit tests: the test program's own calls would go through it.
#[cfg(not(test))]
mod ffi;
pub mod plan;

/// The environment variable that holds the rules.
pub const VARIABLE: &str = "TOMBOLO_LAB_FAULTS";

/// The exit code of a program whose rules cannot be read.
pub const MALFORMED_EXIT_CODE: i32 = 97;

//! `libtombolo.so`: a VFS of SQLite for databases whose owner is another process.
//!
//! A thin skin on `tombolo-door`. All that knows SQLite's C interface is in [`ffi`]; the rest of
//! this crate is safe code.
//!
//! * [`file`]: what a file handle of SQLite is here.
//! * [`groups`]: transactions over several databases.
//! * [`scratch`]: journals and temporary files, which nobody else ever sees.
//! * [`names`]: what the names of files tell.
//! * [`wanted`]: which databases of a program that knows nothing of this go to an owner.
//! * [`report`]: what is told to whoever started the program.

mod ffi;
mod file;
mod groups;
mod names;
// Used by what is not in unit tests.
#[cfg(not(test))]
mod report;
mod scratch;
mod wanted;

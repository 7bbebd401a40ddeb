//! What SQLite writes to disk, parsed without SQLite.
//!
//! Every parser takes bytes that anybody may have written: it never panics, never allocates more
//! than it is given, and says in its error what it saw. The layouts are those of
//! <https://sqlite.org/fileformat2.html> and <https://sqlite.org/walformat.html>; where these
//! are silent, `pager.c`, `wal.c` and `os_unix.c` of SQLite are named.
//!
//! * [`header`]: the first 100 bytes of a database.
//! * [`wal`]: the write-ahead log, as a stream of any length.
//! * [`wal_index`]: the first 136 bytes of a `-shm` file.
//! * [`journal`]: the rollback journal, and the super-journal it may name.
//! * [`lock_bytes`]: which bytes SQLite locks, and what the locks are called.
//! * [`result_code`]: the codes that SQLite answers with.
//! * [`version`]: version numbers of the library, and a bug that is told by them.
//! * [`source_id`]: which SQLite a program contains.

mod words;

pub mod header;
pub mod journal;
pub mod lock_bytes;
pub mod result_code;
pub mod source_id;
pub mod version;
pub mod wal;
pub mod wal_index;

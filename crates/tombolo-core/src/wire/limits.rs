//! How long messages may be. What an owner allows besides is in [`crate::owner::limits`].

/// Longest frame, without its length: a window of pages, or a piece of a transaction.
pub const FRAME_BYTES_MAX: usize = (4 << 20) + 4096;
/// The same of a connection that has not said which database it wants.
pub const NEWCOMER_FRAME_BYTES_MAX: usize = PATH_BYTES_MAX + 2 * TEXT_BYTES_MAX + 64;
/// Most bytes of pages in one frame.
pub const PAGES_BYTES_MAX: usize = 4 << 20;
/// Longest path, as `PATH_MAX` of Linux (limits.h).
pub const PATH_BYTES_MAX: usize = 4096;
/// Longest name, and longest text of an error.
pub const TEXT_BYTES_MAX: usize = 512;
/// Most page numbers in one list of changes; a longer one is told as "all".
pub const CHANGES_MAX: usize = 16 << 10;
/// Most pages that come along with the answer to a begin. Whoever missed more changes than that
/// works on other pages than those who made them.
pub const PREFETCH_PAGES_MAX: usize = 4;

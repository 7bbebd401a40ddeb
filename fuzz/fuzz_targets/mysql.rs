//! A database server that a migration goes to, and that says anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_remedy::migrate::converse_with_mysql;

fuzz_target!(|bytes: &[u8]| converse_with_mysql(bytes));

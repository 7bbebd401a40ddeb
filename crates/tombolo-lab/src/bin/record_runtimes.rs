//! Records what the runtimes of this machine say of SQLite's errors.
//!
//! `record_runtimes DIRECTORY [NAME]...` writes one file for each runtime named, or for all. What a
//! runtime needs and does not find is said; the others are recorded all the same. Modules of npm
//! are found by `NODE_PATH`, those of PyPI by `PYTHONPATH`. From the workspace:
//!
//! ```text
//! cargo build -p tombolo-lab --bins --examples
//! target/debug/record_runtimes crates/tombolo-doctor/tests/recorded
//! ```

use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::ExitCode;
use tombolo_lab::runtimes;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(out) = arguments.next() else {
        let names: Vec<_> = runtimes::names().collect();
        let _ = writeln!(stderr(), "record_runtimes DIRECTORY [{}]...", names.join("|"));
        return ExitCode::from(3);
    };
    let named: Vec<String> = arguments.collect();
    let all = || runtimes::names().map(str::to_owned).collect();
    let named = if named.is_empty() { all() } else { named };
    let mut code = ExitCode::SUCCESS;
    for name in named {
        let _ = match runtimes::record(&name, Path::new(&out)) {
            Ok((texts, silent)) => {
                writeln!(stderr(), "{name}: {texts} texts, {silent} faults without a word")
            }
            Err(error) => {
                code = ExitCode::FAILURE;
                writeln!(stderr(), "{name}: NOT RECORDED: {error}")
            }
        };
    }
    code
}

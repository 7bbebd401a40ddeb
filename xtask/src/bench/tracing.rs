//! What `tombolo trace` costs a program that mostly reads.
//!
//! The same program runs with and without it in turn, and tells how much time of the processor its
//! own loop took: on a busy machine the clock on the wall tells more of the neighbours.

use crate::shell::{self, Failure};
use std::path::Path;
use std::process::Command;

/// Percent that the traced program may take more.
const LIMIT_PERCENT: f64 = 10.0;

/// Point and range queries, each a transaction of its own; one in a hundred also writes.
const WORKLOAD: &str = "
import os, random, sqlite3, sys, time
path, mode = sys.argv[1:3]
if not os.path.exists(path):
    made = sqlite3.connect(path)
    made.execute('PRAGMA journal_mode=' + mode)
    made.execute('CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, y TEXT)')
    rows = ((row, 'x' * 100, str(row)) for row in range(200000))
    made.executemany('INSERT INTO t VALUES (?, ?, ?)', rows)
    made.commit()
    made.close()
connection = sqlite3.connect(path, isolation_level=None)
connection.execute('PRAGMA synchronous=OFF')
chance = random.Random(1)
start = time.process_time()
for step in range(20000):
    key = chance.randrange(200000)
    connection.execute('SELECT * FROM t WHERE id BETWEEN ? AND ?', (key, key + 20)).fetchall()
    if step % 100 == 0:
        connection.execute('UPDATE t SET y = ? WHERE id = ?', (str(step), key))
print(time.process_time() - start)
";

/// Prints what tracing costs in each journal mode; what costs too much is added to `slow`.
pub(super) fn run(
    binary: &Path,
    directory: &Path,
    runs: u16,
    slow: &mut Vec<String>,
) -> Result<(), Failure> {
    println!("\ntracing a program that mostly reads (time of the processor):");
    std::fs::create_dir_all(directory).map_err(Failure::file(directory))?;
    for mode in ["delete", "wal"] {
        let database = directory.join(format!("{mode}.db"));
        let (mut plain, mut traced) = (Vec::new(), Vec::new());
        seconds_of(&mut program(None, &database, mode))?;
        for _ in 0..runs {
            plain.push(seconds_of(&mut program(None, &database, mode))?);
            traced.push(traced_seconds(binary, directory, &database, mode)?);
        }
        let (plain, traced) = (median(&mut plain), median(&mut traced));
        let percent = (traced / plain - 1.0) * 100.0;
        println!(
            "  journal mode {mode:<8} {plain:.3} s, {traced:.3} s traced: {percent:+.1} % \
             (limit {LIMIT_PERCENT} %)"
        );
        if percent > LIMIT_PERCENT {
            slow.push(format!("tracing, journal mode {mode}"));
        }
    }
    Ok(())
}

/// The workload, behind a command or by itself.
fn program(before: Option<Command>, database: &Path, mode: &str) -> Command {
    let mut command = match before {
        Some(mut command) => {
            command.args(["--", "python3"]);
            command
        }
        None => Command::new("python3"),
    };
    command.args(["-c", WORKLOAD]).arg(database).arg(mode);
    command
}

fn traced_seconds(
    binary: &Path,
    directory: &Path,
    database: &Path,
    mode: &str,
) -> Result<f64, Failure> {
    let trace = directory.join("bench.trace");
    if trace.exists() {
        std::fs::remove_file(&trace).map_err(Failure::file(&trace))?;
    }
    let mut before = Command::new(binary);
    before.args(["trace", "--output"]).arg(&trace);
    let seconds = seconds_of(&mut program(Some(before), database, mode))?;
    let bytes = trace.metadata().map_err(Failure::file(&trace))?.len();
    // A program that nobody has recorded costs nothing.
    if bytes < 1 << 20 {
        return Err(Failure::Check(format!("the trace has {bytes} bytes only")));
    }
    Ok(seconds)
}

fn seconds_of(command: &mut Command) -> Result<f64, Failure> {
    let (status, said) = shell::output(command)?;
    match said.trim().parse() {
        Ok(seconds) if status.success() => Ok(seconds),
        _ => Err(Failure::Check(format!("the traced program ended with {status}: {said}"))),
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert!(median(&mut []).is_nan());
    }
}

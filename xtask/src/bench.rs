//! `cargo xtask bench`: the speed that is promised, side by side with standard tools in one run.
//!
//! Each figure is a median of several runs with a warm page cache. What counts is the ratio; the
//! seconds depend on the machine, which is printed with them.

use crate::shell::{self, Failure};
use clap::Args;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Runs of each command, of which the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

const ONE_DATABASE_LIMIT: Duration = Duration::from_secs(1);
const FILES: usize = 100_000;
const FILES_PER_DIRECTORY: usize = 500;
/// One file in so many is a database: 1,000 of [`FILES`].
const FILES_PER_DATABASE: usize = 100;
const PAGE_BYTES: u32 = 4096;
const WAL_BYTES: u64 = 200_000_000;

pub(crate) fn run(arguments: &BenchArguments) -> Result<(), Failure> {
    let doctor = crate::dist::build()?;
    let directory = shell::target_directory().join("bench");
    let (tree, single, wal) = make_data(&directory)?;
    describe_machine(&doctor)?;

    let mut slow = Vec::new();
    let one = median(arguments.runs, || examine(&doctor, &single, &[]))?;
    println!("one database        doctor {} (limit 1 s)", seconds(one));
    if one >= ONE_DATABASE_LIMIT {
        slow.push("one database");
    }

    let scan = median(arguments.runs, || examine(&doctor, &tree, &["--no-probes"]))?;
    let reference = format!("find '{}' -type f -print0 | xargs -0 head -qc 100", tree.display());
    let find = median(arguments.runs, || {
        let mut command = Command::new("sh");
        command.args(["-c", &reference]);
        command
    })?;
    if !compare("100,000 files", scan, "find + head", find, 2) {
        slow.push("100,000 files");
    }

    let summary = median(arguments.runs, || examine(&doctor, &wal, &["--no-probes"]))?;
    let log = PathBuf::from(format!("{}-wal", wal.display()));
    let cat = median(arguments.runs, || {
        let mut command = Command::new("cat");
        command.arg(&log);
        command
    })?;
    if !compare("200 MB of WAL", summary, "cat", cat, 4) {
        slow.push("200 MB of WAL");
    }
    if slow.is_empty() {
        Ok(())
    } else {
        Err(Failure::Check(format!("too slow: {}", slow.join(", "))))
    }
}

fn examine(doctor: &Path, path: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(doctor);
    command.arg("doctor").arg(path).args(["--format", "json"]).args(options);
    command
}

/// The median wall-clock time of several runs, after one that warms the page cache.
fn median(runs: u16, command: impl Fn() -> Command) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    for run in 0..=runs {
        let mut command = command();
        command.stdout(Stdio::null());
        let started = Instant::now();
        let status = shell::status(&mut command)?;
        let elapsed = started.elapsed();
        // The doctor's 1 says that it found something, which is no failure to measure.
        if !matches!(status.code(), Some(0 | 1)) {
            return Err(Failure::Check(format!("a measured command ended with {status}")));
        }
        if run > 0 {
            times.push(elapsed);
        }
    }
    times.sort();
    times.get(times.len() / 2).copied().ok_or_else(|| Failure::Check("no runs".into()))
}

/// Prints a figure; whether ours takes at most `factor` times as long as the reference.
fn compare(what: &str, ours: Duration, tool: &str, theirs: Duration, factor: u32) -> bool {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let (ours_shown, theirs_shown) = (seconds(ours), seconds(theirs));
    println!(
        "{what:<19} doctor {ours_shown}, {tool} {theirs_shown}: ratio {ratio:.2} (limit {factor})"
    );
    ours <= theirs * factor
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn describe_machine(doctor: &Path) -> Result<(), Failure> {
    let (_, kernel) = shell::output(Command::new("uname").arg("-srm"))?;
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    println!("machine: {}, {cpus} x {}", kernel.trim(), model.unwrap_or("CPU"));
    println!("build: {} (profile dist)", doctor.display());
    Ok(())
}

/// Makes the same data each time: the tree, a single database, a database with a large WAL.
fn make_data(directory: &Path) -> Result<(PathBuf, PathBuf, PathBuf), Failure> {
    let tree = directory.join("tree");
    let single = directory.join("single/app.db");
    let wal = directory.join("wal/app.db");
    let done = directory.join("complete-1");
    if done.exists() {
        return Ok((tree, single, wal));
    }
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(Failure::file(directory))?;
    }
    for index in 0..FILES {
        let content = match index % FILES_PER_DATABASE {
            0 => database_page(1),
            _ => vec![b'a'; 100 + index % 900],
        };
        let parent = tree.join(format!("{:03}", index / FILES_PER_DIRECTORY));
        write(&parent.join(format!("{index:06}")), &content)?;
    }
    write(&single, &database_page(1))?;
    write(&wal, &database_page(2))?;
    write_wal(&directory.join("wal/app.db-wal"))?;
    write(&done, b"")?;
    Ok((tree, single, wal))
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Failure::file(parent))?;
    }
    fs::write(path, content).map_err(Failure::file(path))
}

/// An empty database of one page (file format, sections 1.3 and 1.6); `version` is 1 for a rollback
/// journal and 2 for WAL.
fn database_page(version: u8) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES as usize];
    page[..16].copy_from_slice(b"SQLite format 3\0");
    page[16..18].copy_from_slice(&4096_u16.to_be_bytes());
    page[18..24].copy_from_slice(&[version, version, 0, 64, 32, 32]);
    for (offset, value) in [(24, 1), (28, 1), (44, 4), (56, 1), (92, 1), (96, 3_053_000_u32)] {
        page[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    }
    page[100..108].copy_from_slice(&[13, 0, 0, 0, 0, 0x10, 0, 0]);
    page
}

/// A WAL in which every frame is valid and every tenth commits (file format, section 4.1).
fn write_wal(path: &Path) -> Result<(), Failure> {
    let file = File::create(path).map_err(Failure::file(path))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let mut header = Vec::new();
    for word in [0x377f_0682_u32, 3_007_000, PAGE_BYTES, 0, 0x1234_5678, 0x9abc_def0] {
        header.extend_from_slice(&word.to_be_bytes());
    }
    let mut sum = checksum((0, 0), &header);
    header.extend_from_slice(&sum.0.to_be_bytes());
    header.extend_from_slice(&sum.1.to_be_bytes());
    file.write_all(&header).map_err(Failure::file(path))?;
    let salts = header[16..24].to_vec();
    let mut page = database_page(2);
    let mut written = 32;
    let mut number = 0_u32;
    while written < WAL_BYTES {
        number += 1;
        let commit_pages = if number.is_multiple_of(10) { 10 } else { 0 };
        page[4000..4004].copy_from_slice(&number.to_be_bytes());
        let start = [(number % 10 + 1).to_be_bytes(), u32::to_be_bytes(commit_pages)].concat();
        sum = checksum(checksum(sum, &start), &page);
        let sums = [sum.0.to_be_bytes(), sum.1.to_be_bytes()].concat();
        let frame = [start.as_slice(), &salts, &sums, &page].concat();
        file.write_all(&frame).map_err(Failure::file(path))?;
        written += frame.len() as u64;
    }
    file.flush().map_err(Failure::file(path))
}

/// The WAL's checksum over little-endian words (file format, section 4.2).
fn checksum(mut sum: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let (first, second) = pair.split_at(4);
        let word =
            |half: &[u8]| half.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        sum.0 = sum.0.wrapping_add(word(first)).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(second)).wrapping_add(sum.0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_the_measured_runs() {
        assert!(median(3, || Command::new("true")).is_ok());
        let failing = || {
            let mut command = Command::new("sh");
            command.args(["-c", "exit 2"]);
            command
        };
        assert!(median(1, failing).is_err());
    }

    #[test]
    fn a_ratio_has_a_limit() {
        let second = Duration::from_secs(1);
        assert!(compare("x", second * 2, "y", second, 2));
        assert!(!compare("x", second * 3, "y", second, 2));
    }

    #[test]
    fn a_checksum_runs_over_pairs_of_words() {
        assert_eq!(checksum((0, 0), &[1, 0, 0, 0, 2, 0, 0, 0]), (1, 3));
        assert_eq!(checksum((1, 3), &[0; 8]), (4, 7));
    }
}

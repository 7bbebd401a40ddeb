//! `cargo xtask bench`: the speed that is promised, side by side with standard tools in one run.
//!
//! Each figure is the median of several runs, ours and theirs in turn, so that a busy machine slows
//! both. What counts is the ratio; the seconds depend on the machine, which is printed with them.
//! Every report is read: a doctor that did not do the work has no speed.

mod data;
mod migration;
mod owner;
mod page;
mod rivals;
mod server;
mod tracing;

use crate::shell::{self, Failure};
use clap::Args;
use data::Data;
use rivals::Rival;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// Runs of each command, of which the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Measure only what tracing costs
    #[arg(long)]
    tracing: bool,
    /// Measure only migration, against pgloader, and write docs/benchmarks.md
    #[arg(long, conflicts_with = "tracing")]
    migration: bool,
    /// Measure only an owner and its doors, against stock SQLite and PostgreSQL, and write
    /// docs/benchmarks.md
    #[arg(long, conflicts_with_all = ["tracing", "migration"])]
    owner: bool,
    /// Where owners listen, one for each: unix, or what `tombolo serve --listen` takes
    #[arg(long, value_name = "ADDRESS", default_value = "unix", value_delimiter = ',')]
    listen: Vec<String>,
    /// Measure the `tombolo` and `libtombolo.so` of this directory instead of building them
    #[arg(long, value_name = "DIRECTORY", requires = "owner")]
    built: Option<PathBuf>,
}

const ONE_DATABASE_LIMIT: Duration = Duration::from_secs(1);

/// How often the doctor may take the time of a rival.
const TREE_FACTOR: u32 = 2;
const WAL_FACTOR: u32 = 4;

pub(crate) fn run(arguments: &BenchArguments) -> Result<(), Failure> {
    let mut slow = Vec::new();
    if arguments.owner {
        let directory = shell::target_directory().join("bench-owner");
        let programs = owner::Programs::build(&directory, arguments.built.as_deref())?;
        owner::run(&programs, &arguments.listen, arguments.runs, &mut slow)?;
    } else {
        of_the_command(arguments, &mut slow)?;
    }
    if slow.is_empty() {
        Ok(())
    } else {
        Err(Failure::Check(format!("too slow: {}", slow.join(", "))))
    }
}

/// What `tombolo` takes that is no owner.
fn of_the_command(arguments: &BenchArguments, slow: &mut Vec<String>) -> Result<(), Failure> {
    let binary = crate::dist::build()?;
    crate::dist::build_libraries(&binary)?;
    describe_machine(&binary)?;
    let directory = |name: &str| shell::target_directory().join(name);
    let all = !arguments.tracing && !arguments.migration;
    if all || arguments.tracing {
        tracing::run(&binary, &directory("bench-trace"), arguments.runs, slow)?;
    }
    if all {
        examine(&binary, arguments.runs, slow)?;
    }
    if all || arguments.migration {
        migration::run(&binary, &directory("bench-migration"), arguments.runs, slow)?;
    }
    Ok(())
}

/// What the doctor takes.
fn examine(binary: &Path, most_runs: u16, slow: &mut Vec<String>) -> Result<(), Failure> {
    let data = data::make(&shell::target_directory().join("bench"))?;
    for cache in caches() {
        println!("\n{}", cache.name());
        let runs = match cache {
            Cache::Warm => most_runs,
            // They take long, and the disk sets the pace.
            Cache::Cold => most_runs.min(3),
        };
        let bench = Bench { runs, cache, binary };
        bench.one_database(&data, slow)?;
        bench.tree(&data, slow)?;
        bench.wal(&data, slow)?;
    }
    Ok(())
}

/// What the kernel remembers when a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cache {
    /// All files, from a run before.
    Warm,
    /// Nothing. What lies below this kernel may remember.
    Cold,
}

impl Cache {
    fn name(self) -> &'static str {
        match self {
            Cache::Warm => "warm cache:",
            Cache::Cold => "cold cache (page cache, names and inodes dropped before each run):",
        }
    }

    fn prepare(self) -> Result<(), Failure> {
        match self {
            Cache::Warm => Ok(()),
            Cache::Cold => drop_caches(),
        }
    }
}

/// Documentation/admin-guide/sysctl/vm.rst, `drop_caches`; what is dirty would stay.
fn drop_caches() -> Result<(), Failure> {
    let path = Path::new("/proc/sys/vm/drop_caches");
    shell::status(&mut Command::new("sync"))?;
    fs::write(path, "3").map_err(Failure::file(path))
}

fn caches() -> Vec<Cache> {
    match drop_caches() {
        Ok(()) => vec![Cache::Warm, Cache::Cold],
        Err(error) => {
            println!("NOT MEASURED with a cold cache, which needs root: {error}");
            vec![Cache::Warm]
        }
    }
}

struct Bench<'a> {
    runs: u16,
    cache: Cache,
    binary: &'a Path,
}

impl Bench<'_> {
    fn one_database(&self, data: &Data, slow: &mut Vec<String>) -> Result<(), Failure> {
        let ours = || self.doctor(&data.single, &[], one_database_was_examined);
        let [time] = self.medians([&ours])?;
        println!("  one database, all probes    doctor {} (limit 1 s)", seconds(time));
        // With a cold cache the time of the disk counts, not ours.
        if self.cache == Cache::Warm && time >= ONE_DATABASE_LIMIT {
            slow.push("one database".to_owned());
        }
        Ok(())
    }

    fn tree(&self, data: &Data, slow: &mut Vec<String>) -> Result<(), Failure> {
        let [walk, exec, xargs] = rivals::of_tree(&data.tree);
        let ours = || self.doctor(&data.tree, &["--no-probes"], tree_was_examined);
        let runs: [&dyn Fn() -> Result<Duration, Failure>; 4] =
            [&ours, &|| walk.time(), &|| exec.time(), &|| xargs.time()];
        let [time, walk_time, exec_time, xargs_time] = self.medians(runs)?;
        let what = "100,000 files, 1,000 databases";
        let mut fastest = (&walk, walk_time);
        for (rival, rival_time) in [(&exec, exec_time), (&xargs, xargs_time)] {
            if rival_time < fastest.1 {
                fastest = (rival, rival_time);
            }
        }
        for (rival, rival_time) in [(&walk, walk_time), (&exec, exec_time), (&xargs, xargs_time)] {
            let limit = if rival.name == fastest.0.name { Some(TREE_FACTOR) } else { None };
            self.compare(what, time, (rival, rival_time), limit, slow);
        }
        Ok(())
    }

    fn wal(&self, data: &Data, slow: &mut Vec<String>) -> Result<(), Failure> {
        let log = data.log();
        let cat = rivals::cat(&log);
        let ours = || self.doctor(&data.wal, &["--no-probes"], wal_was_examined);
        let [time, cat_time] = self.medians([&ours, &|| cat.time()])?;
        self.compare("200 MB of WAL", time, (&cat, cat_time), Some(WAL_FACTOR), slow);
        Ok(())
    }

    /// The median times of several commands, which take turns.
    fn medians<const COUNT: usize>(
        &self,
        commands: [&dyn Fn() -> Result<Duration, Failure>; COUNT],
    ) -> Result<[Duration; COUNT], Failure> {
        let mut times: [Vec<Duration>; COUNT] = std::array::from_fn(|_| Vec::new());
        if self.cache == Cache::Warm {
            commands.iter().try_for_each(|command| command().map(|_| ()))?;
        }
        for _ in 0..self.runs {
            for (command, times) in commands.iter().zip(&mut times) {
                self.cache.prepare()?;
                times.push(command()?);
            }
        }
        Ok(times.map(|mut times| {
            times.sort();
            times.get(times.len() / 2).copied().unwrap_or_default()
        }))
    }

    fn doctor(
        &self,
        path: &Path,
        options: &[&str],
        check: fn(&Value) -> bool,
    ) -> Result<Duration, Failure> {
        let mut command = Command::new(self.binary);
        command.arg("doctor").arg(path).args(["--format", "json"]).args(options);
        let started = Instant::now();
        let (status, report) = shell::output(&mut command)?;
        let elapsed = started.elapsed();
        let report: Value = serde_json::from_str(&report)
            .map_err(|error| Failure::Check(format!("the doctor ended with {status}: {error}")))?;
        if check(&report) {
            Ok(elapsed)
        } else {
            let path = path.display();
            Err(Failure::Check(format!("the doctor did not examine all of {path} ({status})")))
        }
    }

    /// Prints a figure; what takes longer than its limit is added to `slow`.
    fn compare(
        &self,
        what: &str,
        ours: Duration,
        (rival, theirs): (&Rival<'_>, Duration),
        limit: Option<u32>,
        slow: &mut Vec<String>,
    ) {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        let (ours_shown, theirs_shown) = (seconds(ours), seconds(theirs));
        let limited = limit.map_or(String::new(), |limit| format!(" (limit {limit})"));
        println!(
            "  {what:<32} doctor {ours_shown}, {theirs_shown} for {}: ratio {ratio:.2}{limited}",
            rival.name
        );
        if limit.is_some_and(|limit| ours > theirs * limit) {
            slow.push(format!("{what}, {:?} cache", self.cache));
        }
    }
}

fn one_database_was_examined(report: &Value) -> bool {
    let probes =
        report["evidence"].as_array().map_or(&[][..], Vec::as_slice).iter().filter(|one| {
            let kind = one["kind"].as_str().unwrap_or_default();
            kind.starts_with("probe.") || kind.starts_with("session.")
        });
    let outcomes: Vec<_> = probes.map(|one| one["outcome"].as_str().unwrap_or_default()).collect();
    report["database"]["journal_mode"] == "rollback"
        && outcomes.len() > 1
        && !outcomes.iter().any(|outcome| matches!(*outcome, "not_run" | "timed_out"))
}

fn tree_was_examined(report: &Value) -> bool {
    let scans = report["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    let scan = scans.iter().find(|one| one["kind"] == "database.scan");
    let files = scan.and_then(|scan| scan["values"]["files"].as_u64());
    let databases = report["databases"].as_array().map_or(0, Vec::len);
    files == Some(data::FILES as u64) && databases == data::FILES / data::FILES_PER_DATABASE
}

fn wal_was_examined(report: &Value) -> bool {
    report["database"]["wal"]["committed_frames"] == data::FRAMES
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn describe_machine(binary: &Path) -> Result<(), Failure> {
    println!("machine: {}", machine()?);
    println!("build: {} (profile dist)", binary.display());
    Ok(())
}

/// The kernel and the processors.
fn machine() -> Result<String, Failure> {
    let (_, kernel) = shell::output(Command::new("uname").arg("-srm"))?;
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    Ok(format!("{}, {cpus} x {}", kernel.trim(), model.unwrap_or("CPU")))
}

/// The wall-clock time of a command whose output is thrown away.
fn time_of(command: &mut Command) -> Result<Duration, Failure> {
    command.stdout(Stdio::null());
    let started = Instant::now();
    let status = shell::status(command)?;
    let elapsed = started.elapsed();
    if status.success() {
        Ok(elapsed)
    } else {
        Err(Failure::Check(format!("a measured command ended with {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> Bench<'static> {
        Bench { runs: 3, cache: Cache::Warm, binary: Path::new("/bin/true") }
    }

    #[test]
    fn the_median_is_of_the_measured_runs_and_a_failed_run_is_none() {
        let times = std::cell::Cell::new(0);
        let growing = || {
            times.set(times.get() + 1);
            Ok(Duration::from_secs(times.get()))
        };
        // The first run of four only warms the cache.
        assert_eq!(bench().medians([&growing]).expect("times"), [Duration::from_secs(3)]);
        assert!(bench().medians([&|| time_of(&mut Command::new("false"))]).is_err());
    }

    #[test]
    fn a_ratio_has_a_limit() {
        let second = Duration::from_secs(1);
        let rival = Rival { name: "y", work: Box::new(|| Ok(Duration::ZERO)) };
        let mut slow = Vec::new();
        bench().compare("x", second * 2, (&rival, second), Some(2), &mut slow);
        bench().compare("x", second * 3, (&rival, second), None, &mut slow);
        assert_eq!(slow, [""; 0]);
        bench().compare("x", second * 3, (&rival, second), Some(2), &mut slow);
        assert_eq!(slow.len(), 1);
    }

    #[test]
    fn a_doctor_that_gave_no_report_has_no_time() {
        assert!(bench().doctor(Path::new("/"), &[], |_| true).is_err());
        let report = serde_json::json!({ "database": { "journal_mode": "rollback" },
            "evidence": [{ "kind": "probe.flock", "outcome": "holds" },
                { "kind": "session.wal", "outcome": "not_run" }] });
        assert!(!one_database_was_examined(&report));
    }
}

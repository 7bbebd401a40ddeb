//! One rig under one kernel, from its start to its row.

use super::clock::Clock;
use super::databases::{Databases, Size};
use super::doctor::Doctor;
use super::outcome::{PairReport, RigReport, State, Way};
use super::{DoctorFrom, Options, Progress, RigData, facts};
use crate::error::LabError;
use crate::lab::Lab;
use crate::shares::Rig;
use crate::side::Side;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// Of all random pauses. Kernels keep their own time all the same: no run is like another.
const SEED: u64 = 8;

const BRING_UP: &str = "bringing it up";

/// All experiments of one rig.
struct Run<'a> {
    rig: &'a RigData,
    options: &'a Options,
    clock: Clock,
    progress: &'a dyn Fn(&Progress<'_>),
    report: RigReport,
    /// What is being done.
    step: String,
}

/// Brings a rig up, makes all experiments, and takes it down.
///
/// # Errors
/// When the lab itself cannot work. What becomes of the rig is in its row.
pub(super) fn run(
    rig: &RigData,
    kernel: &str,
    options: &Options,
    progress: &dyn Fn(&Progress<'_>),
) -> Result<RigReport, LabError> {
    let lab = Lab::new()?;
    for line in lab.swept() {
        progress(&Progress::Swept(line));
    }
    let report = RigReport {
        name: rig.name.clone(),
        title: rig.title.clone(),
        wanted_kernel: kernel.to_owned(),
        date: said(Command::new("date").args(["-u", "+%Y-%m-%d"])),
        versions: versions(),
        ..RigReport::default()
    };
    let clock = Clock::new(options.rig_timeout);
    let mut run = Run { rig, options, clock, progress, report, step: String::new() };
    let ended = run.all(&lab, kernel);
    let during = run.step.clone();
    run.report.state = match ended {
        Ok(()) => State::Complete,
        Err(error @ LabError::Missing { .. }) if during == BRING_UP => {
            State::NotRun { why: error.to_string() }
        }
        Err(error @ LabError::Late { .. }) => State::Hung { during, why: first_line(&error) },
        Err(error) => State::Failed { during, why: first_line(&error) },
    };
    if !matches!(run.report.state, State::Complete | State::NotRun { .. }) {
        lab.keep_consoles();
    }
    run.report.elapsed_s = (run.clock.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    Ok(run.report)
}

impl Run<'_> {
    fn begin(&mut self, step: &str) -> Result<(), LabError> {
        step.clone_into(&mut self.step);
        (self.progress)(&Progress::Step { what: step, elapsed: self.clock.elapsed() });
        self.clock.left(Duration::MAX).map(drop)
    }

    fn all(&mut self, lab: &Lab, kernel: &str) -> Result<(), LabError> {
        self.begin(BRING_UP)?;
        let rig = self.rig.bring_up(lab, kernel)?;
        let ended = self.experiments(lab, &rig);
        // A mount without its server hangs or fails in any experiment: that is not what it shows.
        ended.map_err(|error| rig.ended_server().unwrap_or(error))
    }

    fn experiments(&mut self, lab: &Lab, rig: &Rig) -> Result<(), LabError> {
        self.describe(rig)?;
        self.facts(rig)?;
        self.databases(lab, rig)?;
        self.doctor(lab, rig)
    }

    fn describe(&mut self, rig: &Rig) -> Result<(), LabError> {
        rig.mounted().clone_into(&mut self.report.mounted);
        let release = |side: &Side| -> Result<String, LabError> {
            Ok(side.shell("uname -r", self.clock.left(Duration::from_secs(20))?)?.trim().to_owned())
        };
        let mut kernels = vec![("kernel of the server".to_owned(), release(rig.server())?)];
        for side in rig.clients() {
            kernels.push((format!("kernel of {}", side.name()), release(side)?));
        }
        self.report.versions.extend(kernels);
        Ok(())
    }

    fn facts(&mut self, rig: &Rig) -> Result<(), LabError> {
        let [first, others @ ..] = rig.clients() else { return Ok(()) };
        let mut directions = vec![(rig.server(), first), (first, rig.server())];
        directions.extend(others.iter().map(|other| (first, other)));
        for (from, to) in directions {
            self.begin(&format!("files, {} to {}", from.name(), to.name()))?;
            self.report.facts.extend(facts::observe(from, to, self.clock)?);
        }
        Ok(())
    }

    fn databases(&mut self, lab: &Lab, rig: &Rig) -> Result<(), LabError> {
        let [first, others @ ..] = rig.clients() else { return Ok(()) };
        let place = lab.directory().join("judged");
        let databases = Databases::new(rig.server(), place, self.clock, self.size())?;
        self.begin("opening databases")?;
        self.report.opens = databases.opens(first)?;
        let mut pairs = vec![[rig.server(), first]];
        pairs.extend(others.iter().map(|other| [first, other]));
        pairs.push([first, first]);
        let ways: &[Way] = &[Way::Delete, Way::Wal, Way::UnixDotfile];
        for pair in pairs {
            let names = pair.map(|side| side.name().to_owned());
            self.begin(&format!("databases, {} and {}", names[0], names[1]))?;
            let [first, second] = names;
            let exclusive = [String::new(), String::new()];
            let mut report = PairReport { first, second, exclusive, updates: Vec::new() };
            let ended = databases.pair(pair, ways, &mut report);
            // Also what was seen before the end.
            self.report.pairs.push(report);
            ended?;
        }
        Ok(())
    }

    fn size(&self) -> Size {
        let seconds = Duration::from_secs;
        let (transactions, limit) = if self.options.quick { (25, 20) } else { (40, 30) };
        let busy_timeout = Duration::from_millis(if self.options.quick { 500 } else { 2000 });
        Size { transactions, limit: seconds(limit), busy_timeout, seed: SEED }
    }

    fn doctor(&mut self, lab: &Lab, rig: &Rig) -> Result<(), LabError> {
        let [first, others @ ..] = rig.clients() else { return Ok(()) };
        if self.options.doctor == DoctorFrom::None {
            return Ok(());
        }
        self.begin("the doctor")?;
        let doctor = Doctor::new(lab)?;
        let compared = doctor.one_sided(first, &self.report.pairs, self.clock)?;
        self.report.compared.extend(compared);
        if self.rig.share.is_on_host() {
            // Its sides are one kernel.
            self.report.compared.retain(|compared| compared.openers == "one_kernel");
        }
        if self.options.doctor == DoctorFrom::OneSide || self.rig.share.is_on_host() {
            return Ok(());
        }
        let mut pairs = vec![[rig.server(), first]];
        pairs.extend(others.iter().map(|other| [first, other]));
        for sides in pairs {
            self.begin(&format!("the doctor, {} with {}", sides[0].name(), sides[1].name()))?;
            let compared = doctor.two_sided(sides, &self.report.pairs, self.clock)?;
            self.report.compared.extend(compared);
        }
        Ok(())
    }
}

/// What else took part.
fn versions() -> BTreeMap<String, String> {
    let python = "import sqlite3; print(sqlite3.sqlite_version)";
    let mut qemu = Command::new("qemu-system-x86_64");
    let (mut shell, mut library) = (Command::new("sqlite3"), Command::new(crate::workload::PYTHON));
    let first_word = |text: String| text.split(' ').next().unwrap_or_default().to_owned();
    BTreeMap::from([
        ("QEMU".to_owned(), said(qemu.arg("--version")).replace("QEMU emulator version ", "")),
        ("SQLite of the programs".to_owned(), said(library.args(["-I", "-c", python]))),
        ("SQLite of the judge".to_owned(), first_word(said(shell.arg("--version")))),
    ])
}

/// The first line of what a program answers; empty where there is none such.
fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_owned()
}

/// An error as a row has it; the rest is in the kept consoles and logs.
fn first_line(error: &LabError) -> String {
    let text = error.to_string();
    let mut line: String = text.lines().next().unwrap_or_default().chars().take(400).collect();
    if let Some(last) = text.lines().skip(1).filter(|line| !line.trim().is_empty()).last() {
        line.push_str(" ... ");
        line.extend(last.trim().chars().take(200));
    }
    line
}

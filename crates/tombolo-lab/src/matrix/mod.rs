//! The matrix: file systems that several real kernels share, and what stock SQLite does on them.
//!
//! Each rig of `matrix.toml` is brought up for itself, under each of its kernels, and taken down
//! again. A rig that cannot run here is a row that says why.

mod clock;
mod data;
mod databases;
mod doctor;
mod facts;
mod known;
mod likeness;
mod outcome;
mod rig;
mod session;
mod table;

pub use data::{RigData, rigs};
pub use likeness::{Difference, Limit, differences, limits};
pub use outcome::{
    Agreement, Client, Compared, Fact, Matrix, Opened, PairReport, RigReport, State, Updates, Way,
};

use crate::error::LabError;
use crate::guest::Status;
use crate::lab::Lab;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Why there is no matrix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MatrixError {
    /// Data of rigs, or of the limits of imitations, is not TOML as it must be.
    #[error("the matrix's data: {0}")]
    Data(#[source] Box<toml::de::Error>),
    /// A rig makes no sense.
    #[error("rig {name:?} {wrong}")]
    Rig {
        /// Its name.
        name: String,
        /// What is wrong.
        wrong: &'static str,
    },
    /// The matrix of an earlier run cannot be read.
    #[error("{}: {source}", path.display())]
    Earlier {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The lab itself failed.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// From how many sides the doctor is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DoctorFrom {
    /// It is not run.
    None,
    /// From the first client alone.
    OneSide,
    /// Also from two sides at once, for each pair: minutes for each rig.
    TwoSides,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only these rigs; all where it is empty.
    pub names: Vec<String>,
    /// Only the quick set, with fewer transactions.
    pub quick: bool,
    /// How the release of the guests' kernel begins, instead of those in the data.
    pub kernel: Option<String>,
    /// Where `matrix.md` and `matrix.json` go, if anywhere.
    pub output: Option<PathBuf>,
    /// Whether rows that are there stay, of rigs that are not run now.
    pub keep: bool,
    /// From how many sides the doctor is run.
    pub doctor: DoctorFrom,
    /// How long one rig may take.
    pub rig_timeout: Duration,
}

/// What is told while it runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A rig begins.
    Rig {
        /// From 1.
        number: usize,
        /// How many there are.
        all: usize,
        /// Its name.
        name: &'a str,
        /// How its kernel's release begins.
        kernel: &'a str,
        /// Since the start of the run.
        elapsed: Duration,
    },
    /// An experiment of it begins.
    Step {
        /// Which.
        what: &'a str,
        /// Since the rig began.
        elapsed: Duration,
    },
    /// What an earlier run of the lab had left is cleared away.
    Swept(&'a str),
    /// It has ended.
    Done(&'a RigReport),
}

/// Runs the rigs, and writes the matrix anew after each.
///
/// # Errors
/// When a name is none of a rig, the output cannot be written, or the lab cannot be started. What
/// becomes of a rig is in its row.
pub fn run(
    rigs: &[RigData],
    options: &Options,
    progress: &dyn Fn(&Progress<'_>),
) -> Result<Matrix, MatrixError> {
    let begun = Instant::now();
    let rows = chosen(rigs, options)?;
    if options.doctor != DoctorFrom::None {
        // Known before the first of many minutes.
        doctor::program(&Lab::new()?)?;
    }
    let mut matrix = match &options.output {
        Some(output) if options.keep => earlier(output)?,
        _ => Matrix::default(),
    };
    let mut measured = Matrix::default();
    for (index, (rig, kernel)) in rows.iter().enumerate() {
        let (number, all, name) = (index + 1, rows.len(), rig.name.as_str());
        progress(&Progress::Rig { number, all, name, kernel, elapsed: begun.elapsed() });
        let report = rig::run(rig, kernel, options, progress)?;
        progress(&Progress::Done(&report));
        measured.rigs.push(report.clone());
        matrix.put(report, rigs);
        if let Some(output) = &options.output {
            write(&matrix, output)?;
        }
    }
    Ok(measured)
}

/// The rows to run, in the order of the data.
fn chosen<'a>(
    rigs: &'a [RigData],
    options: &'a Options,
) -> Result<Vec<(&'a RigData, &'a str)>, MatrixError> {
    let wrong = "is none: see matrix.toml";
    for name in &options.names {
        if !rigs.iter().any(|rig| rig.name == *name) {
            return Err(MatrixError::Rig { name: name.clone(), wrong });
        }
    }
    let is_chosen = |rig: &&RigData| match options.names.is_empty() {
        true => rig.quick || !options.quick,
        false => options.names.contains(&rig.name),
    };
    let rows = |rig: &'a RigData| {
        let mut releases = match &options.kernel {
            Some(kernel) if !rig.share.is_on_host() => vec![kernel.as_str()],
            _ => rig.releases(),
        };
        if options.quick {
            releases.truncate(1);
        }
        releases.into_iter().map(move |release| (rig, release))
    };
    Ok(rigs.iter().filter(is_chosen).flat_map(rows).collect())
}

impl Matrix {
    /// Puts a row in the place of the same rig and kernel, and all in the order of the data.
    fn put(&mut self, report: RigReport, rigs: &[RigData]) {
        let key = |of: &RigReport| (of.name.clone(), of.wanted_kernel.clone());
        self.rigs.retain(|other| key(other) != key(&report));
        self.rigs.push(report);
        let place = |of: &RigReport| {
            let rig = rigs.iter().position(|rig| rig.name == of.name);
            let releases = rig.map(|at| rigs[at].releases()).unwrap_or_default();
            (rig, releases.iter().position(|release| *release == of.wanted_kernel))
        };
        self.rigs.sort_by_key(place);
    }

    /// The rows in which the doctor's word and what happened contradict each other.
    #[must_use]
    pub fn contradicted(&self) -> Vec<(&RigReport, &Compared)> {
        let of = |rig: &'_ RigReport, compared: &'_ Compared| {
            compared.agreement == Agreement::Contradicted && !rig.name.is_empty()
        };
        let all = self.rigs.iter().flat_map(|rig| rig.compared.iter().map(move |one| (rig, one)));
        all.filter(|(rig, compared)| of(rig, compared)).collect()
    }
}

fn earlier(output: &Path) -> Result<Matrix, MatrixError> {
    let path = output.join("matrix.json");
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Matrix::default()),
        Err(error) => Err(LabError::call("read", &path)(error).into()),
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|source| MatrixError::Earlier { path, source })
        }
    }
}

fn write(matrix: &Matrix, output: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(output).map_err(LabError::call("mkdir", output))?;
    let json = json(matrix).map_err(|error| LabError::Request(format!("matrix.json: {error}")))?;
    for (name, text) in [("matrix.json", json), ("matrix.md", table::render(matrix))] {
        let path = output.join(name);
        std::fs::write(&path, text).map_err(LabError::call("write", &path))?;
    }
    Ok(())
}

/// A line for each row: a change of one is a change of one line.
fn json(matrix: &Matrix) -> Result<String, serde_json::Error> {
    let rigs: Result<Vec<String>, _> = matrix.rigs.iter().map(serde_json::to_string).collect();
    let (schema, rigs) = (serde_json::to_string(&matrix.schema)?, rigs?.join(",\n"));
    Ok(format!("{{\"schema\":{schema},\"rigs\":[\n{rigs}\n]}}\n"))
}

/// A matrix as `docs/matrix.md` has it.
#[must_use]
pub fn render(matrix: &Matrix) -> String {
    table::render(matrix)
}

/// Writes `matrix.md` and `matrix.json` anew from this and other directories' `matrix.json`, whose
/// rows take the place of those that are there.
///
/// # Errors
/// When one of them cannot be read, or the output cannot be written.
pub fn merge(rigs: &[RigData], output: &Path, others: &[PathBuf]) -> Result<Matrix, MatrixError> {
    let mut matrix = earlier(output)?;
    for other in others {
        for report in earlier(other)?.rigs {
            matrix.put(report, rigs);
        }
    }
    write(&matrix, output)?;
    Ok(matrix)
}

/// How a program ended, in a word.
fn end_of(status: Status) -> String {
    const SIGBUS: i32 = 7;
    match status {
        Status::Exited(0) => "done".to_owned(),
        Status::Killed(SIGBUS) => "SIGBUS".to_owned(),
        Status::Killed(signal) => format!("SIG{signal}"),
        Status::TimedOut => "stopped".to_owned(),
        Status::Exited(_) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(names: &[&str], quick: bool) -> Options {
        Options {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            quick,
            kernel: None,
            output: None,
            keep: true,
            doctor: DoctorFrom::OneSide,
            rig_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn rigs_are_chosen_by_name_or_by_set() {
        let rigs = rigs(None).expect("sound");
        let names = |options: &Options| -> Vec<String> {
            let rows = chosen(&rigs, options).expect("known");
            rows.iter().map(|(rig, _)| rig.name.clone()).collect()
        };
        assert_eq!(names(&options(&["smb-none"], true)), ["smb-none"]);
        let other = Options { kernel: Some("6.8.".to_owned()), ..options(&["9p-none"], false) };
        let rows = chosen(&rigs, &other).expect("known");
        assert_eq!(rows.iter().map(|(_, kernel)| *kernel).collect::<Vec<_>>(), ["6.8."]);
        assert_eq!(names(&options(&[], true)).len(), 4);
        assert!(names(&options(&[], false)).len() > rigs.len());
        assert!(chosen(&rigs, &options(&["floppy"], false)).is_err());
    }

    #[test]
    fn the_page_in_the_documents_is_that_of_its_data() {
        let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let matrix = earlier(&documents).expect("docs/matrix.json");
        let page = std::fs::read_to_string(documents.join("matrix.md")).expect("docs/matrix.md");
        assert!(!matrix.rigs.is_empty());
        // After a change of the tables: `tombolo-lab matrix --merge docs --output docs`.
        assert_eq!(page, render(&matrix));
    }

    #[test]
    fn a_row_takes_the_place_of_its_elder_and_the_others_stay() {
        let data = rigs(None).expect("sound");
        let report = |name: &str, date: &str| {
            let wanted_kernel = data.iter().find(|rig| rig.name == name).expect("there");
            let wanted_kernel = wanted_kernel.releases()[0].to_owned();
            RigReport {
                name: name.to_owned(),
                date: date.to_owned(),
                wanted_kernel,
                ..RigReport::default()
            }
        };
        let mut matrix = Matrix::default();
        for (name, date) in [("smb-none", "1"), ("9p-none", "1"), ("smb-none", "2")] {
            matrix.put(report(name, date), &data);
        }
        let rows: Vec<_> =
            matrix.rigs.iter().map(|rig| (rig.name.as_str(), rig.date.as_str())).collect();
        assert_eq!(rows, [("9p-none", "1"), ("smb-none", "2")]);
        let text = json(&matrix).expect("written");
        assert_eq!(serde_json::from_str::<Matrix>(&text).expect("read"), matrix);
    }
}

//! Learns from the labelled reports in `tests/` how reports of each cause are worded, and prints
//! the table `src/explain/wording.txt`:
//!
//! ```sh
//! cargo run --release -p tombolo-doctor --example learn_wording > wording.txt
//! ```
//!
//! A multinomial logistic regression with a Gaussian prior, fitted by AdaGrad over all reports at
//! once, so that nothing depends on an order or on chance. `kept_apart.toml` and `h.toml` in
//! `tests/public/` are not read: they measure what was learnt.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use tombolo_doctor::explain::{CauseCode, wording_features};

/// Files with labelled reports, and what one report weighs: public ones are what the next reports
/// will be like.
const REPORTS: &[(&str, f64)] = &[
    ("public/a", 4.0),
    ("public/b", 4.0),
    ("public/c", 4.0),
    ("public/d", 4.0),
    ("public/e", 4.0),
    ("public/f", 4.0),
    ("public/g", 4.0),
    ("public/open", 1.0),
    ("written/one", 1.0),
    ("written/two", 1.0),
    ("written/three", 1.0),
    ("explain_paraphrased", 1.0),
    ("explain_reports", 1.0),
    ("explain_inferences", 1.0),
];
/// What runtimes print weighs little: one error in the words of many runtimes is one fact.
const RECORDED_WEIGHT: f64 = 0.3;
/// Reports in which a feature must be to count.
const REPORTS_MIN: usize = 3;
const ROUNDS: usize = 1500;
const STEP: f64 = 0.3;
/// Points on the scale of the rules that make a cause `e` times as likely.
const POINTS_PER_NATURAL_STEP: f64 = 25.0;
/// Entries below it are left out of the table.
const POINTS_MIN: i32 = 2;
/// Bytes of a feature that are still a word and not a path or a hash.
const FEATURE_BYTES: usize = 40;

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    want: String,
    text: String,
}

#[derive(Deserialize)]
struct Recording {
    recorded: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    expect_first: Option<String>,
    text: String,
}

/// A report with its cause, and what it weighs.
struct Labelled {
    text: String,
    cause: usize,
    weight: f64,
}

/// A labelled report, its features by number.
struct Example {
    features: Vec<usize>,
    cause: usize,
    weight: f64,
}

fn place(code: &str) -> Result<usize, String> {
    let found = CauseCode::ALL.iter().position(|one| one.as_str() == code);
    found.ok_or_else(|| format!("{code} is no cause"))
}

fn labelled() -> Result<Vec<Labelled>, Box<dyn Error>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = Vec::new();
    for (name, weight) in REPORTS {
        let text = std::fs::read_to_string(tests.join(format!("{name}.toml")))?;
        for report in toml::from_str::<Reports>(&text)?.report {
            let cause = place(&report.want)?;
            found.push(Labelled { text: report.text, cause, weight: *weight });
        }
    }
    let entries = std::fs::read_dir(tests.join("recorded"))?.collect::<Result<Vec<_>, _>>()?;
    let paths: BTreeSet<_> = entries.into_iter().map(|entry| entry.path()).collect();
    for path in paths {
        for row in toml::from_str::<Recording>(&std::fs::read_to_string(path)?)?.recorded {
            let cause = place(row.expect_first.as_deref().unwrap_or("NEEDS_FACTS"))?;
            found.push(Labelled { text: row.text, cause, weight: RECORDED_WEIGHT });
        }
    }
    Ok(found)
}

/// Words that name applications: as often in the line that does so as elsewhere.
fn names(reports: &[Labelled]) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for report in reports {
        for line in report.text.to_ascii_lowercase().lines() {
            let named = line.strip_prefix("app:");
            let words = named.unwrap_or(line).split(|letter: char| !letter.is_alphanumeric());
            for word in words.filter(|word| !word.is_empty()).collect::<BTreeSet<_>>() {
                let (there, elsewhere) = counts.entry(word.to_owned()).or_default();
                *(if named.is_some() { there } else { elsewhere }) += 1;
            }
        }
    }
    let is_name = |(there, elsewhere): &(usize, usize)| *there > 0 && there >= elsewhere;
    counts.into_iter().filter(|(_, counts)| is_name(counts)).map(|(word, _)| word).collect()
}

fn is_wanted(feature: &str, names: &BTreeSet<String>) -> bool {
    let mut parts = feature.split(|letter: char| !letter.is_alphanumeric());
    let named = !feature.starts_with('=') && parts.any(|part| names.contains(part));
    feature.is_ascii() && feature.len() <= FEATURE_BYTES && !named
}

/// The probabilities of all causes, from the sums of their weights.
fn shares(example: &Example, weights: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![0.0; CauseCode::ALL.len()];
    for feature in &example.features {
        for (sum, weight) in sums.iter_mut().zip(&weights[*feature]) {
            *sum += weight;
        }
    }
    let most = sums.iter().copied().fold(f64::MIN, f64::max);
    let raised: Vec<f64> = sums.iter().map(|sum| (sum - most).exp()).collect();
    let whole: f64 = raised.iter().sum();
    raised.into_iter().map(|one| one / whole).collect()
}

/// For each feature, the weight of each cause.
fn learn(examples: &[Example], features: usize) -> Vec<Vec<f64>> {
    let causes = CauseCode::ALL.len();
    let mut weights = vec![vec![0.0; causes]; features];
    let mut squares = vec![vec![1e-9_f64; causes]; features];
    for _ in 0..ROUNDS {
        let mut slopes = weights.clone();
        for example in examples {
            let shares = shares(example, &weights);
            for feature in &example.features {
                for (cause, slope) in slopes[*feature].iter_mut().enumerate() {
                    let hit = if cause == example.cause { 1.0 } else { 0.0 };
                    *slope += example.weight * (shares[cause] - hit);
                }
            }
        }
        for ((weights, squares), slopes) in weights.iter_mut().zip(&mut squares).zip(slopes) {
            for ((weight, square), slope) in weights.iter_mut().zip(squares).zip(slopes) {
                *square += slope * slope;
                *weight -= STEP * slope / square.sqrt();
            }
        }
    }
    weights
}

/// The features of each report that the table may hold, and how many reports each is in.
fn wanted(reports: &[Labelled]) -> (Vec<Vec<String>>, BTreeMap<String, usize>) {
    let names = names(reports);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut read = Vec::new();
    for report in reports {
        let mut features = wording_features(&report.text);
        features.retain(|feature| is_wanted(feature, &names));
        for feature in &features {
            *counts.entry(feature.clone()).or_default() += 1;
        }
        read.push(features);
    }
    counts.retain(|_, count| *count >= REPORTS_MIN);
    (read, counts)
}

/// The causes and points of one feature, as they stand in the table.
fn entries(weights: &[f64]) -> String {
    let points = |weight: &f64| (weight * POINTS_PER_NATURAL_STEP).round() as i32;
    let entries = CauseCode::ALL.iter().zip(weights.iter().map(points));
    entries
        .filter(|(_, points)| points.abs() >= POINTS_MIN)
        .map(|(code, points)| format!("\t{} {points}", code.as_str()))
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let reports = labelled()?;
    let (read, counts) = wanted(&reports);
    let numbers: BTreeMap<&str, usize> =
        counts.keys().enumerate().map(|(number, feature)| (feature.as_str(), number)).collect();
    let number = |feature: &String| numbers.get(feature.as_str()).copied();
    let examples: Vec<Example> = read
        .iter()
        .zip(&reports)
        .map(|(features, report)| Example {
            features: features.iter().filter_map(number).collect(),
            cause: report.cause,
            weight: report.weight,
        })
        .collect();
    let weights = learn(&examples, numbers.len());
    let mut table = String::from(
        "# How reports of each cause are worded: features, and the points they give. Made by\n\
         # `cargo run --release -p tombolo-doctor --example learn_wording`; not to be edited.\n",
    );
    for (feature, number) in &numbers {
        let entries = entries(&weights[*number]);
        if !entries.is_empty() {
            writeln!(table, "{feature}{entries}")?;
        }
    }
    std::io::stdout().write_all(table.as_bytes())?;
    Ok(())
}

//! Learns from the labelled reports in `tests/` how reports of each cause are worded, and prints
//! the table `src/explain/wording.txt`:
//!
//! ```sh
//! cargo run --release -p tombolo-doctor --example learn_wording > wording.txt
//! cargo run --release -p tombolo-doctor --example learn_wording measure
//! cargo run --release -p tombolo-doctor --example learn_wording held
//! ```
//!
//! A multinomial logistic regression with a Gaussian prior, fitted by AdaGrad over all reports at
//! once, so that nothing depends on an order or on chance. What few reports have weighs more, as
//! it tells them apart. `kept_apart.toml` and `h.toml` in `tests/public/` are not learnt from.
//!
//! With `measure` it says how often `explain` is right on public reports when nothing was learnt
//! from any report of their repository; the rules did see them. With `held` it says so of those
//! that are not learnt from, with the table as it is. Both print totals only.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tombolo_doctor::explain::{
    CauseCode, Wording, causes_worded, explain, wording_features, wording_stem,
};

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
    ("public/i", 4.0),
    ("public/open", OPEN_WEIGHT),
    ("written/one", 1.0),
    ("written/two", 1.0),
    ("written/three", 1.0),
    ("explain_paraphrased", 1.0),
    ("explain_reports", 1.0),
    ("explain_inferences", 1.0),
];
/// The collection that the rules were built on weighs less than what came later.
const OPEN_WEIGHT: f64 = 1.0;
/// What runtimes print weighs little: one error in the words of many runtimes is one fact.
const RECORDED_WEIGHT: f64 = 0.3;
/// Reports in which a feature must be to count.
const REPORTS_MIN: usize = 3;
const ROUNDS: usize = 500;
const STEP: f64 = 0.3;
/// Points on the scale of the rules that make a cause `e` times as likely.
const POINTS_PER_NATURAL_STEP: f64 = 25.0;
/// Entries below it are left out of the table.
const POINTS_MIN: i32 = 3;
/// Parts into which the repositories are divided when it is measured.
const PARTS: usize = 5;
/// The collection whose causes are as frequent as those that people ask about.
const FREQUENCIES: &str = "public/open";
/// Reports that are not learnt from.
const HELD: &[&str] = &["public/kept_apart", "public/h"];
/// Bytes of a feature that are still a word and not a path or a hash.
const FEATURE_BYTES: usize = 40;

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    source: String,
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
    /// The part it is in by its repository; none for what nobody published.
    part: Option<usize>,
    text: String,
    cause: usize,
    weight: f64,
}

/// A labelled report, its features by number.
struct Example {
    /// Each with what it weighs.
    features: Vec<(usize, f64)>,
    cause: usize,
    weight: f64,
}

fn place(code: &str) -> Result<usize, String> {
    let found = CauseCode::ALL.iter().position(|one| one.as_str() == code);
    found.ok_or_else(|| format!("{code} is no cause"))
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn read(name: &str) -> Result<Vec<Report>, Box<dyn Error>> {
    let text = std::fs::read_to_string(tests().join(format!("{name}.toml")))?;
    Ok(toml::from_str::<Reports>(&text)?.report)
}

/// The part of a report by its repository, however that is spelt.
fn part(source: &str) -> usize {
    let repository = source.split('#').next().unwrap_or("").to_ascii_lowercase();
    let name = repository.rsplit('/').next().unwrap_or("");
    name.bytes().map(usize::from).sum::<usize>() % PARTS
}

fn labelled() -> Result<Vec<Labelled>, Box<dyn Error>> {
    let mut found = Vec::new();
    for (name, weight) in REPORTS {
        for report in read(name)? {
            let part = match name.starts_with("public/") {
                true => Some(part(&report.source)),
                false => None,
            };
            let cause = place(&report.want)?;
            found.push(Labelled { part, text: report.text, cause, weight: *weight });
        }
    }
    let entries = std::fs::read_dir(tests().join("recorded"))?.collect::<Result<Vec<_>, _>>()?;
    let paths: BTreeSet<_> = entries.into_iter().map(|entry| entry.path()).collect();
    for path in paths {
        for row in toml::from_str::<Recording>(&std::fs::read_to_string(path)?)?.recorded {
            let cause = place(row.expect_first.as_deref().unwrap_or("NEEDS_FACTS"))?;
            let weight = RECORDED_WEIGHT;
            found.push(Labelled { part: None, text: row.text, cause, weight });
        }
    }
    Ok(found)
}

/// Words that name applications: as often in the line that does so as elsewhere.
fn names(reports: &[&Labelled]) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for report in reports {
        for line in report.text.to_ascii_lowercase().lines() {
            let named = line.strip_prefix("app:");
            let words = named.unwrap_or(line).split(|letter: char| !letter.is_alphanumeric());
            let words = words.filter(|word| !word.is_empty()).map(wording_stem);
            for word in words.collect::<BTreeSet<_>>() {
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
    for (feature, value) in &example.features {
        for (sum, weight) in sums.iter_mut().zip(&weights[*feature]) {
            *sum += weight * value;
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
            for (feature, value) in &example.features {
                for (cause, slope) in slopes[*feature].iter_mut().enumerate() {
                    let hit = if cause == example.cause { 1.0 } else { 0.0 };
                    *slope += example.weight * value * (shares[cause] - hit);
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
fn wanted(reports: &[&Labelled]) -> (Vec<Vec<String>>, BTreeMap<String, usize>) {
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

/// What a feature weighs that is in so many of the reports, on the scale of its median.
fn values(counts: &BTreeMap<String, usize>, reports: usize) -> Vec<f64> {
    let rareness: Vec<f64> =
        counts.values().map(|count| (reports as f64 / *count as f64).ln()).collect();
    let mut sorted = rareness.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
    rareness.into_iter().map(|rareness| rareness / median).collect()
}

/// The causes and points of one feature, as they stand in the table.
fn entries(weights: &[f64], value: f64) -> String {
    let points = |weight: &f64| (weight * value * POINTS_PER_NATURAL_STEP).round() as i32;
    let entries = CauseCode::ALL.iter().zip(weights.iter().map(points));
    entries
        .filter(|(_, points)| points.abs() >= POINTS_MIN)
        .map(|(code, points)| format!("\t{} {points}", code.as_str()))
        .collect()
}

/// The table that these reports teach.
fn taught(reports: &[&Labelled]) -> Result<String, Box<dyn Error>> {
    let (read, counts) = wanted(reports);
    let values = values(&counts, reports.len());
    let numbers: BTreeMap<&str, usize> =
        counts.keys().enumerate().map(|(number, feature)| (feature.as_str(), number)).collect();
    let number =
        |feature: &String| numbers.get(feature.as_str()).map(|number| (*number, values[*number]));
    let examples: Vec<Example> = read
        .iter()
        .zip(reports)
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
        let entries = entries(&weights[*number], values[*number]);
        if !entries.is_empty() {
            writeln!(table, "{feature}{entries}")?;
        }
    }
    Ok(table)
}

/// How many reports of each cause there are, and of how many it is named first or among two.
#[derive(Default)]
struct Score(BTreeMap<usize, [f64; 3]>);

impl Score {
    fn add(&mut self, cause: usize, named: &[CauseCode]) {
        let place = named.iter().position(|code| *code == CauseCode::ALL[cause]);
        let one = |is: bool| if is { 1.0 } else { 0.0 };
        let told = [1.0, one(place == Some(0)), one(place.is_some_and(|place| place < 2))];
        let counts = self.0.entry(cause).or_default();
        counts.iter_mut().zip(told).for_each(|(count, told)| *count += told);
    }

    /// In hundredths, of all alike and with each cause as frequent as it is asked about.
    fn line(&self, frequencies: &BTreeMap<usize, f64>) -> String {
        let share = |column: usize, weight: &dyn Fn(usize, f64) -> f64| {
            let sum = |column: usize| {
                let each = |(cause, counts): (&usize, &[f64; 3])| {
                    weight(*cause, counts[0]) * counts[column] / counts[0]
                };
                self.0.iter().map(each).sum::<f64>()
            };
            100.0 * sum(column) / sum(0)
        };
        let alike = |_: usize, count: f64| count;
        let asked = |cause: usize, _: f64| frequencies.get(&cause).copied().unwrap_or(0.0);
        let [first, two] = [1, 2].map(|column| share(column, &alike));
        let [first_asked, two_asked] = [1, 2].map(|column| share(column, &asked));
        let count: f64 = self.0.values().map(|counts| counts[0]).sum();
        format!(
            "{count:.0} reports: first {first:.1}, among two {two:.1}; \
             as frequent as asked about: {first_asked:.1}, {two_asked:.1}\n"
        )
    }
}

fn frequencies() -> Result<BTreeMap<usize, f64>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for report in read(FREQUENCIES)? {
        *found.entry(place(&report.want)?).or_default() += 1.0;
    }
    Ok(found)
}

/// Learns from all parts but one, and asks about that one, for each part.
fn measured() -> Result<String, Box<dyn Error>> {
    let reports = labelled()?;
    let mut score = Score::default();
    for part in 0..PARTS {
        let (asked, known): (Vec<&Labelled>, _) =
            reports.iter().partition(|report| report.part == Some(part));
        let table = taught(&known)?;
        let wording = Wording::parse(&table);
        // The collection that the rules were built on would only flatter.
        for report in asked.into_iter().filter(|report| report.weight > OPEN_WEIGHT) {
            score.add(report.cause, &causes_worded(&report.text, &wording));
        }
    }
    Ok(score.line(&frequencies()?))
}

/// Asks about the reports that are not learnt from.
fn held() -> Result<String, Box<dyn Error>> {
    let frequencies = frequencies()?;
    let mut lines = String::new();
    for name in HELD {
        let mut score = Score::default();
        for report in read(name)? {
            let named: Vec<_> = explain(&report.text).causes.iter().map(|one| one.code).collect();
            score.add(place(&report.want)?, &named);
        }
        write!(lines, "{name}: {}", score.line(&frequencies))?;
    }
    Ok(lines)
}

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args().nth(1).as_deref() {
        None => taught(&labelled()?.iter().collect::<Vec<_>>())?,
        Some("measure") => measured()?,
        Some("held") => held()?,
        Some(_) => return Err("measure or held".into()),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

//! How reports of each cause are usually worded, learnt from labelled ones.
//!
//! The rules know the signs that somebody thought of. What they leave open is decided here: a
//! multinomial logistic regression over the facts that were recognised, the words, and the pairs of
//! words that follow each other. Its table, `wording.txt`, is made by the example `learn_wording`
//! from the labelled reports in `tests/`, those kept apart excepted, and holds whole points on the
//! scale of the rules. Names of applications are not in it.

use super::cause::CauseCode;
use super::facts::Facts;
use super::openers::Kernels;
use super::text::{self, Text};
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

const TABLE: &str = include_str!("wording.txt");

/// The feature that every report has.
pub(super) const BIAS: &str = "bias";

/// Points that wording gives or takes at most: less than an unmistakable sign.
const POINTS_MAX: i32 = 75;
/// Points that make a cause `e` times as likely, as [`super::POINTS_PER_NATURAL_STEP`].
const STEP: f64 = super::POINTS_PER_NATURAL_STEP;
/// Features of one report that are looked up at most; reports have some hundreds.
const FEATURES_MAX: usize = 20_000;
/// Words that are cited as the reason.
const CITED: usize = 3;

/// Letters from which on a word by itself says something; shorter ones are names of file systems,
/// which are facts, or say nothing.
const LETTERS_MIN: usize = 4;

/// Words that are in every report. `0` stands for all that holds a digit.
const COMMON: &[&str] = &[
    "0", "a", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been",
    "before", "but", "by", "can", "did", "do", "does", "for", "from", "had", "has", "have", "he",
    "her", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "me", "more", "my",
    "of", "on", "one", "only", "or", "our", "s", "so", "some", "t", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "to", "too", "very", "was", "we", "were",
    "what", "when", "where", "which", "while", "who", "will", "with", "would", "you", "your",
];

/// What wording says of one cause.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) code: CauseCode,
    /// From `-POINTS_MAX` to `POINTS_MAX`; 0 where the cause is as likely as before.
    pub(super) points: i32,
    /// The words and pairs that speak most for it, strongest first.
    pub(super) cited: Vec<&'static str>,
}

/// For each feature, the points it gives each cause.
type Table = HashMap<&'static str, Vec<(CauseCode, i32)>>;

fn table() -> &'static Table {
    static PARSED: OnceLock<Table> = OnceLock::new();
    PARSED.get_or_init(|| TABLE.lines().filter_map(row).collect())
}

/// A row of the table: a feature, and after tabs each cause with its points.
fn row(line: &'static str) -> Option<(&'static str, Vec<(CauseCode, i32)>)> {
    let (feature, entries) = line.split_once('\t')?;
    let entry = |entry: &str| {
        let (code, points) = entry.split_once(' ')?;
        Some((CauseCode::from_name(code)?, points.parse().ok()?))
    };
    Some((feature, entries.split('\t').map(entry).collect::<Option<_>>()?))
}

/// The words of a report, and pairs of words that follow each other in a line. The line that names
/// the application is left out: what counts is where the file lies and what happens.
pub(super) fn words(text: &Text) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| text::after_label(line, text::OF_APPLICATION).is_none())
    {
        let mut previous = None;
        for word in text::words(line).map(|word| word.trim_matches(['\'', '-', '_'])) {
            if found.len() >= FEATURES_MAX {
                return found;
            }
            let has_digit = word.chars().any(|letter| letter.is_ascii_digit());
            let word = if has_digit { "0" } else { word };
            if word.is_empty() {
                continue;
            }
            if COMMON.contains(&word) {
                previous = None;
                continue;
            }
            if let Some(previous) = previous {
                found.insert(format!("{previous} {word}"));
            }
            if word.len() >= LETTERS_MIN {
                found.insert(word.to_owned());
            }
            previous = Some(word);
        }
    }
    found
}

/// All features of a report, each once. Facts begin with `=`, which no word does.
pub(super) fn features(facts: &Facts) -> impl Iterator<Item = String> {
    let mut found: BTreeSet<String> = facts.signs().map(|sign| format!("={sign:?}")).collect();
    found.insert(BIAS.to_owned());
    found.insert(format!("=on {:?}", facts.file_system));
    found.insert(format!("=journal {:?}", facts.journal));
    found.insert(format!("=kernels {:?}", facts.kernels));
    for code in &facts.codes {
        found.insert(format!("=code {}", code.number()));
        found.insert(format!("=family {}", code.primary().number()));
    }
    for failed in &facts.calls {
        found.insert(format!("=call {:?}", failed.call));
        found.insert(format!("=call {:?} {}", failed.call, failed.errno.raw()));
    }
    let options = facts.mounts.lines.iter().flat_map(|line| &line.options);
    found.extend(options.map(|option| format!("=option {option}")).take(256));
    found.into_iter().chain(facts.words.iter().cloned())
}

/// What wording says of every cause; nothing of a text that tells neither where the file lies nor
/// who opens it: an error by itself is the rules' to explain.
pub(super) fn weigh(facts: &Facts) -> Vec<Verdict> {
    if facts.file_system.is_none() && facts.kernels == Kernels::NotTold {
        return Vec::new();
    }
    let mut sums = vec![(0_i32, Vec::new()); CauseCode::ALL.len()];
    for feature in features(facts) {
        let Some((feature, entries)) = table().get_key_value(feature.as_str()) else { continue };
        for (code, points) in entries {
            let place = CauseCode::ALL.iter().position(|one| one == code);
            if let Some((sum, speaking)) = place.and_then(|place| sums.get_mut(place)) {
                *sum += points;
                speaking.push((*points, *feature));
            }
        }
    }
    let likelihood = |sum: i32| (f64::from(sum) / STEP).exp();
    let most = sums.iter().map(|(sum, _)| *sum).max().unwrap_or(0);
    let shares = sums.iter().map(|(sum, _)| likelihood(sum - most));
    let level = f64::from(most) + STEP * mean(shares).ln();
    let points =
        |sum: i32| ((f64::from(sum) - level).round() as i32).clamp(-POINTS_MAX, POINTS_MAX);
    let mut verdicts: Vec<Verdict> = CauseCode::ALL
        .iter()
        .zip(sums)
        .map(|(code, (sum, speaking))| Verdict {
            code: *code,
            points: points(sum),
            cited: cited(speaking),
        })
        .collect();
    restrain_praise(&mut verdicts);
    verdicts
}

/// Words of praise never make a report healthy, neither by themselves nor against the doubt that
/// something was not understood: they may only keep it from that.
fn restrain_praise(verdicts: &mut [Verdict]) {
    let doubt = verdicts.iter().find(|verdict| verdict.code == CauseCode::NeedsFacts);
    let most = doubt.map_or(0, |doubt| doubt.points.min(0));
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.code == CauseCode::Healthy) {
        verdict.points = verdict.points.min(most);
    }
}

fn mean(of: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = of.len() as f64;
    of.sum::<f64>() / count
}

fn cited(mut speaking: Vec<(i32, &'static str)>) -> Vec<&'static str> {
    speaking
        .retain(|(points, feature)| *points > 0 && *feature != BIAS && !feature.starts_with('='));
    speaking.sort_by_key(|(points, _)| -points);
    speaking.into_iter().map(|(_, feature)| feature).take(CITED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(rows.clone().count(), table().len());
        assert!(rows.clone().count() > 1000);
        let known = |points: &i32| (1..=200).contains(&points.abs());
        assert!(table().values().flatten().all(|(_, points)| known(points)));
    }

    #[test]
    fn the_application_is_not_read() {
        let text = Text::new("app: frobnicator\nfilesystem: nfs on v4, 2 hosts");
        let words = words(&text);
        for word in ["filesystem", "filesystem nfs", "hosts"] {
            assert!(words.contains(word), "{words:?}");
        }
        for word in ["frobnicator", "nfs", "nfs on", "0 hosts"] {
            assert!(!words.contains(word), "{words:?}");
        }
    }

    #[test]
    fn a_bare_error_is_left_to_the_rules() {
        assert_eq!(weigh(&Facts::read("Error: disk I/O error (10)")), []);
        assert_eq!(weigh(&Facts::read("on nfs: disk I/O error")).len(), CauseCode::ALL.len());
    }

    #[test]
    fn wording_never_speaks_for_healthy() {
        let praise =
            "filesystem: ext4\nkernels: one\nworks fine, no problems, no errors, all is well";
        let healthy = |one: &Verdict| one.code != CauseCode::Healthy || one.points <= 0;
        assert!(weigh(&Facts::read(praise)).iter().all(healthy));
    }

    #[test]
    fn a_hostile_text_is_bounded() {
        let many: String = (0..100_000_u32).map(|word| format!("w{} ", char_of(word))).collect();
        assert!(words(&Text::new(&many)).len() <= FEATURES_MAX + 1);
    }

    /// A word without digits for each number.
    fn char_of(number: u32) -> String {
        number.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
    }
}

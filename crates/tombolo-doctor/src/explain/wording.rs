//! How reports of each cause are usually worded, learnt from labelled ones.
//!
//! The rules know the signs that somebody thought of. What they leave open is decided here: a
//! multinomial logistic regression over the facts that were recognised, by themselves and with the
//! kind of place they were found at, the words without their endings, and the pairs of words that
//! follow each other. Its table, `wording.txt`, is made by the example `learn_wording` from the
//! labelled reports in `tests/`, those kept apart excepted, and holds whole points on the scale of
//! the rules. Names of applications are not in it.

use super::cause::CauseCode;
use super::facts::Facts;
use super::openers::Kernels;
use super::sign::FileSystem;
use super::text::{self, Text};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

const TABLE: &str = include_str!("wording.txt");

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

/// Letters that are left of a word at least when its ending is taken away.
const STEM_LETTERS_MIN: usize = 3;

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
    /// The words and pairs that speak most for it, as they are written, strongest first.
    pub(super) cited: Vec<String>,
}

/// For each feature, the points it gives each cause.
#[derive(Debug)]
pub struct Wording<'a>(HashMap<&'a str, Vec<(CauseCode, i32)>>);

/// What was learnt from all labelled reports.
pub(super) fn learnt() -> &'static Wording<'static> {
    static PARSED: OnceLock<Wording<'static>> = OnceLock::new();
    PARSED.get_or_init(|| Wording::parse(TABLE))
}

/// A row of the table: a feature, and after tabs each cause with its points.
fn row(line: &str) -> Option<(&str, Vec<(CauseCode, i32)>)> {
    let (feature, entries) = line.split_once('\t')?;
    let entry = |entry: &str| {
        let (code, points) = entry.split_once(' ')?;
        Some((CauseCode::from_name(code)?, points.parse().ok()?))
    };
    Some((feature, entries.split('\t').map(entry).collect::<Option<_>>()?))
}

/// A word without its ending, so that "locks", "locked" and "locking" are one.
pub(super) fn stem(word: &str) -> &str {
    let cut = |word, ending: &str| match str::strip_suffix(word, ending) {
        Some(rest) if rest.len() >= STEM_LETTERS_MIN => rest,
        _ => word,
    };
    let word = if word.ends_with("ss") { word } else { cut(word, "s") };
    ["ing", "ed", "ly", "e"].into_iter().fold(word, cut)
}

/// The words of a report, and pairs of words that follow each other in a line: without their
/// endings, each with the words as they are written. The line that names the application is left
/// out: what counts is where the file lies and what happens.
pub(super) fn words(text: &Text) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| text::after_label(line, text::OF_APPLICATION).is_none())
    {
        let mut previous: Option<&str> = None;
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
                let pair = format!("{} {}", stem(previous), stem(word));
                found.insert(pair, format!("{previous} {word}"));
            }
            if word.len() >= LETTERS_MIN {
                found.insert(stem(word).to_owned(), word.to_owned());
            }
            previous = Some(word);
        }
    }
    found
}

/// The kind of place: who serves the files decides what a fact means.
fn place(facts: &Facts) -> &'static str {
    match facts.file_system {
        None => "nowhere",
        Some(kind) if kind.is_local() => "local",
        Some(kind) if kind.is_remote() => "remote",
        Some(kind) if kind.is_vm_share() || kind == FileSystem::Sshfs => "vm",
        Some(_) => "other",
    }
}

/// All features of a report, each once. Facts begin with `=`, which no word does.
pub(super) fn features(facts: &Facts) -> impl Iterator<Item = String> {
    let journal = format!("=journal {:?}", facts.journal);
    let kernels = format!("=kernels {:?}", facts.kernels);
    let families: BTreeSet<String> =
        facts.codes.iter().map(|code| format!("=family {}", code.primary().number())).collect();
    let mut told: BTreeSet<String> = facts.signs().map(|sign| format!("={sign:?}")).collect();
    told.extend(facts.codes.iter().map(|code| format!("=code {}", code.number())));
    for failed in &facts.calls {
        told.insert(format!("=call {:?}", failed.call));
        told.insert(format!("=call {:?} {}", failed.call, failed.errno.raw()));
    }
    let place = place(facts);
    let mut found: BTreeSet<String> = families
        .iter()
        .flat_map(|family| [format!("{kernels}&{family}"), format!("{journal}&{family}")])
        .collect();
    told.extend(families.into_iter().chain([journal, kernels]));
    found.extend(told.iter().map(|fact| format!("={place}&{fact}")));
    found.extend(told);
    found.insert(format!("=at {place}"));
    found.insert(format!("=on {:?}", facts.file_system));
    let options = facts.mounts.lines.iter().flat_map(|line| &line.options);
    found.extend(options.map(|option| format!("=option {option}")).take(256));
    found.into_iter().chain(facts.words.keys().cloned())
}

impl<'a> Wording<'a> {
    /// Reads a table; lines that are no rows are left out.
    #[must_use]
    pub fn parse(table: &'a str) -> Self {
        Wording(table.lines().filter_map(row).collect())
    }

    /// What wording says of every cause; nothing of a text that tells neither where the file lies
    /// nor who opens it: an error by itself is the rules' to explain.
    pub(super) fn weigh(&self, facts: &Facts) -> Vec<Verdict> {
        if facts.file_system.is_none() && facts.kernels == Kernels::NotTold {
            return Vec::new();
        }
        let mut sums = vec![(0_i32, Vec::new()); CauseCode::ALL.len()];
        for feature in features(facts) {
            for (code, points) in self.0.get(feature.as_str()).into_iter().flatten() {
                let place = CauseCode::ALL.iter().position(|one| one == code);
                if let Some((sum, speaking)) = place.and_then(|place| sums.get_mut(place)) {
                    *sum += points;
                    speaking.push((*points, feature.clone()));
                }
            }
        }
        verdicts(facts, sums)
    }
}

/// Verdicts from each cause's sum of points and the features that gave them.
fn verdicts(facts: &Facts, sums: Vec<(i32, Vec<(i32, String)>)>) -> Vec<Verdict> {
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
            cited: cited(facts, speaking),
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

fn cited(facts: &Facts, mut speaking: Vec<(i32, String)>) -> Vec<String> {
    speaking.retain(|(points, _)| *points > 0);
    speaking.sort_by_key(|(points, _)| -points);
    speaking
        .into_iter()
        .filter_map(|(_, feature)| facts.words.get(&feature).cloned())
        .take(CITED)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
        let Wording(table) = learnt();
        assert_eq!(rows.clone().count(), table.len());
        assert!(rows.clone().count() > 1000);
        let known = |points: &i32| (1..=200).contains(&points.abs());
        assert!(table.values().flatten().all(|(_, points)| known(points)));
    }

    #[test]
    fn the_application_is_not_read() {
        let text = Text::new("app: frobnicator\nfilesystem: nfs on v4, 2 hosts");
        let words = words(&text);
        for word in ["filesystem", "filesystem nfs", "host"] {
            assert!(words.contains_key(word), "{words:?}");
        }
        for word in ["frobnicator", "nfs", "nfs on", "0 host"] {
            assert!(!words.contains_key(word), "{words:?}");
        }
    }

    #[test]
    fn a_word_is_one_whatever_its_ending() {
        for (word, wanted) in [
            ("locks", "lock"),
            ("locked", "lock"),
            ("locking", "lock"),
            ("services", "servic"),
            ("service", "servic"),
            ("access", "access"),
            ("used", "used"),
            ("as", "as"),
        ] {
            assert_eq!(stem(word), wanted, "{word}");
        }
    }

    #[test]
    fn a_word_is_cited_as_it_is_written() {
        let text = Text::new("filesystem: nfs\nthe services moved");
        assert_eq!(words(&text).get("servic mov").map(String::as_str), Some("services moved"));
    }

    #[test]
    fn a_bare_error_is_left_to_the_rules() {
        assert_eq!(learnt().weigh(&Facts::read("Error: disk I/O error (10)")), []);
        let worded = learnt().weigh(&Facts::read("on nfs: disk I/O error"));
        assert_eq!(worded.len(), CauseCode::ALL.len());
    }

    #[test]
    fn wording_never_speaks_for_healthy() {
        let praise =
            "filesystem: ext4\nkernels: one\nworks fine, no problems, no errors, all is well";
        let healthy = |one: &Verdict| one.code != CauseCode::Healthy || one.points <= 0;
        assert!(learnt().weigh(&Facts::read(praise)).iter().all(healthy));
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

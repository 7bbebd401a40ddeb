//! From the text of an error, a log or a whole report to its likely causes.
//!
//! One way, four steps: the text is made plain, the scanners find what it says (phrases, SQLite's
//! codes, failed calls, mount lines, openers), a set of facts answers questions about it, and one
//! rule for each cause weighs the facts; a table of base rates stands in where signs are few, above
//! all for the second cause named. Every point that a rule gives has a sentence that says
//! why, and these sentences are the answer's reasons. A text that complains is never called
//! healthy, whether or not its complaint is understood. Applications are never looked up by name:
//! what counts is the class of the file system, the error and who opens the file. What the rules
//! leave open, the wording decides, as it was learnt from labelled reports; it also says what comes
//! second where the rules know of nothing else.

mod calls;
mod calm;
mod cause;
mod clearance;
mod codes;
mod conclusions;
mod contention;
mod course;
mod cures;
mod diagnosed;
mod facts;
mod handles;
mod load;
mod locks;
mod losses;
mod maps;
mod mounts;
mod openers;
mod phrases;
mod place;
mod questions;
mod readback;
mod remedies;
mod rights;
mod rules;
mod scan;
mod sentence;
mod sidecars;
mod sign;
mod text;
mod thin;
mod tone;
mod turns;
mod versions;
mod vocabulary;
mod wording;

pub use calls::{Call, FailedCall};
pub use cause::CauseCode;
pub use openers::Kernels;
pub use sign::{FileSystem, Sign};
#[doc(hidden)]
pub use wording::Wording;

use crate::bundle::Told;
use facts::Facts;
use serde::Serialize;
use tombolo_core::report::{Remedy, Warning};
use tombolo_core::sqlite::result_code::ResultCode;

/// Name and version of the JSON that `tombolo explain --format json` prints.
pub const EXPLAIN_SCHEMA: &str = "tombolo.explain/1";

/// What a text tells.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Always [`EXPLAIN_SCHEMA`].
    pub schema: &'static str,
    /// The likely causes, best first; never empty.
    pub causes: Vec<Cause>,
    /// The result codes of SQLite that the text names, the most telling first.
    pub sqlite: Vec<ResultCode>,
    /// What was recognised.
    pub facts: Recognised,
    /// Ways out, best first.
    pub remedies: Vec<Remedy>,
    /// Advice that is passed around for such cases and loses data.
    pub warnings: Vec<Warning>,
    /// What is still to be asked, the most telling first.
    pub questions: Vec<String>,
}

/// One likely cause.
#[derive(Clone, Debug, Serialize)]
pub struct Cause {
    /// The stable name.
    pub code: CauseCode,
    /// From 0 to 1: the share of this cause in all that the facts speak for. Not a probability.
    pub confidence: f64,
    /// Why, the strongest reason first.
    pub because: Vec<String>,
}

/// What was recognised in a text.
#[derive(Clone, Debug, Serialize)]
pub struct Recognised {
    /// The kind of file system that holds the database.
    pub filesystem: Option<FileSystem>,
    /// Telling options of the mount lines.
    pub options: Vec<String>,
    /// Whether the database is in WAL mode; `None` where the text does not tell.
    pub wal: Option<bool>,
    /// How many kernels open it.
    pub kernels: Kernels,
    /// System calls that failed.
    pub calls: Vec<FailedCall>,
    /// Everything else.
    pub signs: Vec<Sign>,
}

/// Points by which one cause must lead another to be `e` times as likely.
const POINTS_PER_NATURAL_STEP: f64 = 25.0;
/// No text is proof.
const CONFIDENCE_MAX: f64 = 0.97;
/// Points below which a cause is not worth naming.
const POINTS_NAMED: i32 = 15;
/// Causes named at most.
const CAUSES_NAMED: usize = 4;

/// Explains a text. Any text is accepted; what cannot be told is asked for. Where the text holds a
/// report of the doctor, the answer is the doctor's: it has measured.
#[must_use]
pub fn explain(text: &str) -> Explanation {
    if let Some(told) = Told::read(text) {
        return diagnosed::explain(text, &told);
    }
    let facts = Facts::read(text);
    let causes = rank(&facts, wording::learnt());
    let best = causes.first().map_or(CauseCode::NeedsFacts, |cause| cause.code);
    Explanation {
        schema: EXPLAIN_SCHEMA,
        sqlite: facts.codes.clone(),
        remedies: remedies::choose(&facts, &causes),
        warnings: remedies::warnings(&facts, best),
        questions: questions::choose(&facts, best),
        facts: recognised(&facts),
        causes,
    }
}

/// All that [`explain`] weighs in the wording of a report, for the example that learns from
/// labelled ones how much.
#[doc(hidden)]
#[must_use]
pub fn wording_features(text: &str) -> Vec<String> {
    wording::features(&Facts::read(text)).collect()
}

/// A word as the features spell it, for the example that leaves names out.
#[doc(hidden)]
#[must_use]
pub fn wording_stem(word: &str) -> &str {
    wording::stem(word)
}

/// The causes that [`explain`] would name with another wording, for the example that measures what
/// reports teach that were left out.
#[doc(hidden)]
#[must_use]
pub fn causes_worded(text: &str, wording: &Wording) -> Vec<CauseCode> {
    rank(&Facts::read(text), wording).into_iter().map(|cause| cause.code).collect()
}

fn rank(facts: &Facts, wording: &Wording) -> Vec<Cause> {
    let mut cases = rules::weigh(facts, wording);
    cases.sort_by_key(|(_, case)| -case.points());
    let well = cases.first().is_some_and(|(code, _)| *code == CauseCode::Healthy);
    let mut place = 0;
    cases.retain(|(_, case)| {
        place += 1;
        // The main alternative is named although little speaks for it, of a text that ails.
        place == 1 || case.points() >= POINTS_NAMED || place == 2 && !well && case.is_weighed()
    });
    let weight = |points: i32| (f64::from(points) / POINTS_PER_NATURAL_STEP).exp();
    let whole: f64 = cases.iter().map(|(_, case)| weight(case.points())).sum();
    cases.truncate(CAUSES_NAMED);
    cases
        .into_iter()
        .map(|(code, case)| Cause {
            code,
            confidence: hundredths((weight(case.points()) / whole).min(CONFIDENCE_MAX)),
            because: case.into_reasons(),
        })
        .collect()
}

fn hundredths(share: f64) -> f64 {
    (share * 100.0).round() / 100.0
}

fn recognised(facts: &Facts) -> Recognised {
    let options = facts.mounts.lines.iter().flat_map(|line| line.options.iter());
    let mut options: Vec<String> =
        options.filter(|option| mounts::telling(option)).take(32).cloned().collect();
    options.dedup();
    Recognised {
        filesystem: facts.file_system,
        options,
        wal: match facts.journal {
            facts::Journal::Wal => Some(true),
            facts::Journal::Rollback => Some(false),
            facts::Journal::NotTold => None,
        },
        kernels: facts.kernels,
        calls: facts.calls.clone(),
        signs: facts.signs().collect(),
    }
}

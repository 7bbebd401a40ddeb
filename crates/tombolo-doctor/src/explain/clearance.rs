//! Finds the words by which a text says that nothing is wrong after all.
//!
//! "No error" alone is no such word: what was lost in silence gives none. A clearance says that
//! there was no failure, or that what was printed is not one.

use super::sentence::{DENIALS, Sentence, is};

/// Whether the text clears the case: a false alarm, only a warning, no failure.
pub(super) fn found(sentences: &[Sentence<'_>]) -> bool {
    sentences.iter().any(clears) && !sentences.iter().any(harms)
}

fn clears(sentence: &Sentence<'_>) -> bool {
    #[rustfmt::skip]
    const CLEAR: &[&str] = &[
        "false alarm", "false positive", "false warning", "wrong warning", "spurious warning",
        "misleading warning", "harmless warning", "warning is harmless", "is harmless", "cosmetic",
        "nothing is broken", "nothing failed", "nothing has failed", "nothing went wrong",
        "nothing is wrong", "nothing was wrong", "nothing breaks",
        "nothing broke", "nothing was lost", "nothing is lost", "no harm", "never harmed",
        "no actual problem", "no real problem", "warning can be ignored", "unfounded",
        "works as expected", "works as intended", "works as it should", "no data were ever",
    ];
    const NO: &[&str] = &["no", "never", "not", "without", "zero"];
    const FAILURES: &[&str] = &[
        "failure",
        "failures",
        "incident*",
        "outage*",
        "harm",
        "damage",
        "malfunction*",
        "breakage",
        "disruption*",
        "defect*",
        "fault",
        "faults",
        "loss",
    ];
    const NOT_MORE: &[&str] = &["only", "just", "merely", "mere"];
    const WARNINGS: &[&str] = &["warning*", "notice", "hint", "recommendation", "advice", "nag"];
    // "no failure when it starts" leaves open what comes later.
    const LIMITS: &[&str] = &[
        "but",
        "yet",
        "however",
        "although",
        "until",
        "then",
        "when",
        "while",
        "at",
        "in",
        "during",
        "if",
        "before",
        "locally",
        "except",
        "should",
        "expected",
        "why",
        "afterwards",
    ];
    let none = sentence.follows(NO, FAILURES, 3);
    let not_more = sentence.follows(NOT_MORE, WARNINGS, 3);
    // The check is wrong, and not what it checks.
    const CHECKERS: &[&str] = &["checker*", "verifier*", "detector*", "detection", "heuristic*"];
    const WRONG: &[&str] = &["bug", "mistake*", "misread*", "misdetect*", "misjudg*", "wrong*"];
    let mistaken = sentence.near(CHECKERS, WRONG, 5) || sentence.says(&["error of the check"]);
    if mistaken && !sentence.denies() {
        return true;
    }
    let last = sentence.pair(WARNINGS, NOT_MORE);
    let clear = sentence.says(CLEAR) || last;
    clear && !sentence.has(&["but", "yet", "however", "not", "if", "until"])
        || (none || not_more) && !sentence.has(LIMITS)
}

/// Words that tell of harm.
#[rustfmt::skip]
pub(super) const HARMS: &[&str] = &[
    "crash*", "garbage", "corrupt*", "damaged", "malformed", "abort*", "panic*", "segfault*",
    "lose", "loses", "losing", "missing", "vanish*", "disappear*", "gone", "blank", "stuck",
    "hang*", "hung", "freez*", "frozen", "froze", "killed", "dies", "died", "unreadable",
    "unusable", "incomplete", "stops", "stopped", "slow", "timeout*", "cannot", "can't",
    "won't", "unable", "fails", "failed", "locked", "wrongly",
];

/// Harm that no word clears away.
fn harms(sentence: &Sentence<'_>) -> bool {
    let denied = |at| sentence.before(at, 3).iter().any(|word| is(word, DENIALS));
    sentence.places(HARMS).any(|at| !denied(at))
}

/// Whether a check by SQLite itself passed, in whatever order the words come.
pub(super) fn check_passed(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const CHECKS: &[&str] = &["integrity_check", "quick_check", "integrity", "quick-check"];
    const PASSES: &[&str] = &["ok", "okay", "passes", "passed", "clean", "sound", "succeeds"];
    const OTHERS: &[&str] = &["fail*", "malformed", "corrupt*", "error*", "after", "until", "then"];
    sentences.iter().any(|one| one.follows(CHECKS, PASSES, 9) && !one.denies() && !one.has(OTHERS))
}

/// Whether the program goes on as it should: "index and search keep working", "all queries answer".
pub(super) fn goes_on(sentences: &[Sentence<'_>]) -> bool {
    const GOES: &[&str] = &["keep", "keeps", "continues", "continue", "goes", "runs", "still"];
    const ON: &[&str] = &["working", "work", "works", "on", "fine", "running", "normally"];
    sentences.iter().any(|one| {
        let goes = one.follows(GOES, ON, 2) || one.says(&["as it should", "as they should"]);
        goes && !one.denies() && !one.has(&["until", "then", "but", "when", "if", "only"])
    })
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn words_that_clear_a_case() {
        for report in [
            "no failure, only a start-up warning",
            "it is only a warning",
            "false positive, no data were ever harmed",
            "just a notice of the installer",
            "the program complains about 9p, there was no failure",
            "wrong warning, the site runs without trouble",
            "has run for a year without an incident",
            "the warning is harmless",
            "nothing is broken",
            "works as expected",
            "warning only, service runs",
            "no malfunction",
            "it turned out to be a bug of the verifier",
            "the detector misreads the output",
        ] {
            assert!(finds(found, report), "{report}");
        }
    }

    #[test]
    fn words_that_do_not() {
        for report in [
            "no error in the log. Yesterday's rows are missing",
            "it is only a warning, but the page stays blank",
            "no failure until midnight",
            "no failure when it starts; then it hangs",
            "it should be only a warning, why does it crash",
            "only the reader gets an error",
            "this is not a false alarm",
            "without any failure message the program dies",
            "it works",
        ] {
            assert!(!finds(found, report), "{report}");
        }
    }

    #[test]
    fn a_check_that_passed() {
        let passed = |report: &str| finds(check_passed, report);
        assert!(passed("stock SQLite PRAGMA integrity_check on the same file: ok"));
        assert!(passed("an integrity check passed"));
        assert!(!passed("integrity_check is not ok"));
        assert!(!passed("integrity_check failed, ok after a restore"));
        let on = |report: &str| finds(goes_on, report);
        assert!(on("index and search keep working"));
        assert!(!on("it keeps working until noon"));
    }
}

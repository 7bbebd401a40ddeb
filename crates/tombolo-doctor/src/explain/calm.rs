//! Finds reports of a doubt and not of an event: somebody warns or asks, and nothing has failed.

use super::clearance;
use super::sentence::{DENIALS, Sentence, is, sentences};
use super::text::Text;

/// Whether a line says by itself that there was no error, a sentence warns, asks or fears, and none
/// tells of harm. The first alone proves nothing: what is lost in silence gives no error.
pub(super) fn found(text: &Text) -> bool {
    let said = sentences(text);
    text.lines().any(says_none) && said.iter().any(doubts) && !said.iter().any(harmed)
}

/// "(none)", "no errors for a year", or a line that is a warning and no more.
pub(super) fn says_none(line: &str) -> bool {
    const NO_MORE_THAN: usize = 7;
    // "before: locked; now: no error"
    let line = line.rsplit_once("now:").map_or(line, |(_, now)| now);
    let sentence = Sentence::of(line);
    let none = match sentence.words.as_slice() {
        ["none" | "nothing" | "works"] | ["none", "since", ..] | ["none", "any", "more"] => true,
        ["warning", rest @ ..] => rest.len() < NO_MORE_THAN,
        ["no", "error" | "errors" | "problem" | "problems" | "failure" | "failures", rest @ ..] => {
            let limits =
                ["but", "yet", "hang", "hangs", "until", "then", "just", "only", "message"];
            rest.len() < NO_MORE_THAN && !rest.iter().any(|word| limits.contains(word))
        }
        _ => false,
    };
    let without = sentence.near(&["without"], &["fault*", "error*", "problem*", "failure*"], 3)
        && sentence.words.len() < NO_MORE_THAN;
    (none || without) && !harmed(&sentence)
}

fn doubts(sentence: &Sentence<'_>) -> bool {
    #[rustfmt::skip]
    const DOUBTS: &[&str] = &[
        "ask", "asks", "asked", "asking", "wonder*", "whether", "warn", "warns", "warning*",
        "warned", "fear", "fears", "flags", "flagged", "scanner", "linter", "policy", "advice",
        "recommend*", "discourag*", "unsafe", "worried", "worry", "audit*", "advised", "question",
        "blog*", "forum*", "colleague*", "article*", "myth*", "rumour*", "wiki", "unsure", "docs",
        "documentation", "refuses", "refusing", "refusal", "proposal", "proposed", "proposes",
    ];
    sentence.has(DOUBTS)
        || sentence.says(&[
            "read that",
            "thought to be",
            "is why",
            "heard that",
            "somebody says",
            "people say",
        ])
}

/// Harm that is told of this place, and neither feared nor hearsay.
fn harmed(sentence: &Sentence<'_>) -> bool {
    #[rustfmt::skip]
    const HEARSAY: &[&str] = &[
        "colleague*", "blog*", "forum*", "article*", "wiki", "reddit", "docs", "documentation",
        "people", "somebody", "someone", "question", "myth*", "threads", "ask", "asks", "linter",
        "rule", "scanner", "policy", "audit*", "advice",
    ];
    // SQLite itself removes both files when the last connection closes (sqlite.org/wal.html).
    let closes = sentence.has(&["quit", "close*", "exit*", "shutdown", "stop*"])
        && sentence.says(&["wal", "shm"]);
    if closes {
        return false;
    }
    let hearsay = sentence.has(HEARSAY) || sentence.says(&["read that", "heard that"]);
    if hearsay && !sentence.has(&["why"]) {
        return false;
    }
    const SUPPOSED: &[&str] = &["may", "might", "could", "can", "if", "whether", "would"];
    let told = |word: &&str| !is(word, DENIALS) && !is(word, SUPPOSED);
    sentence.places(clearance::HARMS).any(|at| sentence.before(at, 3).iter().all(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm(report: &str) -> bool {
        found(&Text::new(report))
    }

    #[test]
    fn a_doubt_without_an_event_is_calm() {
        assert!(calm("our linter discourages SQLite in containers\nnone"));
        assert!(calm("asks whether two pods may share it\nno errors in two years"));
    }

    #[test]
    fn no_error_alone_is_not() {
        assert!(!calm("rows flip at dusk\nno error"));
        assert!(!calm("asks why the rows vanish\nno error"));
        assert!(!calm("a warning is printed\nno error but it hangs"));
        assert!(!calm("a warning is printed"));
    }

    #[test]
    fn what_was_before_is_over() {
        assert!(says_none("before: database is locked; now: no error"));
        assert!(says_none("none any more"));
        assert!(!says_none("now: database is locked"));
    }

    #[test]
    fn hearsay_and_warnings_are_no_events() {
        assert!(calm("a wiki says that such disks corrupt databases\nno errors"));
        assert!(calm("a colleague is worried\nhalf a year without a fault"));
        assert!(calm("warning: untested file system"));
        assert!(!calm("a wiki says that such disks corrupt databases\nthe index is malformed"));
    }

    #[test]
    fn sidecars_go_at_the_last_close() {
        assert!(calm("asks why x.db-wal is gone after shutdown\n(none)"));
        assert!(!calm("asks why x.db is gone after an update\n(none)"));
    }
}

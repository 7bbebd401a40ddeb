//! Whether a report says that all is well, asks whether it is, or complains.
//!
//! A report can complain in words that no scanner knows. So "it works" alone proves nothing: it
//! counts where it is said of the place in question, and where nothing in the text complains.

use super::scan::{self, Meaning, Mention, Use};
use super::sentence::Sentence;
use super::sign::Sign;
use super::text::{self, Text};

/// What a report says of how things go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tone {
    /// It says that the thing works, and not only elsewhere, earlier or in part.
    pub(super) praises: bool,
    /// It asks for a verdict on a set-up.
    pub(super) asks: bool,
    /// It complains, in words that complaints are made of.
    pub(super) complains: bool,
    /// It says something that nobody understood. What it is may be the complaint.
    pub(super) strays: bool,
    /// It describes a set-up, all of it is understood, and nothing in it complains.
    pub(super) describes: bool,
}

/// Reads the tone. Complaints are looked for only where they can matter: they cost a look at every
/// word, and a log that neither praises nor asks is not called healthy anyway.
pub(super) fn read(text: &Text, mentions: &[Mention], always: bool) -> Tone {
    let said = |sign: Sign| {
        mentions
            .iter()
            .filter(move |one| one.meaning == Meaning::Says(sign) && one.usage != Use::Denied)
    };
    let praises =
        said(Sign::Works).chain(said(Sign::CheckPassed)).any(|one| !limited(&text.plain, one));
    let asks = said(Sign::VerdictAsked).any(|one| !asks_for_help(&text.plain, one.start));
    let look = always || praises || asks;
    let complains = look && text.lines().any(complains);
    let strays = look && strays(text, mentions);
    Tone {
        praises,
        asks,
        complains,
        strays,
        describes: look && !complains && describes(text, mentions),
    }
}

/// "what can I do" and "how should we" ask for help and not for a verdict.
fn asks_for_help(plain: &str, start: usize) -> bool {
    let before = text::tail(plain.get(..start).unwrap_or(""), 20);
    text::words(before).next_back().is_some_and(|word| matches!(word, "what" | "how" | "where"))
}

/// Labels of lines that describe a set-up.
const LABELS: &[&str] = &[
    "app",
    "application",
    "filesystem",
    "file system",
    "fs",
    "storage",
    "volume",
    "mount",
    "kernels",
    "openers",
    "kernels_opening",
    "journal_mode",
    "journal mode",
    "journal",
    "host",
    "guest",
    "os",
    "kernel",
    "version",
];

/// Words of a set-up for which no phrase stands.
const SET_UP: &[&str] = &[
    "mounted",
    "attached",
    "node",
    "host",
    "server",
    "kernel",
    "linux",
    "debian",
    "ubuntu",
    "vps",
    "instance",
    "formatted",
    "dataset",
    "partition",
    "production",
    "planning",
    "plan",
    "setup",
    "thanks",
    "hello",
    "hi",
    "question",
    "years",
    "months",
    "weeks",
    "volume",
    "script",
    "apps",
    "strategy",
    "rwo",
    "csi",
    "deployment",
    "replica",
    "statefulset",
    "raid1",
    "mirror",
    "backup",
];

/// Whether each passage is one of a set-up and says no more than that.
fn describes(text: &Text, mentions: &[Mention]) -> bool {
    use Sign::{Container, Kubernetes, OneProcess, Podman, Rollback, Sqlite, Wal};
    let of_set_up = |meaning: Meaning| match meaning {
        Meaning::On(_) => true,
        Meaning::Says(sign) => {
            [Container, Kubernetes, OneProcess, Podman, Rollback, Sqlite, Wal].contains(&sign)
        }
    };
    let mut starts: Vec<(usize, bool)> =
        mentions.iter().map(|one| (one.start, of_set_up(one.meaning))).collect();
    starts.sort_unstable();
    let mut offset = 0;
    text.plain.split_inclusive('\n').all(|line| {
        let start = offset;
        offset += line.len();
        let labelled = text::after_label(line, LABELS).is_some();
        let first = starts.partition_point(|(at, _)| *at < start);
        let last = starts.partition_point(|(at, _)| *at < offset);
        let inside = starts.get(first..last).unwrap_or(&[]);
        let sentence = Sentence::of(line);
        labelled
            || sentence.words.is_empty()
            || inside.iter().all(|(_, set_up)| *set_up)
                && !sentence.denies()
                && (!inside.is_empty() || sentence.has(SET_UP))
    })
}

/// Words of a passage up to which it says nothing by itself.
const FEW_WORDS: usize = 1;

/// Whether a passage of the text has no word that a scanner knows.
fn strays(text: &Text, mentions: &[Mention]) -> bool {
    // These say how or when, and not what.
    let side = |meaning: Meaning| {
        matches!(meaning, Meaning::Says(Sign::FailsAtOnce | Sign::ConnectionPool))
    };
    let mut starts: Vec<usize> = mentions
        .iter()
        .filter(|mention| !side(mention.meaning))
        .map(|mention| mention.start)
        .collect();
    starts.sort_unstable();
    let known = |range: std::ops::Range<usize>| {
        let first = starts.partition_point(|start| *start < range.start);
        starts.get(first).is_some_and(|start| *start < range.end)
    };
    let mut offset = 0;
    for line in text.plain.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let described = text::after_label(line, LABELS).is_some() || line.starts_with("/dev/");
        if !described
            && clauses(line).any(|(at, clause)| {
                let begin = start + at;
                !known(begin..begin + clause.len()) && says_something(clause)
            })
        {
            return true;
        }
    }
    false
}

fn says_something(clause: &str) -> bool {
    let few = text::words(clause).nth(FEW_WORDS).is_none();
    let odd = text::words(clause).any(|word| word.bytes().any(|byte| byte.is_ascii_digit()));
    let set_up = text::words(clause).any(|word| SET_UP.contains(&word));
    !set_up && (odd || !few)
}

/// The passages of a line between marks, with their offsets.
fn clauses(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    line.split_inclusive([',', ';', ':', '!', '?', '(', ')', '\n', '"']).flat_map(move |piece| {
        let start = at;
        at += piece.len();
        let mut inner = start;
        piece.split_inclusive(". ").map(move |clause| {
            let from = inner;
            inner += clause.len();
            (from, clause)
        })
    })
}

/// Words that limit praise to another place, another time, another user or a part.
const LIMITS: &[&str] = &[
    "locally",
    "laptop",
    "machine",
    "elsewhere",
    "development",
    "dev",
    "outside",
    "before",
    "previously",
    "until",
    "unless",
    "if",
    "when",
    "once",
    "only",
    "except",
    "should",
    "expected",
    "used",
    "without",
    "instead",
    "other",
    "others",
    "another",
    "same",
    "manually",
    "otherwise",
    "sometimes",
    "then",
    "hour",
    "hours",
    "minutes",
    "mostly",
    "reading",
    "reads",
    "colleague",
    "colleague's",
    "rest",
    "usually",
    "partly",
    "command",
    "shell",
    "root",
    "sudo",
    "still",
    "but",
    "however",
    "yet",
    "there",
];

/// Bytes around praise that can limit it.
const AROUND_BYTES: usize = 100;

fn limited(plain: &str, mention: &Mention) -> bool {
    let before = text::tail(plain.get(..mention.start).unwrap_or(""), AROUND_BYTES);
    let after = text::head(plain.get(mention.end..).unwrap_or(""), AROUND_BYTES);
    let mut around = text::words(sentence_before(before)).chain(text::words(sentence_after(after)));
    around.any(|word| LIMITS.contains(&word))
}

fn sentence_before(before: &str) -> &str {
    let start = before.rfind(['\n', '!', '?', ';']).map_or(0, |at| at + 1);
    let start = start.max(before.rfind(". ").map_or(0, |at| at + 2));
    before.get(start..).unwrap_or("")
}

fn sentence_after(after: &str) -> &str {
    let end = after.find(['\n', '!', '?', ';']).unwrap_or(after.len());
    let end = end.min(after.find(". ").unwrap_or(after.len()));
    after.get(..end).unwrap_or("")
}

/// Openings of words that complain, unless they are denied.
const COMPLAINTS: &[&str] = &[
    "fail",
    "crash",
    "broke",
    "problem",
    "issue",
    "trouble",
    "bug",
    "wrong",
    "weird",
    "strange",
    "garbage",
    "corrupt",
    "damage",
    "malform",
    "abort",
    "panic",
    "fatal",
    "segfault",
    "denied",
    "deny",
    "refus",
    "reject",
    "cannot",
    "can't",
    "won't",
    "doesn't",
    "don't",
    "unable",
    "impossible",
    "lose",
    "losing",
    "lost",
    "missing",
    "vanish",
    "disappear",
    "gone",
    "blank",
    "stuck",
    "hang",
    "hung",
    "freez",
    "froze",
    "timeout",
    "timed",
    "unexpected",
    "traceback",
    "popup",
    "stops",
    "stopped",
    "dies",
    "died",
    "killed",
    "unreadable",
    "unusable",
    "invalid",
    "illegal",
    "error",
    "exception",
    "prints",
    "throws",
    "raises",
    "shows",
    "mismatch",
    "incorrect",
    "incomplete",
    "duplicate",
    "nothing",
    "slow",
    "locked",
    "whenever",
    "nonsense",
];

/// Bytes before a complaint that can deny it.
const DENIAL_BYTES: usize = 60;

fn complains(line: &str) -> bool {
    text::word_starts(line).any(|(at, word)| {
        let complaint = COMPLAINTS.iter().any(|stem| word.starts_with(stem)) || is_code(word);
        let before = text::tail(line.get(..at).unwrap_or(""), DENIAL_BYTES);
        complaint && !scan::denied(before) && !scan::feared(before)
    })
}

/// A token as programs make them for their errors: `xq-1009`, `0xdeadbeef`.
fn is_code(word: &str) -> bool {
    let digits = |part: &str| part.len() > 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let letters =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    word.strip_prefix("0x").is_some_and(|rest| rest.len() > 3)
        || word.split_once('-').is_some_and(|(name, number)| letters(name) && digits(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(report: &str) -> Tone {
        let text = Text::new(report);
        read(&text, &scan::scan(&text), true)
    }

    #[test]
    fn praise_of_another_place_or_time_is_no_praise() {
        assert!(tone("works fine, no errors").praises);
        for report in
            ["works on my laptop", "it used to be fine: works no more", "if root, it works"]
        {
            assert!(!tone(report).praises, "{report}");
        }
    }

    #[test]
    fn complaints_need_no_known_words_of_error() {
        for report in ["status XQ-1009", "the list is incomplete", "it stops at noon", "0xDEADBEEF"]
        {
            assert!(tone(report).complains, "{report}");
        }
        for report in ["no problems so far", "without any issues", "never failed", "x86-64, ext4"] {
            assert!(!tone(report).complains, "{report}");
        }
    }
}

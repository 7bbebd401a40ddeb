//! Finds talk of several programs, threads or connections that use one database.

use super::sentence::Sentence;
use super::text::{self, Text};

const SEVERAL: &[&str] = &[
    "two",
    "three",
    "four",
    "five",
    "six",
    "eight",
    "ten",
    "several",
    "many",
    "multiple",
    "both",
    "another",
    "second",
    "separate",
    "different",
    "more",
    "other",
    "parallel",
    "concurrent",
    "number",
    "pool",
];

const USERS: &[&str] = &[
    "process",
    "processes",
    "thread",
    "threads",
    "instance",
    "instances",
    "connection",
    "connections",
    "program",
    "programs",
    "writer",
    "writers",
    "goroutines",
    "coroutines",
    "tasks",
    "jobs",
    "requests",
    "tabs",
    "windows",
    "scripts",
    "copies",
    "workers",
    "sessions",
];

/// Whether the text speaks of several users of one database on one machine.
pub(super) fn found(text: &Text) -> bool {
    text.lines().any(|line| opened_by_several(line) || line.split(". ").take(64).any(sentence))
}

/// "openers: threads of one process".
fn opened_by_several(line: &str) -> bool {
    const USERS: &[&str] =
        &["threads", "goroutines", "workers", "connections", "coroutines", "tasks", "tabs"];
    const NO_USERS: &[&str] = &[
        "server",
        "servers",
        "nas",
        "fuse",
        "pod",
        "pods",
        "host",
        "hosts",
        "node",
        "nodes",
        "client",
        "clients",
        "guest",
        "machine",
        "machines",
        "computer",
        "computers",
    ];
    text::after_label(line, &["kernels", "openers"]).is_some_and(|rest| {
        let openers = text::after_label(rest, &["openers"]).unwrap_or(rest);
        let words: Vec<&str> = text::words(openers).take(40).collect();
        // "the program and a monitor"; "one client and the server" are two machines.
        let two = words.iter().enumerate().any(|(at, word)| {
            let beside = words.get(at + 1..).unwrap_or(&[]);
            *word == "and"
                && at > 0
                && !beside.is_empty()
                && !words.iter().any(|next| NO_USERS.contains(next))
        });
        let labelled = text::after_label(rest, &["openers"]).is_some();
        two && labelled || words.iter().any(|word| USERS.contains(word))
    })
}

/// "saved at the same moment a dashboard is renamed", "the scan runs while the server does": two
/// things of one program that write at once.
pub(super) fn coincides(said: &[Sentence<'_>]) -> bool {
    const WRITES: &[&str] = &[
        "save*",
        "writ*",
        "import*",
        "scan*",
        "sync*",
        "backup*",
        "refresh*",
        "updat*",
        "renam*",
        "insert*",
        "index*",
        "rate*",
        "download*",
        "upload*",
        "record*",
    ];
    said.iter().filter(|one| text::after_label(one.plain, &["app", "kernels"]).is_none()).any(
        |one| {
            let together = one.near(&["while"], WRITES, 4)
                || one.says(&["same moment", "at the time", "meanwhile"]);
            let many = one.near(&["many", "high", "heavy", "hundreds", "thousands"], WRITES, 3);
            (together || many)
                && one.has(WRITES)
                && !one.has(&["disk*", "storage", "pool", "share", "mount*", "container", "reader"])
                && !one.has(&["slow*", "throttl*", "snapshot*", "guest", "vm", "mode=ro"])
        },
    )
}

/// "two Ruby programs", "more than one process", and not "no other process".
fn sentence(sentence: &str) -> bool {
    const REACH: usize = 3;
    let words: Vec<&str> = text::words(sentence).take(120).collect();
    words.iter().enumerate().any(|(at, word)| {
        let near = words.get(at + 1..(at + 1 + REACH).min(words.len())).unwrap_or(&[]);
        let before = words.get(at.saturating_sub(2)..at).unwrap_or(&[]);
        let denied = before
            .iter()
            .any(|word| matches!(*word, "no" | "not" | "never" | "nor" | "any" | "without"));
        let several = SEVERAL.contains(word) || word.parse().is_ok_and(|count: u32| count > 1);
        several && !denied && near.iter().any(|next| USERS.contains(next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_programs_are_told_from_one() {
        for report in [
            "two Ruby programs access it",
            "when more than one process writes",
            "a pool of processes",
            "I start 50 goroutines",
            "separate connections are used",
            "kernels: openers: threads of one process",
        ] {
            assert!(found(&Text::new(report)), "{report}");
        }
        for report in ["no other process has it open", "one process", "the process has two threats"]
        {
            assert!(!found(&Text::new(report)), "{report}");
        }
    }
}

//! Finds talk of several programs, threads or connections that use one database.

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
    text::after_label(line, &["kernels", "openers"]).is_some_and(|rest| {
        let openers = text::after_label(rest, &["openers"]).unwrap_or(rest);
        text::words(openers).take(40).any(|word| USERS.contains(&word))
    })
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

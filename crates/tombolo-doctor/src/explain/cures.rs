//! Finds what a text says made the trouble go away: the cure tells the cause.

use super::text::{self, Text};

/// Openings of words that say that something helped.
const CURES: &[&str] = &[
    "solv",
    "fix",
    "cure",
    "curing",
    "help",
    "resolv",
    "workaround",
    "works",
    "worked",
    "disappear",
];

/// Options that keep locks from the server.
const WITHOUT_LOCKS: &[&str] = &["nobrl", "nolock", "local_lock", "locallocks", "localflock"];

/// Whether an option that keeps locks from the server made the trouble go away. It does so where
/// the server refuses or loses lock requests.
pub(super) fn without_locks(text: &Text) -> bool {
    sentences(text).any(|sentence| {
        WITHOUT_LOCKS.iter().any(|option| sentence.contains(option)) && opens(sentence, CURES)
    })
}

/// Whether a reboot of the machine that has the trouble makes it go away for a while.
pub(super) fn reboot(text: &Text) -> bool {
    const HELPS: &[&str] = &["clear", "help", "fix", "solv", "cure", "works", "gone", "resolv"];
    const OTHERS: &[&str] = &["server", "nas", "filer", "router", "host", "container"];
    sentences(text).any(|sentence| {
        sentence.contains("reboot")
            && opens(sentence, &["reboot"])
            && opens(sentence, HELPS)
            && !text::words(sentence).take(120).any(|word| OTHERS.contains(&word))
    })
}

/// Whether another program, or a fresh copy of the file, fails alike: nobody holds a lock on it.
pub(super) fn same_elsewhere(text: &Text) -> bool {
    const SAME: &[&str] = &["same error", "same way", "same problem", "same issue", "same message"];
    const OTHERS: &[&str] =
        &["command", "shell", "cli", "copy", "copied", "fresh", "new", "another", "different"];
    sentences(text).any(|sentence| {
        SAME.iter().any(|words| sentence.contains(words)) && opens(sentence, OTHERS)
    })
}

fn sentences(text: &Text) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split(". ").take(64))
}

fn opens(sentence: &str, list: &[&str]) -> bool {
    text::words(sentence).take(120).any(|word| list.iter().any(|stem| word.starts_with(stem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cure_is_told_from_a_setting() {
        assert!(without_locks(&Text::new("Mounting it with nobrl solved everything")));
        assert!(without_locks(&Text::new("as a workaround I use nolock")));
        assert!(!without_locks(&Text::new("//nas/s /mnt/s cifs nobrl,uid=0 0 0")));
        assert!(!without_locks(&Text::new("mounted nolock. Local files are fine")));
    }

    #[test]
    fn the_machine_that_is_rebooted_counts() {
        assert!(reboot(&Text::new("a reboot of the workstation clears it")));
        assert!(!reboot(&Text::new("since the NAS was rebooted nothing works")));
    }

    #[test]
    fn the_same_error_of_another_program() {
        assert!(same_elsewhere(&Text::new("the sqlite3 shell prints the same error")));
        assert!(!same_elsewhere(&Text::new("I get the same error every day")));
    }
}

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

/// Whether an option that keeps locks from the server is asked for: somebody knows that it would
/// help.
pub(super) fn without_locks_wanted(text: &Text) -> bool {
    const WISHES: &[&str] = &[
        "support",
        "add",
        "please",
        "allow",
        "request",
        "feature",
        "possible",
        "possibility",
        "wish",
        "would",
        "could",
    ];
    sentences(text).any(|sentence| {
        text::words(sentence).take(120).any(|word| WITHOUT_LOCKS.contains(&word))
            && (opens(sentence, WISHES)
                || ["option for", "option to", "way to"]
                    .iter()
                    .any(|words| sentence.contains(words)))
            && !sentence.replace("nolock=1", "").contains('=')
    })
}

/// Whether a change of the owner, the mode or the user made the trouble go away.
pub(super) fn by_owner(text: &Text) -> bool {
    const OWNERS: &[&str] =
        &["chown", "chmod", "owner", "puid", "pgid", "runasuser", "fsgroup", "permission"];
    const USERS: &[&str] = &["as root", "user id", "another uid", "different uid", "user: "];
    const GOES: &[&str] = &["go away", "goes away", "went away", "is gone", "was gone"];
    const STARTS: &[&str] = &["now", "that", "this", "then", "after", "and", "problem", "it"];
    let owner = |sentence: &str| {
        opens(sentence, OWNERS) || USERS.iter().any(|words| sentence.contains(words))
    };
    let cured = |sentence: &str| {
        (opens(sentence, CURES) || GOES.iter().any(|words| sentence.contains(words)))
            && !denies(sentence)
    };
    let mut previous = false;
    sentences(text).any(|sentence| {
        let names = owner(sentence);
        let first = text::words(sentence).next().unwrap_or("");
        let found = cured(sentence) && (names || previous && STARTS.contains(&first));
        previous = names && !denies(sentence);
        found
    })
}

/// "did not help", "still fails", "should be fixed".
fn denies(sentence: &str) -> bool {
    const DENIALS: &[&str] = &[
        "not", "no", "never", "nor", "neither", "still", "even", "without", "cannot", "should",
        "try", "if",
    ];
    let right = sentence.contains("permissions are");
    right
        || text::words(sentence)
            .take(120)
            .any(|word| DENIALS.contains(&word) || word.ends_with("n't") || word == "didnt")
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
    fn a_wish_for_an_option_is_told_from_a_setting() {
        assert!(without_locks_wanted(&Text::new("please add an option for nobrl")));
        assert!(without_locks_wanted(&Text::new("could it be opened with nolock=1?")));
        assert!(!without_locks_wanted(&Text::new("volume made with the nolock option")));
        assert!(!without_locks_wanted(&Text::new("//nas/s /mnt/s cifs nobrl,uid=0 0 0")));
    }

    #[test]
    fn a_cure_by_owner_is_told_from_a_try() {
        for report in [
            "chowning again resolved it",
            "fixed by chmod",
            "after changing owner it works",
            "I set PUID to 1000. Now it works",
        ] {
            assert!(by_owner(&Text::new(report)), "{report}");
        }
        for report in [
            "chmod 777 did not help",
            "it still fails after chown",
            "owner is root",
            "permissions are right, I fixed them",
        ] {
            assert!(!by_owner(&Text::new(report)), "{report}");
        }
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

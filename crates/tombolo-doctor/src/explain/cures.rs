//! Finds what a text says made the trouble go away: the cure tells the cause.

use super::sentence::Sentence;
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

/// What an option does that cures, besides these.
const LETS: &[&str] = &[
    "makes",
    "made",
    "lets",
    "let",
    "allows",
    "allowed",
    "starts",
    "started",
    "runs",
    "ran",
    "gone",
    "away",
    "fine",
    "needed",
    "necessary",
    "required",
    "succeeds",
    "succeeded",
    "boots",
    "saves",
    "stopped",
    "silenced",
    "brings",
    "saved",
    "removes",
    "ended",
    "clean",
    "succeed",
];

/// Options that keep locks from the server.
const WITHOUT_LOCKS: &[&str] = &[
    "nobrl",
    "nolock",
    "local_lock",
    "locallocks",
    "localflock",
    "nfs_filesystem",
    "unix-excl",
    "unix-dotfile",
];

/// Whether an option that keeps locks from the server made the trouble go away. It does so where
/// the server refuses or loses lock requests.
pub(super) fn without_locks(text: &Text) -> bool {
    sentences(text).any(|sentence| {
        WITHOUT_LOCKS.iter().any(|option| sentence.contains(option))
            && (opens(sentence, CURES)
                || text::words(sentence).take(120).any(|word| LETS.contains(&word)))
    })
}

/// Whether a page cache for the mount made the trouble go away: then it was a map that was refused.
pub(super) fn by_page_cache(text: &Text) -> bool {
    const CACHES: &[&str] = &[
        "cache=mmap",
        "cache=loose",
        "cache=fscache",
        "cache=auto",
        "cache=always",
        "cache.files=",
        "auto-full",
        "cachetype=",
        "without direct_io",
        "page cache on",
    ];
    const CHANGES: &[&str] = &["chang", "switch", "set to", "setting", "adding", "remount"];
    sentences(text).any(|sentence| {
        CACHES.iter().any(|option| sentence.contains(option))
            && (opens(sentence, CURES)
                || opens(sentence, CHANGES)
                || text::words(sentence).take(120).any(|word| LETS.contains(&word)))
            && !denies(sentence)
            && !sentence.contains("=off")
    })
}

/// Whether a reboot of the machine that has the trouble makes it go away for a while, or a restart
/// of the client's part of the lock service.
pub(super) fn reboot(text: &Text) -> bool {
    #[rustfmt::skip]
    const HELPS: &[&str] = &[
        "clear", "help", "fix", "solv", "cure", "works", "gone", "resolv", "away", "disappear",
        "releas", "vanish", "normal", "only",
    ];
    const SERVICES: &[&str] = &["rpcbind", "lockd", "statd", "nfs-client", "portmap"];
    const OTHERS: &[&str] = &["server", "nas", "filer", "router", "host", "container"];
    sentences(text).any(|sentence| {
        let reboots = opens(sentence, &["reboot", "power-cycl"])
            || opens(sentence, &["restart"])
                && (SERVICES.iter().any(|name| sentence.contains(name))
                    || sentence.contains("restart of the machine"));
        let begins = ["since ", "began", "started after"].iter().any(|w| sentence.contains(w));
        reboots
            && opens(sentence, HELPS)
            && !begins
            && !text::words(sentence).take(120).any(|word| OTHERS.contains(&word))
    })
}

/// Whether it began when a machine was started anew: what a server keeps of its clients' locks, or
/// the service itself, may not have come back.
pub(super) fn since_reboot(text: &Text) -> bool {
    const BEGAN: &[&str] = &["since", "after", "began", "started", "following"];
    const REBOOTS: &[&str] = &["reboot", "restarted", "restart", "power", "failover", "fail-over"];
    const MACHINES: &[&str] =
        &["node", "machine", "server", "nas", "client", "host", "filer", "cluster", "box"];
    sentences(text).any(|sentence| {
        opens(sentence, &["reboot"]) && opens(sentence, BEGAN) && !opens(sentence, &["again"])
            || opens(sentence, BEGAN)
                && opens(sentence, REBOOTS)
                && opens(sentence, MACHINES)
                && !opens(sentence, CURES)
    })
}

/// Whether it goes away when another program of the same machine is closed, or happens only while
/// that one runs.
pub(super) fn closing(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const CLOSES: &[&str] =
        &["clos*", "quit*", "quitting", "exit*", "kill*", "terminat*", "shut*", "stopping"];
    #[rustfmt::skip]
    const GOES: &[&str] = &[
        "away", "gone", "works", "worked", "fine", "solves", "solved", "fixes", "fixed", "helps",
        "helped", "releases", "unlocks", "vanishes", "disappears", "succeeds", "resolves",
    ];
    const RUNS: &[&str] = &["open", "running", "runs", "started", "active", "opened"];
    #[rustfmt::skip]
    const HOLDERS: &[&str] = &[
        "backup", "antivirus", "indexer", "browser", "scanner", "another", "viewer", "editor",
        "program", "chrome", "firefox",
    ];
    sentences.iter().any(|one| {
        let closed = one.near(CLOSES, GOES, 8) && !one.denies() && !one.has(&["reopen*"]);
        let only = one.says(&["only while", "only when", "as long as", "whenever"])
            && one.has(RUNS)
            && !one.has(&["container", "mount*", "share", "nfs", "smb"]);
        let holder = one.near(HOLDERS, &["exclusive*", "holds", "keeps", "locks"], 5)
            && !one.has(&["server", "nas", "share", "mount*"]);
        closed || only || holder && !one.denies()
    })
}

/// Whether every new file fails alike, and not only one that somebody may have open.
pub(super) fn new_files_fail(sentences: &[Sentence<'_>]) -> bool {
    const NEW: &[&str] = &["new", "newly", "fresh*", "brand-new", "empty", "any", "every"];
    const FILES: &[&str] = &["database*", "db", "file", "profile*", "catalogue*", "one"];
    #[rustfmt::skip]
    const ALIKE: &[&str] =
        &["also", "too", "same", "again", "likewise", "alike", "fails", "fail", "locked", "every"];
    sentences.iter().any(|one| {
        one.near(NEW, FILES, 3) && one.has(ALIKE) && !one.says(&["fresh install", "new version"])
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

/// Whether the same error comes on a local disk too: then it is not the place.
pub(super) fn same_on_local_disk(sentences: &[Sentence<'_>]) -> bool {
    const ALIKE: &[&str] = &["same", "also", "too", "likewise", "identical", "alike"];
    #[rustfmt::skip]
    const FAILS: &[&str] =
        &["error*", "fail*", "problem", "happens", "result", "message", "locked", "malformed",
        "fault*", "crash*"];
    let local = |one: &Sentence<'_>| {
        one.has(&["/tmp", "tmpfs", "ssd", "nvme", "laptop", "ramdisk"])
            || one.says(&["/tmp", "/dev/shm", "local disk", "local ext4", "local drive", "locally"])
    };
    const ELSEWHERE: &[&str] =
        &["not on smb", "not on nfs", "not on the share", "local mount", "postgres", "mysql"];
    sentences.iter().any(|one| {
        let told = local(one) && !one.denies() || one.says(ELSEWHERE);
        told && one.near(ALIKE, FAILS, 3) && !one.has(&["works", "fine"])
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
    const USERS: &[&str] = &[
        "read/write",
        "read and write for",
        "as root",
        "user id",
        "another uid",
        "different uid",
        "user: ",
    ];
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
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_cure_is_told_from_a_setting() {
        assert!(without_locks(&Text::new("Mounting it with nobrl solved everything")));
        assert!(without_locks(&Text::new("as a workaround I use nolock")));
        assert!(without_locks(&Text::new("adding nobrl makes it start")));
        assert!(without_locks(&Text::new("mounting with nolock lets it run")));
        assert!(without_locks(&Text::new("with nolock the message is gone")));
        assert!(!without_locks(&Text::new("//nas/s /mnt/s cifs nobrl,uid=0 0 0")));
        assert!(!without_locks(&Text::new("mounted nolock. Local files are fine")));
    }

    #[test]
    fn a_page_cache_that_cures() {
        assert!(by_page_cache(&Text::new("mount option changed to cache=mmap")));
        assert!(by_page_cache(&Text::new("with cache.files=auto-full it works")));
        assert!(!by_page_cache(&Text::new("cache=mmap did not help")));
        assert!(!by_page_cache(&Text::new("cache.files=off, works with other programs")));
        assert!(!by_page_cache(&Text::new("h /mnt/h 9p trans=virtio,cache=mmap 0 0")));
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
        for report in [
            "a reboot of the workstation clears it",
            "went away in the past after the machine was rebooted",
            "restarting rpcbind on the node releases the lock",
            "it was gone once I had rebooted the client",
        ] {
            assert!(reboot(&Text::new(report)), "{report}");
        }
        assert!(!reboot(&Text::new("since the NAS was rebooted nothing works")));
        assert!(!reboot(&Text::new("a restart of the app helps")));
        assert!(since_reboot(&Text::new("began after an upgrade and a reboot of the node")));
        assert!(since_reboot(&Text::new("since all nodes were rebooted it is locked")));
        assert!(!since_reboot(&Text::new("it began after an upgrade of the app")));
    }

    #[test]
    fn the_same_error_of_another_program() {
        assert!(same_elsewhere(&Text::new("the sqlite3 shell prints the same error")));
        assert!(!same_elsewhere(&Text::new("I get the same error every day")));
    }

    #[test]
    fn another_program_that_holds_the_lock() {
        let found = |report: &str| finds(closing, report);
        for report in [
            "goes away when the viewer is closed",
            "happens only while a diff viewer is open",
            "after quitting the browser it works",
            "killing the old process helped",
            "backup software opens the file exclusively at 02:00",
            "the browser holds its history open",
        ] {
            assert!(found(report), "{report}");
        }
        for report in ["closing the window does not help", "it fails when it is closed"] {
            assert!(!found(report), "{report}");
        }
    }

    #[test]
    fn new_files_that_fail_alike() {
        let found = |report: &str| finds(new_files_fail, report);
        assert!(found("every newly created history database fails to open again"));
        assert!(found("another pod with a new empty database gives the same message"));
        assert!(found("also a brand-new one is locked"));
        assert!(!found("a new version of the database driver"));
    }

    #[test]
    fn an_error_that_a_local_disk_gives_too() {
        let found = |report: &str| finds(same_on_local_disk, report);
        assert!(found("a copy in /tmp gives the same error"));
        assert!(found("fails on the local disk too: same message"));
        assert!(!found("on a local disk it works"));
        assert!(!found("the same error on another share"));
    }
}

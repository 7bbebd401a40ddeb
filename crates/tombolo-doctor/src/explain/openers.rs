//! How many kernels open the file, as far as a report tells.

use super::sign::FileSystem;
use super::text::{self, Text};
use serde::Serialize;

/// What a report says about the kernels that open the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernels {
    /// Nothing.
    #[default]
    NotTold,
    /// One.
    One,
    /// Perhaps more than one: "several login nodes possible".
    Maybe,
    /// Two or more.
    Several,
}

/// Whether a phrase such as "replicas: 3" was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phrase {
    Several,
    None,
}

/// Reads the report. `share` tells whether the two sides of a mount are two kernels, `phrase`
/// whether a phrase was found that says it in one piece.
pub(super) fn find(text: &Text, share: Option<FileSystem>, phrase: Phrase) -> Kernels {
    let mut told = Kernels::NotTold;
    let mut said = match phrase {
        Phrase::Several => Kernels::Several,
        Phrase::None => Kernels::NotTold,
    };
    for line in text.lines() {
        if let Some(count) = text::after_label(line, &["kernels", "openers", "kernels_opening"]) {
            let (count, labelled) = match text::after_label(count, &["kernels_opening"]) {
                Some(count) => (count, true),
                None => (count, line.contains("kernels_opening")),
            };
            if labelled {
                told = count_of(count);
            }
        }
        if !is_about_a_machine(line) && !line.contains("kernels_opening") {
            for sentence in line.split(". ").take(64) {
                said = strongest(said, quantities(sentence, share));
                said = strongest(said, pairs(sentence, share));
                said = strongest(said, overlapping(sentence));
                said = strongest(said, places(sentence));
            }
        }
    }
    match (told, said) {
        (Kernels::NotTold, said) => said,
        (Kernels::One, _) => Kernels::One,
        (Kernels::Maybe, Kernels::Several) => Kernels::Several,
        (told, _) => told,
    }
}

fn strongest(left: Kernels, right: Kernels) -> Kernels {
    let rank = |kernels| match kernels {
        Kernels::NotTold => 0,
        Kernels::One => 1,
        Kernels::Maybe => 2,
        Kernels::Several => 3,
    };
    if rank(right) > rank(left) { right } else { left }
}

/// Lines that only name the host or the guest, as `kernels: host: macOS`.
fn is_about_a_machine(line: &str) -> bool {
    text::after_label(line, &["kernels"])
        .is_some_and(|rest| text::after_label(rest, &["host", "guest"]).is_some())
}

/// `2`, `2+ over time`, `many`, `1 client + server`, `1-2`, `1 on linux, 2 on windows`.
fn count_of(count: &str) -> Kernels {
    let count = count.trim();
    let count = count.strip_prefix("up to ").unwrap_or(count);
    let first = count.split([' ', ',', ';']).next().unwrap_or("");
    if matches!(
        first,
        "many" | "several" | "two" | "three" | "ten" | "dozens" | "hundreds" | "multiple" | "both"
    ) {
        return Kernels::Several;
    }
    let number: u32 = first
        .split(|letter: char| !letter.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    let later = text::words(count).skip(1).any(|word| matches!(word, "2" | "3" | "many"));
    let hedged = ["more if", "or more", "or 2", "or two", "maybe", "perhaps", "possibl"]
        .iter()
        .any(|words| count.contains(words))
        || count.contains("may have more")
        || count.contains("if other");
    match number {
        0 => Kernels::NotTold,
        1 if first.contains('+') || first.contains('-') || hedged => Kernels::Maybe,
        1 if later && !count.contains("server") => Kernels::Several,
        1 => Kernels::One,
        _ => Kernels::Several,
    }
}

const QUANTITIES: &[&str] = &[
    "two",
    "three",
    "four",
    "several",
    "many",
    "multiple",
    "both",
    "all",
    "different",
    "other",
    "another",
    "second",
    "hundreds",
    "2",
    "3",
    "4",
    "5",
    "6",
    "8",
    "10",
    "16",
    "20",
    "32",
    "64",
    "various",
    "every",
    "separate",
    "dozens",
    "each",
    "between",
    "more",
    "across",
];

const MACHINES: &[&str] = &[
    "host",
    "hosts",
    "node",
    "nodes",
    "server",
    "servers",
    "machine",
    "machines",
    "computer",
    "computers",
    "pc",
    "pcs",
    "laptop",
    "laptops",
    "vm",
    "vms",
    "replica",
    "replicas",
    "kernels",
    "clients",
    "workstation",
    "workstations",
    "pods",
    "desktops",
    "guests",
    "instances",
    "sandboxes",
    "macs",
    "operating",
    "oses",
    "node's",
];

const HEDGES: &[&str] = &["possible", "possibly", "may", "might", "could", "perhaps", "can"];

/// "all clients", "several instances": programs or machines, as the file system tells.
const AMBIGUOUS: &[&str] = &["clients", "instances"];

/// "several workers, instances not told": what is counted are programs.
const PROGRAMS: &[&str] = &["workers", "processes", "threads", "programs", "sessions", "shells"];

/// "all kernels shut down": what notebooks call their processes.
const NOTEBOOK: &[&str] = &["all", "other", "every", "each", "many", "more"];

fn quantities(line: &str, share: Option<FileSystem>) -> Kernels {
    let shared = share.is_some_and(|kind| !kind.is_local());
    let words: Vec<&str> = text::words(line).take(400).collect();
    let open = ["not stated", "not told", "not said", "not given", "unknown"];
    let hedged = words.iter().any(|word| HEDGES.contains(word))
        || open.iter().any(|phrase| line.contains(phrase));
    let denied = |at: usize| {
        let before = words.get(at.saturating_sub(2)..at).unwrap_or(&[]);
        before
            .iter()
            .any(|word| matches!(*word, "no" | "not" | "never" | "without" | "nor" | "than"))
    };
    let found = words.iter().enumerate().any(|(at, word)| {
        let near = words.get(at + 1..(at + 4).min(words.len())).unwrap_or(&[]);
        let near = near.split(|next| PROGRAMS.contains(next)).next().unwrap_or(near);
        let counted = near.iter().enumerate().any(|(distance, next)| {
            MACHINES.contains(next)
                && !(*next == "kernels" && NOTEBOOK.contains(word))
                && (distance < 2 || next.ends_with('s'))
                && is_plural_or(word, next)
                && (shared || !AMBIGUOUS.contains(next))
        });
        QUANTITIES.contains(word) && counted && !denied(at)
    });
    match (found, hedged) {
        (true, true) => Kernels::Maybe,
        (true, false) => Kernels::Several,
        _ if words.windows(2).any(|pair| matches!(pair, ["one" | "single", "kernel"])) => {
            Kernels::One
        }
        _ => Kernels::NotTold,
    }
}

/// "another host" is a second machine, "all host" or "different server" alone are not.
fn is_plural_or(quantity: &str, noun: &str) -> bool {
    let singular = matches!(quantity, "another" | "second" | "other" | "every" | "each");
    if singular {
        !matches!(noun, "operating" | "instances")
    } else {
        noun.ends_with('s') || noun == "operating"
    }
}

/// "host and container", "Windows app + WSL app", "host writes, container reads".
fn pairs(line: &str, share: Option<FileSystem>) -> Kernels {
    if share.is_none_or(FileSystem::is_local) {
        return Kernels::NotTold;
    }
    const OUTSIDE: &[&str] =
        &["host", "windows", "mac", "macos", "laptop", "remote", "natively", "desktop"];
    const INSIDE: &[&str] =
        &["container", "guest", "vm", "wsl", "wsl2", "local", "linux", "containers"];
    const JOINS: &[&str] = &["and", "while", "also", "too", "both", "simultaneously", "reads"];
    const USES: &[&str] = &[
        "open",
        "opens",
        "opened",
        "opening",
        "writes",
        "write",
        "writing",
        "reads",
        "read",
        "reading",
        "process",
        "processes",
        "openers",
        "app",
        "script",
        "same",
        "use",
        "uses",
        "access",
        "runs",
        "client",
        "tool",
        "concurrently",
        "edit",
        "browse",
        "accessed",
        "running",
    ];
    let words: Vec<&str> = text::words(line).take(60).collect();
    let any = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let alone = words.iter().any(|word| {
        matches!(*word, "only" | "not" | "no" | "alone" | "never" | "fine" | "works" | "worked")
    });
    let joined = any(JOINS) || line.contains(" + ") || line.contains("; ");
    if any(OUTSIDE) && any(INSIDE) && any(USES) && joined && !alone {
        let hedged = words.iter().any(|word| HEDGES.contains(word));
        return if hedged { Kernels::Maybe } else { Kernels::Several };
    }
    Kernels::NotTold
}

/// "a new pod uses the same volume", "scales from 0 to 10 instances": programs that overlap, and
/// that a scheduler places where it likes.
fn overlapping(sentence: &str) -> Kernels {
    const PLACED: &[&str] = &["pod", "pods", "replica", "replicas", "instances", "tasks"];
    const MORE: &[&str] =
        &["new", "second", "another", "both", "old", "two", "several", "multiple"];
    const KEPT: &[&str] = &["volume", "database", "db", "file", "pvc", "claim", "share", "disk"];
    if !["pod", "replica", "instance", "task"].iter().any(|part| sentence.contains(part)) {
        return Kernels::NotTold;
    }
    let words: Vec<&str> = text::words(sentence).take(120).collect();
    let pair = |first: &[&str], second: &[&str]| {
        words.windows(2).any(
            |pair| matches!(pair, [left, right] if first.contains(left) && second.contains(right)),
        )
    };
    let overlaps = words.iter().any(|word| word.starts_with("overlap"));
    if pair(MORE, PLACED) && (overlaps || pair(&["same"], KEPT)) {
        return Kernels::Several;
    }
    let desired = words.windows(3).any(|three| {
        matches!(three, ["desired", "count", count]
            if count.parse::<u32>().is_ok_and(|count| count > 1))
    });
    if desired {
        return Kernels::Several;
    }
    let scales = words.iter().any(|word| matches!(*word, "scale" | "scales" | "scaled"));
    let many = words.windows(2).any(|pair| {
        matches!(pair, [count, noun]
            if count.parse::<u32>().is_ok_and(|count| count > 1) && PLACED.contains(noun))
    });
    if scales && many { Kernels::Several } else { Kernels::NotTold }
}

/// "opened on my laptop and on my desktop", "also runs on the NAS itself".
fn places(sentence: &str) -> Kernels {
    const PLACES: &[&str] =
        &["laptop", "desktop", "workstation", "pc", "notebook", "mac", "work", "home", "office"];
    const SERVERS: &[&str] = &["nas", "server", "filer"];
    if !["and ", "also", "both", "too"].iter().any(|part| sentence.contains(part)) {
        return Kernels::NotTold;
    }
    let words: Vec<&str> = text::words(sentence).take(120).collect();
    let at = |list: &[&str]| {
        let mut found: Vec<&str> = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let before = words.get(index.saturating_sub(2)..index).unwrap_or(&[]);
            let placed = before.iter().any(|word| matches!(*word, "on" | "at" | "from"));
            if placed && list.contains(word) && !found.contains(word) {
                found.push(word);
            }
        }
        found.len()
    };
    let joined = words.iter().any(|word| matches!(*word, "and" | "also" | "both" | "too"));
    let itself = words.iter().any(|word| matches!(*word, "itself" | "also"));
    let denied = words.iter().any(|word| matches!(*word, "works" | "not" | "only" | "never"));
    let several = joined && (at(PLACES) > 1 || itself && at(SERVERS) > 0);
    if several && !denied { Kernels::Several } else { Kernels::NotTold }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernels(report: &str) -> Kernels {
        find(&Text::new(report), Some(FileSystem::Virtiofs), Phrase::None)
    }

    #[test]
    fn counts_behind_the_label() {
        for (count, wanted) in [
            ("1 client + NFS server", Kernels::One),
            ("1 guest kernel + host", Kernels::One),
            ("2", Kernels::Several),
            ("2+ over time", Kernels::Several),
            ("up to 10 + server", Kernels::Several),
            ("many", Kernels::Several),
            ("1-2", Kernels::Maybe),
            ("1 on Linux, 2 on Windows/macOS", Kernels::Several),
            ("n/a (raft)", Kernels::NotTold),
        ] {
            assert_eq!(kernels(&format!("kernels: kernels_opening: {count}")), wanted, "{count}");
        }
    }

    #[test]
    fn prose_tells_several_kernels() {
        for report in [
            "two servers write to it",
            "openers: host process and container",
            "Three different nodes open the file",
            "host writes, container reads",
            "a second machine has it open",
            "the new pod starts and uses the same volume",
            "it scales from 0 to 10 instances",
            "I open it at work and at home",
            "the share is mounted here, and a job opens the file on the NAS itself",
        ] {
            assert_eq!(kernels(report), Kernels::Several, "{report}");
        }
    }

    #[test]
    fn one_kernel_is_not_taken_for_several() {
        for report in [
            "lsof on the host shows only the VM process holding the file",
            "kernels: host: Windows 10",
            "no other machine opens it",
            "the container runs on one host",
            "the share of the NAS is mounted on my laptop and used by one program",
            "works on my laptop and on the server of my friend, not here",
        ] {
            assert_ne!(kernels(report), Kernels::Several, "{report}");
        }
        assert_eq!(kernels("several login nodes possible"), Kernels::Maybe);
    }
}

//! Finds sentences in which `-wal` or `-shm` is parted from its database.

use super::text::{self, Text};

/// What happens to a sidecar that goes away while it is needed.
const REMOVALS: &[&str] = &[
    "delete",
    "remov",
    "unlink",
    "wiped",
    "erase",
    "purge",
    "cleaned",
    "stale",
    "leftover",
    "left-over",
    "outdated",
    "symlink",
    "symbolic",
];

/// Ways in which a database is put in place.
const PLACINGS: &[&str] = &[
    "restor",
    "copy",
    "copie",
    "replac",
    "overwrit",
    "overwrote",
    "install",
    "import",
    "swap",
    "rename",
    "renaming",
    "mov",
    "rm",
    "rsync",
    "upload",
    "download",
    "archiv",
    "backup",
    "back-up",
    "snapshot",
];

/// Words by which such a sentence says that a sidecar did not come along, or stayed.
const LEFT: &[&str] = &[
    "without", "not", "never", "only", "behind", "none", "forgot", "forgets", "ignores",
    "ignoring", "old", "previous", "still", "doesn't", "didn't", "remain", "remains", "stay",
    "stays", "left", "missing", "absent", "lacking",
];

/// Whether the text says that a sidecar was deleted, or stayed or was left when its database was
/// put in place.
pub(super) fn parted(text: &Text) -> bool {
    text.lines().any(|line| {
        let mut previous = "";
        line.split(". ").take(400).any(|sentence| {
            let found =
                parts(sentence) || main_file_only(previous, sentence) || stays(previous, sentence);
            previous = sentence;
            found
        })
    })
}

/// Whether the text says that a database was copied, backed up or replaced as one file, or under a
/// program that runs. In WAL mode that is a part of it.
pub(super) fn copied_alone(text: &Text) -> bool {
    const COPIES: &[&str] = &[
        "cop", "backup", "backs", "backed", "restor", "rsync", "cp", "scp", "mov", "snapshot",
        "replac", "overwr", "swap",
    ];
    const ALONE: &[&str] = &["only", "just", "alone"];
    const LIVE: &[&str] = &["while", "live", "hot", "running"];
    const FILES: &[&str] = &[".db", ".sqlite", "db file", "database file", "main file"];
    text.lines().flat_map(|line| line.split(". ").take(400)).any(|sentence| {
        let words = || text::words(sentence).take(80);
        let file = FILES.iter().any(|name| sentence.contains(name));
        let live = words().any(|word| LIVE.contains(&word));
        if sentence.contains("copied while") || sentence.contains("copied live") {
            return true;
        }
        let named = file || live && words().any(|word| matches!(word, "db" | "database"));
        named
            && (live || words().any(|word| ALONE.contains(&word)))
            && words().any(|word| COPIES.iter().any(|stem| word.starts_with(stem)))
    })
}

/// "commits stay in the -wal. The tool copies only the main file": in one sentence or two.
fn main_file_only(previous: &str, sentence: &str) -> bool {
    const ALONE: &[&str] =
        &["only", "simply", "just", "omit", "miss", "never", "without", "alone", "lack"];
    const MISSED: &[&str] =
        &["reside", "stay", "live", "lives", "touch", "miss", "newest", "recent", "lose", "lost"];
    let words: Vec<&str> = text::words(previous).chain(text::words(sentence)).take(160).collect();
    let opens =
        |list: &[&str]| words.iter().any(|word| list.iter().any(|stem| word.starts_with(stem)));
    (0..words.len()).any(|at| names_sidecar(&words, at))
        && opens(PLACINGS)
        && opens(ALONE)
        && opens(MISSED)
}

/// "the database was deleted, and its -wal and -shm were left": in one sentence or two.
fn stays(previous: &str, sentence: &str) -> bool {
    const STAYS: &[&str] = &[
        "left", "leftover", "stay", "stays", "stayed", "remain", "remains", "remained", "survive",
    ];
    if !STAYS.iter().any(|word| sentence.contains(word)) {
        return false;
    }
    let words: Vec<&str> = text::words(sentence).take(80).collect();
    (0..words.len()).any(|at| names_sidecar(&words, at))
        && words.iter().any(|word| STAYS.contains(word))
        && text::words(previous).chain(words.iter().copied()).take(160).any(|word| {
            word == "rm" || ["delet", "remov", "wiped"].iter().any(|stem| word.starts_with(stem))
        })
}

fn parts(sentence: &str) -> bool {
    if !(sentence.contains("wal") || sentence.contains("shm") || sentence.contains("sidecar")) {
        return false;
    }
    let words: Vec<&str> = text::words(sentence).take(80).collect();
    let opens =
        |list: &[&str]| words.iter().any(|word| list.iter().any(|stem| word.starts_with(stem)));
    let sidecar = (0..words.len()).any(|at| names_sidecar(&words, at));
    let left = words.iter().any(|word| LEFT.contains(word));
    // SQLite itself removes both files when the last connection closes (sqlite.org/wal.html).
    let closing = opens(&["clos", "quit", "exit"]);
    sidecar && (removed(&words) && !closing || opens(PLACINGS) && left)
}

/// `-wal`, `app.db-shm`, "the WAL file". "WAL" alone is a mode.
fn names_sidecar(words: &[&str], at: usize) -> bool {
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    let before = at.checked_sub(1).map_or("", word);
    match word(at) {
        "shm" | "sidecar" | "sidecars" => true,
        "wal" => {
            matches!(word(at + 1), "file" | "files" | "frames")
                || matches!(before, "stale" | "leftover" | "old" | "deleted")
        }
        name => name.ends_with("-wal") || name.ends_with("-shm"),
    }
}

/// A removal within a few words of the sidecar: "the -shm file was deleted", "delete the -wal".
fn removed(words: &[&str]) -> bool {
    const REACH: usize = 5;
    let denied = |at: usize| {
        let before = words.get(at.saturating_sub(2)..at).unwrap_or(&[]);
        before.iter().any(|word| matches!(*word, "not" | "never" | "don't" | "nobody" | "without"))
    };
    // DELETE by itself is a journal mode.
    let mode = |at: usize| {
        let next = words.get(at + 1).copied().unwrap_or("");
        words.get(at) == Some(&"delete")
            && !(next.starts_with('-') || matches!(next, "the" | "its" | "both" | "old"))
    };
    words.iter().enumerate().any(|(at, word)| {
        let removal = *word == "rm" || REMOVALS.iter().any(|stem| word.starts_with(stem));
        let mut reach = at.saturating_sub(REACH)..(at + REACH + 1).min(words.len());
        removal && !denied(at) && !mode(at) && reach.any(|near| names_sidecar(words, near))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_that_part_a_database_from_its_sidecars() {
        for report in [
            "the backup tool deletes the -shm file while the app runs",
            "restore copies only the main file, the row lives in the -wal",
            "the new file is installed but the old -wal stays behind",
            "new rows stay in the -wal file. The tool copied only the main file",
            "export simply copies the db file, but recent rows reside in app.db-wal",
            "db-shm was removed by a cron job",
            "cron does rm -f /srv/*.db-wal",
            "a stale WAL is replayed over the fresh file",
        ] {
            assert!(parted(&Text::new(report)), "{report}");
        }
    }

    #[test]
    fn copies_of_one_file_are_seen() {
        for report in [
            "cron copies only app.db",
            "cp notes.sqlite /backup while the bot runs",
            "the database was replaced while the server had it open",
            "copied while the recorder runs",
        ] {
            assert!(copied_alone(&Text::new(report)), "{report}");
        }
        for report in ["I copied the database to a local disk", "a single database is enough"] {
            assert!(!copied_alone(&Text::new(report)), "{report}");
        }
    }

    #[test]
    fn mentions_of_a_sidecar_are_not_enough() {
        for report in [
            "PRAGMA journal_mode=WAL fails with disk I/O error",
            "mmap of db-shm failed",
            "do not delete the -wal",
            "we moved the database to NFS. WAL is on",
            "WAL was removed from the options; rows are deleted",
            "journal_mode is DELETE now and was WAL before, -shm is not there",
        ] {
            assert!(!parted(&Text::new(report)), "{report}");
        }
    }
}

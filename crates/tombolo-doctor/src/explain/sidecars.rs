//! Finds sentences in which `-wal` or `-shm` is parted from its database.

use super::sentence::Sentence;
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
    "gone",
    "vanish",
    "disappear",
    "zeroed",
    "emptied",
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
    "clone",
    "commit",
    "git",
    "upload",
    "download",
    "archiv",
    "backup",
    "back-up",
    "snapshot",
    "tar",
    "zip",
    "borg",
    "restic",
];

/// Words by which such a sentence says that a sidecar did not come along, or stayed.
const LEFT: &[&str] = &[
    "without",
    "not",
    "never",
    "only",
    "behind",
    "leaving",
    "leaves",
    "none",
    "forgot",
    "forgets",
    "ignores",
    "ignoring",
    "old",
    "previous",
    "still",
    "doesn't",
    "didn't",
    "remain",
    "remains",
    "stay",
    "stays",
    "left",
    "missing",
    "absent",
    "lacking",
    "excludes",
    "excluded",
    "excluding",
    "skips",
    "skipped",
    "omits",
    "omitted",
    "ignored",
    "gitignore",
];

/// Whether the text says that a sidecar was deleted, or stayed or was left when its database was
/// put in place.
pub(super) fn parted(text: &Text) -> bool {
    let mut previous = "";
    text.lines().any(|line| {
        line.split(". ").take(400).any(|sentence| {
            let found = replayed(sentence)
                || parts(sentence)
                || main_file_only(previous, sentence)
                || stays(previous, sentence);
            previous = sentence;
            found
        })
    })
}

/// "the .db file only, and a -wal beside it", "the database is a link into another home": what
/// belongs together is not taken together.
pub(super) fn taken_apart(sentences: &[Sentence<'_>]) -> bool {
    let wal = sentences.iter().any(|one| one.says(&["-wal"]));
    wal && sentences.iter().any(|one| {
        let main = one.near(&["only", "alone"], &["main", "file", "bytes", "db"], 3)
            && one.has(&["load*", "read*", "move*", "remov*", "delet*", "copie*", "copy", "takes"])
            && !one.has(&["read-only", "readonly", "opened"]);
        let link = one.has(&["symlink*", "symbolic", "hardlink*"]);
        let rows = one.says(&["exist only in", "only in the"]) && one.says(&["-wal"]);
        let former = one.says(&["-wal"])
            && one.has(&["former", "old", "previous", "stale", "leftover", "orphan*"])
            && !one.has(&["rows", "page*"]);
        main || link || rows || former
    })
}

/// Whether the text says that a database was copied, backed up or replaced as one file, or under a
/// program that runs. In WAL mode that is a part of it.
pub(super) fn copied_alone(text: &Text) -> bool {
    const COPIES: &[&str] = &[
        "cop", "backup", "backs", "backed", "restor", "rsync", "cp", "scp", "mov", "snapshot",
        "replac", "overwr", "swap", "tar", "zip", "archiv", "export", "dump", "download", "upload",
    ];
    const ALONE: &[&str] = &["only", "just", "alone"];
    const LIVE: &[&str] = &["while", "live", "hot", "running"];
    const FILES: &[&str] = &[".db", ".sqlite", "db file", "database file", "main file"];
    // Copying by these takes one file, whatever belongs to it.
    const TOOLS: &[&str] = &[
        "fs::copy",
        "shutil.copy",
        "file.copy",
        "copyfile",
        "plain copy",
        "robocopy",
        "io.copy",
        "fs.copy",
        "files.copy",
        "simple copy",
        "file copy",
    ];
    text.lines().flat_map(|line| line.split(". ").take(400)).any(|sentence| {
        if TOOLS.iter().any(|tool| sentence.contains(tool)) {
            return true;
        }
        let words = || text::words(sentence).take(80);
        let by_tool = words().any(|word| matches!(word, "cp" | "scp" | "rsync" | "robocopy"));
        if by_tool && (sentence.contains("*.db") || sentence.contains("*.sqlite")) {
            return true;
        }
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

/// "a hard link in each release directory", "two -wal files in two directories": by two names one
/// database has two sets of sidecars (sqlite.org/howtocorrupt.html, "Multiple links to the same
/// file").
pub(super) fn two_names(sentences: &[Sentence<'_>]) -> bool {
    sentences.iter().any(|one| {
        let linked = one.near(&["hard", "hardlink*", "hard-link*"], &["link*", "hardlink*"], 1)
            || one.has(&["hardlink*", "hard-link*"])
            || one.says(&["link count 2", "multiple links"]);
        let two =
            one.near(&["two", "both"], &["-wal", "-shm"], 2) && one.has(&["director*", "files"]);
        (linked || two) && !one.denies()
    })
}

/// "only /data/feed.sqlite is mounted, the folder is not".
pub(super) fn file_mounted(sentences: &[Sentence<'_>]) -> bool {
    const ENDINGS: &[&str] = &[".db ", ".sqlite ", ".sqlite3 ", ".db,", ".sqlite,", "file "];
    const ALONE: &[&str] = &["only", "just", "single", "alone", "solely"];
    const FOLDER: &[&str] = &["the folder is not", "the directory is not", "not the folder"];
    const DIRECTORY: &[&str] = &["not the directory", "not its directory", "not its folder"];
    sentences.iter().any(|one| {
        let file = ENDINGS.iter().any(|ending| one.plain.contains(ending));
        let mounted = one.near(ALONE, &["mounted", "mount", "mounts", "bind-mounted"], 6);
        let data = one.says(&["db", "sqlite", "database"]);
        file && data
            && one.has(&["mount*", "bind*"])
            && (mounted && !one.denies() || one.says(FOLDER) || one.says(DIRECTORY))
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
        "still", "kept", "lie", "lying",
    ];
    const OF_BEFORE: &[&str] = &["former", "previous", "old", "earlier", "other"];
    if !STAYS.iter().any(|word| sentence.contains(word)) {
        return false;
    }
    let words: Vec<&str> = text::words(sentence).take(80).collect();
    (0..words.len()).any(|at| names_sidecar(&words, at))
        && words.iter().any(|word| STAYS.contains(word))
        && (words.iter().any(|word| OF_BEFORE.contains(word))
            || text::words(previous).chain(words.iter().copied()).take(160).any(|word| {
                word == "rm"
                    || ["delet", "remov", "wiped"].iter().any(|stem| word.starts_with(stem))
            }))
}

/// "the write-ahead log of the former generation is replayed".
fn replayed(sentence: &str) -> bool {
    const OF_BEFORE: &[&str] =
        &["former", "previous", "old", "earlier", "stale", "foreign", "other"];
    const APPLIES: &[&str] = &["replay*", "applied", "applies", "recovered", "rolled", "merged"];
    let sentence = Sentence::of(sentence);
    sentence.says(&["wal", "write-ahead"]) && sentence.has(OF_BEFORE) && sentence.has(APPLIES)
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
    let closing = opens(&["clos", "quit", "exit", "shutdown"]);
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
        // "-shm: stale data" says nothing of the sidecar's place.
        let stale = ["stale", "outdated", "leftover", "left-over"].contains(word);
        let from = if stale { at } else { at.saturating_sub(REACH) };
        let mut reach = from..(at + REACH + 1).min(words.len());
        removal && !denied(at) && !mode(at) && reach.any(|near| names_sidecar(words, near))
    })
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
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
            "tar of the data directory excludes *-wal",
            "a stale WAL is replayed over the fresh file",
            "after a backup run the -wal is zero bytes and the -shm file is gone",
            "-wal and -shm of the former file stay there",
            "app.db-wal and app.db-shm of the old one are still there",
            "the write-ahead log of the former generation is replayed into it",
            "app.db-wal of the old generation remains after the update",
            "the -wal vanished while the server was running",
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
    fn a_mounted_file_is_told_from_a_mounted_folder() {
        let found = |report: &str| finds(file_mounted, report);
        assert!(found("only /data/feed.sqlite is mounted, the folder is not"));
        assert!(found("we bind-mount app.db , not its directory"));
        assert!(found("just the database file is mounted"));
        assert!(!found("the folder with app.db is mounted"));
        assert!(!found("only one host mounts the share"));
    }

    #[test]
    fn mentions_of_a_sidecar_are_not_enough() {
        for report in [
            "PRAGMA journal_mode=WAL fails with disk I/O error",
            "mmap of db-shm failed",
            "index.db-shm: stale data after a crash",
            "do not delete the -wal",
            "we moved the database to NFS. WAL is on",
            "WAL was removed from the options; rows are deleted",
            "journal_mode is DELETE now and was WAL before, -shm is not there",
        ] {
            assert!(!parted(&Text::new(report)), "{report}");
        }
    }

    #[test]
    fn one_database_by_two_names() {
        let found = |report: &str| finds(two_names, report);
        assert!(found("the file is hardlinked into the new release"));
        assert!(found("a hard link to the database of the old release"));
        assert!(found("there are two -wal files in two directories"));
        assert!(!found("there are no hard links"));
    }
}

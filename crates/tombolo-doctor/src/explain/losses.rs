//! Finds sentences in which data that were written are not there any more.

use super::sentence::{DENIALS, Sentence, is};

#[rustfmt::skip]
const DATA: &[&str] = &[
    "row", "rows", "record", "records", "entry", "entries", "data", "setting", "settings",
    "change", "changes", "write", "writes", "transaction*", "commit", "commits", "history",
    "message", "messages", "note", "notes", "account", "accounts", "users", "item", "items",
    "update", "updates", "insert", "inserts", "events", "bookmarks", "contacts", "edits", "jobs",
    "days", "hours", "weeks", "hour", "week", "tables", "table", "value", "values", "list",
    "progress", "sessions", "orders",
];

#[rustfmt::skip]
const GONE: &[&str] = &[
    "missing", "lost", "lose", "loses", "losing", "gone", "vanish*", "disappear*", "absent",
    "reappear*", "reverted", "reverts", "unsaved", "forgotten", "forgets", "wiped", "lacks",
    "lacking", "dropped",
];

/// "rows are missing after a while", "yesterday's notes come back", "settings are not kept".
pub(super) fn found(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const SAID: &[&str] = &[
        "not there", "not kept", "not saved", "not stored", "not persist", "not show up",
        "not seen",
        "not appear", "rolled back", "come back", "comes back", "came back", "show up again",
        "never appear", "not arrive", "go back to", "goes back to", "fall back to",
    ];
    // Lost are also locks, power, connections and other people's files.
    #[rustfmt::skip]
    const OTHERS: &[&str] = &[
        "permission*", "package*", "column*", "index", "file", "files", "module*", "lock*",
        "connection*", "entitlement*", "such", "header*", "type", "would", "could", "might", "may",
        "risk", "unless", "if", "avoid", "power", "schema",
    ];
    sentences.iter().any(|one| {
        let gone = one.places(GONE).any(|at| {
            let from = at.saturating_sub(7);
            let to = (at + 5).min(one.words.len());
            let near = one.words.get(from..to).unwrap_or(&[]);
            let before = one.before(at, 3);
            near.iter().any(|word| is(word, DATA)) && !before.iter().any(|word| is(word, DENIALS))
        });
        let said = one.has(DATA) && one.says(SAID);
        let path = one.says(&["data/", "tables/", "list/"]);
        (gone || said) && !path && !one.has(OTHERS)
    })
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn data_that_are_gone() {
        let found = |report: &str| finds(found, report);
        for report in [
            "rows are missing after a while",
            "settings are not kept",
            "yesterday's notes come back after each start",
            "half of the records had vanished",
            "the newest entries are absent",
            "updates of one side disappear",
            "queue entries vanish",
            "notes of one machine do not show up on the other",
        ] {
            assert!(found(report), "{report}");
        }
        for report in [
            "no data were lost",
            "the column is missing",
            "write lock lost",
            "we fear that data might be lost",
            "it is not there",
            "permission to change settings is missing",
        ] {
            assert!(!found(report), "{report}");
        }
    }
}

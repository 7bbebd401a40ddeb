//! Finds versions of one product that are told apart by what they do.

use super::{CHANGES, DRIVERS, is_version, names, opens, program_versions, says};
use crate::explain::text::{self, Text};

/// Whether two versions of one product are told apart by what they do: "6.9 corrupts, gone with
/// 6.11". Those of the program and of SQLite do not count.
pub(super) fn versions_differ(text: &Text) -> bool {
    #[rustfmt::skip]
    const TURNS: &[&str] = &[
        "fine", "ok", "works", "worked", "right", "clean", "gone", "fixes", "fixed", "cures",
        "cured", "cure", "passes", "unaffected", "good", "correct", "answers", "mends", "solves",
        "solved", "shows", "not", "upgrade", "upgraded", "update", "updated", "downgrade",
        "downgraded",
    ];
    if began_with_its_version(text) {
        return true;
    }
    let program = program_versions(text);
    let of_program = |line: &&str| text::after_label(line, &["app", "application"]).is_none();
    let mut versions: Vec<(&str, bool)> = Vec::new();
    for line in text.lines().filter(of_program).take(512) {
        if DRIVERS.iter().any(|driver| names(line, driver)) || line.contains("sqlite") {
            continue;
        }
        let turns = says(line, TURNS);
        versions.extend(product_versions(line).map(|version| (version, turns)).take(16));
        versions.truncate(64);
    }
    let major = |version: &str| version.split('.').next().unwrap_or("").to_owned();
    versions.iter().any(|(one, turns)| {
        *turns
            && !program.contains(&major(one).as_str())
            && versions.iter().any(|(other, _)| other != one && major(other) == major(one))
    })
}

/// "filesystem: ChunkFS 4.2.1" here, "began with the upgrade to 4.2.1" there.
fn began_with_its_version(text: &Text) -> bool {
    const BEGAN: &[&str] =
        &["began", "since", "after", "from", "started", "until", "broke", "with"];
    let place = |line| text::after_label(line, &["filesystem", "file system", "mount", "storage"]);
    let own: Vec<&str> = text.lines().filter_map(place).flat_map(product_versions).collect();
    text.lines().filter(|line| place(line).is_none()).any(|line| {
        says(line, BEGAN)
            && opens(line, CHANGES)
            && product_versions(line).any(|version| own.contains(&version))
    })
}

/// Versions in a passage: `6.8.0-40`, `v1.10`, and no times, sizes or protocols.
fn product_versions(passage: &str) -> impl Iterator<Item = &str> {
    const UNITS: &[&str] =
        &["s", "ms", "sec", "seconds", "min", "minutes", "mb", "gb", "kb", "mib", "gib", "%", "h"];
    let words: Vec<&str> = passage.split_whitespace().take(120).collect();
    let marks: &[char] = &[',', ';', ':', '(', ')', '\'', '"', '.'];
    (0..words.len()).filter_map(move |at| {
        let word = words.get(at)?.trim_matches(marks).trim_start_matches('v');
        let next = words.get(at + 1).map_or("", |word| word.trim_matches(marks));
        let number = word.split(['-', '/', '+']).next().unwrap_or(word);
        (is_version(number) && !UNITS.contains(&next)).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_of_one_product() {
        let differ = |report: &str| versions_differ(&Text::new(report));
        assert!(differ("filesystem: zfs 2.1.4\nblocks of zeros\n2.1.9 is clean"));
        assert!(differ("filesystem: zfs 2.1.4\nnone since the upgrade to 2.1.9"));
        assert!(differ("linux 5.19 shows holes, 5.15 is right"));
        assert!(differ("filesystem: blobfs 4.2.1\nbegan with the update to 4.2.1"));
        assert!(!differ("app: shop 2.1\n2.0 works, 2.1 fails"));
        assert!(!differ("a commit takes 0.2 s, 0.3 s with sync, that is fine"));
        assert!(!differ("sqlite 3.40.1 works, sqlite 3.7.2 fails"));
        assert!(!differ("10.0.0.4 works"));
    }
}

//! Which SQLite a program contains, by the name of its source code.
//!
//! `sqlite3_sourceid()` returns the time of a check-in and its hash, such as `2022-12-28 14:03:47
//! df5c253c0b3d...` (<https://sqlite.org/c3ref/c_source_id.html>). The text stands in every program
//! and library that contains SQLite, stripped or not, so it is found by looking at their bytes. The
//! number of the version stands there too, and looks like that of anything else.

use super::version::SqliteVersion;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes of the longest source id: time, space, 64 digits of SHA3-256. Pieces of a file that are
/// searched one by one have to overlap by this much.
pub const SOURCE_ID_BYTES_MAX: usize = TIME_BYTES + 1 + 64;

/// Time and version of every release since 3.7.6, the newest first: the entries `SQLITE_SOURCE_ID`
/// of <https://sqlite.org/changes.html>.
const RELEASES: &str = include_str!("releases.txt");

const TIME_BYTES: usize = "2022-12-28 14:03:47".len();

/// The shortest hash (SHA1, 40 digits) without its last four digits: SQLite's own scripts write
/// `alt1` there when the source was changed after the check-in (`tool/mksourceid.c`).
const DIGITS_MIN: usize = 36;

/// Distinct ids reported of one piece of a file.
const IDS_MAX: usize = 16;

/// The first version with WAL, 3.7.0.
const FIRST_WITH_WAL: &str = "2010-07-21";

/// In this month the fix of the WAL-reset bug went into the trunk and the branches; which check-ins
/// between the releases have it cannot be told by their time.
const MONTH_OF_THE_FIX: &str = "2026-03";

/// The time of a check-in of SQLite's source code, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct SourceId {
    time: String,
}

/// Whether a build of SQLite has the WAL-reset bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalResetBug {
    /// It has; unless a distributor put the fix into the old version.
    Present,
    /// It has not.
    Absent,
    /// Its source does not tell.
    NotTold,
}

impl SourceId {
    /// The release, if this is one.
    #[must_use]
    pub fn version(&self) -> Option<SqliteVersion> {
        let release = RELEASES.lines().find_map(|line| line.strip_prefix(&self.time))?;
        release.trim().parse().ok()
    }

    /// Whether it has the bug that [`SqliteVersion::has_wal_reset_bug`] is about.
    #[must_use]
    pub fn wal_reset_bug(&self) -> WalResetBug {
        if let Some(version) = self.version() {
            return match version.has_wal_reset_bug() {
                true => WalResetBug::Present,
                false => WalResetBug::Absent,
            };
        }
        match self.time.as_str() {
            time if time < FIRST_WITH_WAL => WalResetBug::Absent,
            time if time < MONTH_OF_THE_FIX => WalResetBug::Present,
            // Later check-ins of an old branch may lack the fix.
            _ => WalResetBug::NotTold,
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version() {
            Some(version) => version.fmt(formatter),
            None => write!(formatter, "a build of {}", self.time.get(..10).unwrap_or(&self.time)),
        }
    }
}

/// The source ids in a piece of a file, in the order of time, each once.
#[must_use]
pub fn find(bytes: &[u8]) -> Vec<SourceId> {
    let mut found: Vec<SourceId> = Vec::new();
    let mut next = 0;
    // A hash has at least this many digits in a row, so one of them stands at one of these places.
    for at in (0..bytes.len()).step_by(DIGITS_MIN) {
        if at < next || !bytes.get(at).is_some_and(is_digit) {
            continue;
        }
        let behind = bytes.get(at..).unwrap_or_default();
        next = at + behind.iter().take_while(|byte| is_digit(byte)).count();
        let id = bytes.get(..next).and_then(ending_in_hash);
        if let Some(id) = id.filter(|id| !found.contains(id)) {
            found.push(id);
            if found.len() == IDS_MAX {
                break;
            }
        }
    }
    found.sort();
    found
}

fn is_digit(byte: &u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)
}

/// The id whose hash ends the bytes.
fn ending_in_hash(bytes: &[u8]) -> Option<SourceId> {
    let digits = bytes.iter().rev().take(65).take_while(|byte| is_digit(byte)).count();
    if !(DIGITS_MIN..=64).contains(&digits) {
        return None;
    }
    let (before, _) = bytes.split_at_checked(bytes.len() - digits)?;
    let time = before.strip_suffix(b" ")?;
    let time = time.get(time.len().checked_sub(TIME_BYTES)?..)?;
    let pattern = b"2ddd-dd-dd dd:dd:dd";
    let fits = time.iter().zip(pattern).all(|(byte, expected)| match expected {
        b'd' => byte.is_ascii_digit(),
        expected => byte == expected,
    });
    fits.then(|| SourceId { time: String::from_utf8_lossy(time).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "df5c253c0b3dd24916e4ec7cf77d3db5294cc9fd45ae7b9c5e82ad8197f38a24";

    fn one(time: &str) -> SourceId {
        let found = find(format!("{time} {HASH}").as_bytes());
        assert_eq!(found.len(), 1, "{time}");
        found[0].clone()
    }

    #[test]
    fn releases_are_known_by_their_time() {
        assert_eq!(one("2022-12-28 14:03:47").to_string(), "3.40.1");
        assert_eq!(one("2026-03-13 10:38:09").to_string(), "3.51.3");
        assert_eq!(one("2022-12-29 00:00:00").to_string(), "a build of 2022-12-29");
    }

    #[test]
    fn every_release_of_the_list_is_a_version_and_the_list_is_in_order() {
        let times: Vec<&str> = RELEASES.lines().filter_map(|line| line.get(..19)).collect();
        assert!(times.windows(2).all(|pair| pair[0] > pair[1]));
        for time in times {
            assert!(one(time).version().is_some(), "{time}");
        }
    }

    #[test]
    fn the_wal_reset_bug_is_told_by_release_and_by_time() {
        for (time, expected) in [
            ("2009-09-11 00:00:00", WalResetBug::Absent),
            ("2022-12-28 14:03:47", WalResetBug::Present),
            ("2025-08-01 00:00:00", WalResetBug::Present),
            ("2026-01-09 17:27:48", WalResetBug::Present),
            ("2026-03-06 00:00:00", WalResetBug::NotTold),
            ("2026-03-13 10:38:09", WalResetBug::Absent),
            ("2026-05-01 00:00:00", WalResetBug::NotTold),
        ] {
            assert_eq!(one(time).wal_reset_bug(), expected, "{time}");
        }
    }

    #[test]
    fn ids_are_found_wherever_they_stand_and_said_once() {
        let debian = format!("2022-12-28 14:03:47 {}alt1\0", &HASH[..60]);
        let fts5 = format!("fts5: 2022-12-28 14:03:47 {HASH}\0");
        let sha1 = format!("x2017-02-13 16:02:40 {}y", &HASH[..40]);
        for shift in 0..DIGITS_MIN {
            let text = format!("{}{debian}{fts5}{sha1}", "a".repeat(shift));
            let found: Vec<_> = find(text.as_bytes()).iter().map(SourceId::to_string).collect();
            assert_eq!(found, ["3.17.0", "3.40.1"], "{shift}");
        }
    }

    #[test]
    fn what_is_no_id_is_not_found() {
        for text in [
            String::new(),
            HASH.to_owned(),
            format!(" {HASH}"),
            format!("2022-12-28T14:03:47 {HASH}"),
            format!("2022-12-28 14:03:47 {}", &HASH[..35]),
            format!("2022-12-28 14:03:47 {HASH}0"),
            format!("2022-12-2x 14:03:47 {HASH}"),
        ] {
            assert_eq!(find(text.as_bytes()), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = find(&bytes);
        }

        #[test]
        fn near_valid_input_does_not_panic(text in "[0-9a-f :-]{0,300}") {
            let _ = find(text.as_bytes());
        }
    }
}

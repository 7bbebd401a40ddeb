//! Version numbers of the SQLite library, and the bug that is told by them.

use std::fmt;
use std::str::FromStr;

/// A version as `SQLITE_VERSION_NUMBER` writes it: 3051003 for 3.51.3
/// (<https://sqlite.org/c3ref/c_source_id.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqliteVersion(u32);

impl SqliteVersion {
    /// From the number; a database keeps it at offset 96 of its header.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        SqliteVersion(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Whether it has the WAL-reset bug: two connections that checkpoint and commit at the same
    /// moment can lose commits or damage the database, on any file system. From 3.7.0, the first
    /// with WAL, to 3.51.2; the fix was also put into 3.50.7 and 3.44.6
    /// (<https://sqlite.org/wal.html#walresetbug>).
    #[must_use]
    pub const fn has_wal_reset_bug(self) -> bool {
        match self.0 {
            3_044_006..=3_044_999 | 3_050_007..=3_050_999 => false,
            number => 3_007_000 <= number && number < 3_051_003,
        }
    }
}

impl fmt::Display for SqliteVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0 / 1_000_000, self.0 / 1000 % 1000, self.0 % 1000)
    }
}

/// The text is not a version of SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version of SQLite such as 3.51.3")]
pub struct NotAVersion;

impl FromStr for SqliteVersion {
    type Err = NotAVersion;

    /// Reads `3.51.3`, `3.51`, and `3.7.17.1` as releases before 3.9 were patched (the fourth part
    /// has no place in the number and is left out).
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut parts = [0_u32; 4];
        let mut count = 0;
        for part in text.split('.') {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let number = part.parse().ok().filter(|number| digits && *number < 1000);
            *parts.get_mut(count).ok_or(NotAVersion)? = number.ok_or(NotAVersion)?;
            count += 1;
        }
        match parts {
            [3, minor, patch, _] if count >= 2 => {
                Ok(SqliteVersion(3_000_000 + minor * 1000 + patch))
            }
            _ => Err(NotAVersion),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree_both_ways() {
        for (text, number) in [("3.51.3", 3_051_003), ("3.7.0", 3_007_000), ("3.45.1", 3_045_001)] {
            let version: SqliteVersion = text.parse().unwrap();
            assert_eq!((version.number(), version.to_string().as_str()), (number, text));
        }
        assert_eq!("3.51".parse(), Ok(SqliteVersion(3_051_000)));
        assert_eq!("3.7.17.1".parse(), Ok(SqliteVersion(3_007_017)));
        for text in ["", "3", "3.", "3..1", "2.8.17", "3.1000.0", "3.+1.0", "3.1.2.3.4", "3.a.0"] {
            assert_eq!(text.parse::<SqliteVersion>(), Err(NotAVersion), "{text}");
        }
    }

    #[test]
    fn the_wal_reset_bug_is_told_by_version() {
        for (text, expected) in [
            ("3.6.23", false),
            ("3.7.0", true),
            ("3.40.1", true),
            ("3.44.5", true),
            ("3.44.6", false),
            ("3.45.0", true),
            ("3.50.6", true),
            ("3.50.7", false),
            ("3.51.0", true),
            ("3.51.2", true),
            ("3.51.3", false),
            ("3.52.0", false),
            ("3.54.1", false),
        ] {
            let version: SqliteVersion = text.parse().unwrap();
            assert_eq!(version.has_wal_reset_bug(), expected, "{text}");
        }
    }
}

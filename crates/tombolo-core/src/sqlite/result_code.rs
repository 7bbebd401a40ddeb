//! Result codes of SQLite, primary and extended (`sqlite3.h` of 3.54; sqlite.org/rescode.html).
//!
//! The low byte of an extended code is its primary code; the bytes above tell which call failed.
//! Most programs print only the message of the primary code: "disk I/O error" stands for more than
//! thirty failures, of which each points elsewhere.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use std::fmt;

/// A result code that SQLite defines.
///
/// 1. The number is one of [`ResultCode::all`]; no other number can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResultCode(u16);

/// Every code with its name, by primary code.
const TABLE: &[(u16, &str)] = &[
    (0, "SQLITE_OK"),
    (256, "SQLITE_OK_LOAD_PERMANENTLY"),
    (512, "SQLITE_OK_SYMLINK"),
    (1, "SQLITE_ERROR"),
    (257, "SQLITE_ERROR_MISSING_COLLSEQ"),
    (513, "SQLITE_ERROR_RETRY"),
    (769, "SQLITE_ERROR_SNAPSHOT"),
    (1025, "SQLITE_ERROR_RESERVESIZE"),
    (1281, "SQLITE_ERROR_KEY"),
    (1537, "SQLITE_ERROR_UNABLE"),
    (2, "SQLITE_INTERNAL"),
    (3, "SQLITE_PERM"),
    (4, "SQLITE_ABORT"),
    (516, "SQLITE_ABORT_ROLLBACK"),
    (5, "SQLITE_BUSY"),
    (261, "SQLITE_BUSY_RECOVERY"),
    (517, "SQLITE_BUSY_SNAPSHOT"),
    (773, "SQLITE_BUSY_TIMEOUT"),
    (6, "SQLITE_LOCKED"),
    (262, "SQLITE_LOCKED_SHAREDCACHE"),
    (518, "SQLITE_LOCKED_VTAB"),
    (7, "SQLITE_NOMEM"),
    (8, "SQLITE_READONLY"),
    (264, "SQLITE_READONLY_RECOVERY"),
    (520, "SQLITE_READONLY_CANTLOCK"),
    (776, "SQLITE_READONLY_ROLLBACK"),
    (1032, "SQLITE_READONLY_DBMOVED"),
    (1288, "SQLITE_READONLY_CANTINIT"),
    (1544, "SQLITE_READONLY_DIRECTORY"),
    (9, "SQLITE_INTERRUPT"),
    (10, "SQLITE_IOERR"),
    (266, "SQLITE_IOERR_READ"),
    (522, "SQLITE_IOERR_SHORT_READ"),
    (778, "SQLITE_IOERR_WRITE"),
    (1034, "SQLITE_IOERR_FSYNC"),
    (1290, "SQLITE_IOERR_DIR_FSYNC"),
    (1546, "SQLITE_IOERR_TRUNCATE"),
    (1802, "SQLITE_IOERR_FSTAT"),
    (2058, "SQLITE_IOERR_UNLOCK"),
    (2314, "SQLITE_IOERR_RDLOCK"),
    (2570, "SQLITE_IOERR_DELETE"),
    (2826, "SQLITE_IOERR_BLOCKED"),
    (3082, "SQLITE_IOERR_NOMEM"),
    (3338, "SQLITE_IOERR_ACCESS"),
    (3594, "SQLITE_IOERR_CHECKRESERVEDLOCK"),
    (3850, "SQLITE_IOERR_LOCK"),
    (4106, "SQLITE_IOERR_CLOSE"),
    (4362, "SQLITE_IOERR_DIR_CLOSE"),
    (4618, "SQLITE_IOERR_SHMOPEN"),
    (4874, "SQLITE_IOERR_SHMSIZE"),
    (5130, "SQLITE_IOERR_SHMLOCK"),
    (5386, "SQLITE_IOERR_SHMMAP"),
    (5642, "SQLITE_IOERR_SEEK"),
    (5898, "SQLITE_IOERR_DELETE_NOENT"),
    (6154, "SQLITE_IOERR_MMAP"),
    (6410, "SQLITE_IOERR_GETTEMPPATH"),
    (6666, "SQLITE_IOERR_CONVPATH"),
    (6922, "SQLITE_IOERR_VNODE"),
    (7178, "SQLITE_IOERR_AUTH"),
    (7434, "SQLITE_IOERR_BEGIN_ATOMIC"),
    (7690, "SQLITE_IOERR_COMMIT_ATOMIC"),
    (7946, "SQLITE_IOERR_ROLLBACK_ATOMIC"),
    (8202, "SQLITE_IOERR_DATA"),
    (8458, "SQLITE_IOERR_CORRUPTFS"),
    (8714, "SQLITE_IOERR_IN_PAGE"),
    (8970, "SQLITE_IOERR_BADKEY"),
    (9226, "SQLITE_IOERR_CODEC"),
    (11, "SQLITE_CORRUPT"),
    (267, "SQLITE_CORRUPT_VTAB"),
    (523, "SQLITE_CORRUPT_SEQUENCE"),
    (779, "SQLITE_CORRUPT_INDEX"),
    (12, "SQLITE_NOTFOUND"),
    (13, "SQLITE_FULL"),
    (14, "SQLITE_CANTOPEN"),
    (270, "SQLITE_CANTOPEN_NOTEMPDIR"),
    (526, "SQLITE_CANTOPEN_ISDIR"),
    (782, "SQLITE_CANTOPEN_FULLPATH"),
    (1038, "SQLITE_CANTOPEN_CONVPATH"),
    (1294, "SQLITE_CANTOPEN_DIRTYWAL"),
    (1550, "SQLITE_CANTOPEN_SYMLINK"),
    (15, "SQLITE_PROTOCOL"),
    (16, "SQLITE_EMPTY"),
    (17, "SQLITE_SCHEMA"),
    (18, "SQLITE_TOOBIG"),
    (19, "SQLITE_CONSTRAINT"),
    (275, "SQLITE_CONSTRAINT_CHECK"),
    (531, "SQLITE_CONSTRAINT_COMMITHOOK"),
    (787, "SQLITE_CONSTRAINT_FOREIGNKEY"),
    (1043, "SQLITE_CONSTRAINT_FUNCTION"),
    (1299, "SQLITE_CONSTRAINT_NOTNULL"),
    (1555, "SQLITE_CONSTRAINT_PRIMARYKEY"),
    (1811, "SQLITE_CONSTRAINT_TRIGGER"),
    (2067, "SQLITE_CONSTRAINT_UNIQUE"),
    (2323, "SQLITE_CONSTRAINT_VTAB"),
    (2579, "SQLITE_CONSTRAINT_ROWID"),
    (2835, "SQLITE_CONSTRAINT_PINNED"),
    (3091, "SQLITE_CONSTRAINT_DATATYPE"),
    (20, "SQLITE_MISMATCH"),
    (21, "SQLITE_MISUSE"),
    (22, "SQLITE_NOLFS"),
    (23, "SQLITE_AUTH"),
    (279, "SQLITE_AUTH_USER"),
    (24, "SQLITE_FORMAT"),
    (25, "SQLITE_RANGE"),
    (26, "SQLITE_NOTADB"),
    (27, "SQLITE_NOTICE"),
    (283, "SQLITE_NOTICE_RECOVER_WAL"),
    (539, "SQLITE_NOTICE_RECOVER_ROLLBACK"),
    (795, "SQLITE_NOTICE_RBU"),
    (28, "SQLITE_WARNING"),
    (284, "SQLITE_WARNING_AUTOINDEX"),
    (100, "SQLITE_ROW"),
    (101, "SQLITE_DONE"),
];

impl ResultCode {
    /// SQLITE_ERROR.
    pub const ERROR: ResultCode = ResultCode(1);
    /// SQLITE_ERROR_SNAPSHOT.
    pub const ERROR_SNAPSHOT: ResultCode = ResultCode(769);
    /// SQLITE_BUSY.
    pub const BUSY: ResultCode = ResultCode(5);
    /// SQLITE_BUSY_SNAPSHOT.
    pub const BUSY_SNAPSHOT: ResultCode = ResultCode(517);
    /// SQLITE_LOCKED.
    pub const LOCKED: ResultCode = ResultCode(6);
    /// SQLITE_READONLY.
    pub const READONLY: ResultCode = ResultCode(8);
    /// SQLITE_READONLY_DBMOVED.
    pub const READONLY_DBMOVED: ResultCode = ResultCode(1032);
    /// SQLITE_IOERR.
    pub const IOERR: ResultCode = ResultCode(10);
    /// SQLITE_CORRUPT.
    pub const CORRUPT: ResultCode = ResultCode(11);
    /// SQLITE_FULL.
    pub const FULL: ResultCode = ResultCode(13);
    /// SQLITE_CANTOPEN.
    pub const CANTOPEN: ResultCode = ResultCode(14);
    /// SQLITE_PROTOCOL.
    pub const PROTOCOL: ResultCode = ResultCode(15);
    /// SQLITE_MISUSE.
    pub const MISUSE: ResultCode = ResultCode(21);
    /// SQLITE_NOTADB.
    pub const NOTADB: ResultCode = ResultCode(26);

    /// Every code that SQLite defines.
    pub fn all() -> impl Iterator<Item = ResultCode> {
        TABLE.iter().map(|entry| ResultCode(entry.0))
    }

    /// The code of this number, if SQLite defines it.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let number = u16::try_from(number).ok()?;
        TABLE.iter().any(|entry| entry.0 == number).then_some(ResultCode(number))
    }

    /// The code of this name, such as `SQLITE_IOERR_SHMMAP`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|entry| entry.1 == name).map(|entry| ResultCode(entry.0))
    }

    /// The number, such as 5386.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The primary code: the low byte.
    #[must_use]
    pub const fn primary(self) -> Self {
        ResultCode(self.0 & 0xff)
    }

    /// Whether it tells more than its primary code.
    #[must_use]
    pub const fn is_extended(self) -> bool {
        self.0 > 0xff
    }

    /// The name in `sqlite3.h`, such as `SQLITE_IOERR_SHMMAP`.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|entry| entry.0 == self.0).map_or("", |entry| entry.1)
    }

    /// What `sqlite3_errstr` says, in SQLite's own spelling; one message for a whole family.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match (self.0, self.0 & 0xff) {
            (516, _) => "abort due to ROLLBACK",
            (_, 0) => "not an error",
            (_, 1) => "SQL logic error",
            (_, 3) => "access permission denied",
            (_, 4) => "query aborted",
            (_, 5) => "database is locked",
            (_, 6) => "database table is locked",
            (_, 7) => "out of memory",
            (_, 8) => "attempt to write a readonly database",
            (_, 9) => "interrupted",
            (_, 10) => "disk I/O error",
            (_, 11) => "database disk image is malformed",
            (_, 12) => "unknown operation",
            (_, 13) => "database or disk is full",
            (_, 14) => "unable to open database file",
            (_, 15) => "locking protocol",
            (_, 17) => "database schema has changed",
            (_, 18) => "string or blob too big",
            (_, 19) => "constraint failed",
            (_, 20) => "datatype mismatch",
            (_, 21) => "bad parameter or other API misuse",
            (_, 23) => "authorization denied",
            (_, 25) => "column index out of range",
            (_, 26) => "file is not a database",
            (_, 27) => "notification message",
            (_, 28) => "warning message",
            (_, 100) => "another row available",
            (_, 101) => "no more rows available",
            _ => "unknown error",
        }
    }
}

impl fmt::Display for ResultCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}, {})", self.name(), self.0, self.message())
    }
}

impl Serialize for ResultCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ResultCode", 3)?;
        object.serialize_field("code", &self.0)?;
        object.serialize_field("name", self.name())?;
        object.serialize_field("message", self.message())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn names_and_numbers_agree_both_ways() {
        for code in ResultCode::all() {
            assert_eq!(ResultCode::from_name(code.name()), Some(code));
            assert_eq!(ResultCode::from_number(u32::from(code.number())), Some(code));
            assert!(ResultCode::all().any(|other| other == code.primary()), "{code}");
        }
        assert_eq!(ResultCode::from_number(9999), None);
        assert_eq!(ResultCode::from_number(u32::MAX), None);
    }

    #[test]
    fn numbers_are_those_of_the_bundled_header() {
        for (name, number) in [
            ("SQLITE_IOERR_SHMMAP", ffi::SQLITE_IOERR_SHMMAP),
            ("SQLITE_IOERR_SHMOPEN", ffi::SQLITE_IOERR_SHMOPEN),
            ("SQLITE_IOERR_LOCK", ffi::SQLITE_IOERR_LOCK),
            ("SQLITE_IOERR_DELETE_NOENT", ffi::SQLITE_IOERR_DELETE_NOENT),
            ("SQLITE_IOERR_SHORT_READ", ffi::SQLITE_IOERR_SHORT_READ),
            ("SQLITE_READONLY_DBMOVED", ffi::SQLITE_READONLY_DBMOVED),
            ("SQLITE_PROTOCOL", ffi::SQLITE_PROTOCOL),
            ("SQLITE_DONE", ffi::SQLITE_DONE),
        ] {
            let code = ResultCode::from_name(name).expect(name);
            assert_eq!(i32::from(code.number()), number, "{name}");
        }
    }

    #[test]
    fn an_extended_code_keeps_the_message_of_its_family() {
        let code = ResultCode::from_number(5386).expect("defined");
        assert_eq!(code.primary(), ResultCode::IOERR);
        assert!(code.is_extended());
        assert_eq!(code.to_string(), "SQLITE_IOERR_SHMMAP (5386, disk I/O error)");
    }
}

//! Finds SQLite's result codes: names, numbers in their usual surroundings, messages.

use super::text::{self, Text};
use tombolo_core::sqlite::result_code::ResultCode;

/// Codes kept; a report that names more is a list of codes.
const CODES_KEPT: usize = 16;

/// Every code that the text names, the most telling first: extended before primary, in the order
/// of the text.
pub(super) fn find(text: &Text) -> Vec<ResultCode> {
    let mut codes = Vec::new();
    for line in text.lines() {
        for code in
            names(line).chain(numbers(line)).chain(messages(line)).chain(said_readonly(line))
        {
            if !codes.contains(&code) && codes.len() < CODES_KEPT {
                codes.push(code);
            }
        }
    }
    if codes.is_empty() {
        codes.extend(text.lines().find_map(paraphrase));
    }
    let told: Vec<ResultCode> =
        codes.iter().filter(|code| code.is_extended()).map(|code| code.primary()).collect();
    codes.retain(|code| code.is_extended() || !told.contains(code));
    codes.sort_by_key(|code| !code.is_extended());
    codes
}

/// `SQLITE_IOERR_SHMMAP`, also without the prefix where the rest is unmistakable.
fn names(line: &str) -> impl Iterator<Item = ResultCode> {
    text::words(line)
        .filter(|word| word.contains('_') || word.starts_with("ioerr"))
        .filter_map(|word| {
            let word = word.trim_matches('\'').to_ascii_uppercase();
            match ResultCode::from_name(&word) {
                Some(code) => Some(code),
                None if word.starts_with("IOERR") || word.starts_with("CANTOPEN_") => {
                    ResultCode::from_name(&format!("SQLITE_{word}"))
                }
                None => None,
            }
        })
        .filter(|code| code.number() != 0 && code.number() < 0x8000)
}

/// Words before a number that make it a result code.
const NUMBER_LABELS: &[&str] = &[
    "sqlite error",
    "general error",
    "code",
    "rc",
    "err",
    "errno",
    "error code",
    "extended code",
    "sqlite_error_code",
    "errorcode",
    "result code",
    "sqliteexception",
    "statement",
    "ext",
    "extendederrorcode",
    "sqlite[s",
    "errcode",
    "primary code",
    "status",
    "error",
];

fn numbers(line: &str) -> impl Iterator<Item = ResultCode> {
    let sqlite = is_about_sqlite(line);
    let opens = opens_file(line);
    let kernel = ["[errno", "os error"].iter().filter_map(|label| line.find(label)).min();
    let kernel = kernel.filter(|_| !line.contains("code"));
    digits(line).filter_map(move |(at, number, end)| {
        let code = ResultCode::from_number(number).or_else(|| newer(line, number))?;
        let before = line
            .get(..at)
            .unwrap_or("")
            .trim_end_matches([' ', '(', '=', ':', '#', '\'', '"', '[']);
        let after = line.get(end..).unwrap_or("");
        let message = after.trim_start_matches([')', ']', ' ', ':', ',', '\'', '"', '-', '*', '/']);
        let named = sqlite && NUMBER_LABELS.iter().any(|label| before.ends_with(label));
        let spoken = message.starts_with(code.message());
        let bracketed = sqlite
            && line.get(..at).is_some_and(|text| text.ends_with('(') || text.ends_with('['))
            && after.starts_with([')', ']']);
        let alone =
            number > 0xff && code.is_extended() && telling(number) && standing_alone(line, at, end);
        // `out of memory (14)`: the message of one code and the number of another, as a driver
        // prints that asks a closed handle for its message. The number is right.
        let renumbered = after.starts_with(')') && says_a_message(before);
        let sane = !matches!(number, 0 | 1 | 22 | 100 | 101);
        // `errno 37` and the like are the kernel's numbers, unless SQLite's message stands by.
        let of_kernel = kernel.is_some_and(|from| from < at) || opens && number != 14;
        let told = named || spoken || bracketed || alone || renumbered;
        (sane && !of_kernel && told).then_some(code)
    })
}

/// "failed to open x.db due to error (13)": the kernel's number.
fn opens_file(line: &str) -> bool {
    ["failed to open", "cannot open", ") open("].iter().any(|words| line.contains(words))
        && !line.contains("code")
}

/// Whether a passage ends in a message of SQLite.
fn says_a_message(before: &str) -> bool {
    ResultCode::all()
        .filter(|code| !code.is_extended() && code.number() != 0)
        .any(|code| code.message().len() > 8 && before.ends_with(code.message()))
}

/// An extended code that is newer than the table stands for its family.
fn newer(line: &str, number: u32) -> Option<ResultCode> {
    let extends = (0x100..0x2800).contains(&number) && line.contains("code");
    let family = ResultCode::from_number(number & 0xff)?;
    let known = [
        ResultCode::BUSY,
        ResultCode::READONLY,
        ResultCode::IOERR,
        ResultCode::CORRUPT,
        ResultCode::CANTOPEN,
    ];
    (extends && is_about_sqlite(line) && known.contains(&family)).then_some(family)
}

/// Numbers that hardly mean anything else, wherever they stand.
fn telling(number: u32) -> bool {
    matches!(number, 5386 | 4618 | 4874 | 5130 | 3850 | 5898 | 6410 | 8714 | 8458 | 6154 | 3594)
}

fn standing_alone(line: &str, start: usize, end: usize) -> bool {
    let before = line.get(..start).and_then(|text| text.chars().next_back());
    let after = line.get(end..).and_then(|text| text.chars().next());
    let joins = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '/' | '-' | '_');
    !before.is_some_and(joins)
        && !after.is_some_and(|letter| letter.is_alphanumeric() || letter == '/')
}

/// Runs of at most five digits that stand for themselves: offset, value, end.
fn digits(line: &str) -> impl Iterator<Item = (usize, u32, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = line.get(at..)?;
            let start = at + rest.find(|letter: char| letter.is_ascii_digit())?;
            let run = line.get(start..)?;
            let length = run.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(run.len());
            at = start + length;
            let before = line.get(..start)?;
            // Subversion prints `sqlite[S10]: disk I/O error`.
            let joined = before.chars().next_back().is_some_and(char::is_alphanumeric)
                && !before.ends_with("sqlite[s");
            if length <= 5 && !joined {
                return Some((start, run.get(..length)?.parse().ok()?, at));
            }
        }
    })
}

fn is_about_sqlite(line: &str) -> bool {
    const WORDS: &[&str] = &[
        "sqlite",
        "disk i/o error",
        "database",
        "sqlstate",
        "general error",
        "wal",
        "rc=",
        "pragma",
        "statement",
    ];
    WORDS.iter().any(|word| line.contains(word))
}

/// Messages of `sqlite3_errstr`, and how wrappers spell them.
const MESSAGES: &[(&str, ResultCode)] = &[
    ("database is locked", ResultCode::BUSY),
    ("database locked", ResultCode::BUSY),
    ("db is locked", ResultCode::BUSY),
    ("db was locked", ResultCode::BUSY),
    ("database gets locked", ResultCode::BUSY),
    ("database was locked", ResultCode::BUSY),
    ("locked database", ResultCode::BUSY),
    ("database file is locked", ResultCode::BUSY),
    ("database is busy", ResultCode::BUSY),
    ("database busy", ResultCode::BUSY),
    ("db locked", ResultCode::BUSY),
    ("db is busy", ResultCode::BUSY),
    ("sqlite busy", ResultCode::BUSY),
    ("database being locked", ResultCode::BUSY),
    ("database lock", ResultCode::BUSY),
    ("database table is locked", ResultCode::LOCKED),
    ("sqlite_busy", ResultCode::BUSY),
    ("disk i/o error", ResultCode::IOERR),
    ("disk io error", ResultCode::IOERR),
    ("disk i/o failure", ResultCode::IOERR),
    ("i/o error on database", ResultCode::IOERR),
    ("sqlite_ioerr", ResultCode::IOERR),
    ("malformed", ResultCode::CORRUPT),
    ("error code 11", ResultCode::CORRUPT),
    ("file is not a database", ResultCode::NOTADB),
    ("file is encrypted or is not a database", ResultCode::NOTADB),
    ("unable to open database", ResultCode::CANTOPEN),
    ("unable to open the database", ResultCode::CANTOPEN),
    ("could not open database file", ResultCode::CANTOPEN),
    ("cannot open database file", ResultCode::CANTOPEN),
    ("locking protocol", ResultCode::PROTOCOL),
    ("readonly database", ResultCode::READONLY),
    ("database is read only", ResultCode::READONLY),
    ("database is read-only", ResultCode::READONLY),
    ("database is readonly", ResultCode::READONLY),
    ("db is read only", ResultCode::READONLY),
    ("db is read-only", ResultCode::READONLY),
    ("read-only database", ResultCode::READONLY),
    ("database or disk is full", ResultCode::FULL),
    ("database schema is locked", ResultCode::LOCKED),
    // Haskell, Rust, Ruby and Firefox name the code instead of printing the message.
    ("errorbusy", ResultCode::BUSY),
    ("errorio ", ResultCode::IOERR),
    ("errorcorrupt", ResultCode::CORRUPT),
    ("errorcan'topen", ResultCode::CANTOPEN),
    ("errorprotocol", ResultCode::PROTOCOL),
    ("errorlocked", ResultCode::LOCKED),
    ("errorreadonly", ResultCode::READONLY),
    ("errorfull", ResultCode::FULL),
    ("errornotadatabase", ResultCode::NOTADB),
    // Go: `sqlite3.ErrBusy`.
    ("errbusy", ResultCode::BUSY),
    ("errioerr", ResultCode::IOERR),
    ("errcorrupt", ResultCode::CORRUPT),
    ("errcantopen", ResultCode::CANTOPEN),
    ("errnotadb", ResultCode::NOTADB),
    // Android and apsw name the class of the exception.
    ("fullexception", ResultCode::FULL),
    ("diskioexception", ResultCode::IOERR),
    ("lockedexception", ResultCode::BUSY),
    ("cantopendatabaseexception", ResultCode::CANTOPEN),
    ("readonlydatabaseexception", ResultCode::READONLY),
    ("apsw.busyerror", ResultCode::BUSY),
    ("apsw.ioerror", ResultCode::IOERR),
    ("apsw.corrupterror", ResultCode::CORRUPT),
    ("apsw.cantopenerror", ResultCode::CANTOPEN),
    ("apsw.readonlyerror", ResultCode::READONLY),
    ("apsw.fullerror", ResultCode::FULL),
    ("apsw.notadberror", ResultCode::NOTADB),
    // Apple's frameworks.
    ("nssqliteerrordomain=5 ", ResultCode::BUSY),
    ("nssqliteerrordomain=8 ", ResultCode::READONLY),
    ("nssqliteerrordomain=10", ResultCode::IOERR),
    ("nssqliteerrordomain=11", ResultCode::CORRUPT),
    ("nssqliteerrordomain=13", ResultCode::FULL),
    ("nssqliteerrordomain=14", ResultCode::CANTOPEN),
    ("nssqliteerrordomain=26", ResultCode::NOTADB),
    ("databasebusy", ResultCode::BUSY),
    ("systemiofailure", ResultCode::IOERR),
    ("databasecorrupt", ResultCode::CORRUPT),
    ("notadatabase", ResultCode::NOTADB),
    ("filelockingprotocolfailed", ResultCode::PROTOCOL),
    ("busyexception", ResultCode::BUSY),
    ("sqlite3::ioexception", ResultCode::IOERR),
    ("corruptexception", ResultCode::CORRUPT),
    ("cantopenexception", ResultCode::CANTOPEN),
    ("readonlyexception", ResultCode::READONLY),
    ("ns_error_storage_busy", ResultCode::BUSY),
    ("ns_error_storage_ioerr", ResultCode::IOERR),
    ("ns_error_file_corrupted", ResultCode::CORRUPT),
    ("ns_error_file_read_only", ResultCode::READONLY),
    ("ns_error_file_no_device_space", ResultCode::FULL),
    ("is not a database", ResultCode::NOTADB),
    ("not a valid sqlite", ResultCode::NOTADB),
    ("database file appears to be locked", ResultCode::BUSY),
    ("database appears to be locked", ResultCode::BUSY),
    ("databases are locked", ResultCode::BUSY),
    ("database is currently locked", ResultCode::BUSY),
    ("database in use", ResultCode::BUSY),
    ("database is in use", ResultCode::BUSY),
    ("could not open the database", ResultCode::CANTOPEN),
    ("cannot open database", ResultCode::CANTOPEN),
    ("can't open database", ResultCode::CANTOPEN),
    ("failed to open database", ResultCode::CANTOPEN),
    ("failed to open the database", ResultCode::CANTOPEN),
    ("read only database", ResultCode::READONLY),
];

fn messages(line: &str) -> impl Iterator<Item = ResultCode> {
    // `unable to open database "app.db": disk I/O error`: the message behind the path is the one.
    let wrapped = line
        .split_once("unable to open database \"")
        .and_then(|(_, rest)| rest.split_once("\": "))
        .is_some_and(|(_, message)| !message.contains("unable to open"));
    MESSAGES
        .iter()
        .filter(move |(words, code)| {
            line.contains(words) && !(wrapped && *code == ResultCode::CANTOPEN)
        })
        .map(|(_, code)| *code)
}

/// "the database is now readonly", "database became read-only".
fn said_readonly(line: &str) -> Option<ResultCode> {
    let said = ["readonly", "read-only", "read only"].iter().any(|words| {
        line.match_indices(words).take(16).any(|(at, _)| is_state(line.get(..at).unwrap_or("")))
    });
    said.then_some(ResultCode::READONLY)
}

/// Whether `before` ends in "the database is now", so that what follows is a state of the database
/// and not the way in which it is opened.
pub(super) fn is_state(before: &str) -> bool {
    const BECOMES: &[&str] = &[
        "is", "was", "became", "becomes", "become", "turned", "turns", "goes", "went", "gets",
        "got", "remains", "stays", "marked",
    ];
    const BETWEEN: &[&str] =
        &["now", "suddenly", "still", "always", "again", "as", "file", "in", "a", "to"];
    let mut becomes = false;
    for word in text::words(text::tail(before, 80)).rev() {
        if BECOMES.contains(&word) {
            becomes = true;
        } else if !BETWEEN.contains(&word) {
            return becomes && matches!(word, "database" | "db");
        }
    }
    false
}

/// "cannot open wake.db", "IO errors of sqlite": the message in other words.
fn paraphrase(line: &str) -> Option<ResultCode> {
    const OPENS: &[&str] = &[
        "cannot open ",
        "can't open ",
        "could not open ",
        "couldn't open ",
        "can not open ",
        "unable to open ",
        "failed to open ",
    ];
    let about = |words: &[&str]| words.iter().any(|word| line.contains(word));
    let other = about(&["locked", "busy", "i/o error", "io error", "malformed", "corrupt"]);
    if about(OPENS) && !other && about(&[".db", "database", "sqlite"]) {
        return Some(ResultCode::CANTOPEN);
    }
    let lockable = !about(&["device", "phone", "not locked", "account", "user is locked"]);
    if line.contains("is locked") && lockable && about(&["sqlite", "database"])
        || line.contains("is busy") && about(&["sqlite", "database"])
    {
        return Some(ResultCode::BUSY);
    }
    let io = about(&["i/o error", "io error", "ioerror"]) && !about(&["[errno", "os error"]);
    (io && line.contains("sqlite")).then_some(ResultCode::IOERR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers_of(report: &str) -> Vec<u16> {
        find(&Text::new(report)).into_iter().map(ResultCode::number).collect()
    }

    #[test]
    fn codes_are_found_as_each_language_prints_them() {
        let table: &[(&str, &[u16])] = &[
            ("SQLite Error 5: 'database is locked'.", &[5]),
            ("sqlite3.OperationalError: disk I/O error", &[10]),
            ("{ errno: 5, code: 'SQLITE_BUSY' }", &[5]),
            ("code: 'SQLITE_IOERR_SHMOPEN'", &[4618]),
            ("[SQLITE_BUSY]  The database file is locked", &[5]),
            ("SQLSTATE[HY000]: General error: 10 disk I/O error", &[10]),
            ("SQLSTATE[HY000] [14] unable to open database file", &[14]),
            ("error returned from database: (code: 5386) disk I/O error", &[5386]),
            ("disk I/O error (5386)", &[5386]),
            ("disk I/O error (10)", &[10]),
            ("SqliteFailure(Error { code: SystemIoFailure, extended_code: 5386 }, None)", &[5386]),
            ("(5386) disk I/O error", &[5386]),
            ("Error: in prepare, database is locked (5)", &[5]),
            ("database disk image is malformed (11)", &[11]),
            ("sqlite: (15) locking protocol", &[15]),
            ("err(522) SQLITE_IOERR_SHORT_READ", &[522]),
            ("Caused by: IOERR_LOCK", &[3850]),
            ("svn: E200030: sqlite[S10]: disk I/O error", &[10]),
            ("SQLite3 returned ErrorIO while attempting to perform step", &[10]),
            ("any sqlite file that I make is locked", &[5]),
            ("The database is now readonly", &[8]),
            ("the DB file suddenly became read-only", &[8]),
            ("Error code 522 (SQLITE_IOERR_SHORT_READ)", &[522]),
            ("out of memory (14)", &[14]),
            ("failed to open /x/app.db due to error (13)", &[14]),
            ("SQLiteException: unknown error (code 1806): Could not open database", &[14]),
        ];
        for (report, codes) in table {
            assert_eq!(numbers_of(report), *codes, "{report}");
        }
    }

    #[test]
    fn other_numbers_are_no_codes() {
        for report in [
            "OSError: [Errno 5] Input/output error",
            "15 pods were started on 10 nodes",
            "port 5386/tcp is open, version 1.4618.2",
            "took 11 s",
            "line 14: nothing",
        ] {
            assert_eq!(numbers_of(report), [0_u16; 0], "{report}");
        }
    }

    #[test]
    fn an_extended_code_replaces_its_family() {
        assert_eq!(numbers_of("disk I/O error\nextended code 3850 of sqlite"), [3850]);
    }
}

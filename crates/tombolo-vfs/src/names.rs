//! What the names of files tell: SQLite asks for journals by the name of the database.

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A journal, a log or a super-journal (`pager.c`, `vdbeaux.c`): nobody else has any here.
    Companion,
    /// Anything else.
    Other,
}

/// What a file is, by its path.
pub(crate) fn kind(path: &[u8]) -> Kind {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_companion =
        name.ends_with(b"-journal") || name.ends_with(b"-wal") || super_journal(name);
    if is_companion { Kind::Companion } else { Kind::Other }
}

fn super_journal(name: &[u8]) -> bool {
    database_of_super_journal(name).is_some()
}

/// The main database of a super-journal, whose name ends in `-mj` and nine hexadecimal digits
/// behind that of the database.
pub(crate) fn database_of_super_journal(path: &[u8]) -> Option<&[u8]> {
    let (database, end) = path.split_at_checked(path.len().checked_sub(12)?)?;
    let digits = end.strip_prefix(b"-mj")?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(database)
}

/// An absolute path without `.`, `..` and doubled slashes. Links are not followed: the file need
/// not exist in this kernel.
pub(crate) fn absolute(path: &[u8], directory: &[u8]) -> Vec<u8> {
    let whole =
        if path.starts_with(b"/") { path.to_vec() } else { [directory, b"/", path].concat() };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut result = Vec::with_capacity(whole.len());
    for part in parts {
        result.push(b'/');
        result.extend_from_slice(part);
    }
    if result.is_empty() { b"/".to_vec() } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companions_are_known_by_their_names() {
        for name in ["/a/app.db-journal", "app.db-wal", "/a/app.db-mj0123ABCDE"] {
            assert_eq!(kind(name.as_bytes()), Kind::Companion, "{name}");
        }
        for name in ["/a/app.db", "/a-journal/app.db", "/a/app.db-mjxyz", "x"] {
            assert_eq!(kind(name.as_bytes()), Kind::Other, "{name}");
        }
    }

    #[test]
    fn paths_become_absolute() {
        for (path, whole) in [
            ("/a/b", "/a/b"),
            ("b", "/dir/b"),
            ("../b", "/b"),
            ("./a//b/../c", "/dir/a/c"),
            ("/../..", "/"),
        ] {
            assert_eq!(absolute(path.as_bytes(), b"/dir"), whole.as_bytes(), "{path}");
        }
    }
}

//! Which files are SQLite's, by what a program says when it opens them.

use libc::c_int;

/// Whether flags are those with which SQLite opens a database or a sidecar to write: since 3.31 it
/// follows no links (`unixOpen` in `os_unix.c`).
#[must_use]
pub fn opens_like_sqlite(flags: c_int) -> bool {
    let wanted = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    flags & wanted == wanted && flags & libc::O_ACCMODE == libc::O_RDWR && flags & libc::O_EXCL == 0
}

/// The path of a file in a directory, which ends in `/` or is empty for an absolute path.
#[must_use]
pub fn joined(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if path.first() == Some(&b'/') {
        return path.to_vec();
    }
    let mut whole = directory.to_vec();
    if whole.last().is_some_and(|last| *last != b'/') {
        whole.push(b'/');
    }
    whole.extend_from_slice(path.strip_prefix(b"./").unwrap_or(path));
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlites_flags_are_told_from_those_of_other_programs() {
        let own = libc::O_NOFOLLOW | libc::O_CLOEXEC;
        assert!(opens_like_sqlite(own | libc::O_RDWR | libc::O_CREAT));
        assert!(!opens_like_sqlite(own | libc::O_RDONLY));
        assert!(!opens_like_sqlite(libc::O_CLOEXEC | libc::O_RDWR));
        assert!(!opens_like_sqlite(own | libc::O_RDWR | libc::O_CREAT | libc::O_EXCL));
    }

    #[test]
    fn relative_paths_are_made_whole() {
        assert_eq!(joined(b"/d", b"a.db"), b"/d/a.db");
        assert_eq!(joined(b"/", b"./a.db"), b"/a.db");
        assert_eq!(joined(b"/d", b"/e/a.db"), b"/e/a.db");
        assert_eq!(joined(b"", b"a.db"), b"a.db");
    }
}

//! Which files are SQLite's, by what a program says when it opens them: the same for every way in
//! which calls come to be recorded.

use super::record::FileKind;

/// Files that are told apart; a program with more keeps the later ones to itself.
const FILES_MAX: usize = 4096;

/// Bits of open(2) (asm-generic/fcntl.h; arch/arm64/include/uapi/asm/fcntl.h has another
/// `O_NOFOLLOW`).
const ACCESS_MODE: u32 = 0o3;
const READ_WRITE: u32 = 0o2;
const EXCLUSIVE: u32 = 0o200;
const CLOSE_ON_EXEC: u32 = 0o2_000_000;
const NO_FOLLOW: u32 = if cfg!(target_arch = "aarch64") { 0o100_000 } else { 0o400_000 };

/// Whether flags of `open` are those with which SQLite opens a database or a sidecar to write:
/// since 3.31 it follows no links (`unixOpen` in `os_unix.c`).
#[must_use]
pub fn opens_like_sqlite(flags: u32) -> bool {
    let wanted = NO_FOLLOW | CLOSE_ON_EXEC;
    flags & wanted == wanted && flags & ACCESS_MODE == READ_WRITE && flags & EXCLUSIVE == 0
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

/// The databases to which a trace is limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(Option<Vec<Vec<u8>>>);

impl Wanted {
    /// Every database.
    #[must_use]
    pub fn every() -> Self {
        Wanted(None)
    }

    /// These alone; the paths are absolute and free of symbolic links.
    #[must_use]
    pub fn only(paths: Vec<Vec<u8>>) -> Self {
        Wanted(Some(paths))
    }

    /// As [`Self::only`], from a list with a path on each line.
    #[must_use]
    pub fn parse(list: &[u8]) -> Self {
        let lines = list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Wanted::only(lines.map(<[u8]>::to_vec).collect())
    }

    /// Whether there is a list.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a path is on the list.
    #[must_use]
    pub fn names(&self, path: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|paths| paths.iter().any(|known| known == path))
    }
}

/// The files that a process has met, with the numbers under which they are recorded.
#[derive(Debug, Default)]
pub struct Files {
    /// Each file's number is its place and one.
    met: Vec<(FileKind, Vec<u8>)>,
}

impl Files {
    /// The number of a file, if it was met.
    #[must_use]
    pub fn number_of(&self, path: &[u8]) -> Option<u32> {
        let place = self.met.iter().position(|(_, known)| known == path)?;
        u32::try_from(place + 1).ok()
    }

    /// Gives a file that was not met a number; `None` where there are too many.
    pub fn meet(&mut self, path: &[u8]) -> Option<(u32, FileKind)> {
        let number = u32::try_from(self.met.len() + 1).ok()?;
        if self.met.len() >= FILES_MAX {
            return None;
        }
        let kind = FileKind::of(path);
        self.met.push((kind, path.to_vec()));
        Some((number, kind))
    }

    /// What a file is that has this number.
    #[must_use]
    pub fn kind_of(&self, number: u32) -> Option<FileKind> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.met.get(place).map(|(kind, _)| *kind)
    }

    /// All of them, by number.
    pub fn all(&self) -> impl Iterator<Item = (u32, FileKind, &[u8])> {
        (1..).zip(&self.met).map(|(number, (kind, path))| (number, *kind, path.as_slice()))
    }

    /// Whether a path is that of a sidecar of a database that is recorded.
    #[must_use]
    pub fn is_sidecar(&self, path: &[u8], wanted: &Wanted) -> bool {
        let kind = FileKind::of(path);
        kind != FileKind::Database && {
            let database = kind.database(path);
            wanted.names(database) || self.number_of(database).is_some()
        }
    }

    /// Whether a file that a program names is recorded.
    #[must_use]
    pub fn is_known(&self, path: &[u8], wanted: &Wanted) -> bool {
        self.number_of(path).is_some() || wanted.names(path) || self.is_sidecar(path, wanted)
    }

    /// Whether a regular file is SQLite's that a program has open, as far as that is told without
    /// its contents: `None` where they decide.
    #[must_use]
    pub fn is_ours_by_name(&self, path: &[u8], wanted: &Wanted) -> Option<bool> {
        if wanted.is_limited() {
            return Some(wanted.names(path) || self.is_sidecar(path, wanted));
        }
        (FileKind::of(path) != FileKind::Database).then(|| self.is_sidecar(path, wanted))
    }

    /// Whether a file that could not be opened is SQLite's, by its name or by the way in which it
    /// was to be opened.
    #[must_use]
    pub fn is_ours_unopened(&self, path: &[u8], flags: u32, wanted: &Wanted) -> bool {
        let like = !wanted.is_limited() && opens_like_sqlite(flags);
        like || self.is_known(path, wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_made_whole() {
        assert_eq!(joined(b"/d", b"a.db"), b"/d/a.db");
        assert_eq!(joined(b"/", b"./a.db"), b"/a.db");
        assert_eq!(joined(b"/d", b"/e/a.db"), b"/e/a.db");
        assert_eq!(joined(b"", b"a.db"), b"a.db");
    }

    #[test]
    fn sqlites_flags_are_told_from_those_of_other_programs() {
        let own = NO_FOLLOW | CLOSE_ON_EXEC;
        assert!(opens_like_sqlite(own | READ_WRITE | 0o100));
        assert!(!opens_like_sqlite(own));
        assert!(!opens_like_sqlite(CLOSE_ON_EXEC | READ_WRITE));
        assert!(!opens_like_sqlite(own | READ_WRITE | EXCLUSIVE));
    }

    #[test]
    fn sidecars_are_known_by_their_database() {
        let every = Wanted::every();
        let mut files = Files::default();
        assert_eq!(files.is_ours_by_name(b"/d/a.db-wal", &every), Some(false));
        assert_eq!(files.is_ours_by_name(b"/d/a.db", &every), None);
        assert_eq!(files.meet(b"/d/a.db"), Some((1, FileKind::Database)));
        assert_eq!(files.is_ours_by_name(b"/d/a.db-wal", &every), Some(true));
        assert_eq!(files.number_of(b"/d/a.db"), Some(1));
        assert_eq!((files.kind_of(1), files.kind_of(0)), (Some(FileKind::Database), None));
        assert_eq!(files.all().count(), 1);
        assert!(!files.is_ours_unopened(b"/d/b.db", 0, &every));
        assert!(files.is_ours_unopened(b"/d/a.db-shm", 0, &every));
    }

    #[test]
    fn a_list_limits() {
        let listed = Wanted::parse(b"/d/a.db\n\n/d/b.db\n");
        let files = Files::default();
        assert_eq!(files.is_ours_by_name(b"/d/b.db", &listed), Some(true));
        assert_eq!(files.is_ours_by_name(b"/d/b.db-shm", &listed), Some(true));
        assert_eq!(files.is_ours_by_name(b"/d/c.db", &listed), Some(false));
        let like = NO_FOLLOW | CLOSE_ON_EXEC | READ_WRITE;
        assert!(!files.is_ours_unopened(b"/d/c.db", like, &listed));
        assert!(files.is_ours_unopened(b"/d/c.db", like, &Wanted::every()));
    }
}

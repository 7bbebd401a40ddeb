//! The copies of SQLite that were in a program and in what it started.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::sqlite::source_id::{self, SOURCE_ID_BYTES_MAX, SourceId};
use tombolo_os::read;

/// Bytes that are read of a file at once, and at most.
const PIECE_BYTES: usize = 1 << 20;
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Whether databases of a copy go through the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// They do.
    Reached,
    /// They do, but may not have from the beginning.
    Late,
    /// It has symbols, but not all that are needed.
    Missed,
    /// Its symbols cannot be looked up.
    Hidden,
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) path: PathBuf,
    /// As its file tells; more than one where that holds texts of several.
    pub(super) sqlite: Vec<SourceId>,
    pub(super) way: Way,
}

impl Copy {
    /// What it is, for people.
    pub(super) fn describe(&self) -> String {
        let versions: Vec<String> = self.sqlite.iter().map(SourceId::to_string).collect();
        let version = match versions.is_empty() {
            true => "of an unknown version".to_owned(),
            false => versions.join(", "),
        };
        let way = match self.way {
            Way::Reached => "reached: its VFS for Unix has the door before it",
            Way::Late => "reached late: it was in use before it was seen",
            Way::Missed => "not reached: it is older than 3.37 or built without what is needed",
            Way::Hidden => "not reached: it is linked in, and its symbols cannot be looked up",
        };
        format!("{}: SQLite {version}: {way}", self.path.display())
    }
}

/// What the report of a program tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) copies: Vec<Copy>,
    /// Numbers of the patterns of which a database was opened.
    pub(super) named: BTreeSet<usize>,
    /// Files that could not be looked into.
    pub(super) unread: Vec<PathBuf>,
}

/// Reads the lines of a report: `reached PID PATH` and so on.
pub(super) fn told(lines: &[Vec<u8>]) -> Told {
    let mut told = Told::default();
    let mut modules: BTreeMap<PathBuf, Way> = BTreeMap::new();
    for line in lines {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let (Some(word), Some(_), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let way = match word {
            b"reached" => Way::Reached,
            b"late" => Way::Late,
            b"missed" => Way::Missed,
            b"loaded" => Way::Hidden,
            b"named" => {
                let number = std::str::from_utf8(text).ok();
                told.named.extend(number.and_then(|number| number.parse::<usize>().ok()));
                continue;
            }
            _ => continue,
        };
        let path = PathBuf::from(OsStr::from_bytes(text));
        // Where processes differ, what went past the door counts.
        let known = modules.entry(path).or_insert(way);
        *known = (*known).max(way);
    }
    for (path, way) in modules {
        match contents(&path) {
            Some(contents) if way == Way::Hidden && !contents.is_copy() => {}
            Some(contents) => told.copies.push(Copy { path, sqlite: contents.sqlite, way }),
            None => told.unread.push(path),
        }
    }
    told
}

/// What of SQLite is in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) sqlite: Vec<SourceId>,
    has_vfs: bool,
}

impl Contents {
    /// Whether it is a SQLite, and not only a program that knows of one.
    pub(super) fn is_copy(&self) -> bool {
        self.has_vfs && !self.sqlite.is_empty()
    }
}

/// What of SQLite is in a file; `None` if it was not read to its end.
pub(super) fn contents(path: &Path) -> Option<Contents> {
    let opened = read::open(path).ok()?;
    let (mut found, mut has_vfs) = (BTreeSet::new(), false);
    let mut offset = 0;
    while offset < FILE_BYTES_MAX {
        // What begins in one piece may end in the next.
        let piece = opened.bytes_at(offset, PIECE_BYTES + SOURCE_ID_BYTES_MAX).ok()?;
        found.extend(source_id::find(&piece));
        has_vfs |= holds_vfs_name(&piece);
        if piece.len() < PIECE_BYTES + SOURCE_ID_BYTES_MAX {
            return Some(Contents { sqlite: found.into_iter().collect(), has_vfs });
        }
        offset += PIECE_BYTES as u64;
    }
    None
}

/// Whether the name of a VFS stands there that is in every SQLite for Unix (`os_unix.c`). A source
/// id alone is also in programs that hold the version they were built with against that of their
/// library, as SQLite's shell.
fn holds_vfs_name(piece: &[u8]) -> bool {
    // By its rarest byte first: these files are large.
    let mut rest = piece;
    while let Some(at) = rest.iter().position(|byte| *byte == b'x') {
        let before = rest.get(..at).unwrap_or_default();
        let behind = rest.get(at..).unwrap_or_default();
        if before.ends_with(b"uni") && behind.starts_with(b"x-dotfile\0") {
            return true;
        }
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "2022-12-28 14:03:47 \
        df5c253c0b3dd24916e4ec7cf77d3db5294cc9fd45ae7b9c5e82ad8197f38a24";

    #[test]
    fn a_copy_is_told_by_symbols_or_by_its_bytes() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        // Across the end of a piece.
        let mut large = vec![b'.'; PIECE_BYTES - 30];
        large.extend_from_slice(format!("{ID}\0 unix-dotfile\0").as_bytes());
        std::fs::write(path("hidden"), &large).expect("written");
        std::fs::write(path("plain"), format!("built with {ID}")).expect("written");
        std::fs::write(path("lib"), ID).expect("written");
        let lines: Vec<Vec<u8>> = [("loaded", "hidden"), ("loaded", "plain"), ("reached", "lib")]
            .iter()
            .map(|(word, name)| format!("{word} 7 {}", path(name).display()).into_bytes())
            .chain([b"named 7 1".to_vec(), b"named 7 x".to_vec(), b"odd".to_vec(), Vec::new()])
            .chain([b"loaded 7 /nowhere/lib.so".to_vec()])
            .collect();
        let told = told(&lines);
        let ways: Vec<_> = told.copies.iter().map(|copy| (copy.path.clone(), copy.way)).collect();
        assert_eq!(ways, [(path("hidden"), Way::Hidden), (path("lib"), Way::Reached)]);
        assert!(told.copies[0].describe().contains("SQLite 3.40.1: not reached"));
        assert_eq!(told.named, BTreeSet::from([1]));
        assert_eq!(told.unread, [PathBuf::from("/nowhere/lib.so")]);
    }
}

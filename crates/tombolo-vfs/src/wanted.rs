//! Which databases of a program that knows nothing of this go to an owner.

use crate::file::OWNER_VARIABLE;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tombolo_door::Address;

/// Patterns that are read; more are not asked for on a command line.
const PATTERNS_MAX: usize = 1024;
/// Steps of one comparison, after which a pattern does not match: some would take for ever.
const STEPS_MAX: usize = 100_000;

/// Where a database goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To its owner: at this address, or wherever it is found when the file is opened.
    Door(Option<Address>),
    /// To the VFS that it would go to by itself.
    Stock,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    patterns: Vec<Vec<u8>>,
    owner: OwnerNamed,
}

/// Whether the environment names an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OwnerNamed {
    Yes,
    #[default]
    No,
}

impl Wanted {
    /// Of the text of the environment variable: a pattern on each line.
    pub(crate) fn parse(list: &[u8]) -> Self {
        let lines = list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let patterns = lines.take(PATTERNS_MAX).map(<[u8]>::to_vec).collect();
        let owner = match std::env::var_os(OWNER_VARIABLE) {
            Some(value) if !value.is_empty() => OwnerNamed::Yes,
            _ => OwnerNamed::No,
        };
        Wanted { patterns, owner }
    }

    /// The first pattern that a path matches, by its place in the list.
    pub(crate) fn pattern_of(&self, path: &[u8]) -> Option<usize> {
        self.patterns.iter().position(|pattern| is_match(pattern, path))
    }

    /// How many patterns there are.
    pub(crate) fn count(&self) -> usize {
        self.patterns.len()
    }

    /// Where the database at an absolute path goes.
    ///
    /// Without patterns an owner that the environment names is that of every database: nobody but
    /// the owner can say which it serves, and a file that it refuses must not be opened past it.
    pub(crate) fn way(&self, path: &[u8]) -> Way {
        if self.pattern_of(path).is_some() {
            return Way::Door(None);
        }
        if self.owner == OwnerNamed::Yes && self.patterns.is_empty() {
            // Before what is found: a share shows the socket of an owner on another kernel.
            return Way::Door(None);
        }
        match Address::find(Path::new(OsStr::from_bytes(path))) {
            Some(address) => Way::Door(Some(address)),
            None => Way::Stock,
        }
    }
}

/// Whether a path matches a pattern: `*` stands for any bytes but `/`, `?` for one of them. A
/// pattern without `/` is for the name of a file in any directory.
fn is_match(pattern: &[u8], path: &[u8]) -> bool {
    let text = match pattern.contains(&b'/') {
        true => path,
        false => path.rsplit(|byte| *byte == b'/').next().unwrap_or_default(),
    };
    // Where the last star stands in the pattern, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    let (mut at, mut from) = (0, 0);
    for _ in 0..STEPS_MAX {
        let next = text.get(from).copied();
        match (pattern.get(at), next) {
            (Some(b'*'), _) => {
                star = Some((at, from));
                at += 1;
                continue;
            }
            (None, None) => return true,
            (Some(b'?'), Some(byte)) if byte != b'/' => {
                (at, from) = (at + 1, from + 1);
                continue;
            }
            (Some(wanted), Some(byte)) if *wanted == byte => {
                (at, from) = (at + 1, from + 1);
                continue;
            }
            _ => {}
        }
        let Some((star_at, taken)) = star else { return false };
        if text.get(taken).is_none_or(|byte| *byte == b'/') {
            return false;
        }
        star = Some((star_at, taken + 1));
        (at, from) = (star_at + 1, taken + 1);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths_or_names() {
        for (pattern, path, expected) in [
            ("/a/app.db", "/a/app.db", true),
            ("/a/app.db", "/a/app.db2", false),
            ("/a/*.db", "/a/app.db", true),
            ("/a/*.db", "/a/b/app.db", false),
            ("/a/*/x*.d?", "/a/b/xyz.db", true),
            ("*.db", "/a/b/app.db", true),
            ("*.db", "/a.db/app", false),
            ("a*a*b", "/d/aXaYbZb", true),
            ("?.db", "/a/ab.db", false),
            ("app.db", "/a/app.db", true),
            ("*", "/a/", true),
        ] {
            assert_eq!(is_match(pattern.as_bytes(), path.as_bytes()), expected, "{pattern} {path}");
        }
        let slow = "*a".repeat(200) + "b";
        assert!(!is_match(slow.as_bytes(), "a".repeat(4000).as_bytes()));
    }

    #[test]
    fn what_is_named_or_owned_goes_to_its_owner_and_nothing_else() {
        let temporary = tempfile::tempdir().expect("a directory");
        let directory = temporary.path();
        let owned = directory.join("owned.db");
        let socket = tombolo_door::address::socket_beside(&owned);
        std::fs::create_dir_all(socket.parent().expect("a directory")).expect("made");
        std::fs::write(&socket, b"").expect("made");
        let wanted = Wanted { owner: OwnerNamed::Yes, ..Wanted::parse(b"named*\n\n/x/*\n") };
        assert_eq!(wanted.count(), 2);
        let way = |wanted: &Wanted, name: &str| {
            wanted.way(directory.join(name).as_os_str().as_encoded_bytes())
        };
        assert_eq!(way(&wanted, "named.db"), Way::Door(None));
        assert_eq!(way(&wanted, "owned.db"), Way::Door(Some(Address::Unix(socket))));
        assert_eq!(way(&wanted, "other.db"), Way::Stock);
        let named = Wanted { patterns: Vec::new(), owner: OwnerNamed::Yes };
        assert_eq!(way(&named, "other.db"), Way::Door(None));
        assert_eq!(way(&named, "owned.db"), Way::Door(None));
        assert_eq!(way(&Wanted::default(), "other.db"), Way::Stock);
    }
}

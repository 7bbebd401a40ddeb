//! Names that the target takes, each once.

use std::collections::{HashMap, HashSet};

/// Which names a target takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) longest: Longest,
    pub(super) case: Case,
    /// A name with what the target does not take written otherwise.
    pub(super) plain: fn(&str) -> String,
}

/// How long a name can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Longest {
    Bytes(usize),
    Characters(usize),
}

/// Whether names are told apart by their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Kept,
    Folded,
}

/// Names that stand beside each other: tables and indexes of a schema, or the columns of a table.
#[derive(Debug)]
pub(super) struct Names {
    rules: Rules,
    taken: HashSet<String>,
}

impl Names {
    /// With the names that the target keeps for itself.
    pub(super) fn new(rules: Rules, reserved: &[&str]) -> Self {
        let mut names = Names { rules, taken: HashSet::new() };
        names.taken = reserved.iter().map(|name| names.key(name)).collect();
        names
    }

    /// The name that stands for `wanted`: itself, or one like it that fits and is free.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let plain = (self.rules.plain)(wanted);
        let plain = if plain.trim().is_empty() { "_".to_owned() } else { plain };
        let longest = self.rules.longest;
        let mut name = longest.cut(&plain, 0).to_owned();
        let mut number = 1;
        while !self.taken.insert(self.key(&name)) {
            let tail = format!("_{number}");
            name = format!("{}{tail}", longest.cut(&plain, tail.len()));
            number += 1;
        }
        name
    }

    fn key(&self, name: &str) -> String {
        match self.rules.case {
            Case::Kept => name.to_owned(),
            Case::Folded => name.to_lowercase(),
        }
    }
}

impl Longest {
    /// The start of a name that leaves room for so many ASCII characters.
    fn cut(self, name: &str, room: usize) -> &str {
        let end = match self {
            Longest::Bytes(longest) => {
                let mut end = name.len().min(longest.saturating_sub(room));
                while !name.is_char_boundary(end) {
                    end -= 1;
                }
                end
            }
            Longest::Characters(longest) => {
                let end = name.char_indices().nth(longest.saturating_sub(room));
                end.map_or(name.len(), |(end, _)| end)
            }
        };
        &name[..end]
    }
}

/// Target names by SQLite's, which do not tell ASCII case apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Renamed(HashMap<String, String>);

impl Renamed {
    pub(super) fn put(&mut self, name: &str, target: String) {
        self.0.insert(name.to_lowercase(), target);
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_lowercase()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_characters_and_told_apart() {
        let rules = Rules {
            longest: Longest::Bytes(8),
            case: Case::Kept,
            plain: |name| name.replace('\0', "_"),
        };
        let mut names = Names::new(rules, &["ctid"]);
        assert_eq!(names.take("Users"), "Users");
        assert_eq!(names.take("users"), "users");
        assert_eq!(names.take("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"), "\u{e9}\u{e9}\u{e9}\u{e9}");
        assert_eq!(names.take("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"), "\u{e9}\u{e9}\u{e9}_1");
        assert_eq!(names.take(""), "_");
        assert_eq!(names.take("ctid"), "ctid_1");
        let rules = Rules { longest: Longest::Characters(4), case: Case::Folded, ..rules };
        let mut names = Names::new(rules, &["Id"]);
        assert_eq!(names.take("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"), "\u{e9}\u{e9}\u{e9}\u{e9}");
        assert_eq!(names.take("\u{c9}\u{e9}\u{e9}\u{e9}"), "\u{c9}\u{e9}_1");
        assert_eq!(names.take("ID"), "ID_1");
    }
}

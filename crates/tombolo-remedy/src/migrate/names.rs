//! Names that the target takes, each once.

use std::collections::{HashMap, HashSet};

/// Names that stand beside each other: tables and indexes of a schema, or the columns of a table.
#[derive(Debug)]
pub(super) struct Names {
    longest_bytes: usize,
    taken: HashSet<String>,
}

impl Names {
    /// With the names that the target keeps for itself.
    pub(super) fn new(longest_bytes: usize, reserved: &[&str]) -> Self {
        let taken = reserved.iter().map(|name| (*name).to_owned()).collect();
        Names { longest_bytes, taken }
    }

    /// The name that stands for `wanted`: itself, or one like it that fits and is free.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let plain: String = wanted.replace('\0', "_");
        let plain = if plain.trim().is_empty() { "_".to_owned() } else { plain };
        let mut name = cut(&plain, self.longest_bytes).to_owned();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            let tail = format!("_{number}");
            let room = self.longest_bytes.saturating_sub(tail.len());
            name = format!("{}{tail}", cut(&plain, room));
            number += 1;
        }
        name
    }
}

fn cut(name: &str, longest_bytes: usize) -> &str {
    let mut end = name.len().min(longest_bytes);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
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
        let mut names = Names::new(8, &["ctid"]);
        assert_eq!(names.take("Users"), "Users");
        assert_eq!(names.take("users"), "users");
        assert_eq!(names.take("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"), "\u{e9}\u{e9}\u{e9}\u{e9}");
        assert_eq!(names.take("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"), "\u{e9}\u{e9}\u{e9}_1");
        assert_eq!(names.take(""), "_");
        assert_eq!(names.take("ctid"), "ctid_1");
    }
}

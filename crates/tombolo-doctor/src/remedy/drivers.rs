//! How a program asks for SQLite's VFS `unix-excl`, by the library through which it uses SQLite.

use serde::Deserialize;
use std::sync::OnceLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    driver: Vec<Driver>,
}

/// A library through which programs use SQLite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    /// The runtime and the library.
    pub name: String,
    /// Executables in which it is met, without versions; none for programs that are compiled.
    programs: Vec<String>,
    /// How it is told; nothing where it cannot be.
    line: Option<String>,
    /// The release by which that was tried.
    #[serde(default)]
    pub tested: String,
    /// Where it stands.
    pub source: String,
}

impl Driver {
    /// The line for a URI, `file:...`; `None` where the library takes none.
    #[must_use]
    pub fn fill(&self, uri: &str) -> Option<String> {
        self.line.as_ref().map(|line| line.replace("{uri}", uri))
    }
}

/// Every driver of the table. A table that does not parse is empty and fails the test.
#[must_use]
pub fn all() -> &'static [Driver] {
    static TABLE: OnceLock<Vec<Driver>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let table = toml::from_str::<Table>(include_str!("drivers.toml"));
        table.map(|table| table.driver).unwrap_or_default()
    })
}

/// The drivers that a program may use, by the name of its executable: those of its runtime, or
/// those of compiled programs.
#[must_use]
pub fn of(program: &str) -> Vec<&'static Driver> {
    let name = without_version(program);
    let met = |driver: &&Driver| driver.programs.contains(&name);
    let of_runtime: Vec<_> = all().iter().filter(met).collect();
    match of_runtime.is_empty() {
        true => all().iter().filter(|driver| driver.programs.is_empty()).collect(),
        false => of_runtime,
    }
}

/// `python3.11` as `python`, `php-fpm8.2` as `php-fpm`. The shell's own name ends in a digit.
fn without_version(program: &str) -> String {
    let name = program.to_ascii_lowercase();
    if name == "sqlite3" {
        return name;
    }
    name.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.')
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(program: &str) -> Vec<&'static str> {
        of(program).iter().map(|driver| driver.name.as_str()).collect()
    }

    #[test]
    fn the_table_parses_and_each_line_names_the_vfs() {
        toml::from_str::<Table>(include_str!("drivers.toml")).unwrap();
        let names: BTreeSet<_> = all().iter().map(|driver| &driver.name).collect();
        assert_eq!(names.len(), all().len());
        for driver in all() {
            assert!(!driver.source.is_empty(), "{}", driver.name);
            let line = driver.fill("file:/a.db?vfs=unix-excl");
            assert!(line.is_none_or(|line| line.contains("unix-excl")), "{}", driver.name);
            let versioned = driver.programs.iter().filter(|name| without_version(name) != **name);
            assert_eq!(versioned.count(), 0, "{}", driver.name);
        }
    }

    #[test]
    fn a_program_is_known_by_its_name_whatever_its_version() {
        assert_eq!(names("python3.11"), names("Python"));
        assert!(names("python3")[0].starts_with("Python"));
        assert_eq!(names("php-fpm8.2"), ["PHP, PDO", "PHP, class SQLite3"]);
        assert_eq!(names("sqlite3"), ["the shell of SQLite"]);
        assert!(names("gitea").iter().any(|name| name.starts_with("Go")));
        assert!(!names("gitea").iter().any(|name| name.starts_with("Python")));
    }
}

//! Which setting of an application moves its database, as far as its own manual says so.

use super::quote;
use serde::Deserialize;
use std::sync::OnceLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    application: Vec<Application>,
}

/// One application.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The name as its makers write it.
    pub name: String,
    /// Lower-case names by which it is met, images and programs included.
    pub aliases: Vec<String>,
    /// Settings that move the database, the easiest first.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// The server databases that it can use instead.
    #[serde(default)]
    pub servers: String,
    /// Setting that keeps it from turning WAL mode on, if there is one.
    #[serde(default)]
    pub no_wal: String,
    /// Setting by which it opens the database with the VFS unix-excl; `{uri}` is filled in.
    #[serde(default)]
    pub one_process: Option<Setting>,
    /// What else must be known.
    #[serde(default)]
    pub note: String,
    /// Where this stands.
    pub source: String,
}

/// One setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Where the line belongs.
    pub place: Place,
    /// The line; `{directory}` and `{database}` are filled in.
    pub line: String,
}

/// Where a line belongs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The program's environment.
    Environment,
    /// Its command line.
    Argument,
    /// A command that is run once.
    Command,
    /// A configuration file.
    File(String),
}

impl Setting {
    /// The line with its path, and where it belongs.
    #[must_use]
    pub fn fill(&self, directory: &str, database: &str) -> (String, String) {
        let quoted = match self.place {
            Place::Environment | Place::Argument | Place::Command => {
                [quote::shell(directory), quote::shell(database)]
            }
            Place::File(_) => [
                quote::bare(directory, "/new/directory").to_owned(),
                quote::bare(database, "/new/directory/app.db").to_owned(),
            ],
        };
        let [directory, database] = quoted;
        // In one pass: a name that holds a placeholder must not be filled in again.
        let parts =
            self.line.split("{directory}").map(|part| part.replace("{database}", &database));
        let line = parts.collect::<Vec<_>>().join(&directory);
        (line, self.place.words())
    }

    /// The line with a URI of SQLite, whose characters mean nothing in any of these places, and
    /// where it belongs.
    #[must_use]
    pub fn fill_uri(&self, uri: &str) -> (String, String) {
        (self.line.replace("{uri}", uri), self.place.words())
    }
}

impl Place {
    fn words(&self) -> String {
        match self {
            Place::Environment => "in its environment".to_owned(),
            Place::Argument => "on its command line".to_owned(),
            Place::Command => "by this command".to_owned(),
            Place::File(name) => format!("in {name}"),
        }
    }
}

/// Every application of the table. A table that does not parse is empty and fails the test.
fn table() -> &'static [Application] {
    static TABLE: OnceLock<Vec<Application>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let table = toml::from_str::<Table>(include_str!("applications.toml"));
        table.map(|table| table.application).unwrap_or_default()
    })
}

/// The application with this name, or the first whose name stands in it as a word.
#[must_use]
pub fn find(name: &str) -> Option<&'static Application> {
    let name = name.to_ascii_lowercase();
    let word = |character: char| !character.is_ascii_alphanumeric() && character != '-';
    let has = |alias: &String| name == *alias || name.split(word).any(|part| part == alias);
    table().iter().find(|application| application.aliases.iter().any(has))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_parses_and_names_are_unique() {
        toml::from_str::<Table>(include_str!("applications.toml")).unwrap();
        let aliases: Vec<_> = table().iter().flat_map(|one| &one.aliases).collect();
        assert_eq!(aliases.iter().collect::<BTreeSet<_>>().len(), aliases.len());
        assert!(table().len() >= 30);
        for one in table() {
            assert!(!one.source.is_empty(), "{}", one.name);
            assert!(!one.settings.is_empty() || !one.note.is_empty(), "{}", one.name);
            assert!(one.aliases.iter().all(|alias| *alias == alias.to_ascii_lowercase()));
        }
    }

    #[test]
    fn a_name_is_found_inside_a_longer_one() {
        assert_eq!(find("Jellyfin 10.9").map(|one| one.name.as_str()), Some("Jellyfin"));
        assert_eq!(find("linuxserver/sonarr").map(|one| one.name.as_str()), Some("Sonarr"));
        assert!(find("sonarrx").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn paths_are_quoted_where_they_can_be_and_left_out_where_not() {
        let jellyfin = &find("jellyfin").unwrap().settings[0];
        let (line, place) = jellyfin.fill("/srv/my data", "/srv/my data/a.db");
        assert_eq!(line, "JELLYFIN_DATA_DIR='/srv/my data'");
        assert_eq!(place, "in its environment");
        let (line, _) = jellyfin.fill("/x{database}", "/a b");
        assert_eq!(line, "JELLYFIN_DATA_DIR='/x{database}'");
        let frigate = &find("frigate").unwrap().settings[0];
        let (line, _) = frigate.fill("/d\nx: y", "/d\nx: y/a.db");
        assert!(!line.contains("x: y"), "{line}");
    }
}

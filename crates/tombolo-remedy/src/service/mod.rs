//! An owner that runs as a service: what starts it, what its files say, and how it is looked at
//! from an app's side.

mod compose;
mod unit;

pub(crate) use compose::{added, whole};
pub(crate) use unit::unit;

use crate::config::{HostPath, is_plain};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What runs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// systemd, for the whole machine.
    System,
    /// systemd, for one user.
    User,
    /// A container tool, with this Compose file.
    Compose {
        /// The file.
        file: PathBuf,
        /// The program.
        tool: ComposeTool,
    },
}

/// A program that runs the services of Compose files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComposeTool {
    /// `docker compose`.
    Docker,
    /// `docker-compose`, which is a program of its own.
    DockerCompose,
    /// `podman compose`.
    Podman,
}

impl ComposeTool {
    /// Every one, the likeliest first.
    pub const ALL: [ComposeTool; 3] =
        [ComposeTool::Docker, ComposeTool::DockerCompose, ComposeTool::Podman];

    /// Its command.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            ComposeTool::Docker => &["docker", "compose"],
            ComposeTool::DockerCompose => &["docker-compose"],
            ComposeTool::Podman => &["podman", "compose"],
        }
    }
}

impl Manager {
    /// The command that it is asked by, without what is asked.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self {
            Manager::System => vec!["systemctl".to_owned()],
            Manager::User => vec!["systemctl".to_owned(), "--user".to_owned()],
            Manager::Compose { file, tool } => {
                let words = tool.words().iter().map(|word| (*word).to_owned());
                words.chain(["-f".to_owned(), file.display().to_string()]).collect()
            }
        }
    }

    /// Whether it is systemd.
    #[must_use]
    pub fn is_systemd(&self) -> bool {
        matches!(self, Manager::System | Manager::User)
    }
}

/// The service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Service {
    /// What runs it.
    pub manager: Manager,
    /// Its name there, without `.service`.
    pub name: String,
    /// The directory that is served.
    pub directory: PathBuf,
}

/// How an owner is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Look {
    /// The database, which is only read, and whose turn to write is taken and given back.
    pub database: PathBuf,
    /// Where the owner is asked, as `TOMBOLO_OWNER` has it.
    pub addresses: Vec<String>,
    /// The file that lets in there, where it is not beside the database or above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
    /// The service that is asked whether it still runs while the owner is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
}

/// Which engine the owner has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Stock programs of its kernel may go on using the file.
    Shared,
    /// Nobody else may.
    Sole,
}

/// Starts services, and looks at an owner as an app does.
pub trait Services {
    /// Asks what runs services; what it has printed.
    ///
    /// # Errors
    /// What it said, in words.
    fn ask(&mut self, manager: &Manager, words: &[&str]) -> Result<String, String>;

    /// Who answers as the owner of a database, in words.
    fn owner(&mut self, database: &Path) -> Option<String>;

    /// Opens a database through the door, reads it, takes the turn to write and gives it back, and
    /// writes to a scratch database beside it; what was seen, a sentence each.
    ///
    /// # Errors
    /// What did not work, in words.
    fn look(&mut self, look: &Look) -> Result<Vec<String>, String>;
}

/// The scratch database beside a database that is looked at.
#[must_use]
pub fn scratch(database: &Path) -> PathBuf {
    let name = database.file_name().unwrap_or_default().to_string_lossy();
    database.with_file_name(format!(".tombolo-check-{name}"))
}

/// What is written of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: ServiceName,
    /// The directory that is served.
    pub directory: HostPath,
    /// The program.
    pub binary: HostPath,
    /// The user as whom it runs: a name or number for systemd.
    pub user: String,
    /// The numbers of the user and group, as a container has them.
    pub numbers: (u32, u32),
    /// Where it listens beside its Unix socket.
    pub listen: Vec<String>,
    /// The directory of its keys, where it is not the one that is served.
    pub keys: Option<HostPath>,
}

impl Wanted {
    /// What stands behind the directory on its command line.
    fn options(&self) -> Vec<String> {
        let listen = self.listen.iter().flat_map(|address| ["--listen", address.as_str()]);
        let keys = self.keys.iter().flat_map(|keys| ["--keys", keys.as_str()]);
        listen.chain(keys).map(str::to_owned).collect()
    }
}

/// The name of a service: letters, digits, `_` and `-`, plain in every format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(String);

/// Why a text is no name of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a service: letters, digits, _ and -")]
pub struct NoServiceName(String);

impl ServiceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for ServiceName {
    type Err = NoServiceName;

    fn from_str(text: &str) -> Result<Self, NoServiceName> {
        if is_plain(text, b"_-") {
            Ok(ServiceName(text.to_owned()))
        } else {
            Err(NoServiceName(text.to_owned()))
        }
    }
}

/// A text with other words in the places of some, which are looked for once: what is put in is
/// not looked at again.
fn filled(template: &str, words: &[(&str, &str)]) -> String {
    let (mut text, mut rest) = (String::with_capacity(template.len()), template);
    while let Some(first) = rest.chars().next() {
        match words.iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, instead)) => {
                text += instead;
                rest = rest.get(word.len()..).unwrap_or_default();
            }
            None => {
                text.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn wanted() -> Wanted {
        Wanted {
            name: "tombolo".parse().unwrap(),
            directory: "/srv/tombolo-x/db".parse().unwrap(),
            binary: "/opt/t/tombolo".parse().unwrap(),
            user: "media".to_owned(),
            numbers: (1001, 1002),
            listen: Vec::new(),
            keys: None,
        }
    }

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        let words = [("/a", "/a/a"), ("b", "/a")];
        assert_eq!(filled("x/a b\u{e4}", &words), "x/a/a /a\u{e4}");
    }

    #[test]
    fn a_name_is_plain() {
        for bad in ["", "-a", "a b", "a.service", "../a", "a%i", "a@b"] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad}");
        }
        assert!("tombolo_2-media".parse::<ServiceName>().is_ok());
    }
}

//! What runs services on this machine, and who answers as the owner of a database.

use super::look;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tombolo_core::errno::Errno;
use tombolo_core::owner::status::Status;
use tombolo_core::text::printable;
use tombolo_door::address::{socket_beside, socket_within};
use tombolo_door::{Address, OwnerStatus};
use tombolo_remedy::service::{ComposeTool, Look, Manager, Services};

/// The machine as it is.
pub(crate) struct Live;

/// Where an owner of a database would listen: beside it, or in a directory above.
fn sockets(database: &Path) -> impl Iterator<Item = PathBuf> {
    let above = database.ancestors().skip(1).map(socket_within);
    std::iter::once(socket_beside(database)).chain(above).filter(|socket| socket.exists())
}

/// A socket at which nobody answers: left by an owner that was killed, or that of an owner on
/// another kernel.
pub(super) fn silent_socket(database: &Path) -> Option<PathBuf> {
    sockets(database).next()
}

impl Services for Live {
    fn ask(&mut self, manager: &Manager, words: &[&str]) -> Result<String, String> {
        let all = manager.words();
        let words: Vec<&str> =
            all.iter().map(String::as_str).chain(words.iter().copied()).collect();
        printed(&words)
    }

    fn owner(&mut self, database: &Path) -> Option<String> {
        sockets(database).find_map(|socket| {
            let at = socket.display().to_string();
            let connected = OwnerStatus::connect(&Address::Unix(socket), database);
            match connected.and_then(|mut owner| owner.ask()) {
                Ok(document) => Some(match serde_json::from_slice::<Status>(&document) {
                    Ok(status) => format!("process {} at unix:{at}", status.process),
                    Err(_) => format!("another version of Tombolo at unix:{at}"),
                }),
                Err(refusal) if refusal.errno == Some(Errno::EACCES.raw()) => {
                    Some(format!("somebody at unix:{at}, who may not be asked"))
                }
                // Nobody listens at what a killed owner has left.
                Err(_) => None,
            }
        })
    }

    fn look(&mut self, wanted: &Look) -> Result<Vec<String>, String> {
        look::look(wanted)
    }
}

/// The first program that runs the services of Compose files here.
pub(super) fn compose_tool() -> Option<ComposeTool> {
    ComposeTool::ALL.into_iter().find(|tool| {
        let words: Vec<&str> = tool.words().iter().copied().chain(["version"]).collect();
        printed(&words).is_ok()
    })
}

/// What a command prints, which ends well.
fn printed(words: &[&str]) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else { return Ok(String::new()) };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| printable(bytes.trim_ascii());
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said =
        [text(&output.stderr), text(&output.stdout)].into_iter().find(|said| !said.is_empty());
    Err(said.unwrap_or_else(|| output.status.to_string()))
}

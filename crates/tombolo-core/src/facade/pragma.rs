//! PRAGMAs that concern the file (`SQLITE_FCNTL_PRAGMA`).

use super::Facade;
use crate::owner::engine::CheckpointMode;
use crate::wire::request::Durability;

/// What is done with a PRAGMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pragma {
    /// SQLite deals with it.
    Passed,
    /// It is answered with this text, and SQLite does nothing.
    Answered(&'static str),
    /// Nothing happens.
    Swallowed,
    /// The owner is asked, and then SQLite deals with it.
    Checkpoint(CheckpointMode),
    /// The owner's status is the answer.
    Status,
}

impl Facade {
    /// What to do with `PRAGMA name = argument`.
    pub fn pragma(&mut self, name: &str, argument: Option<&str>) -> Pragma {
        let argument = argument.map(str::trim).map(str::to_ascii_lowercase);
        match name.to_ascii_lowercase().as_str() {
            // The owner's file is in WAL mode and stays there.
            "journal_mode" => Pragma::Answered("wal"),
            // An exclusive lock would end the begins by which new versions are seen.
            "locking_mode" => Pragma::Answered("normal"),
            "page_size" if argument.is_some() && self.shape.size_pages > 0 => Pragma::Swallowed,
            "synchronous" => {
                match argument.as_deref() {
                    Some("off" | "0" | "no" | "false" | "normal" | "1" | "on" | "yes" | "true") => {
                        self.durability = Durability::Process;
                    }
                    Some("full" | "2" | "extra" | "3") => self.durability = Durability::Power,
                    _ => {}
                }
                Pragma::Passed
            }
            "wal_checkpoint" => Pragma::Checkpoint(match argument.as_deref() {
                Some("full") => CheckpointMode::Full,
                Some("restart") => CheckpointMode::Restart,
                Some("truncate") => CheckpointMode::Truncate,
                _ => CheckpointMode::Passive,
            }),
            "tombolo_status" => Pragma::Status,
            _ => Pragma::Passed,
        }
    }
}

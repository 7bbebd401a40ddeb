//! Words and looks of the report's enums.

use super::page::Tone;
use tombolo_core::report::{
    Database, HeaderMode, JournalState, Judgement, Mode, Outcome, Severity, TargetKind,
};

pub(super) fn severity(severity: Severity) -> (Tone, &'static str) {
    match severity {
        Severity::Danger => (Tone::Danger, "DANGER"),
        Severity::Fault => (Tone::Fault, "FAULT"),
        Severity::Warning => (Tone::Caution, "WARNING"),
        Severity::Notice => (Tone::Dim, "notice"),
    }
}

pub(super) fn outcome(outcome: Outcome) -> (Tone, &'static str) {
    match outcome {
        Outcome::Holds => (Tone::Good, "holds"),
        Outcome::Refused => (Tone::Fault, "refused"),
        Outcome::Violated => (Tone::Danger, "violated"),
        Outcome::TimedOut => (Tone::Fault, "timed out"),
        Outcome::NotRun => (Tone::Caution, "not run"),
        Outcome::Noted => (Tone::Dim, "noted"),
    }
}

pub(super) fn judgement(judgement: Judgement) -> (Tone, &'static str) {
    match judgement {
        Judgement::Safe => (Tone::Good, "safe"),
        Judgement::Slow => (Tone::Caution, "works but slow"),
        Judgement::Fails => (Tone::Fault, "fails"),
        Judgement::Unsafe => (Tone::Danger, "unsafe: can lose data"),
        Judgement::NotProven => (Tone::Caution, "not proven"),
    }
}

pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Wal => "WAL",
        Mode::WalOneProcess => "WAL from one process",
        Mode::Rollback => "rollback journal",
    }
}

pub(super) fn target(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Database => "SQLite database",
        TargetKind::EmptyFile => "empty file",
        TargetKind::OtherFile => "file, not a SQLite database",
        TargetKind::Directory => "directory",
        TargetKind::Absent => "does not exist yet",
        TargetKind::Unreadable => "could not be read",
    }
}

/// A size as people read it; exact below 10 KiB.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 10 * 1024 {
        return format!("{bytes} bytes");
    }
    let mut scaled = bytes / 1024;
    let mut unit = 0;
    while scaled >= 10 * 1024 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        unit += 1;
    }
    format!("{scaled} {}", UNITS[unit])
}

/// One line on a database: mode, size and what stands beside it.
pub(super) fn database(database: &Database) -> String {
    let mode = match database.journal_mode {
        HeaderMode::Wal => "WAL mode",
        HeaderMode::Rollback => "rollback journal",
        HeaderMode::Empty => "empty",
        HeaderMode::Unreadable => "header not readable",
    };
    let mut parts = vec![mode.to_owned(), size(database.size_bytes)];
    if let Some(wal) = &database.wal {
        let more = if wal.truncated_scan { "at least " } else { "" };
        parts.push(format!(
            "-wal {} ({more}{} frames committed)",
            size(wal.size_bytes),
            wal.committed_frames
        ));
    }
    if let Some(journal) = &database.journal {
        let state = match journal.state {
            JournalState::Hot => "hot",
            JournalState::Cold => "cold",
            JournalState::Unreadable => "unreadable",
        };
        parts.push(format!("{state} -journal"));
    }
    match database.openers.len() {
        0 => {}
        1 => parts.push(format!("open in {}", opener(database, 0))),
        count => parts.push(format!("open in {count} programs")),
    }
    parts.join(", ")
}

fn opener(database: &Database, index: usize) -> String {
    let opener = &database.openers[index];
    format!("{} (pid {})", opener.program, opener.pid)
}

/// Words for a number of things.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_exact_where_small() {
        assert_eq!(size(4096), "4096 bytes");
        assert_eq!(size(32 * 1024), "32 KiB");
        assert_eq!(size(200 * 1024 * 1024), "200 MiB");
        assert_eq!(size(u64::MAX), "16383 PiB");
    }
}

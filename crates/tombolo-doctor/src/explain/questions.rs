//! What is still to be asked.

use super::cause::CauseCode;
use super::facts::{Facts, Journal};
use super::openers::Kernels;
use super::sign::FileSystem;

/// Questions asked at most; more are not answered.
const QUESTIONS_ASKED: usize = 5;

/// The questions whose answers would change the answer, the most telling first.
pub(super) fn choose(facts: &Facts, best: CauseCode) -> Vec<String> {
    if best == CauseCode::Healthy {
        return Vec::new();
    }
    let mut asked: Vec<&str> = Vec::new();
    let vague = facts.file_system.is_none()
        || facts.on_any(&[FileSystem::UnnamedShare, FileSystem::HypervisorShare]);
    if vague {
        asked.push(
            "Which file system holds the database? Inside the container or guest, run \
             `findmnt -T PATH` (or show the line of /proc/self/mountinfo).",
        );
    } else if facts.mounts.lines.is_empty() && !facts.on_class(FileSystem::is_local) {
        asked.push("With which options is it mounted? `findmnt -T PATH` shows them.");
    }
    if matches!(facts.kernels, Kernels::NotTold | Kernels::Maybe) {
        asked.push(
            "Who else opens the file: another host, the host of the VM, Windows beside WSL, a \
             second replica, a backup job, a desktop tool?",
        );
    }
    if facts.journal == Journal::NotTold {
        asked.push(
            "Is the database in WAL mode? Bytes 18 and 19 of the file are 2 in WAL mode: \
             `od -An -tu1 -j18 -N2 FILE`.",
        );
    }
    if facts.codes.iter().all(|code| !code.is_extended()) && facts.calls.is_empty() {
        asked.push(
            "Which call failed? The extended code of SQLite (sqlite3_extended_errcode), its error \
             log, or `strace -f -e trace=desc,file` of the failing program tells.",
        );
    }
    if facts.on(FileSystem::Shfs) {
        asked.push("Is the path below /mnt/user or below the pool or disk itself?");
    }
    asked.into_iter().take(QUESTIONS_ASKED).map(str::to_owned).collect()
}

//! What is dangerous about how programs have a database open.

use super::holding::Holding;
use crate::findings::Draft;
use std::collections::BTreeSet;
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, HeaderMode, Severity};
use tombolo_core::sqlite::source_id::{SourceId, WalResetBug};
use tombolo_core::text::printable;

/// Everything that follows; `subject` is the path of the database.
pub(crate) fn conclude(subject: &str, mode: HeaderMode, holdings: &[Holding]) -> Vec<Draft> {
    let deleted = holdings.iter().filter_map(|holding| deleted_files(subject, holding));
    deleted.chain(wal_reset_bug(subject, mode, holdings)).collect()
}

fn deleted_files(subject: &str, holding: &Holding) -> Option<Draft> {
    let names: BTreeSet<String> =
        holding.deleted.iter().map(|held| printable(&held.path)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (last, others) = names.split_last()?;
    let (what, verb) = match others {
        [] => ((*last).to_owned(), "was"),
        others => (format!("{} and {last}", others.join(", ")), "were"),
    };
    let Holding { program, pid, .. } = holding;
    Some(Draft {
        code: Code::SidecarDeletedOpen,
        severity: Severity::Danger,
        subject: subject.to_owned(),
        what: format!(
            "{program} (process {pid}) works on {what}, which {verb} deleted or replaced: what it \
             commits is lost when it ends, and others do not see its locks"
        ),
        action: format!(
            "copy what stands behind /proc/{pid}/fd while the program runs, then stop the program \
             before anything else opens the database"
        ),
        kinds: vec![EvidenceKind::Openers],
    })
}

/// The bug needs WAL mode and two connections that write or checkpoint at the same moment
/// (<https://sqlite.org/wal.html#walresetbug>). With one connection nothing is wrong yet.
fn wal_reset_bug(subject: &str, mode: HeaderMode, holdings: &[Holding]) -> Option<Draft> {
    let has_bug = |holding: &&Holding| {
        let present = |id: &SourceId| id.wal_reset_bug() == WalResetBug::Present;
        // Of several copies nobody knows which one opened the database.
        holding.writers() > 0 && !holding.sqlite.is_empty() && holding.sqlite.iter().all(present)
    };
    let affected: Vec<&Holding> = holdings.iter().filter(has_bug).collect();
    let first = affected.first().filter(|_| mode == HeaderMode::Wal)?;
    let versions: Vec<String> = first.sqlite.iter().map(SourceId::to_string).collect();
    let more = match affected.len() - 1 {
        0 => " has".to_owned(),
        1 => " and 1 more program have".to_owned(),
        more => format!(" and {more} more programs have"),
    };
    let who = format!(
        "{} (process {}, SQLite {}){more} the WAL-reset bug, unless the distributor corrected it",
        first.program,
        first.pid,
        versions.join(" or ")
    );
    let connections: usize = holdings.iter().map(Holding::writers).sum();
    let (severity, what) = if connections > 1 {
        let what = format!(
            "{connections} connections can write to this WAL database, and {who}: when two of them \
             checkpoint and commit at the same moment, commits can be lost or the file damaged; it \
             is rare"
        );
        (Severity::Warning, what)
    } else {
        let what =
            format!("{who}: it matters once a second connection writes to this WAL database");
        (Severity::Notice, what)
    };
    Some(Draft {
        code: Code::WalResetBug,
        severity,
        subject: subject.to_owned(),
        what,
        action: "use SQLite 3.51.3 or later (3.50.7 and 3.44.6 have the fix too); until then let \
                 one connection alone write and run checkpoints"
            .to_owned(),
        kinds: vec![EvidenceKind::Openers],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openers::testing::holding;
    use tombolo_os::process::OpenMode;

    const OLD: &[&str] = &["2022-12-28 14:03:47"];
    const CORRECTED: &[&str] = &["2026-03-13 10:38:09"];
    const WRITER: &[OpenMode] = &[OpenMode::Writable];
    const TWO: &[OpenMode] = &[OpenMode::Writable; 2];
    const READER: &[OpenMode] = &[OpenMode::ReadOnly];

    fn severity(mode: HeaderMode, holdings: &[Holding]) -> Option<Severity> {
        let drafts = conclude("/srv/app.db", mode, holdings);
        assert!(drafts.iter().all(|draft| draft.code == Code::WalResetBug), "{drafts:?}");
        drafts.first().map(|draft| draft.severity)
    }

    #[test]
    fn the_wal_reset_bug_is_a_warning_where_two_connections_write() {
        for holdings in [
            vec![holding(7, TWO, OLD)],
            vec![holding(7, WRITER, OLD), holding(8, WRITER, OLD)],
            vec![holding(7, WRITER, CORRECTED), holding(8, WRITER, OLD)],
            vec![holding(7, WRITER, &[]), holding(8, WRITER, OLD)],
        ] {
            assert_eq!(severity(HeaderMode::Wal, &holdings), Some(Severity::Warning));
        }
    }

    #[test]
    fn one_writer_is_a_notice_and_there_is_no_other_alarm() {
        for holdings in
            [vec![holding(7, WRITER, OLD)], vec![holding(7, WRITER, OLD), holding(8, READER, OLD)]]
        {
            assert_eq!(severity(HeaderMode::Wal, &holdings), Some(Severity::Notice));
            assert_eq!(severity(HeaderMode::Rollback, &holdings), None);
        }
        let both = [OLD[0], CORRECTED[0]];
        for holdings in [
            vec![],
            vec![holding(7, READER, OLD)],
            vec![holding(7, TWO, CORRECTED)],
            vec![holding(7, TWO, &[])],
            vec![holding(7, TWO, &both)],
        ] {
            assert_eq!(severity(HeaderMode::Wal, &holdings), None, "{holdings:?}");
        }
    }

    #[test]
    fn the_program_and_its_version_are_named() {
        let drafts = conclude(
            "/srv/app.db",
            HeaderMode::Wal,
            &[holding(7, WRITER, OLD), holding(8, TWO, OLD)],
        );
        let what = &drafts[0].what;
        assert!(
            what.contains("app (process 7, SQLite 3.40.1) and 1 more program have the"),
            "{what}"
        );
        assert!(what.starts_with("3 connections"), "{what}");
    }
}

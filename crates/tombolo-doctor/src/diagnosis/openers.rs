//! Who has the database open.

use super::below::Found;
use super::look::Looked;
use crate::child::{self, Viewpoint};
use crate::openers::{self, Openers, Place, Versions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::report::{HeaderMode, TargetKind};
use tombolo_os::worker::End;

/// Adds the programs that have the database open to what was looked at. It runs in a child of its
/// own: programs may work on dead mounts that have nothing to do with the database.
pub(super) fn look(looked: &mut Looked, viewpoint: Viewpoint, deadline: Instant) {
    let Some(database) = &mut looked.database else { return };
    if !matches!(looked.kind, TargetKind::Database | TargetKind::EmptyFile) {
        return;
    }
    let (path, mode) = (looked.resolved.clone(), database.journal_mode);
    let mut answer: Option<Result<Openers, Errno>> = None;
    // All programs are in the doctor's own `/proc`, whoever sees the path.
    let end = child::run(
        Viewpoint::Own,
        deadline,
        |send: &mut dyn FnMut(&Result<Openers, Errno>)| {
            let files = match Place::at(viewpoint).files(&path, mode) {
                Ok(files) => [files],
                Err(errno) => return send(&Err(errno)),
            };
            openers::find(
                Path::new("/proc"),
                &files,
                Versions::SearchedUntil(deadline),
                &mut |_, found| send(&Ok(found)),
            );
        },
        // The later answer holds the earlier one.
        &mut |message| answer = Some(message),
    );
    let why = match &end {
        Ok(End::Finished) => None,
        Ok(end) => Some(end.to_string()),
        Err(error) => Some(error.to_string()),
    };
    match answer {
        Some(Ok(found)) => {
            database.findings.extend(found.drafts.iter().map(|draft| draft.code));
            database.openers = found.openers;
            looked.observations.push(found.observation);
            looked.drafts.extend(found.drafts);
            looked.missing.extend(
                why.map(|why| format!("the SQLite of the programs that have it open: {why}")),
            );
        }
        Some(Err(errno)) => {
            looked.missing.push(format!("the programs that have it open: statx: {errno}"));
        }
        None => {
            looked.missing.extend(why.map(|why| format!("the programs that have it open: {why}")))
        }
    }
}

/// Adds the programs that have the databases below a directory open.
pub(super) fn look_below(found: &mut Found, viewpoint: Viewpoint, deadline: Instant) {
    if found.databases.is_empty() {
        return;
    }
    let wanted: Vec<(PathBuf, HeaderMode)> = found
        .databases
        .iter()
        .map(|database| (PathBuf::from(&database.path), database.journal_mode))
        .collect();
    let mut answers: BTreeMap<usize, Openers> = BTreeMap::new();
    let end = child::run(
        Viewpoint::Own,
        deadline,
        |send: &mut dyn FnMut(&(usize, Openers))| {
            let place = Place::at(viewpoint);
            let known = wanted.iter().enumerate();
            // One that went away since has no opener that matters.
            let (indices, files): (Vec<usize>, Vec<_>) = known
                .filter_map(|(index, (path, mode))| Some((index, place.files(path, *mode).ok()?)))
                .unzip();
            openers::find(
                Path::new("/proc"),
                &files,
                Versions::SearchedUntil(deadline),
                &mut |place, answer| {
                    let open = !answer.openers.is_empty() || answer.observation.errno.is_some();
                    if let Some(index) = indices.get(place).filter(|_| open) {
                        send(&(*index, answer));
                    }
                },
            );
        },
        &mut |(index, answer)| {
            answers.insert(index, answer);
        },
    );
    let why = match end {
        Ok(End::Finished) => None,
        Ok(end) => Some(end.to_string()),
        Err(error) => Some(error.to_string()),
    };
    found.missing.extend(why.map(|why| format!("the programs that have databases open: {why}")));
    for (index, answer) in answers {
        let Some(database) = found.databases.get_mut(index) else { continue };
        database.openers = answer.openers;
        database.findings.extend(answer.drafts.iter().map(|draft| draft.code));
        let path = database.path.clone();
        if !answer.drafts.is_empty() {
            found.add_trouble(path, vec![answer.observation], answer.drafts);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::{Probes, Request, Viewpoint, diagnose};
    use crate::openers::testing::{Program, shell_version};
    use std::time::Duration;
    use tombolo_core::finding::Code;
    use tombolo_core::report::{Completeness, EvidenceKind, Severity};

    #[test]
    fn the_programs_and_what_is_wrong_with_them_stand_in_the_report() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        let sql = "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);";
        let program = Program::sqlite(&path, sql);
        std::fs::remove_file(directory.path().join("app.db-wal")).expect("deleted");
        let timeout = Duration::from_secs(20);
        let (viewpoint, probes) = (Viewpoint::Own, Probes::Skip);
        let report = diagnose(
            &Request { path, viewpoint, probes, timeout, overtime: Duration::ZERO, peers: None },
            &mut |_| {},
        );
        let database = report.database.expect("a database");
        let opener = database.openers.first().expect("the program");
        assert_eq!((opener.pid, opener.program.as_str()), (program.pid(), "sqlite3"));
        assert_eq!(opener.sqlite_version, Some(shell_version()));
        assert!(database.findings.contains(&Code::SidecarDeletedOpen), "{:?}", database.findings);
        let found = report.findings.first().expect("a finding");
        assert_eq!((found.code, found.severity), (Code::SidecarDeletedOpen, Severity::Danger));
        let cited = report.evidence.iter().find(|entry| found.evidence.contains(&entry.id));
        assert_eq!(cited.expect("evidence").kind, EvidenceKind::Openers);
    }

    #[test]
    fn programs_are_found_for_every_database_below_a_directory() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().canonicalize().expect("real path");
        let sql = "PRAGMA journal_mode=WAL; CREATE TABLE t(x);";
        let program = Program::sqlite(&path.join("a.db"), sql);
        let _other = Program::sqlite(&path.join("b.db"), sql);
        std::fs::remove_file(path.join("b.db-wal")).expect("deleted");
        let timeout = Duration::from_secs(20);
        let (viewpoint, probes) = (Viewpoint::Own, Probes::Skip);
        let report = diagnose(
            &Request { path, viewpoint, probes, timeout, overtime: Duration::ZERO, peers: None },
            &mut |_| {},
        );
        let pids = report.databases.iter().map(|one| one.openers.first().map(|one| one.pid));
        assert_eq!(pids.collect::<Vec<_>>()[0], Some(program.pid()));
        let findings = &report.databases[1].findings;
        assert!(findings.contains(&Code::SidecarDeletedOpen), "{report:?}");
        let found = report.findings.first().expect("a finding");
        assert_eq!(found.code, Code::SidecarDeletedOpen);
        let cited = report.evidence.iter().find(|entry| found.evidence.contains(&entry.id));
        assert!(cited.expect("evidence").summary.contains("b.db"));
        if let Completeness::Partial { missing } = &report.completeness {
            assert!(missing.iter().all(|text| !text.contains("programs that have")), "{missing:?}");
        }
    }
}

//! From everything gathered to the report.

use super::census::Extent;
use super::judge::{Subject, judge};
use super::look::{Reached, Seen};
use super::recognise::Found;
use crate::openers::Holding;
use crate::remedy::quote;
use crate::topology::Surroundings;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    Completeness, Container, Database, DatabaseState, EvidenceLog, Finding, HeaderMode,
    MACHINE_SCHEMA, MachineReport, OpenDatabase, OpenProgram, Opener, Severity, Unseen, Viewpoint,
};
use tombolo_core::text::printable;

/// One database with all that is known of it.
pub(super) struct One<'a> {
    pub(super) found: &'a Found,
    pub(super) reached: Reached,
    pub(super) seen: Seen,
    pub(super) holdings: Vec<Holding>,
}

/// Everything.
pub(super) struct Gathered<'a> {
    pub(super) around: Surroundings,
    /// What of the surroundings was not examined.
    pub(super) unseen_around: Option<String>,
    pub(super) databases: Vec<One<'a>>,
    pub(super) unseen: Unseen,
    pub(super) extent: Extent,
    /// Programs that did not tell what they have mapped.
    pub(super) silent_memories: usize,
    /// Programs of which neither container nor SQLite could be told.
    pub(super) silent_programs: usize,
    /// Containers by process number.
    pub(super) containers: BTreeMap<i32, Container>,
}

pub(super) fn not_looked(around: Surroundings, errno: Errno) -> MachineReport {
    let problem = format!("the running programs cannot be told: open(/proc): {errno}");
    MachineReport {
        schema: MACHINE_SCHEMA,
        summary: format!("{problem}."),
        completeness: Completeness::Partial { missing: vec![problem] },
        kernel: around.kernel,
        machine: around.machine,
        programs: Vec::new(),
        databases: Vec::new(),
        unseen: Unseen::default(),
        evidence: Vec::new(),
    }
}

pub(super) fn report(mut gathered: Gathered<'_>) -> MachineReport {
    let mut log = EvidenceLog::new();
    let ones = std::mem::take(&mut gathered.databases);
    let mut databases: Vec<OpenDatabase> =
        ones.into_iter().map(|one| database(one, &gathered, &mut log)).collect();
    databases.sort_by_cached_key(|database| {
        let gravest = database.findings.iter().map(|finding| finding.severity).max();
        (database.state, Reverse(gravest), database.path.clone())
    });
    for (index, database) in databases.iter_mut().enumerate() {
        database.id = format!("D{}", index + 1);
    }
    let completeness = completeness(&gathered, &databases);
    MachineReport {
        schema: MACHINE_SCHEMA,
        summary: summary(&databases, &completeness),
        completeness,
        kernel: gathered.around.kernel,
        machine: gathered.around.machine,
        programs: programs(&databases),
        databases,
        unseen: gathered.unseen,
        evidence: log.into_entries(),
    }
}

fn database(one: One<'_>, gathered: &Gathered<'_>, log: &mut EvidenceLog) -> OpenDatabase {
    let One { found, reached, mut seen, holdings } = one;
    let path = printable(reached.path.as_os_str().as_bytes());
    let openers: Vec<Opener> = holdings.iter().map(Holding::opener).collect();
    let mode = seen.database.as_ref().map_or(found.mode, |database| database.journal_mode);
    let judged = judge(
        &Subject {
            path: &path,
            mode,
            by: found.by,
            holdings: &holdings,
            openers: &openers,
            unseen: usize::try_from(gathered.unseen.programs).unwrap_or(usize::MAX),
            seen: &seen,
        },
        &gathered.around,
    );
    let first = log.entries().len();
    judged.observations.into_iter().for_each(|observation| {
        log.record(observation);
    });
    let evidence = log.entries().get(first..).unwrap_or_default();
    let cite = |draft: crate::findings::Draft| draft.cite(evidence);
    let mut findings: Vec<Finding> = judged.drafts.into_iter().map(cite).collect();
    findings.sort_by_key(|finding| Reverse(finding.severity));
    let mut database = match seen.database.take() {
        Some(database) => *database,
        None => unread(&path, mode),
    };
    database.findings = codes(&findings);
    database.openers = openers;
    if let Some(mount) = &mut seen.mount {
        mount.knowledge = judged.row;
    }
    let seen_by = seen_by(&reached, gathered, &holdings);
    let not_examined = seen.problem.or(judged.unknown);
    OpenDatabase {
        id: String::new(),
        state: state(&findings, not_examined.as_deref()),
        next: next(&path, seen_by.as_ref()),
        path,
        seen_by,
        mount: seen.mount,
        reach: judged.reach,
        database,
        findings,
        not_examined,
    }
}

/// A database whose files were not read.
fn unread(path: &str, mode: HeaderMode) -> Database {
    Database {
        path: path.to_owned(),
        size_bytes: 0,
        journal_mode: mode,
        page_size_bytes: None,
        writer_version: None,
        wal: None,
        wal_index: None,
        journal: None,
        openers: Vec::new(),
        findings: Vec::new(),
    }
}

fn codes(findings: &[Finding]) -> Vec<Code> {
    let mut codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    codes.dedup();
    codes
}

fn state(findings: &[Finding], problem: Option<&str>) -> DatabaseState {
    let wrong = findings.iter().any(|finding| finding.severity > Severity::Notice);
    match (wrong, problem) {
        (true, _) => DatabaseState::Endangered,
        (false, Some(_)) => DatabaseState::NotExamined,
        (false, None) => DatabaseState::Healthy,
    }
}

fn seen_by(reached: &Reached, gathered: &Gathered<'_>, holdings: &[Holding]) -> Option<Viewpoint> {
    let pid = reached.through?;
    let holding = holdings.iter().find(|holding| holding.pid == pid);
    Some(Viewpoint {
        pid,
        program: holding.map_or_else(String::new, |holding| holding.program.clone()),
        container: gathered.containers.get(&pid).cloned(),
    })
}

/// The command that measures beside this database.
fn next(path: &str, seen_by: Option<&Viewpoint>) -> String {
    let view = match seen_by {
        None => String::new(),
        Some(Viewpoint { pid, container, .. }) => {
            let container = container.as_ref();
            let name = container.and_then(|found| found.name.as_ref().or(found.id.as_ref()));
            match name {
                Some(name) => format!("--container {} ", quote::shell(name)),
                None => format!("--pid {pid} "),
            }
        }
    };
    format!("tombolo doctor {view}{}", quote::shell(path))
}

/// Programs of one name in one container, in the order of their first database.
fn programs(databases: &[OpenDatabase]) -> Vec<OpenProgram> {
    let mut programs: Vec<OpenProgram> = Vec::new();
    for database in databases {
        for opener in &database.database.openers {
            let (name, container) = (&opener.program, &opener.container);
            let same = |one: &OpenProgram| one.program == *name && one.container == *container;
            if !programs.iter().any(same) {
                programs.push(OpenProgram {
                    program: name.clone(),
                    container: container.clone(),
                    pids: Vec::new(),
                    databases: Vec::new(),
                });
            }
            let Some(program) = programs.iter_mut().find(|one| same(one)) else { continue };
            if !program.pids.contains(&opener.pid) {
                program.pids.push(opener.pid);
            }
            if program.databases.last() != Some(&database.id) {
                program.databases.push(database.id.clone());
            }
        }
    }
    programs
}

fn completeness(gathered: &Gathered<'_>, databases: &[OpenDatabase]) -> Completeness {
    let mut missing: Vec<String> = gathered.unseen_around.iter().cloned().collect();
    let Unseen { programs, programs_with_locks, files } = gathered.unseen;
    if programs > 0 {
        let locks = match programs_with_locks {
            0 => String::new(),
            count => format!(", of which {count} hold locks as SQLite takes them"),
        };
        missing.push(format!(
            "not all programs may be looked at ({programs} not{locks}): run the doctor as root, \
             outside of containers, to see them"
        ));
    }
    if gathered.extent == Extent::CutShort {
        missing.push("not every program was asked: the time was over (--timeout)".to_owned());
    }
    for (count, what) in [
        (files, "open files that did not answer, or may not be read"),
        (gathered.silent_memories as u64, "programs that did not tell what they have mapped"),
        (gathered.silent_programs as u64, "programs whose container and SQLite could not be told"),
    ] {
        if count > 0 {
            missing.push(format!("{what}: {count}"));
        }
    }
    let not_examined = databases.iter().filter_map(|database| {
        Some(format!("{}: {}", database.path, database.not_examined.as_ref()?))
    });
    missing.extend(not_examined);
    if missing.is_empty() { Completeness::Complete } else { Completeness::Partial { missing } }
}

fn summary(databases: &[OpenDatabase], completeness: &Completeness) -> String {
    let count = databases.len();
    let endangered =
        databases.iter().filter(|database| database.state == DatabaseState::Endangered).count();
    if let Some((database, finding)) =
        databases.first().and_then(|first| Some((first, first.findings.first()?)))
        && endangered > 0
    {
        return format!(
            "{endangered} of {} that programs have open {} attention; the first is {}: {}. First: \
             {}.",
            counted(count),
            if endangered == 1 { "needs" } else { "need" },
            database.path,
            finding.what,
            finding.action
        );
    }
    let seen = match count {
        0 => "no program that could be looked at has a SQLite database open".to_owned(),
        1 => "programs have 1 SQLite database open, and nothing wrong was seen".to_owned(),
        count => format!("programs have {count} SQLite databases open, and nothing wrong was seen"),
    };
    match completeness {
        Completeness::Complete => format!("{seen}."),
        Completeness::Partial { missing } => {
            let first = missing.first().map_or("something was not seen", String::as_str);
            format!("{seen}, but the look was not complete: {first}.")
        }
    }
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 database".to_owned(),
        count => format!("{count} databases"),
    }
}

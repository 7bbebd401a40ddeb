//! Seeing a path as another process does.

use super::*;
use tombolo_core::errno::Errno;
use tombolo_core::report::{Completeness, TargetKind};
use tombolo_os::testing::Namespace;

fn request(path: PathBuf, pid: i32) -> Request {
    let timeout = Duration::from_secs(10);
    let viewpoint = Viewpoint::Process(pid);
    Request { path, viewpoint, probes: Probes::Run, timeout, overtime: Duration::ZERO, peers: None }
}

fn empty(directory: &std::path::Path) -> bool {
    std::fs::read_dir(directory).expect("readable").next().is_none()
}

#[test]
fn all_children_and_the_mount_table_see_what_the_process_sees_root_needed() {
    let directory = tempfile::tempdir().expect("a directory");
    let base = directory.path().to_str().expect("UTF-8").to_owned();
    let namespace = Namespace::with(&format!(
        "mount -t tmpfs only-in-there {base}; mkdir {base}/data; : > {base}/data/app.db"
    ));
    let path = PathBuf::from(format!("{base}/data/app.db"));
    let report = diagnose(&request(path.clone(), namespace.pid()), &mut |_| {});
    assert_eq!(report.target.kind, TargetKind::EmptyFile, "{:?}", report.completeness);
    let mount = report.mount.expect("a mount");
    assert_eq!((mount.filesystem.as_str(), mount.source.as_str()), ("tmpfs", "only-in-there"));
    let seen_by = report.target.seen_by.expect("a viewpoint");
    assert_eq!((seen_by.pid, seen_by.program.as_str()), (namespace.pid(), "sh"));
    for kind in [EvidenceKind::ProbeScratch, EvidenceKind::ProbePosixLocks] {
        let seen = report.evidence.iter().find(|entry| entry.kind == kind).expect("evidence");
        assert_eq!(seen.outcome, Outcome::Holds, "{seen:?}");
    }
    assert!(empty(directory.path()), "nothing may be made out here");
    let inside = namespace.seen_from_outside(&format!("{base}/data"));
    assert_eq!(std::fs::read_dir(inside).expect("readable").count(), 1, "scratch is left");

    // A relative path is below the root directory of the process.
    let relative = path.strip_prefix("/").expect("absolute").to_owned();
    let report = diagnose(&request(relative, namespace.pid()), &mut |_| {});
    assert_eq!(report.target.resolved, path.to_string_lossy());
    assert_eq!(report.target.kind, TargetKind::EmptyFile);
}

#[test]
fn a_process_that_is_gone_makes_a_partial_report_and_nothing_is_touched() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = diagnose(&request(directory.path().to_owned(), i32::MAX), &mut |_| {});
    assert_eq!(report.target.kind, TargetKind::Unreadable);
    let Completeness::Partial { missing } = &report.completeness else { panic!("complete") };
    assert!(missing.iter().any(|text| text.contains("list of processes")), "{missing:?}");
    let refused = report.evidence.iter().find(|entry| entry.kind == EvidenceKind::Path);
    assert_eq!(refused.expect("evidence").errno, Some(Errno::ENOENT));
    assert!(report.mount.is_none(), "our own mounts say nothing about that process");
    assert!(empty(directory.path()));
}

#[test]
fn databases_and_mounts_below_a_directory_are_those_that_the_process_sees_root_needed() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("template.db");
    rusqlite::Connection::open(&database)
        .and_then(|connection| connection.execute_batch("CREATE TABLE t(x)"))
        .expect("written");
    std::fs::create_dir(directory.path().join("inner")).expect("mkdir");
    let base = directory.path().to_str().expect("UTF-8").to_owned();
    let namespace = Namespace::with(&format!(
        "mount -t tmpfs only-in-there {base}/inner; cp {base}/template.db {base}/inner/app.db"
    ));
    let report = diagnose(&request(directory.path().to_owned(), namespace.pid()), &mut |_| {});
    let paths =
        |report: &Report| report.databases.iter().map(|one| one.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&report), [database.to_string_lossy()]);
    let [inner] = report.nested.as_slice() else { panic!("{:?}", report.nested) };
    assert_eq!(paths(inner), [format!("{base}/inner/app.db")]);
    assert_eq!(inner.mount.as_ref().expect("a mount").source, "only-in-there");
    assert_eq!(inner.target.seen_by.as_ref().expect("a viewpoint").pid, namespace.pid());
}

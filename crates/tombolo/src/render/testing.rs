//! Reports of several faults, made up, with names in them that must not be printed.

use std::collections::BTreeMap;
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    Completeness, Container, ContainerRuntime, DOCTOR_SCHEMA, Database, Evidence, EvidenceId,
    EvidenceKind, Finding, HeaderMode, Judgement, Kernel, KernelCount, KernelReach, Machine, Mode,
    Mount, Opener, Openers, Outcome, Reach, Remedy, RemedyId, Report, Severity, Step, Target,
    TargetKind, Topology, Verdict, WalSummary, Warning,
};
use tombolo_doctor::bundle::{Bundle, Known, Material, MountLine, Prepared};

/// What no text made of these reports may hold.
pub(crate) const NAMES: [&str; 7] =
    ["zebulon", "Zebulon", "tatooine", "hunter2", "10.7.8.9", "0123456789ab", "3b241101-e2bb"];

pub(crate) fn prepared(report: Report) -> Prepared {
    let source = "tatooine.example.lan:/export";
    let line =
        format!("{source} on /home/zebulon/media type nfs4 (rw,addr=10.7.8.9,password=hunter2)");
    let mounts = vec![MountLine { filesystem: "nfs4".to_owned(), source: source.to_owned(), line }];
    let material = Material { tombolo: "0.1.0".to_owned(), report, mounts, trace: Vec::new() };
    let known = Known {
        host: "tatooine".to_owned(),
        passwd: "zebulon:x:1000:1000:Zebulon Zed,,,:/home/zebulon:/bin/sh\n".to_owned(),
        ..Known::default()
    };
    Bundle::prepare(material, &known)
}

/// A WAL database on 9p, in a container in a guest.
pub(crate) fn refused_maps() -> Report {
    let path = "/home/zebulon/media/a rather long name of a database that does not break.db";
    let what = "9p on /home/zebulon/media refuses the shared map that WAL mode needs: mmap says \
                EINVAL (22, invalid argument)";
    let mut report = healthy();
    report.summary = format!("{path}: {what}. First: move it. Begin with: fuser -v '{path}'*");
    report.target.path = path.to_owned();
    report.target.resolved = path.to_owned();
    let inside = "\u{2500}bind\u{2192} docker container zebulon-jellyfin";
    let map = format!("host (zfs) \u{2500}9p\u{2192} guest {inside}");
    report.topology = topology(&map, KernelCount::Several);
    report.topology.container = Some(Container {
        runtime: ContainerRuntime::Docker,
        id: Some("0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123".to_owned()),
        name: Some("zebulon-jellyfin".to_owned()),
    });
    report.mount = Some(mount("9p", "hostshare", "/home/zebulon/media"));
    report.database = Some(database(path));
    report.evidence = vec![
        evidence(1, EvidenceKind::ProbeSharedMap, Outcome::Refused, what, Some(Errno::EINVAL)),
        evidence(2, EvidenceKind::ProbePosixLocks, Outcome::Holds, "locks exclude", None),
    ];
    report.findings = vec![
        finding(Code::WalDatabaseStuck, Severity::Fault, path, what),
        finding(Code::SharedMapRefused, Severity::Fault, path, "mmap is <refused> & \"no\" `map`"),
        finding(Code::SeveralKernels, Severity::Warning, path, "the host reaches it as well"),
    ];
    report.verdicts = verdicts(Judgement::Fails);
    report.remedies = vec![
        remedy(RemedyId::MoveLocal, path, Reach::SeveralKernels),
        remedy(RemedyId::LeaveWal, path, Reach::OneKernel),
    ];
    report.warnings = vec![Warning {
        advice: "delete the -wal and -shm files".to_owned(),
        why: "the -wal holds commits that the database file does not have yet".to_owned(),
    }];
    report
}

/// Locks that everybody gets, on NFS, with a look that was not complete, and a second mount.
pub(crate) fn unsafe_locks() -> Report {
    let path = "/home/zebulon/media/app.db";
    let mut report = healthy();
    report.summary = format!("{path}: two processes were granted the same lock. First: stop.");
    report.completeness = Completeness::Partial {
        missing: vec!["programs of zebulon (1000) may not be looked at".to_owned()],
    };
    report.topology = topology("server \u{2500}nfs4\u{2192} this machine", KernelCount::Several);
    let mut nfs = mount("nfs4", "tatooine.example.lan:/export", "/home/zebulon/media");
    nfs.super_options = vec!["nolock".to_owned(), "addr=10.7.8.9".to_owned()];
    report.mount = Some(nfs);
    report.evidence = vec![evidence(
        1,
        EvidenceKind::ProbePosixLocks,
        Outcome::Violated,
        "a second process was granted an exclusive lock, says tatooine",
        None,
    )];
    report.findings =
        vec![finding(Code::LocksNotExclusive, Severity::Danger, path, "no lock holds")];
    report.verdicts = verdicts(Judgement::Unsafe);
    report.nested = vec![refused_maps()];
    report
}

/// A local file system.
pub(crate) fn healthy() -> Report {
    let path = "/srv/app/app.db";
    Report {
        schema: DOCTOR_SCHEMA,
        summary: format!("{path}: nothing is wrong; SQLite is safe in every journal mode."),
        completeness: Completeness::Complete,
        target: Target {
            path: path.to_owned(),
            resolved: path.to_owned(),
            kind: TargetKind::Database,
            seen_by: None,
        },
        topology: topology("this machine (ext4)", KernelCount::One),
        mount: Some(mount("ext4", "/dev/sda1", "/")),
        database: Some(database(path)),
        databases: Vec::new(),
        evidence: vec![evidence(1, EvidenceKind::Path, Outcome::Noted, "a file of zebulon", None)],
        findings: Vec::new(),
        verdicts: verdicts(Judgement::Safe),
        remedies: Vec::new(),
        warnings: Vec::new(),
        nested: Vec::new(),
    }
}

fn topology(map: &str, count: KernelCount) -> Topology {
    Topology {
        kernel: Kernel {
            boot_id: Some("3b241101-e2bb-4255-8caf-4136c566a962".to_owned()),
            release: "5.15.153.1-microsoft-standard-WSL2".to_owned(),
            version: "#1 SMP".to_owned(),
            machine: "x86_64".to_owned(),
        },
        container: None,
        machine: Machine::Qemu,
        reach: KernelReach {
            count,
            kernels: vec!["this machine".to_owned()],
            because: "it is served by another kernel, or is not".to_owned(),
        },
        map: map.to_owned(),
    }
}

fn mount(filesystem: &str, source: &str, point: &str) -> Mount {
    Mount {
        mount_point: point.to_owned(),
        root: "/".to_owned(),
        filesystem: filesystem.to_owned(),
        source: source.to_owned(),
        options: vec!["rw".to_owned(), "relatime".to_owned()],
        super_options: vec!["rw".to_owned(), "x-very-long-option=".to_owned() + &"y".repeat(90)],
        file_mount: false,
        deleted: false,
        statfs_magic: None,
        knowledge: None,
    }
}

fn database(path: &str) -> Database {
    Database {
        path: path.to_owned(),
        size_bytes: 4096,
        journal_mode: HeaderMode::Wal,
        page_size_bytes: Some(4096),
        writer_version: Some(3_045_001),
        wal: Some(WalSummary {
            size_bytes: 90_112,
            frames: 22,
            committed_frames: 22,
            truncated_scan: false,
        }),
        wal_index: None,
        journal: None,
        openers: vec![Opener {
            pid: 4711,
            program: "jellyfin".to_owned(),
            writable: true,
            container: None,
            locks: vec!["SHARED".to_owned()],
            sqlite_version: Some("3.8.11.1".to_owned()),
        }],
        findings: Vec::new(),
    }
}

fn evidence(
    id: u32,
    kind: EvidenceKind,
    outcome: Outcome,
    summary: &str,
    errno: Option<Errno>,
) -> Evidence {
    let summary = summary.to_owned();
    Evidence { id: EvidenceId(id), kind, outcome, summary, errno, values: BTreeMap::new() }
}

fn finding(code: Code, severity: Severity, subject: &str, what: &str) -> Finding {
    Finding {
        code,
        severity,
        subject: subject.to_owned(),
        what: what.to_owned(),
        evidence: vec![EvidenceId(1)],
        action: "take a mode that the verdicts call safe".to_owned(),
    }
}

fn verdicts(one: Judgement) -> Vec<Verdict> {
    let verdict = |mode, openers, judgement| Verdict {
        mode,
        openers,
        judgement,
        because: "it was measured, or is known of it".to_owned(),
        evidence: vec![EvidenceId(1)],
        would_prove: (judgement == Judgement::NotProven).then(|| "the other side".to_owned()),
    };
    let modes = [Mode::Wal, Mode::WalOneProcess, Mode::Rollback];
    let several = if one == Judgement::Safe { Judgement::NotProven } else { Judgement::Unsafe };
    let pair = |mode| {
        [verdict(mode, Openers::OneKernel, one), verdict(mode, Openers::SeveralKernels, several)]
    };
    modes.into_iter().flat_map(pair).collect()
}

fn remedy(id: RemedyId, path: &str, reach: Reach) -> Remedy {
    Remedy {
        id,
        title: "move the database to a local file system".to_owned(),
        why: "a local file system gives SQLite real locks".to_owned(),
        steps: vec![
            Step::text("Stop every program that opens the database."),
            Step::code(
                "Copy it:",
                format!("cp -pn '{path}' /var/lib/app-data/\n{}", "x".repeat(200)),
            ),
        ],
        cost: "the database no longer travels with the share".to_owned(),
        risk: "a copy made while a program writes can be torn".to_owned(),
        undo: "copy the files back".to_owned(),
        reach,
    }
}

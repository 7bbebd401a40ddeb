//! The matrix on small rigs, most of which need no guest: what must be lost is lost, what must not
//! be is not, and what cannot run is a row that says so.

#[path = "../common/tool.rs"]
mod tool;

mod imitations;

use std::path::Path;
use std::time::Duration;
use tombolo_lab::matrix::{
    self, DoctorFrom, Matrix, Options, PairReport, RigReport, State, Updates, Way,
};

const RIGS: &str = "
[[rig]]
name = 'control'
title = 'no share'
share = { kind = 'local' }

[[rig]]
name = 'two-mounts'
title = 'two mounts'
share = { kind = 'mergerfs', cache-files = 'off' }

[[rig]]
name = '9p'
title = '9p'
share = { kind = 'virtfs', cache = 'none' }

[[rig]]
name = 'smb'
title = 'SMB'
kernels = ['6.1.']
share = { kind = 'smb', cache = 'strict' }

[[rig]]
name = 'no-kernel'
title = 'a kernel that nobody has'
kernels = ['9.99.']
share = { kind = 'virtfs', cache = 'none' }
";

fn options(output: &Path, names: &[&str]) -> Options {
    Options {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        quick: true,
        kernel: None,
        output: Some(output.to_owned()),
        keep: true,
        // Of another package, which a test of this one does not build.
        doctor: DoctorFrom::None,
        rig_timeout: Duration::from_secs(300),
    }
}

fn run(options: &Options) -> Matrix {
    let rigs = matrix::rigs(Some(RIGS)).expect("sound");
    matrix::run(&rigs, options, &|_| ()).expect("run")
}

fn only(matrix: &Matrix) -> &RigReport {
    let [report] = &matrix.rigs[..] else { panic!("{matrix:?}") };
    report
}

fn updates(pair: &PairReport, way: Way) -> &Updates {
    pair.updates.iter().find(|updates| updates.way == way).expect("tried")
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn two_guests_on_9p_get_what_users_report() {
    let output = tempfile::tempdir().expect("a directory");
    let matrix = run(&options(output.path(), &["9p"]));
    let report = only(&matrix);
    assert_eq!(report.state, State::Complete);
    let kernels = ["the server", "A", "B"].map(|of| &report.versions[&format!("kernel of {of}")]);
    assert!(kernels[0] != kernels[1] && kernels[1] == kernels[2], "{kernels:?}");
    let opens: Vec<_> = report.opens.iter().map(|opened| opened.outcome.as_str()).collect();
    let refused = ["SQLITE_IOERR_SHMMAP (SELECT)", "SQLITE_IOERR_SHMMAP (PRAGMA)", "ok"];
    assert_eq!(opens, refused);
    for pair in &report.pairs {
        let both = [true, true] == pair.exclusive.each_ref().map(|outcome| outcome == "ok");
        assert_eq!(both, pair.is_across(), "{pair:?}");
        if !pair.is_across() {
            assert!(!updates(pair, Way::Delete).is_harmed(), "{pair:?}");
        }
    }
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn two_guests_on_smb_exclude_each_other_and_get_nowhere() {
    let output = tempfile::tempdir().expect("a directory");
    let matrix = run(&options(output.path(), &["smb"]));
    let report = only(&matrix);
    assert_eq!(report.state, State::Complete);
    let seen = report.facts.iter().find(|fact| fact.name == "POSIX lock seen" && fact.to == "B");
    assert_eq!(seen.map(|fact| fact.seen.as_str()), Some("yes (EACCES)"));
    let between = report.pairs.iter().find(|pair| pair.first == "A" && pair.second == "B");
    let between = between.expect("tried");
    // A shared lock is never made exclusive, not even without another client.
    assert_eq!(between.exclusive, ["SQLITE_BUSY", "SQLITE_BUSY"]);
    let rollback = updates(between, Way::Delete);
    assert!(!rollback.is_harmed(), "{rollback:?}");
    assert!(rollback.clients.iter().all(|client| client.acknowledged == 0), "{rollback:?}");
}

#[test]
fn nothing_is_lost_on_the_hosts_own_file_system() {
    let output = tempfile::tempdir().expect("a directory");
    let matrix = run(&options(output.path(), &["control"]));
    let report = only(&matrix);
    assert_eq!(report.state, State::Complete);
    assert_eq!((report.facts.len(), report.opens.len(), report.pairs.len()), (30, 3, 3));
    for pair in &report.pairs {
        assert_eq!(pair.exclusive, ["ok", "SQLITE_BUSY"]);
        for updates in &pair.updates {
            assert!(!updates.is_harmed(), "{updates:?}");
            let acknowledged = updates.clients.each_ref().map(|client| client.acknowledged);
            assert!(acknowledged.iter().all(|count| *count > 0), "{updates:?}");
        }
    }
    let page = std::fs::read_to_string(output.path().join("matrix.md")).expect("written");
    assert!(page.contains("| no share | A+B | second BUSY |"), "{page}");
}

#[test]
fn two_mounts_that_share_no_locks_are_caught() {
    let output = tempfile::tempdir().expect("a directory");
    let mut options = options(output.path(), &["two-mounts"]);
    // Many transactions: what is lost is a matter of chance.
    options.quick = false;
    let matrix = run(&options);
    let report = only(&matrix);
    assert_eq!(report.state, State::Complete, "mergerfs and /dev/fuse are needed");
    for pair in &report.pairs {
        if pair.is_across() {
            assert_eq!(pair.exclusive, ["ok", "ok"], "{pair:?}");
        } else {
            assert!(!updates(pair, Way::Delete).is_harmed(), "{pair:?}");
        }
    }
    let across = report.pairs.iter().filter(|pair| pair.is_across());
    let lost: usize = across.map(|pair| updates(pair, Way::Delete).lost).sum();
    assert!(lost > 0, "{:?}", report.pairs);
}

#[test]
fn what_cannot_run_or_does_not_end_is_a_row_of_its_own() {
    let output = tempfile::tempdir().expect("a directory");
    let matrix = run(&options(output.path(), &["no-kernel"]));
    let State::NotRun { why } = &only(&matrix).state else { panic!("{matrix:?}") };
    assert!(why.contains("9.99."), "{why}");

    let mut hurried = options(output.path(), &["control"]);
    hurried.rig_timeout = Duration::from_millis(1500);
    let matrix = run(&hurried);
    let State::Hung { during, .. } = &only(&matrix).state else { panic!("{matrix:?}") };
    assert!(!during.is_empty());
    // The row of the run before is still there.
    let page = std::fs::read_to_string(output.path().join("matrix.md")).expect("written");
    assert!(page.contains("| NOT RUN |") && page.contains("| HUNG: "), "{page}");
    assert!(matrix::merge(&matrix::rigs(Some(RIGS)).expect("sound"), output.path(), &[]).is_ok());
}

//! Two FUSE mounts against the shares that they stand for: the same experiments, the same judge.
//! What the shares themselves did is in `docs/matrix.json`.

use super::tool;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tombolo_lab::Share;
use tombolo_lab::matrix::{self, Difference, DoctorFrom, Matrix, Options, RigReport, State};

/// What two programs lose is a matter of chance, and so is what a busy machine sees in time.
const RUNS: usize = 4;

fn assert_like(share: Share) {
    tool::built();
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/matrix.json");
    let text = std::fs::read_to_string(documents).expect("readable");
    let measured: Matrix = serde_json::from_str(&text).expect("a matrix");
    let is_of = |row: &&RigReport| {
        share.rigs().contains(&row.name.as_str()) && ["6.1.", ""].contains(&&*row.wanted_kernel)
    };
    let real: Vec<&RigReport> = measured.rigs.iter().filter(is_of).collect();
    assert_eq!(real.len(), share.rigs().len(), "{}", share.name());

    let limits = matrix::limits().expect("sound");
    let explained = |difference: &Difference| {
        limits.iter().any(|limit| limit.explains(share.name(), difference))
    };
    let mut imitated = Vec::new();
    loop {
        imitated.push(run(share));
        let rows: Vec<&RigReport> = imitated.iter().collect();
        let found = matrix::differences(&real, &rows);
        let unexplained: Vec<_> = found.iter().filter(|found| !explained(found)).collect();
        if unexplained.is_empty() {
            assert_no_stale_limit(share, &found);
            return;
        }
        assert!(imitated.len() < RUNS, "{}:{}", share.name(), listed(&unexplained));
    }
}

fn assert_no_stale_limit(share: Share, found: &[Difference]) {
    for limit in matrix::limits().expect("sound").iter().filter(|limit| !limit.chance) {
        for cell in limit.cells.iter().filter(|cell| limit.is_of(share.name(), cell)) {
            let still = found.iter().any(|found| found.cell == *cell);
            assert!(still, "{}: {cell} is no limit any more", share.name());
        }
    }
}

fn run(share: Share) -> RigReport {
    let name = "imitation";
    let kind = format!("{{ kind = 'imitation', of = '{}' }}", share.name());
    let data = format!("[[rig]]\nname = '{name}'\ntitle = '{name}'\nshare = {kind}\n");
    let options = Options {
        names: vec![name.to_owned()],
        quick: true,
        kernel: None,
        output: None,
        keep: false,
        doctor: DoctorFrom::OneSide,
        rig_timeout: Duration::from_secs(600),
    };
    let rigs = matrix::rigs(Some(&data)).expect("sound");
    let mut matrix = matrix::run(&rigs, &options, &|_| ()).expect("run");
    let report = matrix.rigs.pop().expect("a row");
    assert_eq!(report.state, State::Complete, "{}", share.name());
    report
}

fn listed(differences: &[&Difference]) -> String {
    differences.iter().fold(String::new(), |mut text, one| {
        let Difference { cell, real, imitated } = one;
        let _ = write!(text, "\n{cell}: {real:?} there, {imitated:?} here");
        text
    })
}

macro_rules! imitations {
    ($($name:ident: $share:ident,)*) => {
        $(
            #[test]
            #[ignore = "takes minutes: cargo xtask lab quick"]
            fn $name() {
                assert_like(Share::$share);
            }
        )*

        #[test]
        fn every_imitation_is_held_against_its_share() {
            assert_eq!(Share::ALL, [$(Share::$share),*]);
        }
    };
}

imitations! {
    ninep_none_is_like_its_share: NinePNone,
    ninep_mmap_is_like_its_share: NinePMmap,
    ninep_loose_is_like_its_share: NinePLoose,
    virtiofs_never_is_like_its_share: VirtiofsNever,
    virtiofs_auto_is_like_its_share: VirtiofsAuto,
    virtiofs_always_is_like_its_share: VirtiofsAlways,
    nfs_is_like_its_share: Nfs,
    smb_strict_is_like_its_share: SmbStrict,
    sshfs_is_like_its_share: Sshfs,
    mergerfs_is_like_its_share: Mergerfs,
}

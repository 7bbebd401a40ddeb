//! `explain` on whole reports: the right cause, no unsafe advice, and no panic.

use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use tombolo_core::report::RemedyId;
use tombolo_doctor::explain::{CauseCode, Kernels, explain};

#[derive(Deserialize)]
struct Reports {
    report: Vec<Report>,
}

#[derive(Deserialize)]
struct Report {
    name: String,
    want: String,
    /// Facts are scant: second place counts as right.
    #[serde(default)]
    hard: bool,
    text: String,
}

fn reports() -> Vec<Report> {
    let reports: Reports =
        toml::from_str(include_str!("explain_reports.toml")).expect("the reports are TOML");
    reports.report
}

#[test]
fn reports_get_their_cause() {
    let mut missed = Vec::new();
    for report in reports() {
        let want = CauseCode::from_name(&report.want).expect(&report.want);
        let named: Vec<CauseCode> =
            explain(&report.text).causes.iter().map(|cause| cause.code).collect();
        let places = if report.hard { 2 } else { 1 };
        if !named.iter().take(places).any(|code| *code == want) {
            missed.push(format!("{}: want {want:?}, got {named:?}", report.name));
        }
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn every_cause_has_reports() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for report in reports() {
        *counts.entry(report.want).or_default() += 1;
    }
    for code in CauseCode::ALL {
        let count = counts.get(code.as_str()).copied().unwrap_or(0);
        assert!(count >= 2, "{code:?} has {count} reports");
    }
}

/// Pieces of which reports are made, so that random texts reach the scanners and the rules.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "nfs",
        "cifs",
        "virtiofs",
        "9p",
        "wal",
        "-shm",
        "database is locked",
        "5386",
        "(11)",
        "= -1 EINVAL",
        "mmap(",
        "os_unix.c:1: (22) mmap(x) -",
        "./a.db:/b/a.db:ro",
        "not on",
        "works",
        "two hosts",
        "kernels_opening:",
        "1 on",
        "2+",
        " - ",
        "type",
        "on",
        "/mnt/c",
        "\\\\wsl$",
        "\u{fffd}",
        "(",
        ")",
        ":",
        "::",
        "\n",
        "journal_mode:",
        "\u{2192}",
        "'",
    ]);
    prop_oneof![4 => words.prop_map(str::to_owned), 1 => ".{0,12}"]
}

proptest! {
    #[test]
    fn any_text_has_an_answer(text in "(?s).{0,400}") {
        prop_assert!(!explain(&text).causes.is_empty());
    }

    #[test]
    fn any_report_has_an_answer(pieces in prop::collection::vec(piece(), 0..60)) {
        let explanation = explain(&pieces.join(" "));
        prop_assert!(!explanation.causes.is_empty());
        let whole: f64 = explanation.causes.iter().map(|cause| cause.confidence).sum();
        prop_assert!(whole < 1.03, "{whole}");
        prop_assert!(explanation.causes.is_sorted_by(|a, b| a.confidence >= b.confidence));
        for cause in &explanation.causes {
            prop_assert!(!cause.because.is_empty(), "{:?} without a reason", cause.code);
        }
    }
}

/// What must never be recommended when programs of several kernels open the file.
const FOR_ONE_KERNEL: &[RemedyId] =
    &[RemedyId::LeaveWal, RemedyId::OneProcessWal, RemedyId::NinePCacheMmap];

#[test]
fn several_kernels_are_never_sent_to_one_kernel_remedies() {
    let mut seen = 0;
    for report in reports() {
        let explanation = explain(&report.text);
        if explanation.facts.kernels != Kernels::Several {
            continue;
        }
        seen += 1;
        for remedy in &explanation.remedies {
            assert!(!FOR_ONE_KERNEL.contains(&remedy.id), "{}: {:?}", report.name, remedy.id);
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn no_step_follows_advice_that_loses_data() {
    const UNSAFE: &[&str] =
        &["nobrl", "nolock", "cache=loose", "chmod 777", "grpcfuse", "immutable=1"];
    let mut steps = 0;
    for report in reports() {
        for remedy in explain(&report.text).remedies {
            for code in remedy.steps.iter().filter_map(|step| step.code.as_deref()) {
                steps += 1;
                let found = UNSAFE.iter().find(|words| code.contains(**words));
                let mut removed = code.lines().filter(|line| line.trim_start().starts_with("rm "));
                let sidecar = removed.any(|line| line.contains("-wal") || line.contains("-shm"));
                assert!(!sidecar, "{}: {:?}: {code}", report.name, remedy.id);
                assert_eq!(found, None, "{}: {:?}: {code}", report.name, remedy.id);
            }
        }
    }
    assert!(steps > 100, "{steps}");
}

#[test]
fn a_healthy_local_disk_is_left_alone() {
    for report in reports().into_iter().filter(|report| report.want == "HEALTHY") {
        let explanation = explain(&report.text);
        assert!(explanation.remedies.is_empty(), "{}", report.name);
        assert!(explanation.warnings.is_empty(), "{}", report.name);
    }
}

#[test]
fn names_of_programs_decide_nothing() {
    for report in reports() {
        let before = explain(&report.text).causes;
        let after = explain(&format!("app: Someapp 12.3 (Zigbee, Qt)\n\n{}", report.text)).causes;
        assert_eq!(before[0].code, after[0].code, "{}", report.name);
    }
}

#[test]
fn a_long_report_is_no_problem() {
    let text = "nfs wal 5386 database is locked two hosts ./a.db:/b/a.db ( \n".repeat(4_000);
    assert!(!explain(&text).causes.is_empty());
    // One line each; work that grew with its square would not end.
    for word in ["nfs smb not on a works ", "5 ", "(", "\u{e4}", "two hosts 5386 a:/b "] {
        let line = word.repeat((1 << 18) / word.len());
        assert!(!explain(&line).causes.is_empty(), "{word}");
    }
}

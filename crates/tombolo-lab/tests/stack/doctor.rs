//! What the doctor says where the app fails.

use crate::app::assert_whole;
use crate::besides::Besides;
use crate::container::{Container, IN_CONTAINER};
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST, Stack};
use crate::storage::Storage;
use crate::tool::{doctor_from_outside, doctor_json, doctor_of_container, each, explain};
use serde_json::Value;
use std::path::Path;

/// The database cannot be opened, the map is refused, another kernel reaches it without locks.
const CODES: &[&str] = &["TMB-DB-001", "TMB-MMAP-001", "TMB-LOCK-007"];

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn the_doctor_names_the_cause_in_the_container_and_from_outside() {
    Stack::run(Storage::Zfs, Besides::Nothing, |stack| {
        let items = stack.app_on_host("library.db", &["--add", "3"]);
        stack.mount(DEFAULT_OPTIONS);
        let container = stack.container(IN_GUEST);
        let failed = container.app("library.db", &[]);
        let before = contents(&stack.directory);

        let path = format!("{IN_CONTAINER}/library.db");
        let report = doctor_json(&container, &path, 1);
        assert_cause(&report);
        let by_name = doctor_of_container(&stack.guest, &container.name, &path);
        assert_cause(&by_name);
        let seen_by = &by_name["target"]["seen_by"];
        assert_eq!(seen_by["pid"].to_string(), container.pid, "{seen_by}");
        assert_eq!(seen_by["container"]["name"], container.name.as_str(), "{seen_by}");
        assert_found_with_state_elsewhere(stack, &container, &path);
        let outside = doctor_from_outside(&stack.guest, &container.pid, &path);
        let sentences = [
            "9p on /config refuses the shared map that WAL mode needs",
            "\"disk I/O error\" is the answer to every statement, PRAGMA journal_mode=DELETE",
            "leave WAL mode with locking_mode=EXCLUSIVE set first",
            "let both kernels write",
        ];
        for said in sentences.iter().chain(CODES) {
            assert!(outside.contains(said), "{said:?} in {outside}");
        }

        // It has written nothing that stayed, and opened nothing that mattered.
        assert_eq!(contents(&stack.directory), before);
        assert_whole(&stack.judge("library.db", &items), 3);

        let cause = explain(&stack.guest, &failed.error_text());
        assert!(cause.contains("MMAP_REFUSED"), "{cause}");
    });
}

/// A second container of the same bundle, whose runtime was told to keep its state elsewhere: its
/// control group tells it.
fn assert_found_with_state_elsewhere(stack: &Stack, container: &Container<'_>, path: &str) {
    let (runtime, bundle) = (container.runtime, format!("/run/bundles/{}", container.name));
    let pid = stack.shell(&format!(
        "{runtime} --root /run/elsewhere run --detach --bundle {bundle} \
         --pid-file {bundle}/second elsewhere < /dev/null > {bundle}/log 2>&1; cat {bundle}/second"
    ));
    let report = doctor_of_container(&stack.guest, "elsewhere", path);
    assert_eq!(report["target"]["seen_by"]["pid"].to_string(), pid, "{}", report["target"]);
}

/// The cause by its codes, and what follows for each way of using SQLite.
pub(crate) fn assert_cause(report: &Value) {
    let summary = report["summary"].as_str().expect("a text");
    for said in ["9p", "EINVAL", "shared map", "locking_mode=EXCLUSIVE"] {
        assert!(summary.contains(said), "{summary}");
    }
    assert_eq!(report["completeness"]["state"], "complete");
    assert_eq!(report["mount"]["filesystem"], "9p");
    assert_eq!(report["topology"]["reach"]["count"], "several", "{}", report["topology"]);
    assert_eq!(report["topology"]["machine"], "qemu", "{}", report["topology"]);
    let map = report["topology"]["map"].as_str().expect("a text");
    assert!(map.starts_with("host ") && map.contains("container"), "{map}");
    let codes = each(report, "findings", "code");
    for code in CODES {
        assert!(codes.contains(code), "{code} in {codes:?}");
    }
    for (mode, of_one, of_several) in [
        ("wal", "fails", "unsafe"),
        ("wal_one_process", "safe", "unsafe"),
        ("rollback", "safe", "unsafe"),
    ] {
        assert_eq!(judgement(report, mode, "one_kernel"), of_one, "{mode}");
        assert_eq!(judgement(report, mode, "several_kernels"), of_several, "{mode}");
    }
}

/// What the report says of a way of using SQLite.
pub(crate) fn judgement<'a>(report: &'a Value, mode: &str, openers: &str) -> &'a str {
    let mut verdicts = report["verdicts"].as_array().into_iter().flatten();
    let found = verdicts.find(|of| of["mode"] == mode && of["openers"] == openers);
    found.and_then(|of| of["judgement"].as_str()).unwrap_or_else(|| panic!("{report}"))
}

/// Names and contents of all files, sorted.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).expect("readable").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let content = std::fs::read(entry.path()).expect("readable");
            (entry.file_name().to_string_lossy().into_owned(), content)
        })
        .collect();
    files.sort();
    files
}

//! When `explain` may say that nothing is wrong: never for a report it does not understand.

use tombolo_doctor::explain::{CauseCode, explain};

fn first(report: &str) -> CauseCode {
    explain(report).causes[0].code
}

/// Errors that no scanner knows, beside words of praise.
const NOT_UNDERSTOOD: &[&str] = &[
    "My app shows blorp 77 each time I save. It works locally.",
    "Opening the file: weird popup, garbage on screen; works on my laptop",
    "blorp 77 on save. Works fine on ext4.",
    "E_BLORP(77) after login, everything works locally, volume is a docker bind mount",
    "import stops with code red. Without docker it works fine",
    "The page stays blank on the server. Runs fine on my machine",
    "kernel: local ext4 disk; app prints XQ-1009 on every start",
    "filesystem: ext4\nkernels_opening: 1\nXQ-1009: store rejected\nworks locally",
    "filesystem: ext4\nthe save button does nothing, it used to work",
    "ext4, one process. Saving gives XQ-1009, reading works fine.",
    "On the local SSD. It works until midnight, then the screen is red.",
    "tmpfs. If I run it as root everything works, else blorp.",
    "xfs on a local disk: my colleague's copy works, mine says blorp",
    "filesystem: ext4. The import loses half of the list. The rest works.",
    "local disk, ext4. It should work, but I get a red screen.",
    "filesystem: ext4\njournal_mode: WAL\nkernels_opening: 1\nStatus: 0xDEADBEEF",
    "ZFS. No errors in the log, yet yesterday's notes are missing.",
    "ext4 in a VM. sqlite3 on the command line works, the app will not save.",
    "ZFS dataset, works, though every second insert is ignored.",
    "Local SSD, ext4: it runs fine for an hour and then goes quiet.",
    "APFS. No problems opening. Saving: XQ1009.",
    "ext4 on a local disk. No errors in the log. Yesterday's rows come back after each start.",
    "ext4, integrity_check ok. The app reports that its store is in an unknown state.",
    "btrfs; works; app log: SIGABRT",
    "ext4, local; integrity_check ok; users see each other's notes",
    "named volume; runs fine; the log has \"E4012\" every minute",
    "Can I ignore \"store out of sync\"? ext4, local disk.",
    "Should I update? After login the window closes at once. ext4, local disk.",
    "ext4. Do I have to reinstall? It answers with code 77.",
    "works",
    "No problems here so far, it runs on NFS with WAL.",
    "Everything works fine on our SMB share.",
];

#[test]
fn a_report_that_is_not_understood_is_never_called_healthy() {
    let wrong: Vec<_> =
        NOT_UNDERSTOOD.iter().filter(|report| first(report) == CauseCode::Healthy).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn without_other_facts_it_asks() {
    for report in NOT_UNDERSTOOD.iter().take(8) {
        assert_eq!(first(report), CauseCode::NeedsFacts, "{report}");
    }
}

const SANE: &[&str] = &[
    "filesystem: ext4\nkernels_opening: 1\njournal_mode: WAL\nworks",
    "The database is on a local NVMe (xfs), one process, WAL. No problems for two years.",
    "iSCSI LUN with ext4, mounted by one node only. integrity_check ok, runs fine.",
    "Database on ext4, two containers of one host use it. Is this safe?",
    "We keep the file on ZFS, one server process. Do I have to move it?",
    "It lies on the local disk, ext4, in WAL mode. Can I leave it like that?",
];

#[test]
fn what_works_on_a_sane_place_is_healthy() {
    for report in SANE {
        assert_eq!(first(report), CauseCode::Healthy, "{report}");
    }
}

#[test]
fn one_sentence_that_nobody_understands_is_enough_to_ask() {
    for report in SANE {
        for stranger in ["The frobnicator zorps.", "Rows flip at dusk", "Status: 77-B"] {
            let report = format!("{report}\n{stranger}");
            assert_ne!(first(&report), CauseCode::Healthy, "{report}");
        }
    }
}

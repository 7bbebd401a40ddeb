//! What holds for every way out, and how some of them read.

use super::*;
use tombolo_core::report::{ContainerRuntime, HeaderMode, KernelCount, Machine};

fn nine_p() -> Situation {
    Situation {
        database: Some("/mnt/my share/it's/app.db".to_owned()),
        filesystem: Some("9p".to_owned()),
        knowledge: Some("9p-qemu".to_owned()),
        mount_point: Some("/mnt/my share".to_owned()),
        source: Some("share".to_owned()),
        options: ["rw", "nosuid", "trans=virtio", "version=9p2000.L", "msize=131072"]
            .map(str::to_owned)
            .to_vec(),
        reach: Some(KernelCount::Several),
        machine: Some(Machine::Qemu),
        application: Some("jellyfin".to_owned()),
        journal_mode: Some(HeaderMode::Wal),
        local_directory: Some("/var/lib/app-data".to_owned()),
        ..Situation::default()
    }
}

fn desktop() -> Situation {
    Situation {
        database: Some("/data/grafana.db".to_owned()),
        filesystem: Some("fakeowner".to_owned()),
        mount_point: Some("/data".to_owned()),
        reach: Some(KernelCount::Several),
        several_kernels_open: Some(false),
        machine: Some(Machine::DockerDesktop),
        container: Some(ContainerRuntime::Docker),
        application: Some("grafana".to_owned()),
        ..Situation::default()
    }
}

fn smb() -> Situation {
    Situation {
        database: Some("/srv/data/db.sqlite3".to_owned()),
        filesystem: Some("cifs".to_owned()),
        mount_point: Some("/srv".to_owned()),
        source: Some("//server/share".to_owned()),
        options: vec!["vers=3.1.1".to_owned(), "nobrl".to_owned()],
        reach: Some(KernelCount::Several),
        container: Some(ContainerRuntime::Kubernetes),
        ..Situation::default()
    }
}

fn situations() -> Vec<Situation> {
    vec![Situation::default(), nine_p(), desktop(), smb()]
}

#[test]
fn every_way_out_is_complete_in_every_situation() {
    for situation in situations() {
        for id in RemedyId::ALL {
            let remedy = build(*id, &situation);
            let name = id.as_str();
            assert_eq!(remedy.id, *id);
            assert!(!remedy.steps.is_empty(), "{name}");
            for text in [&remedy.title, &remedy.why, &remedy.cost, &remedy.risk, &remedy.undo] {
                assert!(!text.is_empty() && text.is_ascii(), "{name}: {text}");
                assert!(!text.contains("  "), "{name}: {text}");
            }
            for step in &remedy.steps {
                assert!(
                    !step.text.is_empty() && !step.text.contains("  "),
                    "{name}: {}",
                    step.text
                );
                assert!(step.code.as_deref().is_none_or(|code| !code.is_empty()), "{name}");
            }
        }
    }
}

#[test]
fn no_command_carries_out_unsafe_advice() {
    let unsafe_words = [
        "nolock",
        "nobrl",
        "immutable",
        "cache=loose",
        "cache=fscache",
        "local_lock",
        "localflock",
        "chmod 777",
        "chmod -R",
        "journal_mode=WAL",
        "synchronous=OFF",
        "--lazy",
        "--force",
    ];
    for situation in situations() {
        for id in RemedyId::ALL {
            for code in build(*id, &situation).steps.into_iter().filter_map(|step| step.code) {
                for word in unsafe_words {
                    assert!(!code.contains(word), "{}: {code}", id.as_str());
                }
                for line in code.lines().filter(|line| line.trim_start().starts_with("rm ")) {
                    assert!(line.contains(".new"), "{}: {line}", id.as_str());
                }
            }
        }
    }
}

#[test]
fn what_changes_a_database_comes_after_stopping_and_copying() {
    for id in [
        RemedyId::LeaveWal,
        RemedyId::OneProcessWal,
        RemedyId::SplitDatabaseFromMedia,
        RemedyId::UpgradeSqlite,
    ] {
        let steps = build(id, &nine_p()).steps;
        let at = |word: &str| {
            steps.iter().position(|step| step.text.contains(word)).unwrap_or(usize::MAX)
        };
        assert_eq!(at("Stop every program"), 0, "{}", id.as_str());
        assert_eq!(at("Copy the database together"), 1, "{}", id.as_str());
    }
}

#[test]
fn a_program_that_is_known_is_told_how_to_ask_for_unix_excl() {
    let codes = |programs: &[&str], application: &str| {
        let programs = programs.iter().map(|program| (*program).to_owned()).collect();
        let application = Some(application.to_owned());
        let steps =
            build(RemedyId::OneProcessWal, &Situation { programs, application, ..nine_p() }).steps;
        steps.iter().map(|step| step.code.clone().unwrap_or(step.text.clone())).collect::<Vec<_>>()
    };
    let uri = "file:/mnt/my%20share/it%27s/app.db?vfs=unix-excl";
    let has = |codes: &[String], wanted: &str| codes.iter().any(|code| code.contains(wanted));
    let python = codes(&["python3.11", "python3"], "");
    assert!(has(&python, &format!("sqlite3.connect(\"{uri}\", uri=True)")), "{python:?}");
    assert!(!has(&python, "jdbc:"), "{python:?}");
    let node = codes(&["node"], "");
    assert!(has(&node, "no such setting by Node.js, better-sqlite3"), "{node:?}");
    let optuna = codes(&["python3"], "optuna");
    assert!(has(&optuna, &format!("storage = \"sqlite:///{uri}&uri=true\"")), "{optuna:?}");
    assert!(!has(&optuna, "sqlite3.connect"), "{optuna:?}");
    for codes in [python, node, optuna, codes(&[], "")] {
        assert!(has(&codes, uri) && has(&codes, "tombolo run --exclusive --db"), "{codes:?}");
    }
}

#[test]
fn leaving_wal_mode_takes_exclusive_first() {
    let steps = build(RemedyId::LeaveWal, &nine_p()).steps;
    let code = steps.iter().filter_map(|step| step.code.as_deref());
    let found: Vec<&str> = code.filter(|code| code.contains("journal_mode=DELETE")).collect();
    assert_eq!(found.len(), 1);
    let exclusive = found[0].find("locking_mode=EXCLUSIVE").unwrap();
    assert!(exclusive < found[0].find("journal_mode").unwrap());
}

#[test]
fn what_is_good_for_one_kernel_says_so_first() {
    for id in RemedyId::ALL {
        let remedy = build(*id, &nine_p());
        let said = remedy.why.starts_with("Only while programs of one kernel");
        assert_eq!(said, remedy.reach == Reach::OneKernel, "{}", id.as_str());
        let known = build(*id, &Situation { several_kernels_open: Some(false), ..nine_p() });
        assert!(!known.why.starts_with("Only while"), "{}", id.as_str());
    }
}

#[test]
fn names_are_quoted_in_every_command() {
    for id in RemedyId::ALL {
        for code in build(*id, &nine_p()).steps.into_iter().filter_map(|step| step.code) {
            assert!(!code.contains(" /mnt/my share/it"), "{}: {code}", id.as_str());
        }
    }
}

fn text(id: RemedyId, situation: &Situation) -> String {
    let remedy = build(id, situation);
    let mut text = format!("{}\nwhy: {}\n", remedy.title, remedy.why);
    for (index, step) in remedy.steps.iter().enumerate() {
        text += &format!("{}. {}\n", index + 1, step.text);
        for line in step.code.iter().flat_map(|code| code.lines()) {
            text += &format!("   {line}\n");
        }
    }
    text + &format!("cost: {}\nrisk: {}\nundo: {}", remedy.cost, remedy.risk, remedy.undo)
}

#[test]
fn some_ways_out_in_full() {
    insta::assert_snapshot!("move_local_jellyfin", text(RemedyId::MoveLocal, &nine_p()));
    insta::assert_snapshot!("leave_wal", text(RemedyId::LeaveWal, &nine_p()));
    insta::assert_snapshot!("nine_p_cache_mmap", text(RemedyId::NinePCacheMmap, &nine_p()));
    insta::assert_snapshot!("named_volume", text(RemedyId::NamedVolume, &desktop()));
    insta::assert_snapshot!("drop_masking_option", text(RemedyId::DropMaskingOption, &smb()));
}

#[test]
fn a_second_mount_of_a_part_is_not_mounted_over_by_the_whole() {
    for situation in [
        Situation { mount_root: Some("/app".to_owned()), ..nine_p() },
        Situation { container: Some(ContainerRuntime::Docker), ..nine_p() },
    ] {
        let text = text(RemedyId::NinePCacheMmap, &situation);
        assert!(text.contains("findmnt -t 9p"), "{text}");
        assert!(!text.contains("umount '/mnt/my share'"), "{text}");
    }
}

mod hostile {
    use super::*;
    use crate::knowledge::{self, MountFacts};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_from_outside_stops_a_way_out(
            texts in proptest::collection::vec(any::<String>(), 6),
            options in proptest::collection::vec("[a-z_.=*&|0-9x]{0,12}", 0..8),
        ) {
            let situation = Situation {
                database: Some(texts[0].clone()),
                mount_point: Some(texts[1].clone()),
                source: Some(texts[2].clone()),
                application: Some(texts[3].clone()),
                local_directory: Some(texts[4].clone()),
                filesystem: Some(texts[5].clone()),
                programs: texts.clone(),
                options: options.clone(),
                ..Situation::default()
            };
            for id in RemedyId::ALL {
                prop_assert!(!build(*id, &situation).steps.is_empty());
            }
            prop_assert!(!warnings(&situation).is_empty());
            let facts = MountFacts {
                filesystem: "9p",
                source: &texts[2],
                super_options: &options,
                kernel_release: &texts[3],
                mount_point: &texts[1],
                ..MountFacts::default()
            };
            let row = knowledge::find(&facts);
            prop_assert!(row.is_some());
            prop_assert!(!knowledge::known(row, &facts).name.is_empty());
        }
    }
}

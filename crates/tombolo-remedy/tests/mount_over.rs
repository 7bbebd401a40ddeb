//! `move` with a mount: whole runs, cut-off ones, power failures, and their undoing. Each test
//! mounts in a namespace of its own.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

mod common;

use common::{ROWS, apply_or_finish, assert_same, files, killed_in_wal_mode, seen, with_tools};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;
use tombolo_os::{bind_mount, private_mount};
use tombolo_remedy::Error;
use tombolo_remedy::config::Waits;
use tombolo_remedy::remedies::{Table, configuration_text, is_under_mount, relocate_under_mount};
use tombolo_remedy::run::{self, Outcome};
use tombolo_remedy::state::Place;

const TABLE: &str = "# disks\nUUID=1 / ext4 defaults 0 1\n";

struct Setting {
    root: TempDir,
}

impl Setting {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["my share", "my share/app", "new"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        std::fs::write(root.path().join("fstab"), TABLE).unwrap();
        let setting = Setting { root };
        killed_in_wal_mode(&setting.old());
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        std::fs::canonicalize(self.root.path()).unwrap().join(name)
    }

    fn old(&self) -> PathBuf {
        self.path("my share/app")
    }

    fn new_directory(&self) -> PathBuf {
        self.path("new")
    }

    /// The path that a program knows.
    fn known(&self) -> PathBuf {
        self.old().join("app.db")
    }

    fn place(&self) -> Place {
        Place::at(self.old(), "app.db".to_owned()).above().unwrap()
    }

    fn plan(&self) -> Result<tombolo_remedy::plan::Plan, Error> {
        let place = Place::of(&self.path("fstab")).unwrap();
        let text = configuration_text(&place).unwrap();
        let table = Table { place: &place, text: &text, waits: Waits::ForDisks };
        relocate_under_mount(&self.place(), &self.new_directory(), &table)
    }

    fn apply(&self, stop_at: Option<usize>) -> Result<Outcome, Error> {
        apply_or_finish(&self.place(), || self.plan(), stop_at)
    }

    fn undo(&self) -> Result<Outcome, Error> {
        with_tools(None, Vec::new(), |tools| run::undo(&self.place(), tools))
    }

    fn table(&self) -> String {
        std::fs::read_to_string(self.path("fstab")).unwrap()
    }

    fn changed(&self) -> SystemTime {
        std::fs::metadata(self.path("fstab")).unwrap().modified().unwrap()
    }

    fn is_bound(&self) -> bool {
        bind_mount::is_bound(&self.new_directory(), &self.old()).unwrap()
    }

    /// As after a start at which the mount did not come about.
    fn lose_mount(&self) {
        if self.is_bound() {
            bind_mount::unbind(&self.old()).unwrap();
        }
    }

    #[track_caller]
    fn assert_as_before(&self, before: &std::collections::BTreeMap<String, Vec<u8>>) {
        assert!(!self.is_bound() && !bind_mount::is_mount_point(&self.old()).unwrap());
        assert_same(&files(&self.old()), before);
        assert!(!self.known().is_symlink());
        assert_eq!(std::fs::read_dir(self.new_directory()).unwrap().count(), 0);
        assert_eq!(self.table(), TABLE);
        assert!(!self.place().state().exists());
        assert!(!self.path(".fstab.tombolo-partial").exists());
    }
}

/// Runs `test` where its mounts reach nobody else, and end with it.
fn alone(test: impl FnOnce() + Send) {
    assert!(rustix::process::geteuid().is_root(), "the test did not run: mounting takes root");
    let within = || {
        private_mount::enter().unwrap();
        test();
    };
    let ended = std::thread::scope(|scope| scope.spawn(within).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[test]
fn the_path_shows_the_copy_with_the_mount_and_without_it_and_every_byte_comes_back() {
    alone(|| {
        let setting = Setting::new();
        let before = files(&setting.old());
        let (expected, changed) = (seen(&setting.known()), setting.changed());
        setting.apply(None).unwrap();
        let line = format!(
            "{} {} none bind,nofail 0 0\n",
            setting.new_directory().display(),
            setting.old().display().to_string().replace(' ', "\\040")
        );
        assert_eq!(setting.table(), format!("{TABLE}{line}"));
        assert!(setting.is_bound() && setting.known().is_file() && !setting.known().is_symlink());
        assert_eq!(seen(&setting.known()), expected);
        let place = setting.place();
        let standing = run::recorded(&place).unwrap().unwrap();
        assert!(is_under_mount(&place, &standing, &setting.new_directory()).unwrap());
        assert_eq!(Place::find_above(&setting.known()).unwrap(), Some(place));

        setting.lose_mount();
        assert_eq!(seen(&setting.known()), expected);
        assert!(setting.known().is_symlink());
        for (name, bytes) in &before {
            let old = setting.old().join(format!("{name}.moved-by-tombolo"));
            assert!(&std::fs::read(old).unwrap() == bytes, "{name}");
        }
        assert_refused(&setting, "the mount is missing: mount /");
        bind_mount::bind(&setting.new_directory(), &setting.old()).unwrap();

        setting.undo().unwrap();
        setting.assert_as_before(&before);
        assert_eq!(setting.changed(), changed);
    });
}

/// Takes a run up that was stopped at a question: says whether it had ended, and whether it had
/// mounted.
fn stopped_at(number: usize, power_fails: bool, finish: bool) -> (bool, bool) {
    let setting = Setting::new();
    let before = files(&setting.old());
    let stopped = setting.apply(Some(number));
    let ended = match stopped {
        Ok(_) => true,
        Err(Error::Stopped) => false,
        Err(error) => panic!("question {number}: {error}"),
    };
    let mounted = setting.is_bound();
    if power_fails {
        setting.lose_mount();
    }
    assert_eq!(seen(&setting.known()).0, ROWS, "stopped at question {number}");
    if finish && !ended {
        setting.apply(None).unwrap();
        assert!(setting.is_bound(), "stopped at question {number}");
        assert_eq!(seen(&setting.known()).0, ROWS);
    }
    match setting.undo() {
        Ok(_) | Err(Error::NothingRecorded(_)) => {}
        Err(error) => panic!("question {number}: {error}"),
    }
    setting.assert_as_before(&before);
    (ended, mounted)
}

/// Cut off at each question, with the power or without it, a run is finished, and another undone.
#[test]
fn a_run_that_was_stopped_anywhere_is_finished_or_undone() {
    alone(|| {
        for number in 0.. {
            stopped_at(number, false, true);
            let (ended, mounted) = stopped_at(number, false, false);
            if mounted {
                stopped_at(number, true, true);
                stopped_at(number, true, false);
            }
            if ended {
                assert!(number > 10 && mounted, "{number}");
                break;
            }
        }
    });
}

#[test]
fn a_table_that_was_edited_since_loses_the_line_and_nothing_else() {
    alone(|| {
        let setting = Setting::new();
        setting.apply(None).unwrap();
        let edited = setting.table().replace("UUID=1", "UUID=2").replace(",nofail", "") + "# end\n";
        std::fs::write(setting.path("fstab"), edited).unwrap();
        setting.undo().unwrap();
        assert_eq!(setting.table(), TABLE.replace("UUID=1", "UUID=2") + "# end\n");
        assert!(!setting.is_bound());

        let setting = Setting::new();
        setting.apply(None).unwrap();
        std::fs::write(setting.path("fstab"), "# all anew\n").unwrap();
        setting.undo().unwrap();
        assert_eq!(setting.table(), "# all anew\n");
    });
}

#[test]
fn what_was_committed_since_is_never_removed_nor_unmounted() {
    alone(|| {
        let setting = Setting::new();
        setting.apply(None).unwrap();
        let connection = Connection::open(setting.known()).unwrap();
        connection.execute("INSERT INTO t VALUES (1000, 'since')", []).unwrap();
        drop(connection);
        let refused = setting.undo().unwrap_err();
        assert!(matches!(refused, Error::CommittedSince { .. }), "{refused}");
        assert!(setting.is_bound() && setting.table().contains("bind"));
        assert_eq!(seen(&setting.known()).0, ROWS + 1);
        let standing = tombolo_remedy::run::recorded(&setting.place()).unwrap().unwrap();
        assert_eq!(standing.ended, Some(tombolo_remedy::record::Ended::Applied));
    });
}

#[track_caller]
fn assert_refused(setting: &Setting, words: &str) {
    let refused = setting.plan().map(drop).unwrap_err().to_string();
    assert!(refused.contains(words), "{refused}");
}

#[test]
fn a_mount_that_would_hide_or_show_more_than_the_database_is_refused() {
    alone(|| {
        let setting = Setting::new();
        for name in ["settings.xml", "b", "c", "d"] {
            std::fs::write(setting.old().join(name), "").unwrap();
        }
        assert_refused(&setting, "hide what else is in");
        assert_refused(&setting, " and more");

        let setting = Setting::new();
        std::fs::write(setting.new_directory().join("passwords"), "").unwrap();
        assert_refused(&setting, "would show what else is in");

        let setting = Setting::new();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(setting.new_directory(), mode).unwrap();
        assert_refused(&setting, "chmod --reference");

        let setting = Setting::new();
        let line = format!("server:/x {} nfs hard 0 0\n", setting.path("my share/app").display());
        std::fs::write(setting.path("fstab"), line.replace("my share", "my\\040share")).unwrap();
        assert_refused(&setting, "something else is mounted");

        let setting = Setting::new();
        bind_mount::bind(&setting.path("my share"), &setting.new_directory()).unwrap();
        assert_refused(&setting, "would show what else");
        bind_mount::bind(&setting.old(), &setting.old()).unwrap();
        assert_refused(&setting, "is a mount itself");
        let within = Place::at(setting.path("my share"), "x.db".to_owned()).above().unwrap();
        let place = Place::of(&setting.path("fstab")).unwrap();
        let table = Table { place: &place, text: "", waits: Waits::ForDisks };
        let refused = relocate_under_mount(&within, &setting.old(), &table).map(drop).unwrap_err();
        assert!(refused.to_string().contains("within the other"), "{refused}");
    });
}

#[test]
fn where_nothing_can_be_mounted_nothing_is_begun() {
    alone(|| {
        let setting = Setting::new();
        let before = files(&setting.old());
        let place = setting.place();
        let plan = setting.plan().unwrap();
        // Somebody moves the directory away and puts a link there.
        let moved = setting.path("my share/moved");
        std::fs::rename(setting.old(), &moved).unwrap();
        std::os::unix::fs::symlink(Path::new("/var"), setting.old()).unwrap();
        let refused = with_tools(None, Vec::new(), |tools| run::apply(&place, plan, tools));
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, Error::NoMount { said, .. } if said.contains("ELOOP")));
        assert!(refused.hint().is_some_and(|hint| hint.contains("--bind")));
        std::fs::remove_file(setting.old()).unwrap();
        std::fs::rename(&moved, setting.old()).unwrap();
        setting.assert_as_before(&before);
    });
}

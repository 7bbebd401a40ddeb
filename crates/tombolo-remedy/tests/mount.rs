//! `mount`: edits of configuration files carried out, cut off anywhere, and undone.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

mod common;

use common::{apply_or_finish, with_tools};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tombolo_remedy::Error;
use tombolo_remedy::config::{Change, Kind, Selector};
use tombolo_remedy::plan::Plan;
use tombolo_remedy::remedies::{Wish, configuration_text, difference, mount};
use tombolo_remedy::run::{self, Outcome};
use tombolo_remedy::state::Place;

const BEFORE: &str = "# mine\r\nnas:/e  /srv/app\tnfs  rw,soft 0 0";
const AFTER: &str = "# mine\r\nnas:/e  /srv/app\tnfs  rw,hard 0 0";

struct Setting {
    directory: TempDir,
}

impl Setting {
    fn new() -> Self {
        let setting = Setting { directory: tempfile::tempdir().unwrap() };
        std::fs::write(setting.path(), BEFORE).unwrap();
        std::fs::set_permissions(setting.path(), Permissions::from_mode(0o640)).unwrap();
        setting
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("fstab")
    }

    fn place(&self) -> Place {
        Place::find(&self.path()).unwrap()
    }

    fn plan(&self) -> Result<Plan, Error> {
        let selector = Selector { mount_point: Some("/srv/app".to_owned()), ..Selector::default() };
        let changes = [Change::Drop("soft".parse().unwrap()), Change::Set("hard".parse().unwrap())];
        let wish = Wish { kind: Kind::Fstab, selector: &selector, changes: &changes };
        mount(&self.place(), &configuration_text(&self.place())?, &wish)
    }

    fn apply(&self, stop_at: Option<usize>) -> Result<Outcome, Error> {
        apply_or_finish(&self.place(), || self.plan(), stop_at)
    }

    fn undo(&self, stop_at: Option<usize>) -> Result<Outcome, Error> {
        with_tools(stop_at, Vec::new(), |tools| run::undo(&self.place(), tools))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

/// What is to stay of a file: owner, group, mode and an attribute, where there are any.
fn kept(path: &Path) -> (u32, u32, u32, Option<Vec<u8>>) {
    let status = std::fs::metadata(path).unwrap();
    let mut value = vec![0; 64];
    let attribute = rustix::fs::getxattr(path, "user.note", value.as_mut_slice());
    let attribute = attribute.ok().map(|length| value[..length].to_vec());
    (status.uid(), status.gid(), status.mode(), attribute)
}

#[test]
fn the_file_is_edited_and_every_byte_comes_back() {
    let setting = Setting::new();
    let flags = rustix::fs::XattrFlags::empty();
    let has_attributes = rustix::fs::setxattr(setting.path(), "user.note", b"x", flags).is_ok();
    let (before, modified) =
        (kept(&setting.path()), setting.path().metadata().unwrap().mtime_nsec());
    assert_eq!(before.3.is_some(), has_attributes);
    let plan = setting.plan().unwrap();
    let diff = difference(&plan).unwrap();
    assert!(diff.contains("-nas:/e  /srv/app\tnfs  rw,soft 0 0\n"), "{diff}");
    assert!(diff.contains("+nas:/e  /srv/app\tnfs  rw,hard 0 0\n"), "{diff}");

    let outcome = setting.apply(None).unwrap();
    assert_eq!(difference(&plan), None);
    assert!(outcome.notes[0].contains("unmounted and mounted again"), "{:?}", outcome.notes);
    assert_eq!(setting.text(), AFTER);
    assert_eq!(kept(&setting.path()), before);
    let refusal = setting.apply(None).unwrap_err();
    assert!(refusal.to_string().contains("says so already"), "{refusal}");

    setting.undo(None).unwrap();
    assert_eq!(setting.text(), BEFORE);
    assert_eq!(kept(&setting.path()), before);
    assert_eq!(setting.path().metadata().unwrap().mtime_nsec(), modified);
    assert_eq!(std::fs::read_dir(setting.directory.path()).unwrap().count(), 1);
    assert!(matches!(setting.undo(None), Err(Error::NothingRecorded(_))));
}

#[test]
fn a_run_that_stopped_anywhere_is_finished_or_undone() {
    for undo in [false, true] {
        let mut ended = false;
        for stop_at in 0..64 {
            let setting = Setting::new();
            let stopped = setting.apply(Some(stop_at));
            assert!([BEFORE, AFTER].contains(&setting.text().as_str()));
            match stopped {
                Err(Error::Stopped) if undo => {
                    setting.undo(None).unwrap();
                    assert_eq!(setting.text(), BEFORE);
                }
                Err(Error::Stopped) => {
                    setting.apply(None).unwrap();
                    assert_eq!(setting.text(), AFTER);
                }
                Ok(_) => {
                    ended = true;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(ended, "it ends when it is not stopped");
    }
}

#[test]
fn a_link_is_followed_and_stays() {
    let setting = Setting::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("real");
    std::fs::rename(setting.path(), &real).unwrap();
    std::os::unix::fs::symlink(&real, setting.path()).unwrap();
    setting.apply(None).unwrap();
    assert!(setting.path().is_symlink());
    assert_eq!(std::fs::read_to_string(&real).unwrap(), AFTER);
    setting.undo(None).unwrap();
    assert_eq!(std::fs::read_to_string(&real).unwrap(), BEFORE);
}

#[test]
fn what_changed_meanwhile_is_not_written_over() {
    let setting = Setting::new();
    let plan = setting.plan().unwrap();
    let other = BEFORE.replace("# mine", "# other");
    std::fs::write(setting.path(), &other).unwrap();
    let place = setting.place();
    let result = with_tools(None, Vec::new(), |tools| run::apply(&place, plan, tools));
    assert!(matches!(result, Err(Error::Changed { .. })), "{result:?}");
    assert_eq!(setting.text(), other);
    setting.undo(None).unwrap();
    assert_eq!(setting.text(), other);

    let setting = Setting::new();
    setting.apply(None).unwrap();
    let later = format!("{AFTER}\n# later\n");
    std::fs::write(setting.path(), &later).unwrap();
    let refusal = setting.undo(None).unwrap_err();
    assert!(
        matches!(&refusal, Error::EditedSince { saved, .. }
        if std::fs::read_to_string(saved).unwrap() == BEFORE),
        "{refusal}"
    );
    assert_eq!(setting.text(), later);
    // The run stands as it stood, so its originals can be given up.
    let standing = run::recorded(&setting.place()).unwrap().unwrap();
    assert_eq!(standing.ended, Some(tombolo_remedy::record::Ended::Applied));
    std::fs::write(setting.path(), AFTER).unwrap();
    setting.undo(None).unwrap();
    assert_eq!(setting.text(), BEFORE);
}

#[test]
fn what_cannot_be_replaced_is_refused() {
    let setting = Setting::new();
    std::fs::hard_link(setting.path(), setting.directory.path().join("other")).unwrap();
    let refusal = setting.apply(None).unwrap_err();
    assert!(refusal.to_string().contains("hard links"), "{refusal}");
    assert_eq!(setting.text(), BEFORE);
    setting.undo(None).unwrap();

    let setting = Setting::new();
    std::fs::write(setting.path(), b"\xff /srv/app nfs soft 0 0\n").unwrap();
    assert!(setting.plan().unwrap_err().to_string().contains("no UTF-8"));
    std::fs::write(setting.path(), " ".repeat(600 * 1024)).unwrap();
    assert!(setting.plan().unwrap_err().to_string().contains("too long"));
    std::fs::remove_file(setting.path()).unwrap();
    std::fs::create_dir(setting.path()).unwrap();
    assert!(setting.plan().is_err());
}

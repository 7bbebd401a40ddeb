//! `serve`: an owner as a service, cut off anywhere, finished or undone.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

mod common;

use common::{apply_or_finish, apply_or_finish_by, assert_same, files, with_services, with_tools};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tombolo_core::report::Opener;
use tombolo_core::wire::place::within;
use tombolo_remedy::Error;
use tombolo_remedy::plan::{Plan, RemedyName};
use tombolo_remedy::record::Ended;
use tombolo_remedy::remedies::{By, Serving, difference, serve};
use tombolo_remedy::run::{self, Outcome};
use tombolo_remedy::service::{ComposeTool, Engine, Look, Manager, Services, Wanted, scratch};
use tombolo_remedy::state::Place;

const COMPOSE: &str = "# mine\nservices:\n  # the app\n  app:\n    image: x  # pinned\n";

/// What runs services, as far as these tests go.
#[derive(Default)]
struct Machine {
    /// Where its units are, and whether it has read them.
    units: PathBuf,
    loaded: bool,
    enabled: bool,
    directory: PathBuf,
    running: bool,
    /// Somebody else's owner.
    other: Option<String>,
    asked: Vec<String>,
    /// Fails at the n-th question.
    fail_at: Option<usize>,
    looks: usize,
}

impl Machine {
    fn fails(&mut self) -> bool {
        match &mut self.fail_at {
            None => false,
            Some(0) => {
                self.fail_at = None;
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    fn run(&mut self) {
        self.running = true;
        let own = within(&self.directory);
        std::fs::create_dir_all(own.join("groups")).unwrap();
        for name in ["lock", "owner.sock"] {
            std::fs::write(own.join(name), "").unwrap();
        }
    }
}

impl Services for Machine {
    fn ask(&mut self, _manager: &Manager, words: &[&str]) -> Result<String, String> {
        self.asked.push(words.join(" "));
        if self.fails() {
            return Err("failed".to_owned());
        }
        let unit = self.units.join("tombolo.service");
        match words {
            ["show", "--property=LoadState", _] => {
                let state = if self.loaded { "loaded" } else { "not-found" };
                return Ok(format!("LoadState={state}\n"));
            }
            ["show", ..] => return Ok("ActiveState=inactive\nResult=success\n".to_owned()),
            ["daemon-reload"] => self.loaded = unit.exists(),
            ["enable", "tombolo.service"] if self.loaded => self.enabled = true,
            ["start", "tombolo.service"] if self.loaded => self.run(),
            ["up", "--detach", "tombolo"] => self.run(),
            ["disable", "--now", "tombolo.service"] if unit.exists() => {
                self.enabled = false;
                self.running = false;
            }
            ["stop", "tombolo"] => self.running = false,
            ["rm", "--force", "tombolo"] => {}
            other => return Err(format!("{other:?} makes no sense now")),
        }
        Ok(String::new())
    }

    fn owner(&mut self, _database: &Path) -> Option<String> {
        self.other.clone()
    }

    fn look(&mut self, look: &Look) -> Result<Vec<String>, String> {
        assert!(self.running, "what is looked at runs");
        // What is left if this is cut off.
        std::fs::write(scratch(&look.database), "scratch").unwrap();
        if self.fails() {
            return Err("no owner answers".to_owned());
        }
        std::fs::remove_file(scratch(&look.database)).unwrap();
        self.looks += 1;
        Ok(vec!["it works".to_owned()])
    }
}

#[derive(Clone, Copy)]
enum Way {
    Unit,
    NewCompose,
    Compose,
}

struct Setting {
    directory: TempDir,
    way: Way,
    machine: Machine,
}

impl Setting {
    fn new(way: Way) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("data")).unwrap();
        std::fs::create_dir(real.join("units")).unwrap();
        std::fs::write(real.join("data/app.db"), "content").unwrap();
        if matches!(way, Way::Compose) {
            std::fs::write(real.join("compose.yaml"), COMPOSE).unwrap();
        }
        let machine = Machine {
            units: real.join("units"),
            directory: real.join("data"),
            ..Machine::default()
        };
        Setting { directory, way, machine }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn place(&self) -> Place {
        Place::find(&self.path("data/app.db")).unwrap()
    }

    fn plan(&self, engine: Engine) -> Result<Plan, Error> {
        self.planned(engine, Some(ComposeTool::Docker), &[])
    }

    fn planned(
        &self,
        engine: Engine,
        tool: Option<ComposeTool>,
        openers: &[Opener],
    ) -> Result<Plan, Error> {
        let wanted = Wanted {
            name: "tombolo".parse().unwrap(),
            directory: self.path("data").to_str().unwrap().parse().unwrap(),
            binary: "/opt/tombolo".parse().unwrap(),
            user: "media".to_owned(),
            numbers: (7, 8),
            listen: vec!["tcp://192.0.2.1:7000".to_owned()],
            keys: None,
        };
        let (units, compose) = (self.path("units"), self.path("compose.yaml"));
        let by = match self.way {
            Way::Unit => By::Unit { manager: Manager::User, directory: &units },
            _ => By::Compose { file: &compose, tool },
        };
        let addresses = wanted.listen.clone();
        serve(&self.place(), &Serving { wanted: &wanted, by, engine, openers, addresses })
    }

    fn apply(&mut self, stop_at: Option<usize>) -> Result<Outcome, Error> {
        let (place, planned) = (self.place(), self.plan(Engine::Shared));
        apply_or_finish_by(&mut self.machine, &place, || planned, stop_at)
    }

    fn undo(&mut self, stop_at: Option<usize>) -> Result<Outcome, Error> {
        let place = self.place();
        with_services(stop_at, Vec::new(), &mut self.machine, |tools| run::undo(&place, tools))
    }

    /// Every file but those of the run, by its path.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        for name in [".", "data", "units"] {
            let found = files(&self.path(name)).into_iter();
            all.extend(found.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        }
        all
    }

    #[track_caller]
    fn assert_as_before(&self, before: &BTreeMap<String, Vec<u8>>) {
        assert_same(&self.files(), before);
        let machine = &self.machine;
        assert!(!machine.running && !machine.enabled && !machine.loaded);
        assert!(!within(&self.path("data")).exists(), "the owner's directory is gone");
        assert!(!self.place().state().exists());
    }

    #[track_caller]
    fn assert_served(&self) {
        let machine = &self.machine;
        assert!(machine.running && machine.looks > 0);
        assert_eq!(machine.enabled, matches!(self.way, Way::Unit));
        let standing = run::recorded(&self.place()).unwrap().unwrap();
        assert_eq!(standing.ended, Some(Ended::Applied));
        assert!(!scratch(&self.path("data/app.db")).exists());
    }
}

#[test]
fn it_is_set_up_and_every_byte_comes_back() {
    for way in [Way::Unit, Way::NewCompose, Way::Compose] {
        let mut setting = Setting::new(way);
        let before = setting.files();
        let plan = setting.plan(Engine::Shared).unwrap();
        let shown = difference(&plan).unwrap();
        assert!(shown.contains("--listen"), "{shown}");
        assert!(shown.lines().skip(3).all(|line| line.starts_with(['+', ' '])), "{shown}");
        assert_same(&setting.files(), &before);

        let outcome = setting.apply(None).unwrap();
        setting.assert_served();
        let notes = outcome.notes.join("\n");
        for words in ["it works", "TOMBOLO_OWNER=tcp://192.0.2.1:7000", "?vfs=tombolo"] {
            assert!(notes.contains(words), "{notes}");
        }
        let order = match way {
            Way::Unit => vec!["daemon-reload", "enable tombolo.service", "start tombolo.service"],
            _ => vec!["up --detach tombolo"],
        };
        let order: Vec<String> = order.into_iter().map(str::to_owned).collect();
        assert!(setting.machine.asked.ends_with(&order), "{:?}", setting.machine.asked);

        setting.undo(None).unwrap();
        setting.assert_as_before(&before);
    }
}

/// Stopped at each question of a step, and with each question to what runs services failing.
#[test]
fn a_run_that_was_cut_off_anywhere_is_finished_or_undone() {
    for way in [Way::Unit, Way::NewCompose, Way::Compose] {
        for undo in [false, true] {
            for fails in [false, true] {
                let mut ended = false;
                for moment in 0..64 {
                    let mut setting = Setting::new(way);
                    let before = setting.files();
                    setting.machine.fail_at = fails.then_some(moment);
                    match setting.apply((!fails).then_some(moment)) {
                        Ok(_) => ended = true,
                        Err(Error::Stopped | Error::Service { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    if ended {
                        break;
                    }
                    setting.machine.fail_at = None;
                    if !undo {
                        setting.apply(None).unwrap();
                        setting.assert_served();
                    } else if let Err(error) = setting.undo(None) {
                        // The first step had not begun, or had changed nothing.
                        assert!(matches!(error, Error::NothingRecorded(_)), "{error}");
                    }
                    if undo {
                        setting.assert_as_before(&before);
                    }
                }
                assert!(ended, "it ends when it is not stopped");
            }
        }
    }
}

/// An undo that was cut off is taken up by the next one.
#[test]
fn an_undo_that_was_cut_off_anywhere_is_finished() {
    for way in [Way::Unit, Way::NewCompose, Way::Compose] {
        for fails in [false, true] {
            let mut ended = false;
            for moment in 0..64 {
                let mut setting = Setting::new(way);
                let before = setting.files();
                setting.apply(None).unwrap();
                setting.machine.fail_at = fails.then_some(moment);
                match setting.undo((!fails).then_some(moment)) {
                    Ok(_) => ended = true,
                    Err(Error::Stopped | Error::Service { .. }) => {
                        setting.machine.fail_at = None;
                        setting.undo(None).unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
                setting.assert_as_before(&before);
                if ended {
                    break;
                }
            }
            assert!(ended, "it ends when it is not stopped");
        }
    }
}

#[test]
fn nobody_is_set_up_beside_another_owner_or_under_a_name_that_is_taken() {
    let mut setting = Setting::new(Way::Unit);
    let before = setting.files();
    setting.machine.other = Some("process 7".to_owned());
    let refusal = setting.apply(None).unwrap_err();
    assert_eq!(refusal.to_string(), "it is served already, by process 7");
    setting.assert_as_before(&before);

    setting.machine.other = None;
    setting.machine.loaded = true;
    let refusal = setting.apply(None).unwrap_err();
    assert!(matches!(&refusal, Error::NameTaken { name } if name == "tombolo.service"));
    assert_same(&setting.files(), &before);

    std::fs::write(setting.path("units/tombolo.service"), "mine").unwrap();
    let refusal = setting.apply(None).unwrap_err();
    assert!(refusal.to_string().contains("nothing is overwritten"), "{refusal}");
}

#[test]
fn programs_that_have_it_open_are_named_or_must_stop() {
    let opener = Opener {
        pid: 12,
        program: "sqlite3".to_owned(),
        writable: true,
        container: None,
        locks: Vec::new(),
        sqlite_version: None,
    };
    let shared =
        Setting::new(Way::Unit).planned(Engine::Shared, None, std::slice::from_ref(&opener));
    let said = shared.unwrap().cautions.join("\n");
    assert!(said.contains("sqlite3 (process 12) has it open and need not stop"), "{said}");
    let mut setting = Setting::new(Way::Unit);
    let place = setting.place();
    let plan = setting.plan(Engine::Sole).unwrap();
    let openers = vec![opener];
    let result =
        with_services(None, openers, &mut setting.machine, |tools| run::apply(&place, plan, tools));
    assert!(matches!(result, Err(Error::InUse(_))), "{result:?}");
    assert!(!setting.place().state().exists(), "no run is left to be finished");
}

/// Its record is the way back, and a service works on the files.
#[test]
fn no_other_remedy_takes_the_place_of_the_record() {
    let mut setting = Setting::new(Way::Unit);
    setting.apply(None).unwrap();
    let other = Plan {
        remedy: RemedyName::LeaveWal,
        steps: Vec::new(),
        ..run::recorded(&setting.place()).unwrap().unwrap().plan
    };
    let refused = with_tools(None, Vec::new(), |tools| run::apply(&setting.place(), other, tools));
    assert!(matches!(refused, Err(Error::IsService)), "{refused:?}");
    setting.undo(None).unwrap();
}

/// Apps are added to a Compose file after the owner was: they stay when it goes.
#[test]
fn what_was_added_to_a_file_since_stays() {
    let mut setting = Setting::new(Way::Compose);
    setting.apply(None).unwrap();
    let file = setting.path("compose.yaml");
    let later = std::fs::read_to_string(&file).unwrap() + "  more:\n    image: y\n";
    std::fs::write(&file, later).unwrap();
    setting.undo(None).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, format!("{COMPOSE}  more:\n    image: y\n"));
    assert!(!setting.machine.running);
}

#[test]
fn what_was_edited_by_hand_is_left_and_the_service_with_it() {
    for (way, name, from, to) in [
        (Way::Compose, "compose.yaml", "restart: on-failure", "restart: always"),
        (Way::NewCompose, "compose.yaml", "restart: on-failure", "restart: always"),
        (Way::Unit, "units/tombolo.service", "RestartSec=1", "RestartSec=9"),
    ] {
        let mut setting = Setting::new(way);
        setting.apply(None).unwrap();
        let file = setting.path(name);
        let text = std::fs::read_to_string(&file).unwrap();
        let edited = text.replace(from, to);
        assert_ne!(edited, text);
        std::fs::write(&file, &edited).unwrap();
        let refusal = setting.undo(None).unwrap_err();
        assert!(
            matches!(refusal, Error::EditedSince { .. } | Error::MadeEdited { .. }),
            "{refusal}"
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap(), edited);
        setting.assert_served();
    }
}

#[test]
fn where_nothing_runs_services_the_file_is_all_and_it_is_said() {
    let setting = Setting::new(Way::Compose);
    let place = setting.place();
    let plan = setting.planned(Engine::Shared, None, &[]).unwrap();
    let outcome = apply_or_finish(&place, || Ok(plan), None).unwrap();
    let notes = outcome.notes.join("\n");
    assert!(notes.contains("docker compose -f") && notes.contains("serve --check"), "{notes}");
    assert!(std::fs::read_to_string(setting.path("compose.yaml")).unwrap().contains("tombolo:"));
    with_tools(None, Vec::new(), |tools| run::undo(&place, tools)).unwrap();
    assert_eq!(std::fs::read_to_string(setting.path("compose.yaml")).unwrap(), COMPOSE);
}

//! An owner as a service: started, looked at, stopped.

use super::{make_file, write_file};
use crate::copy;
use crate::error::Error;
use crate::files;
use crate::guard::Unseen;
use crate::plan::Action;
use crate::record::{FileState, Kept};
use crate::run::Scene;
use crate::service::{Engine, Look, Manager, Service, scratch};
use std::fs::File;
use std::path::Path;
use tombolo_core::wire::place;

/// What an owner leaves in its directory: crates/tombolo-owner/src/server/place.rs.
const OF_THE_OWNER: [&str; 4] = ["lock", place::SOCKET, place::OWNER_KEYS, place::CREDENTIALS];
const GROUPS: &str = "groups";

/// Nobody else serves the database, nor has the name. It keeps whether a directory of an owner is
/// there already.
pub(super) fn check_free(
    scene: &mut Scene<'_, '_>,
    engine: Engine,
    service: Option<&Service>,
) -> Result<Kept, Error> {
    if let Some(by) = scene.tools.services.owner(&scene.place.target()) {
        return Err(Error::ServedAlready { by });
    }
    if engine == Engine::Sole {
        scene.check_unused(Unseen::Refused)?;
    }
    let Some(service) = service else { return Ok(Kept::default()) };
    if service.manager.is_systemd() {
        let unit = unit(service);
        let state = ask(scene, service, &["show", "--property=LoadState", &unit])?;
        if state.trim() != "LoadState=not-found" {
            return Err(Error::NameTaken { name: unit });
        }
    }
    let own = place::within(&service.directory);
    let there: Option<FileState> = copy::look(&own)?;
    Ok(Kept { files: there.into_iter().collect(), content: None })
}

/// The unit is gone by now.
pub(super) fn forget(scene: &mut Scene<'_, '_>, service: Option<&Service>) -> Result<(), Error> {
    match service {
        Some(service) if service.manager.is_systemd() => {
            ask(scene, service, &["daemon-reload"]).map(|_| ())
        }
        _ => Ok(()),
    }
}

pub(super) fn start(scene: &mut Scene<'_, '_>, service: &Service) -> Result<Kept, Error> {
    let unit = unit(service);
    let all: &[&[&str]] = match service.manager {
        Manager::System | Manager::User => {
            &[&["daemon-reload"], &["enable", &unit], &["start", &unit]]
        }
        Manager::Compose { .. } => &[&["up", "--detach", &service.name]],
    };
    for words in all {
        scene.tools.attend.pass()?;
        ask(scene, service, words)?;
    }
    Ok(Kept::default())
}

/// Stops it, and removes what its owner has made in the directory that it served.
pub(super) fn stop(scene: &mut Scene<'_, '_>, service: &Service) -> Result<(), Error> {
    let unit = unit(service);
    let all: &[&[&str]] = match service.manager {
        // A run that was cut off may have written a unit that systemd has not read.
        Manager::System | Manager::User => &[&["daemon-reload"], &["disable", "--now", &unit]],
        Manager::Compose { .. } => &[&["stop", &service.name], &["rm", "--force", &service.name]],
    };
    for words in all {
        scene.tools.attend.pass()?;
        ask(scene, service, words)?;
    }
    if service.manager.is_systemd() {
        let state = ask(scene, service, &["show", "--property=ActiveState,Result", &unit])?;
        let has = |line: &str| state.lines().any(|one| one == line);
        if !has("ActiveState=inactive") && !has("ActiveState=failed") {
            return Err(Error::Service { asked: format!("stopping {unit}"), said: state });
        }
        if !has("Result=success") {
            let note = format!("{unit} did not end cleanly: its log says why");
            scene.notes.push(note);
        }
    }
    let target = scene.place.target();
    for suffix in files::ALL {
        files::remove(&files::beside(&scratch(&target), suffix))?;
    }
    let log = copy::look(&scene.place.beside("-wal"))?;
    if log.is_some_and(|log| log.size_bytes > 0) {
        scene.notes.push(
            "a log stays beside the database, since some program has it open or the owner did \
             not end cleanly: keep the files together; whoever opens it next finds all of it"
                .to_owned(),
        );
    }
    let was_there = scene.kept(super::is_check_free).is_none_or(|kept| !kept.files.is_empty());
    if !was_there {
        let own = place::within(&service.directory);
        if !removed(&own) {
            scene.notes.push(format!("{} stays: it is used, or holds more", own.display()));
        }
    }
    Ok(())
}

/// Removes the directory of an owner that has ended; whether it is gone.
fn removed(own: &Path) -> bool {
    if let Ok(lock) = File::open(own.join("lock"))
        && lock.try_lock().is_err()
    {
        return false;
    }
    for name in OF_THE_OWNER {
        // What cannot be removed keeps the directory.
        let _ = std::fs::remove_file(own.join(name));
    }
    let _ = std::fs::remove_dir(own.join(GROUPS));
    match std::fs::remove_dir(own) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

pub(super) fn look(scene: &mut Scene<'_, '_>, look: &Look) -> Result<Kept, Error> {
    scene.tools.attend.pass()?;
    let seen = scene.tools.services.look(look);
    if (scene.tools.stop_wanted)() {
        return Err(Error::Stopped);
    }
    let asked = || format!("looking at {} from an app's side", look.database.display());
    let seen = seen.map_err(|said| Error::Service { asked: asked(), said })?;
    scene.notes.extend(seen);
    Ok(Kept::default())
}

/// The files that the run has written can be taken back.
pub(super) fn check_unedited(scene: &mut Scene<'_, '_>) -> Result<(), Error> {
    for step in &scene.standing.plan.steps {
        match &step.action {
            Action::MakeFile { file, text }
                if make_file::made(file, text)? == make_file::Made::Edited =>
            {
                return Err(Error::MadeEdited { path: file.clone() });
            }
            Action::WriteFile { edits, before, after, file } => {
                let change = write_file::Change { edits, before, after, file: file.as_deref() };
                write_file::check_unedited(scene, &change)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn unit(service: &Service) -> String {
    format!("{}.service", service.name)
}

fn ask(scene: &mut Scene<'_, '_>, service: &Service, words: &[&str]) -> Result<String, Error> {
    let asked = || [service.manager.words().join(" "), words.join(" ")].join(" ");
    let said = scene.tools.services.ask(&service.manager, words);
    said.map_err(|said| Error::Service { asked: asked(), said })
}

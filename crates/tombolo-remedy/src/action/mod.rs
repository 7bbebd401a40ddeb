//! The steps, one module each: doing one, doing it again after it was cut off, undoing it.

mod compare;
mod convert;
mod copy_to;
mod keep_file;
mod leftovers;
mod make_file;
mod mount_over;
mod rehearse;
mod restore;
mod retire;
mod save;
mod service;
mod write_file;

use crate::error::Error;
use crate::plan::Action;
use crate::record::Kept;
use crate::run::Scene;
pub(crate) use save::check_room;
use write_file::Change;

/// Does a step, from its beginning.
pub(crate) fn apply(action: &Action, scene: &mut Scene<'_, '_>) -> Result<Kept, Error> {
    match action {
        Action::Save => save::apply(scene),
        Action::Rehearse { to } => rehearse::apply(scene, *to),
        Action::Convert { to } => convert::apply(scene, *to),
        Action::RemoveLeftovers => leftovers::apply(scene),
        Action::Compare => compare::apply(scene),
        Action::CopyTo { to } => copy_to::apply(scene, to),
        Action::PutLink { to } => retire::apply(scene, Some(to)),
        Action::Retire => retire::apply(scene, None),
        Action::KeepFile { before, file } => keep_file::apply(scene, before, file.as_deref()),
        Action::WriteFile { edits, before, after, file } => {
            write_file::apply(scene, &Change { edits, before, after, file: file.as_deref() })
        }
        Action::TryMount { from, over } => mount_over::attempt(from, over),
        Action::MountOver { from, over } => mount_over::apply(scene, from, over),
        Action::CheckFree { engine, service } => {
            service::check_free(scene, *engine, service.as_ref())
        }
        Action::MakeFile { file, text } => make_file::apply(scene, file, text),
        Action::StartService { service } => service::start(scene, service),
        Action::CheckService { look } => service::look(scene, look),
    }
}

/// Undoes a step, whether it was done or cut off.
pub(crate) fn undo(action: &Action, scene: &mut Scene<'_, '_>) -> Result<(), Error> {
    match action {
        // What these have made is in the directory of the run, and goes with it.
        Action::Save | Action::Rehearse { .. } | Action::Compare | Action::KeepFile { .. } => {
            Ok(())
        }
        // Undoing the conversion puts them back; a mount that was tried is gone by itself.
        Action::RemoveLeftovers | Action::TryMount { .. } => Ok(()),
        Action::Convert { to } => convert::undo(scene, *to),
        Action::CopyTo { to } => copy_to::undo(scene, to),
        Action::PutLink { .. } | Action::Retire => retire::undo(scene),
        Action::WriteFile { edits, before, after, file } => {
            write_file::undo(scene, &Change { edits, before, after, file: file.as_deref() })
        }
        Action::MountOver { from, over } => mount_over::undo(scene, from, over),
        Action::CheckFree { service, .. } => service::forget(scene, service.as_ref()),
        Action::MakeFile { file, text } => make_file::undo(file, text),
        Action::StartService { service } => service::stop(scene, service),
        // Before the service is stopped it is known that the files can be taken back.
        Action::CheckService { .. } => service::check_unedited(scene),
    }
}

fn is_save(action: &Action) -> bool {
    matches!(action, Action::Save)
}

fn is_rehearse(action: &Action) -> bool {
    matches!(action, Action::Rehearse { .. })
}

fn is_copy_to(action: &Action) -> bool {
    matches!(action, Action::CopyTo { .. })
}

fn is_check_free(action: &Action) -> bool {
    matches!(action, Action::CheckFree { .. })
}

fn is_keep_file(action: &Action) -> bool {
    matches!(action, Action::KeepFile { .. })
}

//! Mounts of a container: a directory or file of its host, or a named volume.

use super::field::{Edit, Field};
use super::{Change, HostPath, Names, Refusal, Selector, VolumeName, lines, select};
use std::ops::Range;

/// A mount as a line of it says.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    /// What is mounted; `None` for a volume without a name.
    pub(super) source: Option<Field>,
    /// Where.
    pub(super) target: Field,
    /// The word `bind`, where the entry says it in a word of its own.
    pub(super) type_word: Option<Field>,
    /// Where it stands in the file.
    pub(super) at: usize,
}

impl Binding {
    fn source(&self) -> &str {
        self.source.as_ref().map_or("", |source| source.text.as_str())
    }

    /// Whether it is of a path of the host.
    pub(super) fn is_path(&self) -> bool {
        let source = self.source();
        source.starts_with(['.', '/', '~']) || source.contains('/')
    }

    pub(super) fn names(&self) -> Names {
        Names {
            mount_point: Some(self.target.text.clone()),
            sources: vec![self.source().to_owned()],
            shown: self.is_path().then(|| self.source().to_owned()),
            at: self.at,
        }
    }
}

/// `SOURCE:TARGET[:MODE]` or `TARGET`, as in the short form of Compose and after `docker run -v`.
///
/// # Errors
/// [`Refusal::Unknown`] for anything else.
pub(super) fn short(text: &str, field: &Field) -> Result<Binding, Refusal> {
    let parts = parts(&field.text);
    let part = |range: &Range<usize>| field.part(range.clone());
    let (source, target) = match parts.as_slice() {
        [target] => (None, part(target)),
        [source, target] | [source, target, _] => (Some(part(source)), part(target)),
        _ => {
            let reason = "more colons than a mount has: source, target and mode";
            return Err(Refusal::unknown(text, field.start(), reason));
        }
    };
    Ok(Binding { source, target, type_word: None, at: field.start() })
}

/// Splits at colons outside of `${VARIABLE:-default}` and after the letter of a drive.
fn parts(text: &str) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let drive = text.as_bytes().get(1..3).is_some_and(|after| matches!(after, b":\\" | b":/"));
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && !(drive && at == 1) => {
                parts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(start..text.len());
    parts
}

/// Whether a path of the host shows what is meant.
pub(super) fn shows(selector: &Selector, shown: &str) -> bool {
    let Some(path) = selector.path.as_deref() else { return false };
    let Some(shown) = absolute(selector.base.as_deref(), shown) else { return false };
    let within = path.strip_prefix(shown.trim_end_matches('/'));
    within.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path without its dots; `None` where that takes more than its text.
fn absolute(base: Option<&str>, path: &str) -> Option<String> {
    if path.starts_with('~') || path.contains('$') {
        return None;
    }
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", base?) };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// What is wanted of a mount of a container, done or already so.
pub(super) struct Rebound {
    pub(super) edits: Vec<Edit>,
    /// The volume that the mount is of then.
    pub(super) volume: Option<VolumeName>,
    pub(super) notes: Vec<String>,
}

/// Carries out one change of a binding; `None` where the change is one of options.
///
/// # Errors
/// [`Refusal`].
pub(super) fn rebind(
    text: &str,
    bindings: &[Binding],
    selector: &Selector,
    change: &Change,
) -> Result<Option<Rebound>, Refusal> {
    match change {
        Change::BindDirectory => bind_directory(text, bindings, selector).map(Some),
        Change::NamedVolume(name) => named_volume(text, bindings, selector, name).map(Some),
        Change::Source(path) => host_directory(text, bindings, selector, path).map(Some),
        Change::Virtiofs | Change::Detach => {
            let reason = "what a container sees is mounted by its host: the change belongs there";
            Err(Refusal::NotOfKind(reason.to_owned()))
        }
        Change::Set(_) | Change::Drop(_) => Ok(None),
    }
}

fn bind_directory(
    text: &str,
    bindings: &[Binding],
    selector: &Selector,
) -> Result<Rebound, Refusal> {
    let done = Rebound { edits: Vec::new(), volume: None, notes: Vec::new() };
    let binding = match select(text, selector, bindings, Binding::names) {
        Ok(binding) => binding,
        Err(refusal @ Refusal::NotThere { .. }) => {
            // The directory is mounted already, and the file comes with it.
            let directory = selector.mount_point.as_deref().and_then(directory_of);
            let has = |binding: &&Binding| Some(binding.target.text.as_str()) == directory;
            return bindings.iter().find(has).map(|_| done).ok_or(refusal);
        }
        Err(refusal) => return Err(refusal),
    };
    let file = selector.path.as_deref().or(selector.mount_point.as_deref()).unwrap_or_default();
    let name_of = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    if name_of(file) != name_of(&binding.target.text) {
        return Ok(done);
    }
    let Some(source) = binding.source.as_ref().filter(|_| binding.is_path()) else {
        return Err(Refusal::unknown(text, binding.at, "this is a volume, not a file of the host"));
    };
    if name_of(&source.text) != name_of(&binding.target.text) {
        let reason = "the file has another name in the container: it would not be found";
        return Err(Refusal::unknown(text, binding.at, reason));
    }
    let parts = (directory_of(&source.text), directory_of(&binding.target.text));
    let (Some(from), Some(to)) = parts else {
        let reason = "the directory of the file is the root directory";
        return Err(Refusal::unknown(text, binding.at, reason));
    };
    if let Some(other) = bindings.iter().find(|other| other.target.text == to) {
        let line = lines::line_of(text, other.at);
        let reason = format!("line {line} mounts something at {to} already");
        return Err(Refusal::unknown(text, binding.at, reason));
    }
    let mut edits = source.replace(from.len()..source.text.len(), "");
    edits.extend(binding.target.replace(to.len()..binding.target.text.len(), ""));
    let note = format!(
        "Everything that the image holds in {to} is hidden by the directory of the host: what is \
         needed of it must be put there."
    );
    Ok(Rebound { edits, volume: None, notes: vec![note] })
}

/// The directory of a path, unless it is the root directory or not known.
fn directory_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(directory, _)| directory).filter(|directory| !directory.is_empty())
}

fn named_volume(
    text: &str,
    bindings: &[Binding],
    selector: &Selector,
    name: &VolumeName,
) -> Result<Rebound, Refusal> {
    let volume = Some(name.clone());
    let binding = match select(text, selector, bindings, Binding::names) {
        Ok(binding) => binding,
        Err(refusal @ Refusal::NotThere { .. }) => {
            let has = |binding: &&Binding| binding.source() == name.as_str();
            let done = Rebound { edits: Vec::new(), volume, notes: Vec::new() };
            return bindings.iter().find(has).map(|_| done).ok_or(refusal);
        }
        Err(refusal) => return Err(refusal),
    };
    if binding.source() == name.as_str() {
        return Ok(Rebound { edits: Vec::new(), volume, notes: Vec::new() });
    }
    let Some(source) = binding.source.as_ref().filter(|_| binding.is_path()) else {
        return Err(Refusal::unknown(text, binding.at, "this is a volume already"));
    };
    if bindings.iter().any(|other| other.source() == name.as_str()) {
        let reason = format!("another mount is of a volume {} already", name.as_str());
        return Err(Refusal::unknown(text, binding.at, reason));
    }
    let mut edits = source.replace(0..source.text.len(), name.as_str());
    if let Some(word) = &binding.type_word {
        edits.extend(word.replace(0..word.text.len(), "volume"));
    }
    let note = format!(
        "The volume is empty at first: stop the program and copy the files of {} into it before \
         it is started.",
        source.text
    );
    Ok(Rebound { edits, volume, notes: vec![note] })
}

fn host_directory(
    text: &str,
    bindings: &[Binding],
    selector: &Selector,
    path: &HostPath,
) -> Result<Rebound, Refusal> {
    let path = path.as_str();
    let done = Rebound { edits: Vec::new(), volume: None, notes: Vec::new() };
    let binding = match select(text, selector, bindings, Binding::names) {
        Ok(binding) => binding,
        Err(refusal @ Refusal::NotThere { .. }) => {
            let has = |binding: &&Binding| binding.source() == path;
            return bindings.iter().find(has).map(|_| done).ok_or(refusal);
        }
        Err(refusal) => return Err(refusal),
    };
    let Some(source) = binding.source.as_ref().filter(|_| binding.is_path()) else {
        return Err(Refusal::unknown(text, binding.at, "this is a volume, not a directory"));
    };
    if source.text == path {
        return Ok(done);
    }
    let edits = source.replace(0..source.text.len(), path);
    Ok(Rebound { edits, ..done })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_of_defaults_and_drives_are_no_separators() {
        let parts = |text: &str| -> Vec<String> {
            super::parts(text).into_iter().map(|range| text[range].to_owned()).collect()
        };
        assert_eq!(parts("${D:-/srv}/a:/b:ro"), ["${D:-/srv}/a", "/b", "ro"]);
        assert_eq!(parts("C:\\x:/b"), ["C:\\x", "/b"]);
        assert_eq!(parts("/data"), ["/data"]);
    }

    #[test]
    fn a_path_is_shown_by_the_directories_above_it() {
        let selector = Selector {
            path: Some("/srv/app/data/x.db".to_owned()),
            base: Some("/srv/app".to_owned()),
            ..Selector::default()
        };
        for (shown, whether) in [
            ("./data", true),
            ("/srv/app/data/x.db", true),
            ("../app/./data/", true),
            ("./dat", false),
            ("~/data", false),
            ("$D/data", false),
        ] {
            assert_eq!(shows(&selector, shown), whether, "{shown}");
        }
    }
}

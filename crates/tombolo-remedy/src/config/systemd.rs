//! Mount units of systemd: systemd.mount(5), syntax in systemd.syntax(7).

use super::field::{Edit, Field};
use super::{Change, Edited, Names, Refusal, Selector, lines, options, protocol, select};

/// A setting of the section `[Mount]`.
struct Setting {
    name: String,
    value: Field,
    /// Where its line ends.
    end: usize,
    continued: bool,
}

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let settings = settings(text);
    let mount_point = one(text, &settings, "Where")?;
    let source = one(text, &settings, "What")?;
    let (Some(mount_point), Some(source)) = (mount_point, source) else {
        return Err(Refusal::not_there(text, selector));
    };
    let names = |_: &()| Names {
        mount_point: Some(mount_point.value.text.clone()),
        sources: vec![source.value.text.clone()],
        shown: None,
        at: mount_point.value.start(),
    };
    match select(text, selector, &[()], names) {
        Err(Refusal::NotThere { .. }) if mount_point.value.text.contains('%') => {
            let reason = "a specifier stands in the mount point, which is not filled in here";
            return Err(Refusal::unknown(text, mount_point.value.start(), reason));
        }
        Err(refusal) => return Err(refusal),
        Ok(()) => {}
    }
    let kind = one(text, &settings, "Type")?;
    let mut edits = Vec::new();
    let mut wanted = changes.to_vec();
    for change in changes {
        match change {
            Change::Set(_) | Change::Drop(_) => {}
            Change::Virtiofs => {
                let Some(kind) = kind else {
                    let reason = "the unit does not say which file system it is";
                    return Err(Refusal::unknown(text, mount_point.value.start(), reason));
                };
                let (edit, dropped) = protocol::virtiofs(text, &source.value, &kind.value)?;
                edits.extend(edit);
                wanted.extend(dropped);
            }
            Change::Detach => {
                let reason = "a unit is turned off, not edited: systemctl disable --now";
                return Err(Refusal::NotOfKind(reason.to_owned()));
            }
            Change::BindDirectory | Change::NamedVolume(_) | Change::Source(_) => {
                let reason = "a mount unit has no such mounts of containers";
                return Err(Refusal::NotOfKind(reason.to_owned()));
            }
        }
    }
    edits.extend(match one(text, &settings, "Options")? {
        Some(list) => options::edits(&list.value, &wanted, options::COMMAS),
        None => new_list(text, kind.unwrap_or(mount_point).end, &wanted),
    });
    Ok(Edited { edits, notes: Vec::new() })
}

/// A line with the options, where there is none yet.
fn new_list(text: &str, at: usize, wanted: &[Change]) -> Vec<Edit> {
    let list = options::edits(&Field::new(at), wanted, options::COMMAS);
    let written: String = list.into_iter().map(|edit| edit.text).collect();
    if written.is_empty() {
        return Vec::new();
    }
    vec![Edit::insert(at, format!("{}Options={written}", lines::newline(text)))]
}

/// The setting of a name, if there is one. Of two, it depends on the setting which counts.
fn one<'a>(
    text: &str,
    settings: &'a [Setting],
    name: &str,
) -> Result<Option<&'a Setting>, Refusal> {
    let mut found = settings.iter().filter(|setting| setting.name == name);
    let first = found.next();
    if let (Some(first), Some(second)) = (first, found.next()) {
        return Err(Refusal::Twice {
            mount: format!("{name}="),
            first: first.value.line(text),
            second: second.value.line(text),
        });
    }
    match first.filter(|setting| setting.continued) {
        None => Ok(first),
        Some(setting) => {
            let reason = format!("{name}= is continued on the next line");
            Err(Refusal::unknown(text, setting.value.start(), reason))
        }
    }
}

fn settings(text: &str) -> Vec<Setting> {
    let (mut settings, mut within, mut continuation) = (Vec::new(), false, false);
    for range in lines::ranges(text) {
        let line = text.get(range.clone()).unwrap_or_default();
        let bare = line.trim();
        if bare.starts_with(['#', ';']) {
            continue;
        }
        let continues = bare.ends_with('\\');
        if std::mem::replace(&mut continuation, continues) {
            continue;
        }
        if bare.starts_with('[') {
            within = bare == "[Mount]";
        } else if let Some((name, value)) = line.split_once('=').filter(|_| within) {
            let begins = range.end - value.trim_start().len();
            let ends = begins + value.trim().len();
            settings.push(Setting {
                name: name.trim().to_owned(),
                value: Field::literal(text, begins..ends),
                end: range.end,
                continued: continues,
            });
        }
    }
    settings
}

//! Instances of Lima: `mounts` and `mountType` in its `templates/default.yaml`.

use super::field::Edit;
use super::yaml::{self, Node};
use super::{Change, Edited, MountOption, Names, Refusal, Selector, select};

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let documents = yaml::parse(text)?;
    let [root] = documents.as_slice() else {
        return Err(Refusal::not_there(text, selector));
    };
    let mounts = match root.get(text, "mounts")? {
        Some(mounts) => mounts.items(text)?,
        None => &[],
    };
    let mount = select(text, selector, mounts, |mount| names(text, mount))?;
    let mut edited = Edited::default();
    for change in changes {
        match change {
            Change::Set(option) => edited.edits.extend(set(text, root, mount, option)?),
            Change::Drop(option) => edited.edits.extend(without(text, mount, option)?),
            Change::Virtiofs => {
                edited.edits.extend(virtiofs(text, root)?);
                edited.notes.push(
                    "The protocol is that of all mounts of the instance. With vmType qemu on Linux \
                     it needs virtiofsd; on macOS it needs vmType vz."
                        .to_owned(),
                );
            }
            Change::Detach => {
                let reason = "take this mount out by hand: limactl edit";
                return Err(mount.refused(text, reason));
            }
            Change::BindDirectory | Change::NamedVolume(_) | Change::Source(_) => {
                let reason = "Lima has no such mounts of containers";
                return Err(Refusal::NotOfKind(reason.to_owned()));
            }
        }
    }
    Ok(edited)
}

fn names(text: &str, mount: &Node) -> Names {
    let word = |key: &str| mount.word(text, key).ok().flatten().map(str::to_owned);
    let location = word("location");
    Names {
        mount_point: word("mountPoint").or(location.clone()),
        sources: location.clone().into_iter().collect(),
        shown: location,
        at: mount.range.start,
    }
}

/// The key of an option of 9p(5), where Lima has one.
fn key(option: &MountOption) -> Result<&'static str, Refusal> {
    match option.name() {
        "cache" => Ok("cache"),
        "msize" => Ok("msize"),
        "version" => Ok("protocolVersion"),
        name => Err(Refusal::NotOfKind(format!("Lima has no setting for the option {name}"))),
    }
}

fn set(text: &str, root: &Node, mount: &Node, option: &MountOption) -> Result<Vec<Edit>, Refusal> {
    let key = key(option)?;
    let Some(wanted) = option.value() else {
        return Err(Refusal::NotOfKind(format!("the setting {key} of Lima needs a value")));
    };
    if let Some(kind) = root.get(text, "mountType")?.filter(|kind| kind.scalar() != Some("9p")) {
        return Err(kind.refused(text, "the mounts of this instance are not by 9p"));
    }
    let nine_p = mount.get(text, "9p")?;
    match nine_p {
        None => {
            let block = ["9p:".to_owned(), format!("  {key}: {wanted}")];
            let block: Vec<&str> = block.iter().map(String::as_str).collect();
            let flow = format!("9p: {{{key}: {wanted}}}");
            mount.add_pair(text, &block, &flow).map(|edit| vec![edit])
        }
        Some(settings) => match settings.get(text, key)? {
            Some(value) if value.scalar() == Some(wanted) => Ok(Vec::new()),
            Some(value) => {
                let field = value.field(text)?;
                Ok(field.replace(0..field.text.len(), wanted))
            }
            None => {
                let pair = format!("{key}: {wanted}");
                settings.add_pair(text, &[&pair], &pair).map(|edit| vec![edit])
            }
        },
    }
}

fn without(text: &str, mount: &Node, option: &MountOption) -> Result<Vec<Edit>, Refusal> {
    let key = key(option)?;
    let settings = match mount.get(text, "9p")? {
        Some(settings) => settings,
        None => return Ok(Vec::new()),
    };
    match settings.get(text, key)? {
        Some(value) if option.value().is_none_or(|wanted| value.scalar() == Some(wanted)) => {
            Err(value.refused(text, "set another value here: a setting is not taken out"))
        }
        _ => Ok(Vec::new()),
    }
}

fn virtiofs(text: &str, root: &Node) -> Result<Vec<Edit>, Refusal> {
    match root.get(text, "mountType")? {
        None => {
            let pair = "mountType: virtiofs";
            root.add_pair(text, &[pair], pair).map(|edit| vec![edit])
        }
        Some(kind) if kind.scalar() == Some("virtiofs") => Ok(Vec::new()),
        Some(kind) if kind.scalar() == Some("9p") => {
            let field = kind.field(text)?;
            Ok(field.replace(0..field.text.len(), "virtiofs"))
        }
        Some(kind) => Err(kind.refused(text, "the mounts of this instance are not by 9p")),
    }
}

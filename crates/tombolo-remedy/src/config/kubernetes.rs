//! `mountOptions` of a `PersistentVolume` or `StorageClass`: Kubernetes API, core/v1 and
//! storage.k8s.io/v1.

use super::field::Edit;
use super::yaml::{self, Node};
use super::{Change, Edited, MountOption, Names, Refusal, Selector, select};

/// What older versions read in place of `mountOptions`.
const ANNOTATION: &str = "volume.beta.kubernetes.io/mount-options";

/// A mapping that can hold `mountOptions`.
struct Volume<'a> {
    holder: &'a Node,
    names: Names,
    annotation_at: Option<usize>,
}

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    if let Some(change) = changes.iter().find(|change| !change.is_option()) {
        let reason = match change {
            Change::Virtiofs => "Kubernetes does not say by which protocol a node sees its disks",
            _ => "a persistent volume is a volume already: what a pod mounts stands in the pod",
        };
        return Err(Refusal::NotOfKind(reason.to_owned()));
    }
    let documents = yaml::parse(text)?;
    let mut volumes = Vec::new();
    for document in &documents {
        if document.word(text, "kind")? == Some("List") {
            if let Some(items) = document.get(text, "items")? {
                for item in items.items(text)? {
                    volumes.extend(volume(text, item)?);
                }
            }
        } else {
            volumes.extend(volume(text, document)?);
        }
    }
    let volume = select(text, selector, &volumes, |volume| volume.names.clone())?;
    if let Some(at) = volume.annotation_at {
        let reason = "the options stand in an annotation of old, whose form is not understood";
        return Err(Refusal::unknown(text, at, reason));
    }
    Ok(Edited { edits: edits(text, volume.holder, changes)?, notes: Vec::new() })
}

fn volume<'a>(text: &str, object: &'a Node) -> Result<Option<Volume<'a>>, Refusal> {
    let kind = object.word(text, "kind")?;
    let holder = match kind {
        Some("PersistentVolume") => object.get(text, "spec")?,
        Some("StorageClass") => Some(object),
        _ => None,
    };
    let Some(holder) = holder else { return Ok(None) };
    let mut names = Names { at: object.range.start, ..Names::default() };
    let mut annotation_at = None;
    if let Some(metadata) = object.get(text, "metadata")? {
        names.sources.extend(metadata.word(text, "name")?.map(str::to_owned));
        if let Some(annotations) = metadata.get(text, "annotations")? {
            let pair = annotations.pair(text, ANNOTATION)?;
            annotation_at = pair.map(|(key, _)| key.range.start);
        }
    }
    if kind == Some("PersistentVolume") {
        if let Some(nfs) = holder.get(text, "nfs")? {
            names.sources.extend(address(text, nfs, "path")?);
        }
        if let Some(csi) = holder.get(text, "csi")? {
            names.sources.extend(csi.word(text, "volumeHandle")?.map(str::to_owned));
            if let Some(attributes) = csi.get(text, "volumeAttributes")? {
                names.sources.extend(attributes.word(text, "source")?.map(str::to_owned));
                names.sources.extend(address(text, attributes, "share")?);
            }
        }
    } else if let Some(parameters) = holder.get(text, "parameters")? {
        names.sources.extend(parameters.word(text, "source")?.map(str::to_owned));
        names.sources.extend(address(text, parameters, "share")?);
    }
    Ok(Some(Volume { holder, names, annotation_at }))
}

/// `server:/path`, as a node mounts it.
fn address(text: &str, node: &Node, path: &str) -> Result<Option<String>, Refusal> {
    let parts = (node.word(text, "server")?, node.word(text, path)?);
    Ok(match parts {
        (Some(server), Some(path)) => Some(format!("{server}:{path}")),
        _ => None,
    })
}

fn edits(text: &str, holder: &Node, changes: &[Change]) -> Result<Vec<Edit>, Refusal> {
    let pair = holder.pair(text, "mountOptions")?;
    let items = match pair {
        Some((_, list)) => list.items(text)?,
        None => &[],
    };
    let mut edits = Vec::new();
    let mut added = Vec::new();
    let mut stays = vec![true; items.len()];
    for change in changes {
        let (option, set) = match change {
            Change::Set(option) => (option, true),
            Change::Drop(option) => (option, false),
            _ => continue,
        };
        let found = matching(text, items, option, set)?;
        let mut found = found.into_iter().rev();
        if set {
            match found.next() {
                None => added.push(option.to_string()),
                Some(place) => edits.extend(replaced(text, items, place, option)?),
            }
        }
        found.for_each(|place| stays.iter_mut().skip(place).take(1).for_each(|one| *one = false));
    }
    let gone: Vec<usize> =
        stays.iter().enumerate().filter(|(_, stays)| !**stays).map(|(place, _)| place).collect();
    match pair {
        Some((key, list)) => {
            for place in gone {
                edits.push(list.remove_item(text, place)?);
            }
            if !added.is_empty() {
                edits.push(list.add_item(text, key, &added)?);
            }
        }
        None if added.is_empty() => {}
        None => {
            let items = added.iter().map(|option| format!("  - {option}"));
            let block: Vec<String> =
                ["mountOptions:".to_owned()].into_iter().chain(items).collect();
            let block: Vec<&str> = block.iter().map(String::as_str).collect();
            let flow = format!("mountOptions: [{}]", added.join(", "));
            edits.push(holder.add_pair(text, &block, &flow)?);
        }
    }
    Ok(edits)
}

fn matching(
    text: &str,
    items: &[Node],
    option: &MountOption,
    set: bool,
) -> Result<Vec<usize>, Refusal> {
    let mut found = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let Some(value) = item.scalar().map(str::trim) else {
            return Err(item.refused(text, "an option is a text"));
        };
        let fits = |value: &str| if set { option.names(value) } else { option.covers(value) };
        if value.contains(',') && value.split(',').any(fits) {
            return Err(item.refused(text, "several options stand in one item"));
        }
        if fits(value) {
            found.push(place);
        }
    }
    Ok(found)
}

fn replaced(
    text: &str,
    items: &[Node],
    place: usize,
    option: &MountOption,
) -> Result<Vec<Edit>, Refusal> {
    let Some(item) = items.get(place) else { return Ok(Vec::new()) };
    let field = item.field(text)?;
    let wanted = option.to_string();
    if field.text == wanted {
        return Ok(Vec::new());
    }
    Ok(field.replace(0..field.text.len(), &wanted))
}

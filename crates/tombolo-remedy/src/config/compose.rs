//! Compose files: the Compose Specification, services and volumes.

use super::bind::{self, Binding};
use super::field::Edit;
use super::yaml::{self, Content, Node};
use super::{Change, Edited, Names, Refusal, Selector, VolumeName, options, select};

/// Options of a volume are separated as mount(8) has it, and none at all are written as nothing.
const OPTIONS: options::Manner = options::Manner { separator: ',', empty: "" };

struct Service<'a> {
    bindings: Vec<Binding>,
    node: &'a Node,
}

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let documents = yaml::parse(text)?;
    let [root] = documents.as_slice() else {
        return Err(Refusal::not_there(text, selector));
    };
    let services = services(text, root)?;
    let bindings: Vec<Binding> =
        services.iter().flat_map(|service| service.bindings.iter().cloned()).collect();
    let mut edited = Edited::default();
    let mut of_options = Vec::new();
    for change in changes {
        let rebound = bind::rebind(text, &bindings, selector, change);
        let rebound = rebound.map_err(|refusal| explained(text, &services, refusal))?;
        let Some(rebound) = rebound else {
            of_options.push(change.clone());
            continue;
        };
        edited.edits.extend(rebound.edits);
        edited.notes.extend(rebound.notes);
        if let Some(name) = rebound.volume {
            edited.edits.extend(declared(text, root, &name)?);
        }
    }
    if !of_options.is_empty() {
        let edits = volume_options(text, root, &bindings, selector, &of_options);
        edited.edits.extend(edits.map_err(|refusal| explained(text, &services, refusal))?);
    }
    Ok(edited)
}

/// What is not found may stand in what a service takes over from elsewhere.
fn explained(text: &str, services: &[Service<'_>], refusal: Refusal) -> Refusal {
    let elsewhere = services.iter().find_map(|service| {
        let extends = service.node.get(text, "extends").ok().flatten();
        service.node.merge_at().or(extends.map(|node| node.range.start))
    });
    match (&refusal, elsewhere) {
        (Refusal::NotThere { mount, .. }, Some(at)) => {
            let reason = format!("{mount} may be defined in what is taken over here");
            Refusal::unknown(text, at, reason)
        }
        _ => refusal,
    }
}

fn services<'a>(text: &str, root: &'a Node) -> Result<Vec<Service<'a>>, Refusal> {
    let mut services = Vec::new();
    let Some(all) = root.get(text, "services")? else { return Ok(services) };
    for (_, node) in all.pairs(text)? {
        if matches!(node.content, Content::Alias) {
            continue;
        }
        let mut bindings = Vec::new();
        if let Some(volumes) = node.get(text, "volumes")? {
            for item in volumes.items(text)? {
                bindings.extend(binding(text, item)?);
            }
        }
        services.push(Service { bindings, node });
    }
    Ok(services)
}

fn binding(text: &str, item: &Node) -> Result<Option<Binding>, Refusal> {
    if item.scalar().is_some() {
        return bind::short(text, &item.field(text)?).map(Some);
    }
    if matches!(item.content, Content::Alias) {
        return Err(item.refused(text, "an alias stands here: edit what it means"));
    }
    let Some(target) = item.get(text, "target")? else { return Ok(None) };
    let field = |key: &str| match item.get(text, key)? {
        Some(node) => node.field(text).map(Some),
        None => Ok(None),
    };
    if let Some(bind) = item.get(text, "bind")?.filter(|_| item.merge_at().is_none()) {
        let propagated = bind
            .pairs(text)?
            .iter()
            .any(|(key, _)| !matches!(key.scalar(), Some("create_host_path" | "selinux")));
        if propagated {
            return Err(bind.refused(text, "options of a bind mount stand here"));
        }
    }
    Ok(Some(Binding {
        source: field("source")?,
        target: target.field(text)?,
        type_word: field("type")?,
        at: item.range.start,
    }))
}

/// The edit that declares a volume, unless it is declared.
fn declared(text: &str, root: &Node, name: &VolumeName) -> Result<Vec<Edit>, Refusal> {
    let name = name.as_str();
    let Some(volumes) = root.get(text, "volumes")? else {
        return Ok(vec![root_pair(text, root, name)]);
    };
    if volumes.pairs(text)?.is_empty() && volumes.range.is_empty() {
        return Err(volumes.refused(text, "nothing stands under volumes: remove the key first"));
    }
    if volumes.get(text, name)?.is_some() {
        return Ok(Vec::new());
    }
    let (block, flow) = (format!("{name}:"), format!("{name}: {{}}"));
    volumes.add_pair(text, &[&block], &flow).map(|edit| vec![edit])
}

/// At the end of the file, where whoever reads it looks for the volumes.
fn root_pair(text: &str, root: &Node, name: &str) -> Edit {
    let newline = super::lines::newline(text);
    let end = super::lines::end(text, root.range.end.saturating_sub(1));
    Edit::insert(end, format!("{newline}{newline}volumes:{newline}  {name}:"))
}

struct Volume<'a> {
    name: String,
    node: &'a Node,
    options: Option<&'a Node>,
}

/// Options of a volume that the local driver mounts. A bind mount has those of its host.
fn volume_options(
    text: &str,
    root: &Node,
    bindings: &[Binding],
    selector: &Selector,
    changes: &[Change],
) -> Result<Vec<Edit>, Refusal> {
    let mut volumes = Vec::new();
    let declared = match root.get(text, "volumes")? {
        Some(all) => all.pairs(text)?,
        None => &[],
    };
    for (key, node) in declared {
        let options = match node.content {
            Content::Mapping(_) => node.get(text, "driver_opts")?,
            _ => None,
        };
        volumes.push(Volume { name: key.scalar().unwrap_or_default().to_owned(), node, options });
    }
    let direct = select(text, selector, &volumes, |volume| {
        let device = volume.options.and_then(|node| node.word(text, "device").ok().flatten());
        let address = device.map(|device| with_server(text, volume, device));
        Names {
            mount_point: None,
            sources: [volume.name.clone()].into_iter().chain(address).collect(),
            shown: None,
            at: volume.node.range.start,
        }
    });
    let volume = match direct {
        Ok(volume) => volume,
        Err(Refusal::NotThere { .. }) => {
            let binding = select(text, selector, bindings, Binding::names)?;
            let source = binding.source.as_ref().map(|source| source.text.clone());
            let named = volumes.iter().find(|volume| Some(&volume.name) == source.as_ref());
            named.ok_or_else(|| {
                let reason = "this is mounted by the host, with the options that it has there: \
                              the change belongs into the host's own table of mounts";
                Refusal::unknown(text, binding.at, reason)
            })?
        }
        Err(refusal) => return Err(refusal),
    };
    let Some(node) = volume.options else {
        let reason = "the volume has no options of its own (driver_opts)";
        return Err(Refusal::unknown(text, volume.node.range.start, reason));
    };
    match node.get(text, "o")? {
        Some(list) => Ok(list.quoted(options::edits(&list.field(text)?, changes, OPTIONS))),
        None => {
            let empty = super::field::Field::new(0);
            let edits = options::edits(&empty, changes, OPTIONS);
            let list: String = edits.into_iter().map(|edit| edit.text).collect();
            if list.is_empty() {
                return Ok(Vec::new());
            }
            let pair = format!("o: \"{list}\"");
            node.add_pair(text, &[&pair], &pair).map(|edit| vec![edit])
        }
    }
}

/// The source as the kernel names it: of NFS, the server stands among the options.
fn with_server(text: &str, volume: &Volume<'_>, device: &str) -> String {
    let list = volume.options.and_then(|node| node.word(text, "o").ok().flatten());
    let server = list
        .and_then(|list| list.split(',').find_map(|option| option.trim().strip_prefix("addr=")));
    match (server, device.strip_prefix(':')) {
        (Some(server), Some(path)) => format!("{server}:{path}"),
        _ => device.to_owned(),
    }
}

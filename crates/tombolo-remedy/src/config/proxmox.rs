//! Virtual machines and containers of Proxmox VE: qm.conf(5) and pct.conf(5).

use super::bind::{self, Binding};
use super::change::MountOption;
use super::field::{Edit, Field};
use super::{Change, Edited, Names, Refusal, Selector, lines, options, select};

/// All that a mount point of a container can be mounted with (pct.conf(5), `mountoptions`).
const OF_MOUNT_POINT: [&str; 6] = ["discard", "lazytime", "noatime", "nodev", "noexec", "nosuid"];

/// All that a share by virtiofs can have (qm.conf(5), `virtiofs[n]`).
const OF_VIRTIOFS: [&str; 4] = ["cache", "direct-io", "expose-acl", "expose-xattr"];

enum Kind {
    MountPoint,
    Virtiofs,
    /// Command line of QEMU.
    Arguments,
}

struct Entry {
    kind: Kind,
    list: Field,
    source: Field,
    target: Option<Field>,
    at: usize,
}

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let entries = entries(text);
    let mut edited = Edited::default();
    let bindings: Vec<Binding> = entries
        .iter()
        .filter_map(|entry| {
            let target = entry.target.clone()?;
            Some(Binding {
                source: Some(entry.source.clone()),
                target,
                type_word: None,
                at: entry.at,
            })
        })
        .collect();
    let mut of_options = Vec::new();
    for change in changes {
        match change {
            Change::BindDirectory => {
                let rebound = bind::rebind(text, &bindings, selector, change)?;
                if let Some(rebound) = rebound {
                    edited.edits.extend(rebound.edits);
                    edited.notes.extend(rebound.notes);
                }
            }
            Change::Set(_) | Change::Drop(_) => of_options.push(change.clone()),
            Change::Detach => {
                let entry = chosen(text, selector, &entries)?;
                let reason = "take this line out by hand, or by qm set --delete";
                return Err(Refusal::unknown(text, entry.at, reason));
            }
            Change::NamedVolume(_) | Change::Source(_) => {
                let reason = "a volume of Proxmox is made by pct set or its web page, not here";
                return Err(Refusal::NotOfKind(reason.to_owned()));
            }
            Change::Virtiofs => return virtiofs(text, selector, &entries),
        }
    }
    if !of_options.is_empty() {
        let entry = chosen(text, selector, &entries)?;
        edited.edits.extend(option_edits(text, entry, &of_options)?);
    }
    Ok(edited)
}

fn chosen<'a>(text: &str, selector: &Selector, entries: &'a [Entry]) -> Result<&'a Entry, Refusal> {
    select(text, selector, entries, |entry| Names {
        mount_point: entry.target.as_ref().map(|target| target.text.clone()),
        sources: vec![entry.source.text.clone()],
        shown: entry.target.as_ref().map(|_| entry.source.text.clone()),
        at: entry.at,
    })
}

/// What a share is mapped to is an object of the cluster, which this file only names.
fn virtiofs(text: &str, selector: &Selector, entries: &[Entry]) -> Result<Edited, Refusal> {
    let entry = chosen(text, selector, entries)?;
    match entry.kind {
        Kind::Virtiofs => Ok(Edited::default()),
        Kind::MountPoint => {
            let reason = "a container sees its host's files without any protocol";
            Err(Refusal::unknown(text, entry.at, reason))
        }
        Kind::Arguments => {
            let reason = "take the share out of this line, make a directory mapping (pvesh create \
                          /cluster/mapping/dir) and name it: virtiofs0: dirid=NAME,cache=auto";
            Err(Refusal::unknown(text, entry.at, reason))
        }
    }
}

fn option_edits(text: &str, entry: &Entry, changes: &[Change]) -> Result<Vec<Edit>, Refusal> {
    let known: &[&str] = match entry.kind {
        Kind::MountPoint => &OF_MOUNT_POINT,
        Kind::Virtiofs => &OF_VIRTIOFS,
        Kind::Arguments => {
            let reason = "options of a share in a command line of QEMU are edited by hand";
            return Err(Refusal::unknown(text, entry.at, reason));
        }
    };
    for change in changes {
        if let Change::Set(option) = change {
            check_known(option, known)?;
        }
    }
    if matches!(entry.kind, Kind::Virtiofs) {
        let manner = options::Manner { separator: ',', empty: "" };
        return Ok(options::edits(&entry.list, changes, manner));
    }
    let manner = options::Manner { separator: ';', empty: "" };
    let key = "mountoptions=";
    let found = part(&entry.list, key);
    if let Some(list) = found {
        let edits = options::edits(&list, changes, manner);
        let left = super::field::edited(text, &edits).map(|after| after.len() + list.text.len());
        // An empty list is none to Proxmox: the key goes along.
        if left == Some(text.len()) && !list.text.is_empty() {
            let end = entry.list.text.find(key).unwrap_or_default() + key.len() + list.text.len();
            let start = entry.list.text.get(..end - key.len() - list.text.len());
            let start = start.and_then(|before| before.rfind(',')).unwrap_or_default();
            return Ok(entry.list.replace(start..end, ""));
        }
        return Ok(edits);
    }
    let list = options::edits(&Field::new(0), changes, manner);
    let list: String = list.into_iter().map(|edit| edit.text).collect();
    if list.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Edit::insert(entry.list.end(), format!(",{key}{list}"))])
}

fn check_known(option: &MountOption, known: &[&str]) -> Result<(), Refusal> {
    if known.contains(&option.name()) {
        return Ok(());
    }
    let reason = format!("Proxmox has no {} here, only {}", option.name(), known.join(", "));
    Err(Refusal::NotOfKind(reason))
}

/// The lines before the first snapshot: what is in force.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for range in lines::ranges(text) {
        let line = text.get(range.clone()).unwrap_or_default();
        if line.starts_with('[') {
            break;
        }
        let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let begins = range.end - value.trim_start().len();
        let list = Field::literal(text, begins..begins + value.trim().len());
        let numbered = |prefix: &str| {
            let number = key.strip_prefix(prefix);
            number.is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        let first = || {
            let end = list.text.find(',').unwrap_or(list.text.len());
            list.part(0..end)
        };
        let at = range.start;
        if numbered("mp") {
            let source = part(&list, "volume=").unwrap_or_else(first);
            let target = part(&list, "mp=");
            entries.push(Entry { kind: Kind::MountPoint, source, target, list, at });
        } else if numbered("virtiofs") {
            let source = part(&list, "dirid=").unwrap_or_else(first);
            entries.push(Entry { kind: Kind::Virtiofs, source, target: None, list, at });
        } else if key == "args" {
            let source = part(&list, "mount_tag=").unwrap_or_else(|| Field::new(begins));
            entries.push(Entry { kind: Kind::Arguments, source, target: None, list, at });
        }
    }
    entries
}

/// The value of a key in a list that is separated by commas, up to a blank.
fn part(list: &Field, key: &str) -> Option<Field> {
    let mut start = 0;
    for item in list.text.split(',') {
        if let Some(value) = item.strip_prefix(key) {
            let begins = start + key.len();
            let length = value.find(' ').unwrap_or(value.len());
            return Some(list.part(begins..begins + length));
        }
        start += item.len() + 1;
    }
    None
}

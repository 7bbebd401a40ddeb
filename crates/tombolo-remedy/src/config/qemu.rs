//! Command lines of QEMU in a shell script: `-virtfs`, or `-fsdev` with its `-device`; qemu(1).

use super::field::{Edit, Field};
use super::shell::{self, Word};
use super::{Change, Edited, MountOption, Names, Refusal, Selector, options, select};

/// Two commas stand for one in a value of QEMU; a list with such is refused.
const OPTIONS: options::Manner = options::Manner { separator: ',', empty: "" };

/// Options of the share itself. Those of its mount stand in the guest.
const OF_SHARE: [&str; 6] =
    ["multidevs", "security_model", "writeout", "fmode", "dmode", "readonly"];

/// A share by 9p, or by virtiofs already.
struct Share<'a> {
    command: &'a [Word],
    tag: String,
    path: Option<String>,
    way: Way<'a>,
    at: usize,
}

enum Way<'a> {
    /// `-virtfs LIST`.
    Virtfs {
        option: &'a Word,
        list: &'a Word,
    },
    /// `-fsdev LIST` and `-device LIST`.
    Pair {
        fsdev: &'a Word,
        device: &'a Word,
    },
    Virtiofs,
}

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let commands = shell::commands(text)?;
    let mut shares = Vec::new();
    for command in &commands {
        let name = |word: &Word| word.text().rsplit('/').next().unwrap_or_default().to_owned();
        if command.iter().any(|word| name(word).starts_with("qemu-")) {
            shares.extend(of_command(text, command)?);
        }
    }
    let share = select(text, selector, &shares, |share| Names {
        mount_point: None,
        sources: [share.tag.clone()].into_iter().chain(share.path.clone()).collect(),
        shown: share.path.clone(),
        at: share.at,
    })?;
    let mut edited = Edited::default();
    let mut of_options = Vec::new();
    for change in changes {
        match change {
            Change::Set(option) | Change::Drop(option) => {
                check_of_share(option)?;
                of_options.push(change.clone());
            }
            Change::Virtiofs => virtiofs(text, share, &mut edited)?,
            Change::Detach => {
                let reason = "take this share out by hand, with its -device";
                return Err(Refusal::unknown(text, share.at, reason));
            }
            Change::BindDirectory | Change::NamedVolume(_) | Change::Source(_) => {
                let reason = "QEMU has no such mounts of containers";
                return Err(Refusal::NotOfKind(reason.to_owned()));
            }
        }
    }
    let list = match share.way {
        Way::Virtfs { list, .. } => list,
        Way::Pair { fsdev, .. } => fsdev,
        Way::Virtiofs if of_options.is_empty() => return Ok(edited),
        Way::Virtiofs => {
            return Err(Refusal::unknown(text, share.at, "this share is by virtiofs already"));
        }
    };
    edited.edits.extend(options::edits(&list.field, &of_options, OPTIONS));
    Ok(edited)
}

fn check_of_share(option: &MountOption) -> Result<(), Refusal> {
    if OF_SHARE.contains(&option.name()) {
        return Ok(());
    }
    let reason = format!(
        "{} is an option of the mount, which stands in the guest, in /etc/fstab",
        option.name()
    );
    Err(Refusal::NotOfKind(reason))
}

/// A value of a list such as `local,path=/srv,mount_tag=share`.
fn value(list: &str, key: &str) -> Option<String> {
    list.split(',').find_map(|part| Some(part.strip_prefix(key)?.strip_prefix('=')?.to_owned()))
}

fn of_command<'a>(text: &str, command: &'a [Word]) -> Result<Vec<Share<'a>>, Refusal> {
    let mut shares = Vec::new();
    let pairs = || command.iter().zip(command.iter().skip(1));
    let plain = |word: &Word| {
        if word.opaque || word.text().contains(",,") {
            let reason = "part of this list is not known, or holds a comma";
            return Err(Refusal::unknown(text, word.range.start, reason));
        }
        Ok(())
    };
    for (option, list) in pairs() {
        let (at, words) = (option.range.start, list.text());
        let tag = value(words, "mount_tag").or_else(|| value(words, "tag"));
        match (bare(option), tag) {
            ("virtfs", Some(tag)) => {
                plain(list)?;
                let path = value(words, "path");
                shares.push(Share { command, tag, path, way: Way::Virtfs { option, list }, at });
            }
            ("device", Some(tag)) if words.starts_with("virtio-9p") => {
                let id = value(words, "fsdev");
                let fsdev = pairs().find(|(option, list)| {
                    bare(option) == "fsdev" && id.is_some() && value(list.text(), "id") == id
                });
                let Some((_, fsdev)) = fsdev else {
                    return Err(Refusal::unknown(text, at, "the -fsdev of this device is missing"));
                };
                plain(list)?;
                plain(fsdev)?;
                let path = value(fsdev.text(), "path");
                shares.push(Share {
                    command,
                    tag,
                    path,
                    way: Way::Pair { fsdev, device: list },
                    at,
                });
            }
            ("device", Some(tag)) if words.starts_with("vhost-user-fs") => {
                shares.push(Share { command, tag, path: None, way: Way::Virtiofs, at });
            }
            _ => {}
        }
    }
    Ok(shares)
}

/// An option without its dashes, of which QEMU takes one or two.
fn bare(word: &Word) -> &str {
    let text = word.text();
    text.strip_prefix("--").or(text.strip_prefix('-')).unwrap_or_default()
}

fn virtiofs(text: &str, share: &Share<'_>, edited: &mut Edited) -> Result<(), Refusal> {
    let tag = &share.tag;
    if !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        let reason = "the tag of this share cannot be written elsewhere as it stands";
        return Err(Refusal::unknown(text, share.at, reason));
    }
    let socket = format!("/run/virtiofsd-{tag}.sock");
    let chardev = format!("socket,id=virtiofs-{tag},path={socket}");
    let device = |suffix: &str| format!("vhost-user-fs-{suffix},chardev=virtiofs-{tag},tag={tag}");
    let memory = match share.way {
        Way::Virtiofs => return Ok(()),
        _ => shared_memory(text, share)?,
    };
    match &share.way {
        Way::Virtiofs => {}
        Way::Virtfs { option, list } => {
            let whole = option.range.start..list.range.end;
            let written = format!("-chardev {chardev} -device {}{memory}", device("pci"));
            edited.edits.push(Edit::replace(whole, written));
        }
        Way::Pair { fsdev, device: old } => {
            let suffix = device_suffix(text, old)?;
            let option = share.command.iter().find(|word| {
                word.range.end < fsdev.range.start
                    && bare(word) == "fsdev"
                    && between(text, word, fsdev)
            });
            let Some(option) = option else {
                return Err(Refusal::unknown(text, share.at, "the -fsdev is not found"));
            };
            edited.edits.extend(option.field.replace(0..option.text().len(), "-chardev"));
            edited.edits.push(Edit::replace(fsdev.range.clone(), chardev));
            edited.edits.push(Edit::replace(old.range.clone(), device(suffix) + &memory));
        }
    }
    let shown = share.path.as_deref().unwrap_or("DIRECTORY");
    edited.notes.push(format!(
        "Start virtiofsd before QEMU, for each start of it: virtiofsd --socket-path={socket} \
         --shared-dir={shown} --cache=auto"
    ));
    edited.notes.push(
        "In the guest, mount the share with the type virtiofs and without the options of 9p."
            .to_owned(),
    );
    Ok(())
}

/// Whether nothing stands between two words but blanks and a line that goes on.
fn between(text: &str, one: &Word, other: &Word) -> bool {
    let between = text.get(one.range.end..other.range.start).unwrap_or("x");
    between.chars().all(|character| character.is_ascii_whitespace() || character == '\\')
}

/// The bus of a device of 9p that has no property of its own.
fn device_suffix(text: &str, device: &Word) -> Result<&'static str, Refusal> {
    let list = device.text();
    let mut parts = list.split(',');
    let suffix = match parts.next() {
        Some("virtio-9p-pci" | "virtio-9p") => "pci",
        Some("virtio-9p-ccw") => "ccw",
        Some("virtio-9p-device") => "device",
        _ => return Err(Refusal::unknown(text, device.range.start, "this device is not known")),
    };
    let known =
        |part: &str| ["fsdev=", "mount_tag=", "id="].iter().any(|key| part.starts_with(key));
    if let Some(other) = parts.find(|part| !known(part)) {
        let reason = format!("the device has {other}, which is not understood");
        return Err(Refusal::unknown(text, device.range.start, reason));
    }
    Ok(suffix)
}

/// The words that give the guest memory which virtiofsd can share; none where it has such.
fn shared_memory(text: &str, share: &Share<'_>) -> Result<String, Refusal> {
    let lists = |name: &'static str| {
        let pairs = share.command.iter().zip(share.command.iter().skip(1));
        pairs.filter(move |(option, _)| bare(option) == name).map(|(_, list)| list)
    };
    if let Some(object) = lists("object").find(|list| list.text().starts_with("memory-backend-")) {
        return match value(object.text(), "share").as_deref() {
            Some("on" | "yes" | "true" | "y") => Ok(String::new()),
            _ => {
                let reason = "this memory is not shared, which virtiofs needs: add share=on";
                Err(Refusal::unknown(text, object.range.start, reason))
            }
        };
    }
    if let Some(other) = lists("numa").next().or(lists("mem-path").next()) {
        let reason = "the memory of this guest is laid out in a way that is not understood";
        return Err(Refusal::unknown(text, other.range.start, reason));
    }
    let Some(amount) = lists("m").next() else {
        return Err(Refusal::unknown(
            text,
            share.at,
            "the command does not say how much memory (-m)",
        ));
    };
    let size = size(&amount.field).ok_or_else(|| {
        let reason = "how much memory this is cannot be told";
        Refusal::unknown(text, amount.range.start, reason)
    })?;
    Ok(format!(
        " -object memory-backend-memfd,id=virtiofs-memory,size={size},share=on -numa \
         node,memdev=virtiofs-memory"
    ))
}

/// An amount of memory with its unit; without one, `-m` counts in MiB (qemu(1)).
fn size(field: &Field) -> Option<String> {
    let first = field.text.split(',').next()?;
    let amount = first.strip_prefix("size=").unwrap_or(first);
    let number = amount.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = amount.strip_prefix(number)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    match unit {
        _ if !digits => None,
        "" => Some(format!("{number}M")),
        "M" | "m" | "G" | "g" | "T" | "t" => Some(amount.to_owned()),
        _ => None,
    }
}

//! `docker run`, `docker create` and `docker volume create` in a shell script, and those of podman
//! and nerdctl.

use super::bind::{self, Binding};
use super::field::Field;
use super::shell::{self, Word};
use super::{Change, Edited, Names, Refusal, Selector, options, select};

const OPTIONS: options::Manner = options::Manner { separator: ',', empty: "" };

/// A volume that a script makes.
struct Volume {
    name: String,
    device: Option<String>,
    list: Option<Field>,
    at: usize,
}

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let (mut bindings, mut volumes) = (Vec::new(), Vec::new());
    for words in shell::commands(text)? {
        match subcommand(&words) {
            Some((Subcommand::Run, rest)) => bindings.extend(of_run(text, rest)?),
            Some((Subcommand::VolumeCreate, rest)) => volumes.extend(volume(rest)),
            None => {}
        }
    }
    let mut edited = Edited::default();
    let mut of_options = Vec::new();
    for change in changes {
        match bind::rebind(text, &bindings, selector, change)? {
            None => of_options.push(change.clone()),
            Some(rebound) => {
                edited.edits.extend(rebound.edits);
                edited.notes.extend(rebound.notes);
            }
        }
    }
    if !of_options.is_empty() {
        let volume = chosen(text, selector, &bindings, &volumes)?;
        let Some(list) = &volume.list else {
            return Err(Refusal::unknown(text, volume.at, "the volume has no option o="));
        };
        edited.edits.extend(options::edits(list, &of_options, OPTIONS));
    }
    Ok(edited)
}

fn chosen<'a>(
    text: &str,
    selector: &Selector,
    bindings: &[Binding],
    volumes: &'a [Volume],
) -> Result<&'a Volume, Refusal> {
    let names = |volume: &Volume| Names {
        mount_point: None,
        sources: [volume.name.clone()].into_iter().chain(volume.device.clone()).collect(),
        shown: None,
        at: volume.at,
    };
    match select(text, selector, volumes, names) {
        Err(Refusal::NotThere { .. }) => {
            let binding = select(text, selector, bindings, Binding::names)?;
            let source = binding.source.as_ref().map(|source| source.text.clone());
            volumes.iter().find(|volume| Some(&volume.name) == source.as_ref()).ok_or_else(|| {
                let reason = "this is mounted by the host, with the options that it has there: \
                              the change belongs into the host's own table of mounts";
                Refusal::unknown(text, binding.at, reason)
            })
        }
        found => found,
    }
}

enum Subcommand {
    Run,
    VolumeCreate,
}

fn subcommand(words: &[Word]) -> Option<(Subcommand, &[Word])> {
    let tool = words.iter().position(|word| {
        let name = word.text().rsplit('/').next().unwrap_or_default();
        ["docker", "podman", "nerdctl"].contains(&name)
    })?;
    let rest = words.get(tool + 1..)?;
    let text = |place: usize| rest.get(place).map(Word::text);
    match (text(0)?, text(1)) {
        ("run" | "create", _) => Some((Subcommand::Run, rest.get(1..)?)),
        ("container", Some("run" | "create")) => Some((Subcommand::Run, rest.get(2..)?)),
        ("volume", Some("create")) => Some((Subcommand::VolumeCreate, rest.get(2..)?)),
        _ => None,
    }
}

/// The values of an option that is written in one word or two.
fn values<'a>(
    words: &'a [Word],
    names: &'a [&'a str],
) -> impl Iterator<Item = (&'a Word, Field)> + 'a {
    words.iter().enumerate().filter_map(move |(place, word)| {
        let text = word.text();
        for name in names {
            if text == *name {
                return words.get(place + 1).map(|next| (next, next.field.clone()));
            }
            let inline = text
                .strip_prefix(name)
                .filter(|rest| rest.starts_with('=') || (name.len() == 2 && !rest.is_empty()));
            if let Some(rest) = inline {
                let begins = text.len() - rest.strip_prefix('=').unwrap_or(rest).len();
                return Some((word, word.field.part(begins..text.len())));
            }
        }
        None
    })
}

/// Options of `docker run` and `podman run` that take no value: docker-run(1), podman-run(1).
const FLAGS: [&str; 20] = [
    "detach",
    "disable-content-trust",
    "env-host",
    "help",
    "init",
    "interactive",
    "no-healthcheck",
    "no-hosts",
    "oom-kill-disable",
    "privileged",
    "publish-all",
    "quiet",
    "read-only",
    "read-only-tmpfs",
    "replace",
    "rm",
    "rmi",
    "sig-proxy",
    "tls-verify",
    "tty",
];

/// The words up to the image. Those after it are the program's.
fn of_tool(words: &[Word]) -> &[Word] {
    let mut place = 0;
    while let Some(word) = words.get(place) {
        let text = word.text();
        let flag = match (text.strip_prefix("--"), text.strip_prefix('-')) {
            (Some(long), _) => long.contains('=') || FLAGS.contains(&long),
            (None, Some(short)) => {
                // Letters that take no value can stand together; a value can follow at once.
                let rest = short.trim_start_matches(['d', 'i', 't', 'P', 'q']);
                rest.is_empty() || rest.len() > 1
            }
            (None, None) => break,
        };
        place += if flag { 1 } else { 2 };
    }
    words.get(..place).unwrap_or(words)
}

fn of_run(text: &str, words: &[Word]) -> Result<Vec<Binding>, Refusal> {
    let mut bindings = Vec::new();
    let words = of_tool(words);
    for (word, field) in values(words, &["-v", "--volume"]) {
        check_clear(text, word)?;
        bindings.push(bind::short(text, &field)?);
    }
    for (word, field) in values(words, &["--mount"]) {
        check_clear(text, word)?;
        bindings.extend(long(&field));
    }
    Ok(bindings)
}

fn check_clear(text: &str, word: &Word) -> Result<(), Refusal> {
    if word.opaque {
        let reason = "part of this mount is what another command prints";
        return Err(Refusal::unknown(text, word.range.start, reason));
    }
    Ok(())
}

/// `type=bind,source=...,target=...`.
fn long(field: &Field) -> Option<Binding> {
    let mut binding =
        Binding { source: None, target: Field::new(0), type_word: None, at: field.start() };
    let mut start = 0;
    let mut has_target = false;
    for part in field.text.split(',') {
        let range = start..start + part.len();
        start = range.end + 1;
        let Some((key, value)) = part.split_once('=') else { continue };
        let value = field.part(range.end - value.len()..range.end);
        match key {
            "type" => binding.type_word = Some(value),
            "source" | "src" => binding.source = Some(value),
            "target" | "destination" | "dst" => {
                binding.target = value;
                has_target = true;
            }
            _ => {}
        }
    }
    has_target.then_some(binding)
}

fn volume(words: &[Word]) -> Option<Volume> {
    let mut volume = Volume {
        name: String::new(),
        device: None,
        list: None,
        at: words.first().map_or(0, |word| word.range.start),
    };
    for (_, field) in values(words, &["-o", "--opt"]) {
        match field.text.split_once('=') {
            Some(("o", list)) => {
                let begins = field.text.len() - list.len();
                volume.list = Some(field.part(begins..field.text.len()));
            }
            Some(("device", device)) => volume.device = Some(device.to_owned()),
            _ => {}
        }
    }
    if let Some((device, path)) =
        volume.device.as_deref().and_then(|device| Some((device, device.strip_prefix(':')?)))
    {
        let list = volume.list.as_ref().map(|list| list.text.as_str()).unwrap_or_default();
        let server = list.split(',').find_map(|option| option.strip_prefix("addr="));
        volume.device = Some(server.map_or(device.to_owned(), |server| format!("{server}:{path}")));
    }
    let last = words.last().filter(|word| !word.text().starts_with('-'));
    let named = values(words, &["--name"]).next().map(|(_, field)| field.text);
    volume.name = named.or(last.map(|word| word.text().to_owned()))?;
    Some(volume)
}

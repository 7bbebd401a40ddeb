//! A further service of a Compose file: the Compose Specification, services.

use super::field::{Edit, edited};
use super::yaml::{self, Node};
use super::{Edited, Refusal, lines};

/// The edit that adds a service, the first of all, so that comments stay above what they are about.
/// Its lines stand as in a file of its own, without the indentation of services.
///
/// # Errors
/// [`Refusal`]; then the file is not to be changed at all.
pub fn add_service(text: &str, name: &str, written: &[&str]) -> Result<Edited, Refusal> {
    if text.len() > super::TEXT_BYTES_MAX {
        let reason = format!("it is longer than {} bytes", super::TEXT_BYTES_MAX);
        return Err(Refusal::NotOfKind(reason));
    }
    let no_services = || Refusal::NotOfKind("it has no services".to_owned());
    let documents = yaml::parse(text)?;
    let [root] = documents.as_slice() else { return Err(no_services()) };
    if root.is_null() {
        return Err(no_services());
    }
    let (key, services) = root.pair(text, "services")?.ok_or_else(no_services)?;
    services.check_own(text)?;
    let count = services.pairs(text)?.len();
    if let Some((there, _)) = services.pair(text, name)? {
        let reason = "a service of this name is there already";
        return Err(there.refused(text, reason));
    }
    let newline = lines::newline(text);
    let indent = " ".repeat(column(text, services)?);
    let at = lines::whole(text, key.range.start).end;
    // After a last line without an end, each of the new ones begins with one.
    let is_ended = text.get(..at).is_some_and(|before| before.ends_with('\n'));
    let line = |line: &&str| match is_ended {
        true => format!("{indent}{line}{newline}"),
        false => format!("{newline}{indent}{line}"),
    };
    let edits = vec![Edit::insert(at, written.iter().map(line).collect::<String>())];
    let after = edited(text, &edits).unwrap_or_default();
    match is_there(&after, name, count + 1) {
        Ok(true) => Ok(Edited { edits, notes: Vec::new() }),
        _ => Err(services.refused(text, "a service cannot be added here")),
    }
}

/// How far the names of services are indented; refused where they do not begin their lines.
fn column(text: &str, services: &Node) -> Result<usize, Refusal> {
    const OF_THE_FIRST: usize = 2;
    let Some((first, _)) = services.pairs(text)?.first() else {
        return if services.range.is_empty() {
            Ok(OF_THE_FIRST)
        } else {
            Err(services.refused(text, "something else than a block of services stands here"))
        };
    };
    let start = lines::whole(text, first.range.start).start;
    let before = text.get(start..first.range.start).unwrap_or_default();
    if before.chars().all(|character| character == ' ') {
        Ok(before.len())
    } else {
        Err(first.refused(text, "this name of a service does not begin its line"))
    }
}

/// Whether the file has so many services, and one of this name.
fn is_there(text: &str, name: &str, count: usize) -> Result<bool, Refusal> {
    let documents = yaml::parse(text)?;
    let [root] = documents.as_slice() else { return Ok(false) };
    let Some(services) = root.get(text, "services")? else { return Ok(false) };
    let of_name = services.get(text, name)?;
    let command = of_name.map(|service| service.get(text, "command")).transpose()?.flatten();
    Ok(services.pairs(text)?.len() == count && command.is_some())
}

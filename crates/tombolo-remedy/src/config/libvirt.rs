//! Domains of libvirt: `<filesystem>` and `<memoryBacking>` of formatdomain.

use super::field::{Edit, Field};
use super::{Change, Edited, Names, Refusal, Selector, lines, select};
use roxmltree::{Attribute, Document, Node, ParsingOptions};
use std::ops::Range;

/// More elements than any domain has.
const NODES_MAX: u32 = 50_000;

/// Attributes that only 9p has.
const NINE_P: [&str; 3] = ["multidevs", "fmode", "dmode"];

pub(super) fn edit(text: &str, selector: &Selector, changes: &[Change]) -> Result<Edited, Refusal> {
    let known = |change: &Change| matches!(change, Change::Virtiofs | Change::Detach);
    if !changes.iter().all(known) {
        let reason = "a domain says how a share reaches the guest; its mount options stand in the \
                      guest, in /etc/fstab";
        return Err(Refusal::NotOfKind(reason.to_owned()));
    }
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text, options).map_err(|error| Refusal::Unknown {
            line: error.pos().row as usize,
            reason: format!("this is no XML: {error}"),
        })?;
    let domain = document.root_element();
    if !domain.has_tag_name("domain") {
        return Err(Refusal::unknown(text, domain.range().start, "this is no domain"));
    }
    let shares: Vec<Node<'_, '_>> =
        children(domain, "devices").flat_map(|devices| children(devices, "filesystem")).collect();
    let share = *select(text, selector, &shares, |share| names(*share))?;
    if changes.contains(&Change::Detach) {
        let edits = vec![Edit::replace(with_its_line(text, share.range()), "")];
        return Ok(Edited { edits, notes: Vec::new() });
    }
    let mut edits = Vec::new();
    if !changes.is_empty() {
        edits.extend(of_share(text, share)?);
        edits.extend(shared_memory(text, domain)?);
    }
    let mut notes = vec![
        "In the guest, mount the share with the type virtiofs and without the options of 9p; the \
         name of its tag stays."
            .to_owned(),
    ];
    if !edits.is_empty() {
        notes.push("virtiofsd must be installed on the host.".to_owned());
    }
    Ok(Edited { edits, notes })
}

/// The lines of an element that has them for itself, else its range.
fn with_its_line(text: &str, range: Range<usize>) -> Range<usize> {
    let (first, last) = (lines::whole(text, range.start), lines::whole(text, range.end));
    let blank = |range: Range<usize>| text.get(range).is_some_and(|text| text.trim().is_empty());
    if blank(first.start..range.start) && blank(range.end..last.end) {
        first.start..last.end
    } else {
        range
    }
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

fn names(share: Node<'_, '_>) -> Names {
    let directory =
        |name| children(share, name).find_map(|node| node.attribute("dir")).map(str::to_owned);
    let source = directory("source");
    Names {
        mount_point: None,
        sources: directory("target").into_iter().chain(source.clone()).collect(),
        shown: source,
        at: share.range().start,
    }
}

fn of_share(text: &str, share: Node<'_, '_>) -> Result<Vec<Edit>, Refusal> {
    let at = share.range().start;
    if share.attribute("type").is_some_and(|kind| kind != "mount") {
        return Err(Refusal::unknown(text, at, "this share is no directory of the host"));
    }
    if let Some(node) = children(share, "readonly").next() {
        let reason = "the share is read-only: whether virtiofs can be depends on the version of \
                      libvirt";
        return Err(Refusal::unknown(text, node.range().start, reason));
    }
    let mut edits = Vec::new();
    match share.attribute_node("accessmode") {
        Some(mode) => edits.extend(with_value(text, mode, "passthrough")),
        None => edits.push(Edit::insert(
            at + 1 + share.tag_name().name().len(),
            " accessmode='passthrough'",
        )),
    }
    for attribute in share.attributes().filter(|one| NINE_P.contains(&one.name())) {
        edits.push(without(text, attribute));
    }
    let mut drivers = children(share, "driver");
    match (drivers.next(), drivers.next()) {
        (None, _) => edits.push(new_driver(text, share)?),
        (Some(driver), None) => edits.extend(of_driver(text, driver)?),
        (Some(first), Some(second)) => {
            return Err(Refusal::Twice {
                mount: "the driver".to_owned(),
                first: lines::line_of(text, first.range().start),
                second: lines::line_of(text, second.range().start),
            });
        }
    }
    Ok(edits)
}

fn of_driver(text: &str, driver: Node<'_, '_>) -> Result<Vec<Edit>, Refusal> {
    let mut edits = Vec::new();
    let mut typed = false;
    for attribute in driver.attributes() {
        match attribute.name() {
            "type" if ["path", "handle", "virtiofs"].contains(&attribute.value()) => {
                edits.extend(with_value(text, attribute, "virtiofs"));
                typed = true;
            }
            "wrpolicy" | "format" => edits.push(without(text, attribute)),
            "queue" | "iommu" | "ats" | "packed" => {}
            _ => {
                let reason =
                    format!("the driver has {}, which is not understood", attribute.name());
                return Err(Refusal::unknown(text, attribute.range().start, reason));
            }
        }
    }
    if !typed {
        edits.push(Edit::insert(driver.range().start + "<driver".len(), " type='virtiofs'"));
    }
    Ok(edits)
}

/// Before the first element in it, on a line of its own if that one has one.
fn new_driver(text: &str, share: Node<'_, '_>) -> Result<Edit, Refusal> {
    let Some(first) = share.first_element_child() else {
        return Err(Refusal::unknown(text, share.range().start, "the share is empty"));
    };
    let at = first.range().start;
    Ok(Edit::insert(at, format!("<driver type='virtiofs'/>{}", separator(text, at))))
}

/// What stands between an element and the one before it: the line end and its indentation.
fn separator(text: &str, at: usize) -> String {
    let start = lines::whole(text, at).start;
    let indent = text.get(start..at).unwrap_or_default();
    if indent.chars().all(|character| character == ' ' || character == '\t') {
        format!("{}{indent}", lines::newline(text))
    } else {
        String::new()
    }
}

/// virtiofsd works on the memory of the guest, so that must be shared.
fn shared_memory(text: &str, domain: Node<'_, '_>) -> Result<Vec<Edit>, Refusal> {
    let private = domain.descendants().find(|node| node.attribute("memAccess") == Some("private"));
    if let Some(cell) = private {
        let reason = "this memory is private: virtiofs needs it shared";
        return Err(Refusal::unknown(text, cell.range().start, reason));
    }
    let mut found = children(domain, "memoryBacking");
    let Some(backing) = found.next() else {
        let after = children(domain, "currentMemory").next().or(children(domain, "memory").next());
        let Some(after) = after else {
            let at = domain.range().start;
            return Err(Refusal::unknown(
                text,
                at,
                "the domain does not say how much memory it has",
            ));
        };
        let outer = separator(text, after.range().start);
        let inner = if outer.is_empty() { String::new() } else { format!("{outer}  ") };
        let block = format!(
            "{outer}<memoryBacking>{inner}<source type='memfd'/>{inner}<access mode='shared'/>\
             {outer}</memoryBacking>"
        );
        return Ok(vec![Edit::insert(after.range().end, block)]);
    };
    if let Some(second) = found.next() {
        return Err(Refusal::Twice {
            mount: "the backing of the memory".to_owned(),
            first: lines::line_of(text, backing.range().start),
            second: lines::line_of(text, second.range().start),
        });
    }
    let mut edits = Vec::new();
    let mut missing = String::new();
    let huge = children(backing, "hugepages").next().is_some();
    match children(backing, "source").next().map(|node| node.attribute_node("type")) {
        None if huge => {}
        None => missing += "<source type='memfd'/>",
        Some(Some(kind)) if kind.value() == "anonymous" => {
            edits.extend(with_value(text, kind, "memfd"));
        }
        Some(_) => {}
    }
    match children(backing, "access").next().map(|node| node.attribute_node("mode")) {
        None => missing += "<access mode='shared'/>",
        Some(Some(mode)) => edits.extend(with_value(text, mode, "shared")),
        Some(None) => {
            return Err(Refusal::unknown(text, backing.range().start, "the access has no mode"));
        }
    }
    if missing.is_empty() {
        return Ok(edits);
    }
    match backing.first_element_child() {
        Some(first) => {
            let at = first.range().start;
            let lines = missing.replace("/><", &format!("/>{}<", separator(text, at)));
            edits.push(Edit::insert(at, format!("{lines}{}", separator(text, at))));
        }
        None => edits.push(Edit::replace(
            backing.range(),
            format!("<memoryBacking>{missing}</memoryBacking>"),
        )),
    }
    Ok(edits)
}

fn with_value(text: &str, attribute: Attribute<'_, '_>, value: &str) -> Vec<Edit> {
    if attribute.value() == value {
        return Vec::new();
    }
    let range = attribute.range_value();
    // Escapes and all: what stands there is replaced as a whole.
    let field = Field::literal(text, range.clone());
    if field.text.is_empty() {
        return vec![Edit::insert(range.start, value)];
    }
    vec![Edit::replace(range, value)]
}

/// Takes an attribute out, with the blanks before it.
fn without(text: &str, attribute: Attribute<'_, '_>) -> Edit {
    let range = attribute.range();
    let before = text.get(..range.start).unwrap_or_default();
    Edit::replace(before.trim_end().len()..range.end, "")
}

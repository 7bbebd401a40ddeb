//! YAML as a tree of nodes that know where they stand, and edits of it.

use super::field::{Edit, Field};
use super::{Refusal, lines};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::BTreeSet;
use std::ops::Range;

/// Deeper files are none that a person writes.
const DEPTH_MAX: usize = 48;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) content: Content,
    /// Its bytes. A block collection ends with the last node in it.
    pub(super) range: Range<usize>,
    anchor: usize,
    /// A tag, such as `!override` of Compose, changes what it means.
    tagged: bool,
    /// It is written in brackets or braces.
    flow: bool,
    /// It, or what it is in, is meant by an alias elsewhere too.
    shared: bool,
    /// What it is in is written in brackets or braces.
    in_flow: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar { value: String, style: ScalarStyle },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
    Alias,
}

/// The documents of a file.
///
/// # Errors
/// [`Refusal::Unknown`] for what is no YAML, or too deep.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Refusal> {
    let mut builder = Builder { text, offsets: offsets(text), ..Builder::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Refusal::Unknown {
            line: error.marker().line(),
            reason: format!("this is no YAML: {}", error.info()),
        })?;
        builder.take(event, span)?;
    }
    let Builder { mut documents, aliased, .. } = builder;
    documents.iter_mut().for_each(|root| root.mark(&aliased, false, false));
    Ok(documents)
}

/// For each character its place in bytes, and the length of the text.
fn offsets(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

/// Where a scalar ends. The parser counts what follows a closing quote on its line as part of it.
fn closing_quote(text: &str, range: &Range<usize>) -> usize {
    let bytes = text.as_bytes();
    let quote = match bytes.get(range.start) {
        Some(quote @ (b'\'' | b'"')) => *quote,
        _ => return range.end,
    };
    let mut at = range.start + 1;
    while at < range.end {
        let doubled = quote == b'\'' && bytes.get(at + 1) == Some(&quote);
        match bytes.get(at) {
            Some(b'\\') if quote == b'"' => at += 2,
            Some(byte) if *byte == quote && doubled => at += 2,
            Some(byte) if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    range.end
}

#[derive(Default)]
struct Builder<'a> {
    text: &'a str,
    offsets: Vec<usize>,
    /// Collections that are not at their end, and for each the nodes so far.
    open: Vec<(Node, Vec<Node>)>,
    documents: Vec<Node>,
    aliased: BTreeSet<usize>,
}

impl Builder<'_> {
    fn range(&self, span: Span) -> Range<usize> {
        let place = |index: usize| self.offsets.get(index).copied().unwrap_or(self.text.len());
        let start = place(span.start.index());
        start..place(span.end.index()).max(start)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Refusal> {
        let range = self.range(span);
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                let range = range.start..closing_quote(self.text, &range);
                let content = Content::Scalar { value: value.into_owned(), style };
                self.put(Node::new(content, range, anchor, tag.is_some()));
            }
            Event::Alias(anchor) => {
                self.aliased.insert(anchor);
                self.put(Node::new(Content::Alias, range, 0, false));
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Content::Sequence(Vec::new()), range, anchor, tag.is_some())?;
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Content::Mapping(Vec::new()), range, anchor, tag.is_some())?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.finish(&range),
            _ => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        content: Content,
        range: Range<usize>,
        anchor: usize,
        tagged: bool,
    ) -> Result<(), Refusal> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Refusal::unknown(self.text, range.start, "this is nested too deeply"));
        }
        let mut node = Node::new(content, range, anchor, tagged);
        let first = self.text.as_bytes().get(node.range.start);
        node.flow = match node.content {
            Content::Sequence(_) => first == Some(&b'['),
            _ => first == Some(&b'{'),
        };
        self.open.push((node, Vec::new()));
        Ok(())
    }

    fn finish(&mut self, range: &Range<usize>) {
        let Some((mut node, children)) = self.open.pop() else { return };
        let last = children.last().map_or(node.range.end, |last| last.range.end);
        node.range.end = if node.flow { range.end } else { last.max(node.range.start) };
        match &mut node.content {
            Content::Sequence(items) => *items = children,
            Content::Mapping(pairs) => {
                let mut children = children.into_iter();
                while let (Some(key), Some(value)) = (children.next(), children.next()) {
                    pairs.push((key, value));
                }
            }
            _ => {}
        }
        self.put(node);
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            Some((_, children)) => children.push(node),
            None => self.documents.push(node),
        }
    }
}

impl Node {
    fn new(content: Content, range: Range<usize>, anchor: usize, tagged: bool) -> Self {
        Node { content, range, anchor, tagged, flow: false, shared: false, in_flow: false }
    }

    fn mark(&mut self, aliased: &BTreeSet<usize>, shared: bool, in_flow: bool) {
        self.shared = shared || aliased.contains(&self.anchor);
        self.in_flow = in_flow;
        let (shared, in_flow) = (self.shared, in_flow || self.flow);
        match &mut self.content {
            Content::Sequence(items) => {
                items.iter_mut().for_each(|item| item.mark(aliased, shared, in_flow));
            }
            Content::Mapping(pairs) => {
                for (key, value) in pairs {
                    key.mark(aliased, shared, in_flow);
                    value.mark(aliased, shared, in_flow);
                }
            }
            _ => {}
        }
    }

    /// Its value as text, if it is one.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Whether nothing stands there.
    pub(super) fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { value, style: ScalarStyle::Plain } => {
                ["", "~", "null"].contains(&value.as_str())
            }
            _ => false,
        }
    }

    /// The pairs of a mapping.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] for anything else that is there.
    pub(super) fn pairs(&self, text: &str) -> Result<&[(Node, Node)], Refusal> {
        match &self.content {
            _ if self.tagged => Err(self.refused(text, "a tag changes what this means")),
            Content::Mapping(pairs) => Ok(pairs),
            Content::Alias => Err(self.refused(text, "an alias stands here: edit what it means")),
            _ if self.is_null() => Ok(&[]),
            _ => Err(self.refused(text, "a mapping was expected here")),
        }
    }

    /// The items of a sequence.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] for anything else that is there.
    pub(super) fn items(&self, text: &str) -> Result<&[Node], Refusal> {
        match &self.content {
            _ if self.tagged => Err(self.refused(text, "a tag changes what this means")),
            Content::Sequence(items) => Ok(items),
            Content::Alias => Err(self.refused(text, "an alias stands here: edit what it means")),
            _ if self.is_null() => Ok(&[]),
            _ => Err(self.refused(text, "a list was expected here")),
        }
    }

    /// The pair of a key.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where this is no mapping, [`Refusal::Twice`] for a key that stands
    /// there twice.
    pub(super) fn pair(&self, text: &str, key: &str) -> Result<Option<&(Node, Node)>, Refusal> {
        let mut found = self.pairs(text)?.iter().filter(|(name, _)| name.scalar() == Some(key));
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(Refusal::Twice {
                mount: key.to_owned(),
                first: lines::line_of(text, first.0.range.start),
                second: lines::line_of(text, second.0.range.start),
            }),
            (first, _) => Ok(first),
        }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// As [`Node::pair`].
    pub(super) fn get(&self, text: &str, key: &str) -> Result<Option<&Node>, Refusal> {
        Ok(self.pair(text, key)?.map(|(_, value)| value))
    }

    /// The value of a key as text; `None` for one that is missing or no scalar.
    ///
    /// # Errors
    /// As [`Node::pair`].
    pub(super) fn word(&self, text: &str, key: &str) -> Result<Option<&str>, Refusal> {
        Ok(self.get(text, key)?.and_then(Node::scalar))
    }

    /// Where it takes over the pairs of another mapping (`<<`).
    pub(super) fn merge_at(&self) -> Option<usize> {
        let Content::Mapping(pairs) = &self.content else { return None };
        let merge = pairs.iter().find(|(key, _)| key.scalar() == Some("<<"));
        merge.map(|(key, _)| key.range.start)
    }

    pub(super) fn refused(&self, text: &str, reason: &str) -> Refusal {
        Refusal::unknown(text, self.range.start, reason)
    }

    /// Refuses a node that is not what is written there alone.
    pub(super) fn check_own(&self, text: &str) -> Result<(), Refusal> {
        if self.shared {
            return Err(self.refused(text, "an alias elsewhere means the same: edit it by hand"));
        }
        if self.tagged {
            return Err(self.refused(text, "a tag changes what this means"));
        }
        Ok(())
    }

    /// The text of a scalar, to be edited where it stands.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where an edit could mean more than it says.
    pub(super) fn field(&self, text: &str) -> Result<Field, Refusal> {
        self.check_own(text)?;
        let Content::Scalar { value, style } = &self.content else {
            return Err(self.refused(text, "a text was expected here"));
        };
        let quote = match style {
            ScalarStyle::Plain => 0,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 1,
            _ => return Err(self.refused(text, "a text of several lines stands here")),
        };
        let end = self.range.end.saturating_sub(quote);
        let inner = self.range.start + quote..end.max(self.range.start + quote);
        let raw = text.get(inner.clone()).unwrap_or_default();
        let trimmed = if quote == 0 { raw.trim_end() } else { raw };
        if trimmed != value {
            return Err(self.refused(text, "this text is written with escapes or on several lines"));
        }
        Ok(Field::literal(text, inner.start..inner.start + trimmed.len()))
    }

    /// Edits of this scalar, with quotes around it where what is added needs them.
    pub(super) fn quoted(&self, edits: Vec<Edit>) -> Vec<Edit> {
        let plain = matches!(&self.content, Content::Scalar { style: ScalarStyle::Plain, .. });
        let comma = edits.iter().any(|edit| edit.text.contains(','));
        if !(plain && comma && self.in_flow) {
            return edits;
        }
        let mut edits = edits;
        edits.sort_by_key(|edit| edit.start);
        match edits.first_mut() {
            Some(first) if first.start == self.range.start => first.text.insert(0, '"'),
            _ => edits.insert(0, Edit::insert(self.range.start, "\"")),
        }
        match edits.last_mut() {
            Some(last) if last.end == self.range.end => last.text.push('"'),
            _ => edits.push(Edit::insert(self.range.end, "\"")),
        }
        edits
    }

    /// Adds an item to a list.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where the list cannot be edited.
    pub(super) fn add_item(
        &self,
        text: &str,
        key: &Node,
        items: &[String],
    ) -> Result<Edit, Refusal> {
        self.check_own(text)?;
        let existing = self.items(text)?;
        let Some(last) = existing.last() else {
            return if self.flow {
                Ok(Edit::insert(self.range.end.saturating_sub(1), items.join(", ")))
            } else if self.range.is_empty() {
                let at = colon(text, key)?;
                Ok(Edit::insert(at, format!(" [{}]", items.join(", "))))
            } else {
                Ok(Edit::replace(self.range.clone(), format!("[{}]", items.join(", "))))
            };
        };
        if self.flow {
            return Ok(Edit::insert(last.range.end, format!(", {}", items.join(", "))));
        }
        let first = existing.first().unwrap_or(last);
        let column = dash(text, first)?;
        let at = last.line_end(text)?;
        let indent = " ".repeat(column);
        let newline = lines::newline(text);
        let written = items.iter().map(|item| format!("{newline}{indent}- {item}"));
        Ok(Edit::insert(at, written.collect::<String>()))
    }

    /// Takes an item out of a list.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where the list cannot be edited.
    pub(super) fn remove_item(&self, text: &str, place: usize) -> Result<Edit, Refusal> {
        self.check_own(text)?;
        let items = self.items(text)?;
        let Some(item) = items.get(place) else {
            return Err(self.refused(text, "the item is not there"));
        };
        if self.flow {
            let next = items.get(place + 1);
            let range = match (place.checked_sub(1).and_then(|before| items.get(before)), next) {
                (_, Some(next)) => item.range.start..next.range.start,
                (Some(before), None) => before.range.end..item.range.end,
                (None, None) => item.range.clone(),
            };
            return Ok(Edit::replace(range, ""));
        }
        dash(text, item)?;
        item.line_end(text)?;
        let line = lines::whole(text, item.range.start);
        if line.end < item.range.end {
            return Err(item.refused(text, "the item is written on several lines"));
        }
        // Without a line end of its own it takes the one before it along.
        let line = match text.get(..line.end).is_some_and(|until| until.ends_with('\n')) {
            true => line,
            false => lines::end(text, line.start.saturating_sub(1))..line.end,
        };
        Ok(Edit::replace(line, ""))
    }

    /// Adds a pair to a mapping: its lines, indented from the first, or its text in braces.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] where the mapping cannot be edited.
    pub(super) fn add_pair(&self, text: &str, block: &[&str], flow: &str) -> Result<Edit, Refusal> {
        self.check_own(text)?;
        let pairs = self.pairs(text)?;
        let (Some((first, _)), Some((_, last))) = (pairs.first(), pairs.last()) else {
            return if self.flow {
                Ok(Edit::insert(self.range.end.saturating_sub(1), flow))
            } else {
                Err(self.refused(text, "nothing stands here yet"))
            };
        };
        if self.flow {
            return Ok(Edit::insert(last.range.end, format!(", {flow}")));
        }
        let start = lines::whole(text, first.range.start).start;
        let before = text.get(start..first.range.start).unwrap_or_default();
        if !before.chars().all(|character| character == ' ' || character == '-') {
            return Err(first.refused(text, "something else stands before this key"));
        }
        let (indent, newline) = (" ".repeat(before.len()), lines::newline(text));
        let simple = |value: &&(Node, Node)| {
            matches!(value.1.content, Content::Scalar { .. }) && value.1.line_end(text).is_ok()
        };
        Ok(match pairs.iter().rev().find(simple) {
            Some((_, value)) => {
                let written = block.iter().map(|line| format!("{newline}{indent}{line}"));
                Edit::insert(value.line_end(text)?, written.collect::<String>())
            }
            None => {
                let written = block.iter().map(|line| format!("{line}{newline}{indent}"));
                Edit::insert(first.range.start, written.collect::<String>())
            }
        })
    }

    /// The end of the line on which it ends, with nothing but a comment after it.
    fn line_end(&self, text: &str) -> Result<usize, Refusal> {
        if matches!(&self.content, Content::Scalar { style, .. }
            if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded))
            || self.range.is_empty()
        {
            return Err(self.refused(text, "a line cannot be added after this"));
        }
        let end = lines::end(text, self.range.end.saturating_sub(1));
        let rest = text.get(self.range.end..end).unwrap_or("?").trim_start();
        if rest.is_empty() || rest.starts_with('#') {
            Ok(end)
        } else {
            Err(self.refused(text, "something else stands after this on its line"))
        }
    }
}

/// The column of the dash before an item that begins its line.
fn dash(text: &str, item: &Node) -> Result<usize, Refusal> {
    let start = lines::whole(text, item.range.start).start;
    let before = text.get(start..item.range.start).unwrap_or_default();
    let indent = before.trim_start_matches(' ');
    let blank = |rest: &str| rest.chars().all(|character| character == ' ');
    if indent.strip_prefix('-').is_some_and(blank) {
        Ok(before.len() - indent.len())
    } else {
        Err(item.refused(text, "the item does not begin its line"))
    }
}

/// The place after the colon of a key.
fn colon(text: &str, key: &Node) -> Result<usize, Refusal> {
    let after = text.get(key.range.end..).unwrap_or_default();
    let bare = after.trim_start_matches(' ');
    if bare.starts_with(':') {
        Ok(key.range.end + after.len() - bare.len() + 1)
    } else {
        Err(key.refused(text, "the value of this key is not found"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Node {
        parse(text).unwrap().into_iter().next().unwrap()
    }

    #[test]
    fn every_scalar_knows_where_it_stands() {
        for text in [
            "\u{e4}: # \u{fc}\r\n  b: 'x, y' # note\r\n  c:   plain text   # note\r\n",
            "# \u{e4}\n\u{e4}: {b: 'x, y', c: plain text}\n",
            "\u{feff}\u{e4}:\n  b: \"x, y\"\n  c: plain text",
            "\u{e4}: &a !!map\n  b: \"x, y\"\n  c: plain text",
        ] {
            let root = root(text);
            let pairs = root.pairs(text).unwrap();
            let inner = &pairs[0].1;
            for (key, value) in [("b", "x, y"), ("c", "plain text")] {
                let Content::Mapping(pairs) = &inner.content else { panic!("{text}") };
                let node = &pairs.iter().find(|(name, _)| name.scalar() == Some(key)).unwrap().1;
                assert_eq!(node.field(text).unwrap().text, value, "{text}");
                let field = node.field(text).unwrap();
                assert_eq!(&text[field.start()..field.end()], value, "{text}");
            }
        }
    }

    #[test]
    fn what_an_alias_means_too_is_refused() {
        let text = "a: &x\n  b: [1]\nc: *x\nd: !t 1\n";
        let root = root(text);
        let a = root.get(text, "a").unwrap().unwrap();
        let refusal = a.get(text, "b").unwrap().unwrap().check_own(text).unwrap_err();
        assert!(matches!(refusal, Refusal::Unknown { line: 2, .. }), "{refusal}");
        assert!(root.get(text, "c").unwrap().unwrap().pairs(text).is_err());
        assert!(root.get(text, "d").unwrap().unwrap().field(text).is_err());
    }

    #[test]
    fn depth_is_bounded_and_nonsense_has_a_line() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"- ".repeat(1000)).is_err());
        let refusal = parse("a: b\nc: [\n").unwrap_err();
        assert!(matches!(refusal, Refusal::Unknown { line: 2.., .. }), "{refusal}");
    }
}

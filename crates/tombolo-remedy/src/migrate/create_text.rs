//! What only the text of a `CREATE` statement says.

use super::token::{Token, in_parentheses, split_at_commas, tokens};
use std::collections::HashMap;

/// What the text of a `CREATE TABLE` says and no PRAGMA does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TableText {
    /// By name in lower case.
    pub(super) columns: HashMap<String, ColumnText>,
    pub(super) checks: Vec<CheckText>,
    /// In the order of the text.
    pub(super) foreign_keys: Vec<ForeignText>,
    pub(super) autoincrement: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnText {
    pub(super) collation: Option<String>,
    pub(super) generated: Option<Vec<Token>>,
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckText {
    pub(super) name: Option<String>,
    pub(super) expression: Vec<Token>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ForeignText {
    pub(super) name: Option<String>,
    pub(super) deferred: bool,
}

/// Words after which a definition in the body is no column.
const TABLE_CONSTRAINTS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// Reads the text of a `CREATE TABLE`.
pub(super) fn table(sql: &str) -> TableText {
    let all = tokens(sql);
    let mut text = TableText::default();
    let Some(open) = all.iter().position(|token| token.is_symbol("(")) else { return text };
    let Some((body, _)) = in_parentheses(&all, open) else { return text };
    let mut columns_ended = false;
    for part in split_at_commas(body) {
        let Some(first) = part.first() else { continue };
        columns_ended |= TABLE_CONSTRAINTS.iter().any(|word| first.is(word));
        let column = (!columns_ended).then(|| first.name().unwrap_or_default().to_lowercase());
        let words = if column.is_some() { &part[1..] } else { part };
        let found = constraints(words, &mut text);
        if let Some(name) = column {
            text.columns.insert(name, found);
        }
    }
    text
}

/// The constraints of one definition.
fn constraints(words: &[Token], text: &mut TableText) -> ColumnText {
    let mut column = ColumnText::default();
    let mut name = None;
    let mut index = 0;
    while let Some(word) = words.get(index) {
        let next = words.get(index + 1);
        if word.is("CONSTRAINT") {
            name = next.and_then(Token::name).map(str::to_owned);
            index += 2;
            continue;
        }
        if word.is("COLLATE") {
            column.collation = next.and_then(Token::name).map(str::to_owned);
            index += 1;
        } else if word.is("AUTOINCREMENT") {
            text.autoincrement = true;
        } else if word.is("CHECK")
            && let Some((inside, after)) = in_parentheses(words, index + 1)
        {
            text.checks.push(CheckText { name: name.take(), expression: inside.to_vec() });
            index = after;
            continue;
        } else if word.is("AS")
            && let Some((inside, after)) = in_parentheses(words, index + 1)
        {
            column.generated = Some(inside.to_vec());
            index = after;
            continue;
        } else if word.is("REFERENCES") {
            text.foreign_keys.push(ForeignText { name: name.take(), deferred: false });
        } else if word.is("DEFERRED") && words.get(index - 1).is_some_and(|w| w.is("INITIALLY")) {
            let not = (2..=index).any(|back| {
                words[index - back].is("NOT")
                    && words.get(index - back + 1).is_some_and(|word| word.is("DEFERRABLE"))
                    && back <= 3
            });
            if let Some(foreign) = text.foreign_keys.last_mut() {
                foreign.deferred = !not;
            }
        } else if word.is_symbol("(") {
            index = in_parentheses(words, index).map_or(words.len(), |(_, after)| after);
            continue;
        }
        index += 1;
    }
    column
}

/// What the text of a `CREATE INDEX` says of its parts and of which rows are in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct IndexText {
    /// One for each part, without its collation and direction.
    pub(super) parts: Vec<Vec<Token>>,
    pub(super) condition: Option<Vec<Token>>,
}

/// Reads the text of a `CREATE INDEX`.
pub(super) fn index(sql: &str) -> IndexText {
    let all = tokens(sql);
    let mut text = IndexText::default();
    let Some(open) = all.iter().position(|token| token.is_symbol("(")) else { return text };
    let Some((body, after)) = in_parentheses(&all, open) else { return text };
    for part in split_at_commas(body) {
        let mut part = part;
        while let [head @ .., last] = part {
            if last.is("ASC") || last.is("DESC") {
                part = head;
            } else if head.last().is_some_and(|word| word.is("COLLATE")) {
                part = &head[..head.len() - 1];
            } else {
                break;
            }
        }
        text.parts.push(part.to_vec());
    }
    if all.get(after).is_some_and(|word| word.is("WHERE")) {
        text.condition = Some(all[after + 1..].to_vec());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(tokens: &[Token]) -> String {
        tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_table_tells_its_constraints() {
        let text = table(
            "CREATE TABLE \"odd (name\" (id INTEGER PRIMARY KEY AUTOINCREMENT, \
             a TEXT COLLATE NOCASE CHECK (length(a) > (1)) DEFAULT (upper('x')), \
             [b c] INT GENERATED ALWAYS AS (id + 1) STORED, \
             d INT CONSTRAINT up REFERENCES other(x) DEFERRABLE INITIALLY DEFERRED, \
             e INT REFERENCES other(x) NOT DEFERRABLE INITIALLY DEFERRED, \
             CONSTRAINT positive CHECK (id > 0) \
             FOREIGN KEY (d) REFERENCES third(y))",
        );
        // The name holds a parenthesis: it is no symbol there.
        assert!(text.autoincrement);
        assert_eq!(text.columns["a"].collation.as_deref(), Some("NOCASE"));
        assert_eq!(joined(text.columns["b c"].generated.as_deref().unwrap()), "id + 1");
        let checks = text.checks.iter();
        let checks: Vec<_> =
            checks.map(|check| (check.name.as_deref(), joined(&check.expression))).collect();
        let expected = [(None, "length ( a ) > ( 1 )".to_owned())];
        assert_eq!(checks[..1], expected);
        assert_eq!(checks[1], (Some("positive"), "id > 0".to_owned()));
        let deferred: Vec<_> = text.foreign_keys.iter().map(|key| key.deferred).collect();
        assert_eq!(deferred, [true, false, false]);
        assert_eq!(text.foreign_keys[0].name.as_deref(), Some("up"));
    }

    #[test]
    fn an_index_tells_its_expressions_and_rows() {
        let text = index(
            "CREATE UNIQUE INDEX i ON t (lower(a) COLLATE NOCASE DESC, b ASC) WHERE b > 0 AND c",
        );
        let parts: Vec<_> = text.parts.iter().map(|part| joined(part)).collect();
        assert_eq!(parts, ["lower ( a )", "b"]);
        assert_eq!(joined(text.condition.as_deref().unwrap()), "b > 0 AND c");
    }
}

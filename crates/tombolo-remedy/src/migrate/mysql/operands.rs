//! Which operands stand together. SQLite compares values of different classes as they are; MySQL
//! makes numbers of texts first, and says nothing of it.

use crate::migrate::dates::{self, Form};
use crate::migrate::expression::Columns;
use crate::migrate::kind::Kind;
use crate::migrate::token::{self, Token};

/// What an operand is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Class {
    Number,
    Text,
    /// A text in quotes, which can also be a date.
    Quoted(String),
    Bytes,
    Moment(Form),
}

/// Words that end one comparison and begin another.
const JOINS: [&str; 3] = ["AND", "OR", "NOT"];

const COMPARISONS: [&str; 8] = ["=", "==", "<>", "!=", "<", ">", "<=", ">="];

const COMPARING_WORDS: [&str; 6] = ["IS", "ISNULL", "NOTNULL", "IN", "BETWEEN", "LIKE"];

/// Makes sure that all operands of each comparison, calculation and function belong together.
pub(super) fn check(tokens: &[Token], columns: &Columns) -> Result<(), String> {
    class_of(tokens, columns).map(drop)
}

/// The class of an expression, or of the members of a list; `None` where it may be any.
fn class_of(tokens: &[Token], columns: &Columns) -> Result<Option<Class>, String> {
    let (mut part, mut joined, mut between) = (Part::default(), false, false);
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let opens = tokens.get(index + 1).is_some_and(|next| next.is_symbol("("));
        let column = columns.get(&token.text.to_lowercase()).map(|(_, kind)| *kind);
        let start = index;
        index += 1;
        match token.kind {
            token::Kind::Number => part.add(Class::Number)?,
            token::Kind::Text => part.add(Class::Quoted(token.text.clone()))?,
            token::Kind::Blob => part.add(Class::Bytes)?,
            token::Kind::Symbol if token.is_symbol("(") => {
                let (inside, after) = group(tokens, start)?;
                index = after;
                part.extend(class_of(inside, columns)?)?;
            }
            token::Kind::Symbol => part.symbol(&token.text)?,
            token::Kind::Word if is_one(token, &JOINS) => {
                if !(token.is("AND") && std::mem::take(&mut between)) {
                    std::mem::take(&mut part).end()?;
                    joined = true;
                }
            }
            token::Kind::Word if token.is("CASE") => {
                let (inside, after) = case(tokens, start)?;
                index = after;
                part.extend(of_case(inside, columns)?)?;
            }
            token::Kind::Word if is_one(token, &COMPARING_WORDS) => {
                part.compared = true;
                between |= token.is("BETWEEN");
            }
            token::Kind::Word if opens && column.is_none() => {
                let (inside, after) = group(tokens, index)?;
                index = after;
                part.extend(of_function(&token.text.to_lowercase(), inside, columns)?)?;
            }
            token::Kind::Name | token::Kind::Word => match column {
                Some(kind) => part.add(of_kind(kind))?,
                None if token.double_quoted => part.add(Class::Quoted(token.text.clone()))?,
                None if is_one(token, &["TRUE", "FALSE"]) => part.add(Class::Number)?,
                None => {}
            },
        }
    }
    let last = part.end()?;
    Ok(if joined { Some(Class::Number) } else { last })
}

fn is_one(token: &Token, words: &[&str]) -> bool {
    words.iter().any(|word| token.is(word))
}

/// What stands between CASE and its END, and the index after that.
fn case(tokens: &[Token], start: usize) -> Result<(&[Token], usize), String> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        depth += usize::from(token.is("CASE"));
        if token.is("END") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Ok((&tokens[start + 1..index], index + 1));
            }
        }
    }
    Err("a CASE has no END".to_owned())
}

/// The class of the values that a CASE chooses from.
fn of_case(inside: &[Token], columns: &Columns) -> Result<Option<Class>, String> {
    if !inside.first().is_some_and(|first| first.is("WHEN")) {
        return Err("CASE with a value is not translated".to_owned());
    }
    let (mut depth, mut start, mut value) = (0_usize, 1, false);
    let mut chosen = Part::default();
    for (index, token) in inside.iter().enumerate().skip(1) {
        depth += usize::from(token.is("CASE"));
        depth = depth.saturating_sub(usize::from(token.is("END")));
        if depth == 0 && is_one(token, &["WHEN", "THEN", "ELSE"]) {
            let class = class_of(&inside[start..index], columns)?;
            if value {
                chosen.extend(class)?;
            }
            (start, value) = (index + 1, !token.is("WHEN"));
        }
    }
    chosen.extend(class_of(&inside[start..], columns)?)?;
    Ok(chosen.class)
}

fn group(tokens: &[Token], open: usize) -> Result<(&[Token], usize), String> {
    let found = token::in_parentheses(tokens, open);
    found.ok_or_else(|| "its parentheses do not match".to_owned())
}

fn of_kind(kind: Kind) -> Class {
    match kind {
        Kind::Boolean | Kind::Integer | Kind::Real | Kind::Decimal(_) => Class::Number,
        Kind::Text | Kind::Varchar(_) => Class::Text,
        Kind::Bytes | Kind::Varbinary(_) => Class::Bytes,
        Kind::Moment(form) => Class::Moment(form),
    }
}

fn of_function(name: &str, inside: &[Token], columns: &Columns) -> Result<Option<Class>, String> {
    if name == "typeof" {
        return Ok(Some(Class::Text));
    }
    if name == "cast" {
        let to = inside.last().map(|token| token.text.to_ascii_uppercase());
        let text = to.is_some_and(|to| to == "TEXT");
        return Ok(Some(if text { Class::Text } else { Class::Number }));
    }
    let class = class_of(inside, columns)?;
    let fits = match name {
        "abs" => matches!(class, None | Some(Class::Number)),
        "length" => matches!(class, None | Some(Class::Text | Class::Quoted(_) | Class::Bytes)),
        "trim" | "ltrim" | "rtrim" | "replace" | "instr" => {
            matches!(class, None | Some(Class::Text | Class::Quoted(_)))
        }
        _ => !matches!(class, Some(Class::Moment(_))),
    };
    if !fits {
        return Err(format!("{name} would take its arguments otherwise there"));
    }
    Ok(match name {
        "length" | "instr" => Some(Class::Number),
        _ => class,
    })
}

/// A comparison or a calculation, as far as it was read.
#[derive(Debug, Default)]
struct Part {
    /// Of its operands.
    class: Option<Class>,
    /// What its operators compute with.
    computed: Option<Class>,
    compared: bool,
}

impl Part {
    fn add(&mut self, class: Class) -> Result<(), String> {
        self.class = Some(together(self.class.take(), class)?);
        Ok(())
    }

    fn extend(&mut self, class: Option<Class>) -> Result<(), String> {
        class.map_or(Ok(()), |class| self.add(class))
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), String> {
        let class = match symbol {
            "," => return Ok(()),
            _ if COMPARISONS.contains(&symbol) => {
                self.compared = true;
                return Ok(());
            }
            "||" => Class::Text,
            _ => Class::Number,
        };
        self.computed = Some(together(self.computed.take(), class)?);
        Ok(())
    }

    fn end(self) -> Result<Option<Class>, String> {
        let class = match (self.class, self.computed) {
            (class, Some(computed)) => Some(together(class, computed)?),
            (class, None) => class,
        };
        Ok(if self.compared { Some(Class::Number) } else { class })
    }
}

/// The class of two operands.
fn together(one: Option<Class>, other: Class) -> Result<Class, String> {
    let Some(one) = one else { return Ok(other) };
    match (one, other) {
        (one, other) if one == other => Ok(one),
        (Class::Quoted(_), Class::Quoted(_) | Class::Text) | (Class::Text, Class::Quoted(_)) => {
            Ok(Class::Text)
        }
        (Class::Moment(form), Class::Quoted(text)) | (Class::Quoted(text), Class::Moment(form))
            if dates::parse(&text).is_some_and(|moment| moment.form == form) =>
        {
            Ok(Class::Moment(form))
        }
        _ => Err("values of different types are compared otherwise there".to_owned()),
    }
}

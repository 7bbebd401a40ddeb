//! The types of columns in the target, and which one a column gets.

use super::dates::Form;
use super::scan::{Class, Contents, Dates, is_dated};
use super::schema::{Affinity, Column};

/// What a column of the target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Real,
    /// Decimal digits, as many as there are.
    Decimal,
    Text,
    /// A text of so many characters at most.
    Varchar(u32),
    Bytes,
    Moment(Form),
}

/// A type, and whether it was chosen against the declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) kind: Kind,
    pub(super) against: Option<Against>,
    /// Values of other classes than this one are named one by one.
    pub(super) usual: Option<Class>,
}

/// Why a column is not what it was declared to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// It holds values of several classes.
    Mixed(Vec<Class>),
    /// It holds one class, but not the declared one.
    OtherClass(Class),
    /// It was declared to hold dates, and has texts that are none, or of several forms.
    Dates(String),
    /// Texts are longer than was declared.
    Longer,
}

impl Against {
    /// The name of the decision in a report.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Against::Mixed(_) => "mixed_types",
            Against::OtherClass(_) => "other_type",
            Against::Dates(_) => "date_format",
            Against::Longer => "longer_than_declared",
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Against::Mixed(classes) => {
                let names: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
                format!("it holds values of several types: {}", names.join(", "))
            }
            Against::OtherClass(class) => {
                format!("it holds {} only, against its declaration", class.as_str())
            }
            Against::Dates(example) => {
                format!("not all its texts are dates of one form without loss, as {example:?}")
            }
            Against::Longer => "it holds longer texts than declared".to_owned(),
        }
    }
}

/// Longest VARCHAR that PostgreSQL takes (datatype-character.html).
const VARCHAR_MAX: u32 = 10_485_760;

/// Chooses the type of a column by its declaration and by what it holds.
pub(super) fn choose(column: &Column, contents: &Contents) -> Choice {
    let plain = |kind| Choice { kind, against: None, usual: None };
    let against = |kind, against| Choice { kind, against: Some(against), usual: None };
    let upper = column.declared.to_ascii_uppercase();
    let boolean = upper.contains("BOOL");
    let decimal = upper.starts_with("DEC") || upper.starts_with("NUM");
    match contents.classes().as_slice() {
        [] => plain(empty(column, boolean, decimal)),
        [Class::Integer] => match column.affinity {
            _ if boolean && contents.smallest >= 0 && contents.largest <= 1 => plain(Kind::Boolean),
            _ if boolean => against(Kind::Integer, Against::OtherClass(Class::Integer)),
            Affinity::Numeric if decimal => plain(Kind::Decimal),
            Affinity::Text => against(Kind::Integer, Against::OtherClass(Class::Integer)),
            _ => plain(Kind::Integer),
        },
        [Class::Real] | [Class::Integer, Class::Real] => numbers(column, contents, decimal),
        [Class::Text] => texts(column, contents),
        [Class::Blob] => match column.affinity {
            Affinity::Blob => plain(Kind::Bytes),
            _ => against(Kind::Bytes, Against::OtherClass(Class::Blob)),
        },
        classes => Choice {
            kind: match contents.majority() {
                Some(Class::Blob) => Kind::Bytes,
                _ => Kind::Text,
            },
            against: Some(Against::Mixed(classes.to_vec())),
            usual: contents.majority(),
        },
    }
}

/// By the declaration alone.
fn empty(column: &Column, boolean: bool, decimal: bool) -> Kind {
    match column.affinity {
        Affinity::Integer => Kind::Integer,
        Affinity::Text => limit(column).map_or(Kind::Text, Kind::Varchar),
        Affinity::Blob if column.declared.is_empty() => Kind::Text,
        Affinity::Blob => Kind::Bytes,
        Affinity::Real => Kind::Real,
        Affinity::Numeric if boolean => Kind::Boolean,
        Affinity::Numeric if decimal => Kind::Decimal,
        Affinity::Numeric if column.declared.eq_ignore_ascii_case("date") => {
            Kind::Moment(Form::Date)
        }
        Affinity::Numeric if is_dated(column) => Kind::Moment(Form::Space),
        Affinity::Numeric => Kind::Text,
    }
}

/// Numbers that are not all integers.
fn numbers(column: &Column, contents: &Contents, decimal: bool) -> Choice {
    let exact = contents.exact_as_real();
    let finite = contents.infinite == 0;
    let kind = match (exact, finite) {
        (true, true) if decimal => Kind::Decimal,
        (true, _) => Kind::Real,
        (false, true) => Kind::Decimal,
        // Digits beyond a real and infinity at once: only a text says both.
        (false, false) => Kind::Text,
    };
    let declared = matches!(column.affinity, Affinity::Real | Affinity::Numeric)
        || (column.affinity == Affinity::Blob && contents.integers == 0);
    let against = match (declared && kind != Kind::Text, contents.integers) {
        (true, _) => None,
        (false, 0) => Some(Against::OtherClass(Class::Real)),
        (false, _) => Some(Against::Mixed(contents.classes())),
    };
    let usual = against.as_ref().and(contents.majority());
    Choice { kind, against, usual }
}

fn texts(column: &Column, contents: &Contents) -> Choice {
    let dated = is_dated(column);
    let plain = |kind| Choice { kind, against: None, usual: None };
    let against = |against| Choice { kind: Kind::Text, against: Some(against), usual: None };
    match &contents.dates {
        Dates::All(form) if dated => return plain(Kind::Moment(*form)),
        Dates::Not(example) if dated => return against(Against::Dates(example.clone())),
        _ => {}
    }
    match column.affinity {
        Affinity::Text => match limit(column) {
            Some(limit) if contents.longest_characters <= u64::from(limit) => {
                plain(Kind::Varchar(limit))
            }
            Some(_) => against(Against::Longer),
            None => plain(Kind::Text),
        },
        Affinity::Blob => plain(Kind::Text),
        // UUID, JSON, STRING and the like promise no number.
        Affinity::Numeric if !promises_number(&column.declared) => plain(Kind::Text),
        _ => against(Against::OtherClass(Class::Text)),
    }
}

fn promises_number(declared: &str) -> bool {
    let upper = declared.to_ascii_uppercase();
    ["NUM", "DEC", "BOOL"].iter().any(|word| upper.contains(word))
}

/// The n of `VARCHAR(n)`, if it is a sane one.
fn limit(column: &Column) -> Option<u32> {
    let (_, rest) = column.declared.split_once('(')?;
    let digits = rest.trim_end().strip_suffix(')')?;
    digits.trim().parse().ok().filter(|limit| (1..=VARCHAR_MAX).contains(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(declared: &str) -> Column {
        Column {
            name: "c".to_owned(),
            declared: declared.to_owned(),
            affinity: Affinity::of(declared, false),
            not_null: false,
            default: None,
            generated: None,
            collation: None,
        }
    }

    #[test]
    fn what_is_held_decides_where_it_is_not_what_is_declared() {
        let integers = Contents { integers: 2, largest: 1, ..Contents::default() };
        let large = Contents { integers: 1, largest: 1 << 60, smallest: 0, ..Contents::default() };
        let reals = Contents { reals: 3, ..Contents::default() };
        let both = Contents { reals: 3, ..large.clone() };
        let infinite = Contents { infinite: 1, ..both.clone() };
        let texts = Contents { texts: 1, longest_characters: 9, ..Contents::default() };
        let dates = Contents { dates: Dates::All(Form::Space), ..texts.clone() };
        let mixed = Contents { integers: 9, ..texts.clone() };
        let blobs = Contents { blobs: 1, texts: 5, ..Contents::default() };
        for (declared, contents, kind, name) in [
            ("BOOLEAN", &integers, Kind::Boolean, None),
            ("BOOLEAN", &large, Kind::Integer, Some("other_type")),
            ("INTEGER", &integers, Kind::Integer, None),
            ("decimal(10, 2)", &reals, Kind::Decimal, None),
            ("REAL", &reals, Kind::Real, None),
            ("INTEGER", &reals, Kind::Real, Some("other_type")),
            ("INTEGER", &both, Kind::Decimal, Some("mixed_types")),
            ("NUMERIC", &infinite, Kind::Text, Some("mixed_types")),
            ("VARCHAR(9)", &texts, Kind::Varchar(9), None),
            ("VARCHAR(8)", &texts, Kind::Text, Some("longer_than_declared")),
            ("INTEGER", &texts, Kind::Text, Some("other_type")),
            ("DATETIME", &dates, Kind::Moment(Form::Space), None),
            ("INTEGER", &mixed, Kind::Text, Some("mixed_types")),
            ("TEXT", &blobs, Kind::Text, Some("mixed_types")),
            ("", &Contents::default(), Kind::Text, None),
        ] {
            let choice = choose(&column(declared), contents);
            assert_eq!(choice.kind, kind, "{declared} {contents:?}");
            assert_eq!(choice.against.map(|against| against.name()), name, "{declared}");
        }
    }
}

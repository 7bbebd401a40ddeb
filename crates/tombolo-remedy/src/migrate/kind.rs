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
    /// Decimal digits; as many as there are where no number of them is said.
    Decimal(Option<Digits>),
    Text,
    /// A text of so many characters at most.
    Varchar(u32),
    Bytes,
    /// So many bytes at most.
    Varbinary(u32),
    Moment(Form),
}

/// Digits before the point and after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) whole: u32,
    pub(super) fraction: u32,
}

impl Digits {
    pub(super) fn of_real(value: f64) -> Self {
        let text = format!("{}", value.abs());
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let count = |digits: &str| u32::try_from(digits.len()).unwrap_or(u32::MAX);
        Digits { whole: count(whole), fraction: count(fraction) }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Digits { whole: self.whole.max(other.whole), fraction: self.fraction.max(other.fraction) }
    }
}

/// What the types of a target hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// The largest n of `VARCHAR(n)`.
    pub(super) varchar: u32,
    pub(super) decimal: DecimalLimit,
    /// Infinite reals.
    pub(super) infinity: Holds,
    /// The character NUL in texts.
    pub(super) nul: Holds,
}

/// Whether a type holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Yes,
    No,
}

/// How many digits a decimal type can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecimalLimit {
    /// More than any number of SQLite has.
    None,
    Digits {
        all: u32,
        fraction: u32,
    },
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
    /// No type for numbers holds all of its numbers.
    Beyond,
}

impl Against {
    /// The name of the decision in a report.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Against::Mixed(_) => "mixed_types",
            Against::OtherClass(_) => "other_type",
            Against::Dates(_) => "date_format",
            Against::Longer => "longer_than_declared",
            Against::Beyond => "out_of_range",
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
            Against::Beyond => "no type of the target for numbers holds all of them".to_owned(),
        }
    }
}

/// Chooses the type of a column by its declaration and by what it holds.
pub(super) fn choose(column: &Column, contents: &Contents, limits: &Limits) -> Choice {
    let plain = |kind| Choice { kind, against: None, usual: None };
    let against = |kind, against| Choice { kind, against: Some(against), usual: None };
    let upper = column.declared.to_ascii_uppercase();
    let boolean = upper.contains("BOOL");
    let promised = upper.starts_with("DEC") || upper.starts_with("NUM");
    let decimal = decimal(column, contents, limits).filter(|_| promised);
    match contents.classes().as_slice() {
        [] => plain(empty(column, boolean, decimal, limits)),
        [Class::Integer] => match column.affinity {
            _ if boolean && contents.smallest >= 0 && contents.largest <= 1 => plain(Kind::Boolean),
            _ if boolean => against(Kind::Integer, Against::OtherClass(Class::Integer)),
            Affinity::Numeric => plain(decimal.unwrap_or(Kind::Integer)),
            Affinity::Text => against(Kind::Integer, Against::OtherClass(Class::Integer)),
            _ => plain(Kind::Integer),
        },
        [Class::Real] | [Class::Integer, Class::Real] => numbers(column, contents, decimal, limits),
        [Class::Text] => texts(column, contents, limits),
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
fn empty(column: &Column, boolean: bool, decimal: Option<Kind>, limits: &Limits) -> Kind {
    match column.affinity {
        Affinity::Integer => Kind::Integer,
        Affinity::Text => limit(column, limits).map_or(Kind::Text, Kind::Varchar),
        Affinity::Blob if column.declared.is_empty() => Kind::Text,
        Affinity::Blob => Kind::Bytes,
        Affinity::Real => Kind::Real,
        Affinity::Numeric if boolean => Kind::Boolean,
        Affinity::Numeric => match decimal {
            Some(decimal) => decimal,
            None if column.declared.eq_ignore_ascii_case("date") => Kind::Moment(Form::Date),
            None if is_dated(column) => Kind::Moment(Form::Space),
            None => Kind::Text,
        },
    }
}

/// Numbers that are not all integers.
fn numbers(
    column: &Column,
    contents: &Contents,
    promised: Option<Kind>,
    limits: &Limits,
) -> Choice {
    let exact = contents.exact_as_real();
    let finite = contents.infinite == 0;
    let any_decimal = decimal(column, contents, limits).filter(|_| finite);
    let kind = match (promised.filter(|_| finite), any_decimal) {
        (Some(promised), _) => promised,
        _ if exact && (finite || limits.infinity == Holds::Yes) => Kind::Real,
        (None, Some(decimal)) if !exact => decimal,
        // Digits beyond a real and infinity at once: only a text says both.
        _ => Kind::Text,
    };
    let declared = matches!(column.affinity, Affinity::Real | Affinity::Numeric)
        || (column.affinity == Affinity::Blob && contents.integers == 0);
    let against = match (declared && kind != Kind::Text, contents.integers) {
        (true, _) => None,
        (false, 0) if kind == Kind::Text => Some(Against::Beyond),
        (false, 0) => Some(Against::OtherClass(Class::Real)),
        (false, _) => Some(Against::Mixed(contents.classes())),
    };
    let usual = against.as_ref().and(contents.majority());
    Choice { kind, against, usual }
}

/// The type for decimal digits that holds all its numbers, with the digits that were declared at
/// least. Where none were and a target wants to be told, a real is what SQLite has as well.
fn decimal(column: &Column, contents: &Contents, limits: &Limits) -> Option<Kind> {
    let DecimalLimit::Digits { all, fraction } = limits.decimal else {
        return Some(Kind::Decimal(None));
    };
    let digits = match declared_digits(&column.declared) {
        Some(declared) => declared.max(contents.digits()),
        None if contents.exact_as_real() => return Some(Kind::Real),
        None if column.affinity == Affinity::Integer => contents.digits(),
        None => contents.digits().max(Digits { whole: all.saturating_sub(fraction), fraction }),
    };
    let held = digits.whole.saturating_add(digits.fraction);
    let fits = digits.fraction <= fraction && (1..=all).contains(&held);
    fits.then_some(Kind::Decimal(Some(digits)))
}

/// The digits of `DECIMAL(p, s)`.
fn declared_digits(declared: &str) -> Option<Digits> {
    let (_, rest) = declared.split_once('(')?;
    let inside = rest.trim_end().strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
    let (precision, fraction) = (precision.trim().parse::<u32>().ok()?, scale.trim().parse().ok()?);
    Some(Digits { whole: precision.checked_sub(fraction)?, fraction })
}

fn texts(column: &Column, contents: &Contents, limits: &Limits) -> Choice {
    let dated = is_dated(column);
    let plain = |kind| Choice { kind, against: None, usual: None };
    let against = |against| Choice { kind: Kind::Text, against: Some(against), usual: None };
    match &contents.dates {
        Dates::All(form) if dated => return plain(Kind::Moment(*form)),
        Dates::Not(example) if dated => return against(Against::Dates(example.clone())),
        _ => {}
    }
    match column.affinity {
        Affinity::Text => match limit(column, limits) {
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
fn limit(column: &Column, limits: &Limits) -> Option<u32> {
    let (_, rest) = column.declared.split_once('(')?;
    let digits = rest.trim_end().strip_suffix(')')?;
    digits.trim().parse().ok().filter(|limit| (1..=limits.varchar).contains(limit))
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

    const UNBOUNDED: Limits = Limits {
        varchar: 10_000_000,
        decimal: DecimalLimit::None,
        infinity: Holds::Yes,
        nul: Holds::No,
    };

    #[test]
    fn a_decimal_has_the_digits_that_were_declared_or_more_where_it_must() {
        let limits = Limits {
            decimal: DecimalLimit::Digits { all: 65, fraction: 30 },
            infinity: Holds::No,
            ..UNBOUNDED
        };
        let held = |value| {
            let fraction = Digits::of_real(value);
            Contents { reals: 1, real_digits: fraction, ..Contents::default() }
        };
        let digits = |whole, fraction| Kind::Decimal(Some(Digits { whole, fraction }));
        let infinite = Contents { infinite: 1, ..held(0.5) };
        let large = Contents { integers: 1, largest: i64::MAX, ..held(1e20) };
        for (declared, contents, kind, name) in [
            ("decimal(10, 2)", &held(0.25), digits(8, 2), None),
            ("decimal(4, 2)", &held(1000.125), digits(4, 3), None),
            ("NUMERIC", &held(0.1), Kind::Real, None),
            (
                "NUMERIC",
                &Contents { integers: 1, largest: 1 << 60, ..held(0.1) },
                digits(35, 30),
                None,
            ),
            ("NUMERIC", &held(5e-324), Kind::Real, None),
            ("NUMERIC", &infinite, Kind::Text, Some("out_of_range")),
            ("REAL", &infinite, Kind::Text, Some("out_of_range")),
            ("INTEGER", &large, digits(21, 0), Some("mixed_types")),
        ] {
            let choice = choose(&column(declared), contents, &limits);
            assert_eq!(choice.kind, kind, "{declared} {contents:?}");
            assert_eq!(choice.against.map(|against| against.name()), name, "{declared}");
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
            ("decimal(10, 2)", &reals, Kind::Decimal(None), None),
            ("REAL", &reals, Kind::Real, None),
            ("INTEGER", &reals, Kind::Real, Some("other_type")),
            ("INTEGER", &both, Kind::Decimal(None), Some("mixed_types")),
            ("NUMERIC", &infinite, Kind::Text, Some("mixed_types")),
            ("VARCHAR(9)", &texts, Kind::Varchar(9), None),
            ("VARCHAR(8)", &texts, Kind::Text, Some("longer_than_declared")),
            ("INTEGER", &texts, Kind::Text, Some("other_type")),
            ("DATETIME", &dates, Kind::Moment(Form::Space), None),
            ("INTEGER", &mixed, Kind::Text, Some("mixed_types")),
            ("TEXT", &blobs, Kind::Text, Some("mixed_types")),
            ("", &Contents::default(), Kind::Text, None),
        ] {
            let choice = choose(&column(declared), contents, &UNBOUNDED);
            assert_eq!(choice.kind, kind, "{declared} {contents:?}");
            assert_eq!(choice.against.map(|against| against.name()), name, "{declared}");
        }
    }
}

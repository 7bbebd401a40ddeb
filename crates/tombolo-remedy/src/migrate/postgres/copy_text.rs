//! Rows as the text form of COPY has them,
//! <https://www.postgresql.org/docs/current/sql-copy.html>, "Text Format".

use crate::migrate::dates;
use crate::migrate::kind::Kind;
use crate::migrate::value::{self, Cell};
use std::borrow::Cow;
use std::io::Write as _;

/// Appends a value. Values are parted by tabs and rows by line feeds.
pub(super) fn write(cell: &Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"\\N"),
        Cell::Boolean(value) => out.push(if *value { b't' } else { b'f' }),
        // Writing to memory does not fail.
        Cell::Integer(value) => drop(write!(out, "{value}")),
        Cell::Real(value) => out.extend_from_slice(value::real_text(*value).as_bytes()),
        Cell::Text(text) => escape(text.as_bytes(), out),
        Cell::Bytes(bytes) => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\\\x");
            for byte in bytes.iter() {
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
        }
        Cell::Moment(us, form) => out.extend_from_slice(dates::write(*us, *form).as_bytes()),
    }
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => out.push(*byte),
        }
    }
}

/// The values of a line, without its line feed. `None` where it is no such line.
pub(super) fn read<'a>(line: &'a [u8], kinds: &[Kind]) -> Option<Vec<Cell<'a>>> {
    if kinds.is_empty() {
        return line.is_empty().then(Vec::new);
    }
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
    (fields.len() == kinds.len()).then_some(())?;
    fields.into_iter().zip(kinds).map(|(field, kind)| cell(field, *kind)).collect()
}

fn cell(field: &[u8], kind: Kind) -> Option<Cell<'_>> {
    if field == b"\\N" {
        return Some(Cell::Null);
    }
    let plain = || std::str::from_utf8(field).ok();
    Some(match kind {
        Kind::Boolean => Cell::Boolean(match field {
            b"t" => true,
            b"f" => false,
            _ => return None,
        }),
        Kind::Integer => Cell::Integer(plain()?.parse().ok()?),
        Kind::Real | Kind::Decimal(_) => value::number(plain()?)?,
        Kind::Text | Kind::Varchar(_) => Cell::Text(match unescaped(field)? {
            Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).ok()?),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).ok()?),
        }),
        Kind::Bytes | Kind::Varbinary(_) => {
            let digits = field.strip_prefix(b"\\\\x")?;
            let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
            Cell::Bytes(Cow::Owned(digits.chunks(2).map(pair).collect::<Option<_>>()?))
        }
        Kind::Moment(form) => {
            let mut text = plain()?.to_owned();
            if form.has_zone() {
                text = format!("{}+00:00", text.strip_suffix("+00")?);
            }
            Cell::Moment(dates::parse(&text)?.since_1970_us, form)
        }
    })
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

fn unescaped(field: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !field.contains(&b'\\') {
        return Some(Cow::Borrowed(field));
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.iter();
    while let Some(byte) = rest.next() {
        bytes.push(if *byte == b'\\' {
            match rest.next()? {
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                b'v' => 11,
                other => *other,
            }
        } else {
            *byte
        });
    }
    Some(Cow::Owned(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::dates::Form;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            text in any::<String>(),
            bytes in any::<Vec<u8>>(),
            integer in any::<i64>(),
            real in proptest::num::f64::NORMAL,
            boolean in any::<bool>(),
        ) {
            let text = text.replace('\0', "");
            let cells = [
                Cell::Text(Cow::Borrowed(text.as_str())), Cell::Null,
                Cell::Bytes(Cow::Borrowed(&bytes)), Cell::Integer(integer), Cell::Real(real),
                Cell::Boolean(boolean), Cell::Moment(1_714_979_289_000_001, Form::TZ),
            ];
            let kinds = [
                Kind::Text, Kind::Text, Kind::Bytes, Kind::Integer, Kind::Real, Kind::Boolean,
                Kind::Moment(Form::TZ),
            ];
            let mut line = Vec::new();
            for (index, cell) in cells.iter().enumerate() {
                if index > 0 {
                    line.push(b'\t');
                }
                write(cell, &mut line);
            }
            prop_assert!(!line.contains(&b'\n'));
            let cells: Vec<Cell<'_>> = cells.to_vec();
            let read = read(&line, &kinds).unwrap();
            // A real that is whole reads as an integer: the digest does not tell them apart.
            for (one, other) in cells.iter().zip(&read) {
                match (one, other) {
                    (Cell::Real(one), Cell::Integer(other)) => {
                        prop_assert!((*one - *other as f64).abs() == 0.0);
                    }
                    (one, other) => prop_assert_eq!(one, other),
                }
            }
        }

        #[test]
        fn any_line_is_read_without_panic(line in any::<Vec<u8>>()) {
            read(&line, &[Kind::Bytes]);
            read(&line, &[Kind::Text, Kind::Moment(Form::Date)]);
            read(&line, &[]);
        }
    }
}

//! Rows: as the server sends them,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>, and as
//! `LOAD DATA` and `INSERT` take them.

use super::moment_text;
use super::packet::Fields;
use crate::migrate::dates;
use crate::migrate::kind::Kind;
use crate::migrate::target::Format;
use crate::migrate::value::{self, Cell};
use std::borrow::Cow;
use std::io::Write as _;

/// Rows for `LOAD DATA`.
pub(super) const LOAD: Format =
    Format { row_start: b"", between_cells: b"\t", row_end: b"\n", write_cell: write_for_load };

/// Rows for `INSERT`, with a comma after each.
pub(super) const INSERT: Format =
    Format { row_start: b"(", between_cells: b",", row_end: b"),", write_cell: write_for_insert };

/// How the server sends the values of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireKind {
    Tiny,
    Long,
    Double,
    Moment,
    /// A length, then as many bytes.
    Sized,
}

/// Reads the definition of a column.
pub(super) fn definition(message: &[u8]) -> Option<WireKind> {
    let mut fields = Fields(message);
    for _ in 0..6 {
        fields.sized()?;
    }
    // A length, the character set, the longest value.
    fields.bytes(1 + 2 + 4)?;
    Some(match fields.byte()? {
        0x01 => WireKind::Tiny,
        0x08 => WireKind::Long,
        0x05 => WireKind::Double,
        0x07 | 0x0a | 0x0c => WireKind::Moment,
        _ => WireKind::Sized,
    })
}

/// The number of a prepared statement, and of its columns.
pub(super) fn prepared(message: &[u8]) -> Option<(u32, u16)> {
    let mut fields = Fields(message);
    (fields.byte()? == 0).then_some(())?;
    let (statement, columns, parameters) = (fields.u32()?, fields.u16()?, fields.u16()?);
    (columns > 0 && parameters == 0).then_some((statement, columns))
}

/// The values of a row that has them as texts.
pub(super) fn texts(message: &[u8], columns: u64) -> Option<Vec<Option<String>>> {
    let mut fields = Fields(message);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (0..columns).map(|_| fields.nullable().map(|field| field.map(text))).collect()
}

/// The values of a row that has them in binary. `None` where it is no such row.
pub(super) fn cells<'a>(message: &'a [u8], kinds: &[(Kind, WireKind)]) -> Option<Vec<Cell<'a>>> {
    let mut fields = Fields(message);
    fields.byte()?;
    // The first two bits of the map of NULLs are not used.
    let nulls = fields.bytes((kinds.len() + 9) / 8)?;
    let is_null = |index: usize| nulls[(index + 2) / 8] >> ((index + 2) % 8) & 1 == 1;
    let mut cells = Vec::with_capacity(kinds.len());
    for (index, (kind, wire)) in kinds.iter().enumerate() {
        let null = is_null(index);
        cells.push(if null { Cell::Null } else { cell(&mut fields, *kind, *wire)? });
    }
    fields.0.is_empty().then_some(cells)
}

fn cell<'a>(fields: &mut Fields<'a>, kind: Kind, wire: WireKind) -> Option<Cell<'a>> {
    Some(match (kind, wire) {
        (Kind::Boolean, WireKind::Tiny) => match fields.byte()? {
            0 => Cell::Boolean(false),
            1 => Cell::Boolean(true),
            _ => return None,
        },
        (Kind::Integer, WireKind::Long) => Cell::Integer(i64::from_le_bytes(fields.array()?)),
        (Kind::Real, WireKind::Double) => Cell::Real(f64::from_le_bytes(fields.array()?)),
        (Kind::Decimal(_), WireKind::Sized) => decimal(std::str::from_utf8(fields.sized()?).ok()?)?,
        (Kind::Text | Kind::Varchar(_), WireKind::Sized) => {
            Cell::Text(Cow::Borrowed(std::str::from_utf8(fields.sized()?).ok()?))
        }
        (Kind::Bytes | Kind::Varbinary(_), WireKind::Sized) => {
            Cell::Bytes(Cow::Borrowed(fields.sized()?))
        }
        (Kind::Moment(form), WireKind::Moment) => Cell::Moment(moment(fields)?, form),
        _ => return None,
    })
}

/// A number with as many digits after its point as the column has.
fn decimal(text: &str) -> Option<Cell<'static>> {
    let digits = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    value::number(digits)
}

/// Microseconds since 1970.
fn moment(fields: &mut Fields<'_>) -> Option<i64> {
    let mut parts = Fields(fields.sized()?);
    let (year, month, day) = (parts.u16()?, parts.byte()?, parts.byte()?);
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if !parts.0.is_empty() {
        let (hour, minute, second) = (parts.byte()?, parts.byte()?, parts.byte()?);
        text.push_str(&format!(" {hour:02}:{minute:02}:{second:02}"));
    }
    if !parts.0.is_empty() {
        text.push_str(&format!(".{:06}", parts.u32()?));
    }
    dates::parse(&text).map(|moment| moment.since_1970_us)
}

fn write_for_load(cell: &Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"\\N"),
        Cell::Boolean(value) => out.push(if *value { b'1' } else { b'0' }),
        // Writing to memory does not fail.
        Cell::Integer(value) => drop(write!(out, "{value}")),
        Cell::Real(value) => out.extend_from_slice(value::real_text(*value).as_bytes()),
        Cell::Text(text) => escape(text.as_bytes(), out),
        Cell::Bytes(bytes) => escape(bytes, out),
        Cell::Moment(us, form) => out.extend_from_slice(moment_text(*us, *form).as_bytes()),
    }
}

/// What stands for itself nowhere in a file for `LOAD DATA`.
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0 => out.extend_from_slice(b"\\0"),
            _ => out.push(*byte),
        }
    }
}

fn write_for_insert(cell: &Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"NULL"),
        Cell::Boolean(_) | Cell::Integer(_) => write_for_load(cell, out),
        Cell::Bytes(bytes) => {
            out.extend_from_slice(b"x'");
            for byte in bytes.iter() {
                drop(write!(out, "{byte:02x}"));
            }
            out.push(b'\'');
        }
        Cell::Text(text) => out.extend_from_slice(super::literal(text).as_bytes()),
        // As text, since digits alone are a DECIMAL.
        Cell::Real(_) | Cell::Moment(..) => {
            out.push(b'\'');
            write_for_load(cell, out);
            out.push(b'\'');
        }
    }
}

/// The form that a moment has in a literal.
pub(super) fn literal_moment(text: &str) -> String {
    match dates::parse(text) {
        Some(moment) => moment_text(moment.since_1970_us, moment.form),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::dates::Form;
    use proptest::prelude::*;

    fn row(kinds: &[(Kind, WireKind)], message: &[u8]) -> Option<Vec<Cell<'static>>> {
        let cells = cells(message, kinds)?;
        let own = |cell: Cell<'_>| match cell {
            Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Cell::Bytes(bytes) => Cell::Bytes(Cow::Owned(bytes.into_owned())),
            Cell::Null => Cell::Null,
            Cell::Boolean(value) => Cell::Boolean(value),
            Cell::Integer(value) => Cell::Integer(value),
            Cell::Real(value) => Cell::Real(value),
            Cell::Moment(us, form) => Cell::Moment(us, form),
        };
        Some(cells.into_iter().map(own).collect())
    }

    #[test]
    fn a_row_in_binary_is_read() {
        let kinds = [
            (Kind::Boolean, WireKind::Tiny),
            (Kind::Text, WireKind::Sized),
            (Kind::Decimal(None), WireKind::Sized),
            (Kind::Moment(Form::TZ), WireKind::Moment),
        ];
        let message = b"\0\x08\x01\x0510.50\x07\xb2\x07\x01\x02\x00\x00\x01";
        assert_eq!(
            row(&kinds, message),
            Some(vec![
                Cell::Boolean(true),
                Cell::Null,
                Cell::Real(10.5),
                Cell::Moment(86_401_000_000, Form::TZ),
            ])
        );
        assert_eq!(row(&kinds, &message[..9]), None);
        assert_eq!(decimal("9223372036854775807.000"), Some(Cell::Integer(i64::MAX)));
        assert_eq!(decimal("100"), Some(Cell::Integer(100)));
    }

    #[test]
    fn rows_are_written_so_that_no_byte_means_anything() {
        let cells = [
            Cell::Text(Cow::Borrowed("a\t\n\r\\'\0\u{1a}")),
            Cell::Bytes(Cow::Borrowed(&[0, 0xff])),
            Cell::Real(0.5),
            Cell::Null,
        ];
        let write = |format: Format| {
            let mut out = Vec::new();
            cells.iter().for_each(|cell| {
                (format.write_cell)(cell, &mut out);
                out.extend_from_slice(format.between_cells);
            });
            out
        };
        assert_eq!(write(LOAD), b"a\\t\\n\\r\\\\'\\0\x1a\t\\0\xff\t0.5\t\\N\t");
        assert_eq!(write(INSERT), b"'a\t\n\r\\\\''\\0\x1a',x'00ff','0.5',NULL,");
    }

    proptest! {
        #[test]
        fn any_row_is_read_without_panic(message in any::<Vec<u8>>()) {
            cells(&message, &[(Kind::Text, WireKind::Sized), (Kind::Real, WireKind::Double)]);
            cells(&message, &[(Kind::Moment(Form::T), WireKind::Moment)]);
            definition(&message);
            prepared(&message);
            texts(&message, 3);
        }
    }
}

//! The rows of one table, from one database to the other, in pieces that are each whole or not
//! there.

use super::digest::RowDigest;
use super::kind::Holds;
use super::plan::{PlannedTable, VALUE_TABLE};
use super::scan::{self, Class};
use super::schema::RowKey;
use super::state::{self, Progress};
use super::target::{Dialect, Format, Target};
use super::value::{self, Altered, Cell};
use crate::copy::Attend;
use crate::error::Error;
use crate::sqlite::failure;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::borrow::Cow;

const DURING: &str = "sending rows";
const READING: &str = "reading a table";

/// Bytes after which a piece ends: what a cut costs at most.
const PIECE_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of altered values that are kept until a piece ends.
const ALTERED_BYTES: usize = 1024 * 1024;
/// Bytes that are sent at a time.
const SENT_BYTES: usize = 256 * 1024;
/// Columns of the table of altered values.
const VALUE_COLUMNS: [&str; 7] =
    ["table_name", "row_key", "column_name", "decision", "decided", "class", "original"];
/// Rows between two questions whether to stop.
const STRIDE: u64 = 512;

/// Brings the rows that are not there yet.
///
/// # Errors
/// What either database said, and the wish to stop.
pub(super) fn rows(
    connection: &Connection,
    target: &mut dyn Target,
    table: &PlannedTable,
    mut progress: Progress,
    attend: &mut dyn Attend,
) -> Result<Progress, Error> {
    let failed = |error| failure(READING, error);
    let sql = scan::select(&table.source, progress.last_rowid);
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    if !matches!(table.source.key, RowKey::Rowid(_)) {
        for _ in 0..progress.rows {
            rows.next().map_err(failed)?;
        }
    }
    let mut piece = Piece::new(table, progress.generates, target);
    while !progress.done {
        target.execute(DURING, "BEGIN")?;
        target.begin_rows(DURING, &table.name, &piece.column_names())?;
        let (mut sent_bytes, first) = (0, progress.rows);
        progress.done = true;
        while let Some(row) = rows.next().map_err(failed)? {
            piece.add(row, &mut progress)?;
            if progress.rows.is_multiple_of(STRIDE) {
                attend.pass()?;
            }
            if piece.lines.len() >= SENT_BYTES {
                sent_bytes += piece.lines.len() as u64;
                attend.worked(piece.lines.len() as u64);
                target.send(DURING, &mut piece.lines)?;
            }
            if sent_bytes >= PIECE_BYTES || piece.altered.len() >= ALTERED_BYTES {
                progress.done = false;
                break;
            }
        }
        attend.worked(piece.lines.len() as u64);
        target.send(DURING, &mut piece.lines)?;
        target.end_rows(DURING, progress.rows - first)?;
        if !piece.altered.is_empty() {
            target.begin_rows(DURING, VALUE_TABLE, &VALUE_COLUMNS)?;
            target.send(DURING, &mut piece.altered)?;
            target.end_rows(DURING, std::mem::take(&mut piece.altered_count))?;
        }
        state::advance(target, &table.name, &progress)?;
        target.execute(DURING, "COMMIT")?;
    }
    Ok(progress)
}

/// Rows on their way.
struct Piece<'a> {
    table: &'a PlannedTable,
    generates: bool,
    dialect: &'static dyn Dialect,
    format: Format,
    /// Whether texts may hold NUL.
    nul: Holds,
    lines: Vec<u8>,
    altered: Vec<u8>,
    altered_count: u64,
    /// Where the columns of the primary key are.
    key_columns: Vec<usize>,
}

impl<'a> Piece<'a> {
    fn new(table: &'a PlannedTable, generates: bool, target: &dyn Target) -> Self {
        let position =
            |name: &String| table.source.columns.iter().position(|column| column.name == *name);
        let key_columns = match &table.source.key {
            RowKey::Rowid(_) => Vec::new(),
            RowKey::Columns(names) => names.iter().filter_map(position).collect(),
        };
        let dialect = target.dialect();
        Piece {
            table,
            generates,
            dialect,
            format: target.format(),
            nul: dialect.limits().nul,
            lines: Vec::with_capacity(SENT_BYTES * 2),
            altered: Vec::new(),
            altered_count: 0,
            key_columns,
        }
    }

    /// Whether the target computes the column itself.
    fn is_generated(&self, index: usize) -> bool {
        self.generates && self.table.columns[index].generated.is_some()
    }

    /// The columns that are sent.
    fn column_names(&self) -> Vec<&'a str> {
        let columns = self.table.columns.iter().enumerate();
        columns
            .filter(|(index, _)| !self.is_generated(*index))
            .map(|(_, column)| column.name.as_str())
            .collect()
    }

    fn add(&mut self, row: &Row<'_>, progress: &mut Progress) -> Result<(), Error> {
        let failed = |error| failure(READING, error);
        let columns = self.table.columns.len();
        if let RowKey::Rowid(_) = self.table.source.key {
            progress.last_rowid = Some(row.get(columns).map_err(failed)?);
        }
        let mut digest = RowDigest::default();
        let mut between: &[u8] = self.format.row_start;
        for index in 0..columns {
            let value = row.get_ref(index).map_err(failed)?;
            let planned = &self.table.columns[index];
            let Some((cell, altered)) = value::convert(value, planned.kind, self.nul) else {
                return Err(Error::MigrationRecord(format!(
                    "{}.{} holds a value that was not there before",
                    self.table.source.name, planned.name
                )));
            };
            digest.add(&cell);
            self.note(row, progress, index, value, altered)?;
            if self.is_generated(index) {
                continue;
            }
            self.lines.extend_from_slice(between);
            between = self.format.between_cells;
            (self.format.write_cell)(&cell, &mut self.lines);
        }
        self.lines.extend_from_slice(self.format.row_end);
        progress.digest.add(digest);
        progress.rows += 1;
        Ok(())
    }

    /// Keeps a value that does not arrive as it was, or is of another class than the others.
    fn note(
        &mut self,
        row: &Row<'_>,
        progress: &Progress,
        index: usize,
        value: ValueRef<'_>,
        altered: Option<Altered>,
    ) -> Result<(), Error> {
        let planned = &self.table.columns[index];
        let Some(class) = Class::of(&value) else { return Ok(()) };
        let (decision, decided) = match altered {
            Some(altered @ (Altered::NotUtf8 | Altered::Nul)) => {
                (altered.name(), altered.text().to_owned())
            }
            _ if planned.usual.is_none_or(|usual| usual == class) => return Ok(()),
            Some(altered) => (altered.name(), altered.text().to_owned()),
            None => ("mixed_types", {
                let kind = self.dialect.type_name(planned.kind);
                format!("it arrives equal, as {kind}")
            }),
        };
        let key = match progress.last_rowid {
            Some(rowid) => rowid.to_string(),
            None => self.key(row)?,
        };
        let original: Cow<'_, [u8]> = match value {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Cow::Borrowed(bytes),
            ValueRef::Integer(value) => Cow::Owned(value.to_string().into_bytes()),
            ValueRef::Real(value) => Cow::Owned(value::real_text(value).into_bytes()),
            ValueRef::Null => Cow::Borrowed(&[]),
        };
        let source = &self.table.source;
        let texts = [
            source.name.as_str(),
            &key,
            &source.columns[index].name,
            decision,
            &decided,
            class.as_str(),
        ];
        self.altered.extend_from_slice(self.format.row_start);
        for text in texts {
            (self.format.write_cell)(&Cell::Text(Cow::Borrowed(text)), &mut self.altered);
            self.altered.extend_from_slice(self.format.between_cells);
        }
        (self.format.write_cell)(&Cell::Bytes(original), &mut self.altered);
        self.altered.extend_from_slice(self.format.row_end);
        self.altered_count += 1;
        Ok(())
    }

    /// The primary key of a row without a rowid, for a person to read.
    fn key(&self, row: &Row<'_>) -> Result<String, Error> {
        let mut parts = Vec::new();
        for index in &self.key_columns {
            let value = row.get_ref(*index).map_err(|error| failure(READING, error))?;
            parts.push(match value {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Integer(value) => value.to_string(),
                ValueRef::Real(value) => value::real_text(value),
                ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).replace('\0', "\u{2400}"),
                ValueRef::Blob(bytes) => format!("\\x{}", crate::copy::hexadecimal(bytes)),
            });
        }
        Ok(parts.join(", "))
    }
}

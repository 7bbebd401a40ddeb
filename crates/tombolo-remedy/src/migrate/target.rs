//! What differs from one target to another: its words, and its connection.

use super::address::{Address, Server};
use super::dates::Form;
use super::expression::Words;
use super::kind::{Choice, Kind, Limits};
use super::names::{Names, Rules};
use super::plan::{Object, PlannedTable};
use super::report::Rename;
use super::scan::Contents;
use super::schema::Table;
use super::stream::refused;
use super::value::Cell;
use super::{mysql, postgres};
use crate::error::Error;

/// The words of a target. Nothing here asks a server.
pub(super) trait Dialect: Words + Sync {
    /// Which names it takes.
    fn name_rules(&self) -> Rules;

    /// Names that no column may have.
    fn reserved_columns(&self) -> &'static [&'static str];

    /// What its types hold.
    fn limits(&self) -> Limits;

    /// The type of a column.
    fn type_name(&self, kind: Kind) -> String;

    /// Changes types by what depends on more than one column: keys, and the length of a row. Says
    /// what to know of it.
    fn fit(&self, table: &Table, contents: &[Contents], choices: &mut [Choice]) -> Vec<String>;

    /// The statement that makes a table, with its generated columns or with plain ones in their
    /// place.
    fn create_table(&self, table: &PlannedTable, with_generated: bool) -> String;

    /// The statement that makes a table of the record.
    fn create_record(&self, name: &str, definitions: &str) -> String;

    /// What is made when all rows are there, in this order.
    fn later(
        &self,
        tables: &[PlannedTable],
        relations: &mut Names,
        renamed: &mut Vec<Rename>,
    ) -> Vec<Object>;

    /// The statement that gives a column its default.
    fn set_default(&self, table: &str, column: &str, kind: Kind, value: &str) -> String;

    /// A truth value.
    fn truth(&self, value: bool) -> &'static str;

    /// The present time as SQLite's function of this kind gives it, for a column of this kind.
    /// `None` where it has no such value.
    fn present(&self, clock: Clock, kind: Kind) -> Option<String>;

    /// What becomes of a collation of a column.
    fn collation_note(&self, collation: &str) -> String;

    /// What becomes of the zone of texts that are moments.
    fn moment_note(&self, form: Form) -> &'static str;

    /// What to say where no server is asked.
    fn unasked_note(&self) -> Option<&'static str>;
}

/// A function of SQLite that tells the present time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// `YYYY-MM-DD HH:MM:SS`
    Timestamp,
    /// `YYYY-MM-DD`
    Date,
    /// `HH:MM:SS`
    Time,
}

/// How rows are written on their way to the target.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) row_start: &'static [u8],
    pub(super) between_cells: &'static [u8],
    pub(super) row_end: &'static [u8],
    pub(super) write_cell: fn(&Cell<'_>, &mut Vec<u8>),
}

/// A statement that makes something, and what the record says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    pub(super) sql: &'a str,
    /// Says in the record that it is about to be made.
    pub(super) begun: &'a str,
    /// Says in the record that it is made.
    pub(super) made: &'a str,
    pub(super) times: Times,
}

/// Whether a run that was cut off may have made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    First,
    Again,
}

/// Called with the values of a row, and how many bytes they took.
pub(super) type EachRow<'a> = dyn FnMut(&[Cell<'_>], u64) -> Result<(), Error> + 'a;

/// Bytes of an answer that is kept in memory, and of a message that is none of a table's rows. What
/// is asked for so is what a migration has recorded: a plan, and a thousand of its decisions.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A row as texts.
pub(super) type TextRow = Vec<Option<String>>;

/// Rows of an answer, as far as there is room for them.
#[derive(Debug, Default)]
pub(super) struct KeptRows {
    rows: Vec<TextRow>,
    kept_bytes: usize,
}

impl KeptRows {
    /// # Errors
    /// [`Error::Server`] where the answer is longer than any that was asked for.
    pub(super) fn add(&mut self, during: &'static str, row: TextRow) -> Result<(), Error> {
        let cells = row.iter().map(|cell| cell.as_ref().map_or(0, String::len));
        let own_bytes = size_of::<TextRow>() + size_of_val(row.as_slice());
        self.kept_bytes =
            cells.fold(self.kept_bytes.saturating_add(own_bytes), usize::saturating_add);
        if self.kept_bytes > ANSWER_BYTES_MAX {
            return Err(refused(during, "an answer is longer than any that was asked for"));
        }
        self.rows.push(row);
        Ok(())
    }

    pub(super) fn rows(self) -> Vec<TextRow> {
        self.rows
    }
}

/// A connection to a target.
pub(super) trait Target {
    /// The words that this server understands.
    fn dialect(&self) -> &'static dyn Dialect;

    /// Runs a statement that gives no rows.
    ///
    /// # Errors
    /// [`Error::Server`]
    fn execute(&mut self, during: &'static str, sql: &str) -> Result<(), Error> {
        self.rows(during, sql).map(drop)
    }

    /// All rows, as texts. For few of them only: they are kept in memory.
    ///
    /// # Errors
    /// [`Error::Server`], also for more than [`ANSWER_BYTES_MAX`].
    fn rows(&mut self, during: &'static str, sql: &str) -> Result<Vec<TextRow>, Error>;

    /// The first value of the first row.
    fn one(&mut self, during: &'static str, sql: &str) -> Result<Option<String>, Error> {
        let rows = self.rows(during, sql)?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }

    /// Keeps other migrations to this database out while the connection lasts, or says that there
    /// is one.
    fn lock(&mut self, during: &'static str) -> Result<bool, Error>;

    /// Whether a table of this name is there.
    fn has_table(&mut self, during: &'static str, name: &str) -> Result<bool, Error>;

    /// Makes something and records it, such that a cut leaves both, or neither, or a record that
    /// says that it was begun. The inner error is the server's reason to refuse.
    fn make(&mut self, during: &'static str, step: &Step<'_>) -> Result<Result<(), String>, Error>;

    /// Drops tables of which some may be gone, the last one last.
    fn drop_tables(&mut self, during: &'static str, names: &[String]) -> Result<(), Error>;

    /// Whatever was recorded is on the server's disk when the next statement is done.
    fn make_durable(&mut self, during: &'static str) -> Result<(), Error>;

    /// How rows are written for `send`.
    fn format(&self) -> Format;

    /// Begins to send rows, for these columns of a table.
    fn begin_rows(
        &mut self,
        during: &'static str,
        table: &str,
        columns: &[&str],
    ) -> Result<(), Error>;

    /// Sends whole rows, and leaves nothing of them.
    fn send(&mut self, during: &'static str, rows: &mut Vec<u8>) -> Result<(), Error>;

    /// Ends the rows, which were so many.
    fn end_rows(&mut self, during: &'static str, count: u64) -> Result<(), Error>;

    /// Reads all rows of a table.
    fn read_rows(
        &mut self,
        during: &'static str,
        table: &PlannedTable,
        each: &mut EachRow<'_>,
    ) -> Result<(), Error>;
}

/// The words of the server at an address, as far as the address tells.
pub(super) fn dialect(address: &Address) -> &'static dyn Dialect {
    match address.server {
        Server::Postgres => &postgres::Postgres,
        Server::Mysql => &mysql::MYSQL,
        Server::Mariadb => &mysql::MARIADB,
    }
}

/// Connects and logs in.
///
/// # Errors
/// [`Error::Server`]
pub(super) fn connect(address: &Address) -> Result<Box<dyn Target>, Error> {
    Ok(match address.server {
        Server::Postgres => Box::new(postgres::Client::connect(address)?),
        Server::Mysql | Server::Mariadb => Box::new(mysql::Client::connect(address)?),
    })
}

/// A row of the target that cannot be one that was sent there.
pub(super) fn other_row(table: &PlannedTable) -> Error {
    Error::MigrationRecord(format!("a row of {} is not as it was sent", table.name))
}

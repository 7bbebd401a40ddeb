//! One connection,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>.

use super::code::{Said, without_user};
use super::packet::{Fields, Packets};
use super::rows::{self, WireKind};
use super::statements::UNCHECKED;
use super::{MARIADB, MYSQL, Mysql, literal, login, quoted};
use crate::error::Error;
use crate::migrate::address::Address;
use crate::migrate::plan::PlannedTable;
use crate::migrate::stream::{self, Stream, refused};
use crate::migrate::target::{
    ANSWER_BYTES_MAX, Dialect, EachRow, Format, KeptRows, Step, Target, TextRow, Times, other_row,
};

/// Bytes of rows that are sent at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// What a statement of many rows has beside them, with room to spare.
const STATEMENT_BYTES: usize = 64 * 1024;

/// A table of MySQL has at most 4,096 columns, and a result no more.
const COLUMNS_MAX: u64 = 4096;

const QUIT: u8 = 1;
const QUERY: u8 = 3;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;

/// A connection.
pub(in crate::migrate) struct Client {
    packets: Packets,
    dialect: &'static Mysql,
    bulk: Bulk,
    message: Vec<u8>,
}

/// How rows are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bulk {
    /// `LOAD DATA LOCAL INFILE`
    Load,
    /// `INSERT` of many rows, where the server does not take the other. A statement can have so
    /// many bytes; what stands before its rows.
    Insert { longest_bytes: usize, start: String },
}

/// The server's answer to a statement.
enum Answer {
    Done {
        affected: u64,
        warnings: u16,
    },
    /// It waits for rows.
    Wanted,
    /// Rows of so many columns follow.
    Columns(u64),
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Error::Server`]
    pub(in crate::migrate) fn connect(address: &Address) -> Result<Self, Error> {
        Client::over(stream::open(&address.way)?, address)
    }

    /// The same by a connection that is there.
    pub(super) fn over(stream: Box<dyn Stream>, address: &Address) -> Result<Self, Error> {
        const DURING: &str = "connecting";
        let mut packets = login::log_in(stream, address)?;
        packets.take_up_to(ANSWER_BYTES_MAX);
        let (dialect, bulk, message) = (&MYSQL, Bulk::Load, Vec::new());
        let mut client = Client { packets, dialect, bulk, message };
        let version = client.one(DURING, "SELECT version()")?.unwrap_or_default();
        client.dialect = dialect_of(&version).map_err(|text| refused(DURING, text))?;
        let limit = client.one(DURING, "SELECT @@max_allowed_packet")?;
        if client.one(DURING, "SELECT @@local_infile")?.as_deref() != Some("1") {
            let limit = limit.and_then(|text| text.parse().ok()).unwrap_or(1024 * 1024);
            client.bulk = Bulk::Insert { longest_bytes: limit, start: String::new() };
        }
        let collation = client.dialect.flavor.collation();
        client.execute(DURING, &format!("SET NAMES utf8mb4 COLLATE {collation}"))?;
        for setting in [
            "sql_mode = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,\
             NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT'",
            "time_zone = '+00:00'",
            "autocommit = 1",
            "foreign_key_checks = 1",
            "unique_checks = 1",
            "innodb_strict_mode = 1",
            "sql_notes = 1",
            "net_read_timeout = 600",
            "net_write_timeout = 600",
            "wait_timeout = 86400",
        ] {
            client.execute(DURING, &format!("SET SESSION {setting}"))?;
        }
        // Each is known to some servers only, or may not be set by everybody.
        for setting in [
            "max_statement_time = 0",
            "max_execution_time = 0",
            "sql_require_primary_key = 0",
            "sql_generate_invisible_primary_key = 0",
        ] {
            let _ = client.attempt(DURING, &format!("SET SESSION {setting}"))?;
        }
        Ok(client)
    }

    fn command(&mut self, during: &'static str, kind: u8, body: &[u8]) -> Result<(), Error> {
        let mut message = Vec::with_capacity(body.len() + 1);
        message.push(kind);
        message.extend_from_slice(body);
        self.packets.begin();
        self.packets.write(during, &message)
    }

    /// Sends a statement. The inner error is that the server refuses it.
    fn ask(&mut self, during: &'static str, sql: &str) -> Result<Result<Answer, Said>, Error> {
        self.command(during, QUERY, sql.as_bytes())?;
        self.answer(during)
    }

    fn answer(&mut self, during: &'static str) -> Result<Result<Answer, Said>, Error> {
        self.packets.read(during, &mut self.message)?;
        let answer = match self.message.split_first() {
            Some((0xff, rest)) => return Ok(Err(error(rest))),
            Some((0xfb, _)) => Some(Answer::Wanted),
            Some((0, rest)) => done(rest),
            _ => Fields(&self.message).number().map(Answer::Columns),
        };
        answer.map(Ok).ok_or_else(|| not_understood(during))
    }

    /// Runs a statement that gives no rows.
    fn attempt(&mut self, during: &'static str, sql: &str) -> Result<Result<(), Said>, Error> {
        match self.ask(during, sql)? {
            Ok(Answer::Done { .. }) => Ok(Ok(())),
            Ok(Answer::Columns(count)) => {
                self.read_to_end(during, count)?;
                Ok(Ok(()))
            }
            Ok(Answer::Wanted) => Err(refused(during, "it asks for a file that was not offered")),
            Err(said) => Ok(Err(said)),
        }
    }

    fn read_to_end(&mut self, during: &'static str, columns: u64) -> Result<(), Error> {
        self.columns(during, columns)?;
        while self.next_row(during)? {}
        Ok(())
    }

    /// The definitions of columns, and the packet that ends them.
    fn columns(&mut self, during: &'static str, count: u64) -> Result<Vec<WireKind>, Error> {
        if count > COLUMNS_MAX {
            return Err(not_understood(during));
        }
        let mut kinds = Vec::new();
        for _ in 0..count {
            self.packets.read(during, &mut self.message)?;
            let kind = rows::definition(&self.message);
            kinds.push(kind.ok_or_else(|| not_understood(during))?);
        }
        self.packets.read(during, &mut self.message)?;
        if is_end(&self.message) { Ok(kinds) } else { Err(not_understood(during)) }
    }

    /// Reads the next row; false where there is none.
    fn next_row(&mut self, during: &'static str) -> Result<bool, Error> {
        self.packets.read(during, &mut self.message)?;
        match self.message.first() {
            Some(0xff) => Err(said(during, &self.message)),
            _ => Ok(!is_end(&self.message)),
        }
    }

    /// The first thing that the server has warned of.
    fn warning(&mut self, during: &'static str) -> Result<Error, Error> {
        let rows = self.rows(during, "SHOW WARNINGS LIMIT 1")?;
        let (text, code) = match rows.into_iter().next().as_deref() {
            Some([_, Some(number), Some(text)]) => {
                let number = number.parse().unwrap_or_default();
                let said = Said { number, state: String::new(), text: text.clone() };
                (text.clone(), Some(said.code()))
            }
            _ => ("rows did not arrive as they were sent".to_owned(), None),
        };
        Ok(Error::Server { during, text, code })
    }

    fn expect_rows(
        &mut self,
        during: &'static str,
        answer: Result<Answer, Said>,
        count: Option<u64>,
    ) -> Result<(), Error> {
        match answer {
            Err(said) => Err(server(during, &said)),
            // With LOCAL, what is wrong with a row is no error but a warning.
            Ok(Answer::Done { affected, warnings: 0 })
                if count.is_none_or(|count| count == affected) =>
            {
                Ok(())
            }
            Ok(Answer::Done { .. }) => Err(self.warning(during)?),
            Ok(_) => Err(not_understood(during)),
        }
    }
}

/// The words of a server by what it says of itself.
fn dialect_of(version: &str) -> Result<&'static Mysql, String> {
    let mariadb = version.to_ascii_lowercase().contains("mariadb");
    let digits = version.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(version);
    let mut numbers = digits.split(['.', '-', '~', '+']).map_while(|part| part.parse::<u32>().ok());
    let mut next = || numbers.next().unwrap_or_default();
    let found = (next(), next(), next());
    let (dialect, oldest, name) = if mariadb {
        (&MARIADB, (10, 4, 0), "MariaDB 10.4")
    } else {
        (&MYSQL, (8, 0, 17), "MySQL 8.0.17")
    };
    if found < oldest {
        return Err(format!("it is {version}; what is needed begins with {name}"));
    }
    Ok(dialect)
}

fn done(rest: &[u8]) -> Option<Answer> {
    let mut fields = Fields(rest);
    let affected = fields.number()?;
    fields.number()?;
    fields.u16()?;
    Some(Answer::Done { affected, warnings: fields.u16()? })
}

/// The packet that ends definitions or rows.
fn is_end(message: &[u8]) -> bool {
    message.first() == Some(&0xfe) && message.len() < 9
}

fn error(rest: &[u8]) -> Said {
    let mut fields = Fields(rest);
    let number = fields.u16().unwrap_or_default();
    let mut state = String::new();
    if fields.0.first() == Some(&b'#') {
        let bytes = fields.bytes(6).unwrap_or_default();
        state = String::from_utf8_lossy(bytes.get(1..).unwrap_or_default()).into_owned();
    }
    Said { number, state, text: without_user(&String::from_utf8_lossy(fields.0)) }
}

/// The error that a message is.
pub(super) fn said(during: &'static str, message: &[u8]) -> Error {
    server(during, &error(message.get(1..).unwrap_or_default()))
}

fn server(during: &'static str, said: &Said) -> Error {
    Error::Server { during, text: said.text.clone(), code: Some(said.code()) }
}

fn not_understood(during: &'static str) -> Error {
    refused(during, "a message is not understood")
}

impl Target for Client {
    fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    fn execute(&mut self, during: &'static str, sql: &str) -> Result<(), Error> {
        self.attempt(during, sql)?.map_err(|said| server(during, &said))
    }

    fn rows(&mut self, during: &'static str, sql: &str) -> Result<Vec<TextRow>, Error> {
        let count = match self.ask(during, sql)? {
            Ok(Answer::Columns(count)) => count,
            Ok(_) => return Err(not_understood(during)),
            Err(said) => return Err(server(during, &said)),
        };
        self.columns(during, count)?;
        let mut found = KeptRows::default();
        while self.next_row(during)? {
            let row = rows::texts(&self.message, count);
            found.add(during, row.ok_or_else(|| not_understood(during))?)?;
        }
        Ok(found.rows())
    }

    fn lock(&mut self, during: &'static str) -> Result<bool, Error> {
        let sql = "SELECT get_lock(concat('tombolo ', md5(database())), 0)";
        Ok(self.one(during, sql)?.as_deref() == Some("1"))
    }

    fn has_table(&mut self, during: &'static str, name: &str) -> Result<bool, Error> {
        let sql = format!(
            "SELECT count(*) FROM information_schema.tables \
             WHERE table_schema = database() AND table_name = {}",
            literal(name)
        );
        Ok(self.one(during, &sql)?.as_deref() != Some("0"))
    }

    /// Statements that make something commit at once, so the record says before what is begun.
    fn make(&mut self, during: &'static str, step: &Step<'_>) -> Result<Result<(), String>, Error> {
        self.execute(during, step.begun)?;
        let made = match step.sql.strip_prefix(UNCHECKED) {
            None => self.attempt(during, step.sql)?,
            Some(sql) => {
                self.execute(during, UNCHECKED.trim_end_matches([';', '\n']))?;
                let made = self.attempt(during, sql)?;
                self.execute(during, "SET foreign_key_checks = 1")?;
                made
            }
        };
        match made {
            Err(said) if step.times == Times::First || !said.is_there() => {
                Ok(Err(format!("{} ({})", said.text, said.code())))
            }
            _ => self.execute(during, step.made).map(Ok),
        }
    }

    fn drop_tables(&mut self, during: &'static str, names: &[String]) -> Result<(), Error> {
        self.execute(during, "SET foreign_key_checks = 0")?;
        for name in names {
            self.execute(during, &format!("DROP TABLE IF EXISTS {}", quoted(name)))?;
        }
        self.execute(during, "SET foreign_key_checks = 1")
    }

    /// What InnoDB has committed is on the disk as the server's settings have it.
    fn make_durable(&mut self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn format(&self) -> Format {
        match self.bulk {
            Bulk::Load => rows::LOAD,
            Bulk::Insert { .. } => rows::INSERT,
        }
    }

    fn begin_rows(
        &mut self,
        during: &'static str,
        table: &str,
        columns: &[&str],
    ) -> Result<(), Error> {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let (table, names) = (quoted(table), names.join(", "));
        if let Bulk::Insert { start, .. } = &mut self.bulk {
            *start = format!("INSERT INTO {table} ({names}) VALUES ");
            return Ok(());
        }
        // With the character set `binary` the server takes all bytes as they are.
        let sql = format!(
            "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} CHARACTER SET binary \
             FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({names})"
        );
        match self.ask(during, &sql)? {
            Ok(Answer::Wanted) => Ok(()),
            Ok(_) => Err(not_understood(during)),
            Err(said) => Err(server(during, &said)),
        }
    }

    fn send(&mut self, during: &'static str, rows: &mut Vec<u8>) -> Result<(), Error> {
        match &self.bulk {
            Bulk::Load => {
                for piece in rows.chunks(PIECE_BYTES) {
                    self.packets.write(during, piece)?;
                }
            }
            Bulk::Insert { .. } if rows.is_empty() => {}
            Bulk::Insert { longest_bytes, start } => {
                if rows.len() + start.len() + STATEMENT_BYTES > *longest_bytes {
                    let text = "a row is longer than a statement can be";
                    let code = Some("ER_NET_PACKET_TOO_LARGE 1153".to_owned());
                    return Err(Error::Server { during, text: text.to_owned(), code });
                }
                let mut statement = start.clone().into_bytes();
                statement.extend_from_slice(rows.strip_suffix(b",").unwrap_or(rows));
                self.command(during, QUERY, &statement)?;
                let answer = self.answer(during)?;
                self.expect_rows(during, answer, None)?;
            }
        }
        rows.clear();
        Ok(())
    }

    fn end_rows(&mut self, during: &'static str, count: u64) -> Result<(), Error> {
        if self.bulk != Bulk::Load {
            return Ok(());
        }
        self.packets.write(during, &[])?;
        let answer = self.answer(during)?;
        self.expect_rows(during, answer, Some(count))
    }

    /// By a prepared statement: its rows have numbers in binary, so that no digit can be lost.
    fn read_rows(
        &mut self,
        during: &'static str,
        table: &PlannedTable,
        each: &mut EachRow<'_>,
    ) -> Result<(), Error> {
        let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let sql = format!("SELECT {} FROM {}", names.join(", "), quoted(&table.name));
        self.command(during, PREPARE, sql.as_bytes())?;
        self.packets.read(during, &mut self.message)?;
        if self.message.first() == Some(&0xff) {
            return Err(said(during, &self.message));
        }
        let (statement, columns) =
            rows::prepared(&self.message).ok_or_else(|| not_understood(during))?;
        self.columns(during, u64::from(columns))?;
        // No cursor, once.
        let mut execute = statement.to_le_bytes().to_vec();
        execute.extend_from_slice(&[0, 1, 0, 0, 0]);
        self.command(during, EXECUTE, &execute)?;
        let count = match self.answer(during)? {
            Ok(Answer::Columns(count)) if count == table.columns.len() as u64 => count,
            Ok(_) => return Err(not_understood(during)),
            Err(said) => return Err(server(during, &said)),
        };
        let kinds = self.columns(during, count)?;
        let kinds: Vec<_> = table.columns.iter().map(|column| column.kind).zip(kinds).collect();
        self.packets.take_up_to(usize::try_from(table.longest_row_bytes).unwrap_or(usize::MAX));
        while self.next_row(during)? {
            let cells = rows::cells(&self.message, &kinds).ok_or_else(|| other_row(table))?;
            each(&cells, self.message.len() as u64)?;
        }
        self.packets.take_up_to(ANSWER_BYTES_MAX);
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The server finds out by itself if this fails.
        let _ = self.command("leaving", QUIT, &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::mysql::Flavor;

    #[test]
    fn a_server_is_known_by_its_version() {
        let flavor = |version: &str| dialect_of(version).map(|dialect| dialect.flavor).ok();
        assert_eq!(flavor("10.11.14-MariaDB-0+deb12u2"), Some(Flavor::Mariadb));
        assert_eq!(flavor("5.5.5-10.11.14-MariaDB"), Some(Flavor::Mariadb));
        assert_eq!(flavor("8.4.2"), Some(Flavor::Mysql));
        assert_eq!(flavor("8.0.17-0ubuntu"), Some(Flavor::Mysql));
        for old in ["8.0.16", "5.7.44-log", "10.1.48-MariaDB", ""] {
            assert_eq!(flavor(old), None, "{old}");
        }
    }
}

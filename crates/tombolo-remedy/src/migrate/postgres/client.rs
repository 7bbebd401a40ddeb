//! One connection, as the simple protocol has it,
//! <https://www.postgresql.org/docs/current/protocol-flow.html>.

use super::{Postgres, copy_text, literal, quoted};
use crate::error::Error;
use crate::migrate::address::Address;
use crate::migrate::kind::Kind;
use crate::migrate::plan::PlannedTable;
use crate::migrate::stream::{self, Stream, lost, refused};
use crate::migrate::target::{
    ANSWER_BYTES_MAX, Dialect, EachRow, Format, KeptRows, Step, Target, TextRow, other_row,
};
use crate::migrate::tls::{self, Mode};
use bytes::{Buf as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Header, Message};
use postgres_protocol::message::frontend;
use std::io;

/// Bytes of one read, and of rows that are sent at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Any number that no other program is likely to lock.
const LOCK: i64 = 0x746f_6d62_6f6c_6f01;

/// A connection.
pub(in crate::migrate) struct Client {
    stream: Box<dyn Stream>,
    incoming: BytesMut,
    outgoing: BytesMut,
    piece: Vec<u8>,
    /// The longest message that is taken in.
    longest_bytes: usize,
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Error::Server`]
    pub(in crate::migrate) fn connect(address: &Address) -> Result<Self, Error> {
        let mut client = Client {
            stream: open(address)?,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            piece: vec![0; PIECE_BYTES],
            longest_bytes: ANSWER_BYTES_MAX,
        };
        client.log_in(address)?;
        for setting in [
            "standard_conforming_strings = on",
            "datestyle = 'ISO, YMD'",
            "timezone = 'UTC'",
            "bytea_output = 'hex'",
            "extra_float_digits = 3",
            "client_min_messages = warning",
            "statement_timeout = 0",
            "synchronous_commit = off",
        ] {
            client.execute("connecting", &format!("SET {setting}"))?;
        }
        client.check_encoding()?;
        Ok(client)
    }

    fn check_encoding(&mut self) -> Result<(), Error> {
        let encoding = self.one("connecting", "SHOW server_encoding")?.unwrap_or_default();
        if encoding == "UTF8" {
            return Ok(());
        }
        let text = format!("the database is in {encoding}; texts of SQLite need UTF8");
        Err(refused("connecting", text))
    }

    fn log_in(&mut self, address: &Address) -> Result<(), Error> {
        const DURING: &str = "logging in";
        let parameters = [
            ("user", address.user.as_str()),
            ("database", address.database.as_str()),
            ("client_encoding", "UTF8"),
            ("application_name", "tombolo"),
        ];
        let failed = |error: io::Error| lost(DURING, &error);
        frontend::startup_message(parameters, &mut self.outgoing).map_err(failed)?;
        self.flush(DURING)?;
        let password =
            || address.password.as_deref().ok_or_else(|| refused(DURING, "a password is wanted"));
        loop {
            match self.message(DURING)? {
                Message::AuthenticationOk => return self.finish(DURING),
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password()?.as_bytes(), &mut self.outgoing)
                        .map_err(failed)?;
                    self.flush(DURING)?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let user = address.user.as_bytes();
                    let hash = md5_hash(user, password()?.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.outgoing)
                        .map_err(failed)?;
                    self.flush(DURING)?;
                }
                Message::AuthenticationSasl(body) => {
                    let mut mechanisms = body.mechanisms();
                    let known = mechanisms.any(|name| Ok(name == SCRAM_SHA_256)).map_err(failed)?;
                    if !known {
                        return Err(refused(DURING, "no way to log in is known to both"));
                    }
                    self.scram(password()?)?;
                }
                Message::ErrorResponse(body) => return Err(said(DURING, &body)),
                Message::NoticeResponse(_) => {}
                _ => return Err(refused(DURING, "the way to log in is not known here")),
            }
        }
    }

    fn scram(&mut self, password: &str) -> Result<(), Error> {
        const DURING: &str = "logging in";
        let failed = |error: io::Error| lost(DURING, &error);
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.outgoing)
            .map_err(failed)?;
        self.flush(DURING)?;
        match self.message(DURING)? {
            Message::AuthenticationSaslContinue(body) => {
                scram.update(body.data()).map_err(failed)?;
            }
            Message::ErrorResponse(body) => return Err(said(DURING, &body)),
            _ => return Err(refused(DURING, "the server broke off")),
        }
        frontend::sasl_response(scram.message(), &mut self.outgoing).map_err(failed)?;
        self.flush(DURING)?;
        match self.message(DURING)? {
            Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).map_err(failed),
            Message::ErrorResponse(body) => Err(said(DURING, &body)),
            _ => Err(refused(DURING, "the server broke off")),
        }
    }

    /// Runs statements, and keeps all rows, as texts.
    fn query(&mut self, during: &'static str, sql: &str) -> Result<Vec<TextRow>, Error> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| lost(during, &error))?;
        self.flush(during)?;
        let mut rows = KeptRows::default();
        let mut error = None;
        loop {
            match self.next(during, &mut error)? {
                Message::DataRow(body) => {
                    let buffer = body.buffer();
                    let text = |range: Option<std::ops::Range<usize>>| {
                        Ok(range.and_then(|range| buffer.get(range)).map(lossy))
                    };
                    let row = body.ranges().map(text).collect();
                    rows.add(during, row.map_err(|error| lost(during, &error))?)?;
                }
                Message::ErrorResponse(body) => error = Some(said(during, &body)),
                Message::ReadyForQuery(_) => return error.map_or(Ok(rows.rows()), Err),
                _ => {}
            }
        }
    }

    /// Begins to send rows.
    fn copy_in(&mut self, during: &'static str, sql: &str) -> Result<(), Error> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| lost(during, &error))?;
        self.flush(during)?;
        loop {
            match self.message(during)? {
                Message::CopyInResponse(_) => return Ok(()),
                Message::ErrorResponse(body) => {
                    let error = said(during, &body);
                    // Where the connection ends here, that is why.
                    let _ = self.finish(during);
                    return Err(error);
                }
                Message::ReadyForQuery(_) => return Err(refused(during, "no COPY began")),
                _ => {}
            }
        }
    }

    /// Reads rows, each as a line of the text form without its line feed.
    fn copy_out(
        &mut self,
        during: &'static str,
        sql: &str,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| lost(during, &error))?;
        self.flush(during)?;
        let mut error = None;
        loop {
            match self.next(during, &mut error)? {
                // The server sends one row in a message.
                Message::CopyData(body) => {
                    let line = body.data();
                    each(line.strip_suffix(b"\n").unwrap_or(line))?;
                }
                Message::ErrorResponse(body) => error = Some(said(during, &body)),
                Message::ReadyForQuery(_) => return error.map_or(Ok(()), Err),
                _ => {}
            }
        }
    }

    /// Reads until the server waits for the next statement.
    fn finish(&mut self, during: &'static str) -> Result<(), Error> {
        let mut error = None;
        loop {
            match self.next(during, &mut error)? {
                Message::ErrorResponse(body) => error = error.or_else(|| Some(said(during, &body))),
                Message::ReadyForQuery(_) => return error.map_or(Ok(()), Err),
                _ => {}
            }
        }
    }

    /// The next message. Where the connection ends instead, what the server has said before is why.
    fn next(&mut self, during: &'static str, said: &mut Option<Error>) -> Result<Message, Error> {
        self.message(during).map_err(|error| said.take().unwrap_or(error))
    }

    fn flush(&mut self, during: &'static str) -> Result<(), Error> {
        let written = self.stream.write_all(&self.outgoing).and_then(|()| self.stream.flush());
        self.outgoing.clear();
        written.map_err(|error| lost(during, &error))
    }

    fn message(&mut self, during: &'static str) -> Result<Message, Error> {
        loop {
            let header = Header::parse(&self.incoming).map_err(|error| lost(during, &error))?;
            let length = header.map(|header| usize::try_from(header.len()).unwrap_or_default());
            if length.is_some_and(|length| length > self.longest_bytes) {
                return Err(refused(during, "a message is longer than any answer can be"));
            }
            let parsed = Message::parse(&mut self.incoming);
            if let Some(message) = parsed.map_err(|error| lost(during, &error))? {
                return Ok(message);
            }
            let count = match self.stream.read(&mut self.piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|error| lost(during, &error))?,
            };
            if count == 0 {
                let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Err(lost(during, &error));
            }
            if !self.incoming.has_remaining() {
                self.incoming = BytesMut::with_capacity(PIECE_BYTES);
            }
            self.incoming.extend_from_slice(&self.piece[..count]);
        }
    }
}

impl Target for Client {
    fn dialect(&self) -> &'static dyn Dialect {
        &Postgres
    }

    fn rows(&mut self, during: &'static str, sql: &str) -> Result<Vec<TextRow>, Error> {
        self.query(during, sql)
    }

    fn lock(&mut self, during: &'static str) -> Result<bool, Error> {
        let locked = self.one(during, &format!("SELECT pg_try_advisory_lock({LOCK})"))?;
        Ok(locked.as_deref() == Some("t"))
    }

    fn has_table(&mut self, during: &'static str, name: &str) -> Result<bool, Error> {
        let name = literal(&quoted(name));
        let found = self.one(during, &format!("SELECT to_regclass({name}) IS NOT NULL"))?;
        Ok(found.as_deref() == Some("t"))
    }

    fn make(&mut self, during: &'static str, step: &Step<'_>) -> Result<Result<(), String>, Error> {
        self.execute(during, "BEGIN")?;
        match self.execute(during, step.sql) {
            Ok(()) => {
                self.execute(during, step.made)?;
                self.execute(during, "COMMIT")?;
                Ok(Ok(()))
            }
            Err(Error::Server { text, code: Some(code), .. }) => {
                self.execute(during, "ROLLBACK")?;
                Ok(Err(format!("{text} ({code})")))
            }
            Err(error) => Err(error),
        }
    }

    fn drop_tables(&mut self, during: &'static str, names: &[String]) -> Result<(), Error> {
        let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        self.execute(during, &format!("DROP TABLE IF EXISTS {} CASCADE", names.join(", ")))
    }

    fn make_durable(&mut self, during: &'static str) -> Result<(), Error> {
        self.execute(during, "SET synchronous_commit = on")
    }

    fn format(&self) -> Format {
        Format {
            row_start: b"",
            between_cells: b"\t",
            row_end: b"\n",
            write_cell: copy_text::write,
        }
    }

    fn begin_rows(
        &mut self,
        during: &'static str,
        table: &str,
        columns: &[&str],
    ) -> Result<(), Error> {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        self.copy_in(during, &format!("COPY {} ({}) FROM STDIN", quoted(table), names.join(", ")))
    }

    fn send(&mut self, during: &'static str, rows: &mut Vec<u8>) -> Result<(), Error> {
        for piece in rows.chunks(PIECE_BYTES) {
            let data = frontend::CopyData::new(piece).map_err(|error| lost(during, &error))?;
            data.write(&mut self.outgoing);
            self.flush(during)?;
        }
        rows.clear();
        Ok(())
    }

    fn end_rows(&mut self, during: &'static str, _: u64) -> Result<(), Error> {
        frontend::copy_done(&mut self.outgoing);
        self.flush(during)?;
        self.finish(during)
    }

    fn read_rows(
        &mut self,
        during: &'static str,
        table: &PlannedTable,
        each: &mut EachRow<'_>,
    ) -> Result<(), Error> {
        let kinds: Vec<Kind> = table.columns.iter().map(|column| column.kind).collect();
        let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        // Of a table itself COPY leaves generated columns out.
        let (names, name) = (names.join(", "), quoted(&table.name));
        let sql = format!("COPY (SELECT {names} FROM {name}) TO STDOUT");
        self.longest_bytes = usize::try_from(table.longest_row_bytes).unwrap_or(usize::MAX);
        let read = self.copy_out(during, &sql, &mut |line| {
            let cells = copy_text::read(line, &kinds).ok_or_else(|| other_row(table))?;
            each(&cells, line.len() as u64)
        });
        self.longest_bytes = ANSWER_BYTES_MAX;
        read
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        frontend::terminate(&mut self.outgoing);
        // The server finds out by itself if this fails.
        let _ = self.stream.write_all(&self.outgoing);
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Connects, and encrypts where that is wanted.
fn open(address: &Address) -> Result<Box<dyn Stream>, Error> {
    const DURING: &str = "connecting";
    let mut stream = stream::open(&address.way)?;
    if address.trust.mode == Mode::Disable {
        return Ok(stream);
    }
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).map_err(|error| lost(DURING, &error))?;
    // One byte and no more: what follows is of TLS.
    let mut answer = [0];
    stream.read_exact(&mut answer).map_err(|error| lost(DURING, &error))?;
    if tls::wanted(&address.trust, answer == *b"S")? {
        return tls::secure(stream, &address.trust);
    }
    Ok(stream)
}

/// The server's words and its SQLSTATE.
fn said(during: &'static str, body: &ErrorResponseBody) -> Error {
    let (mut text, mut detail, mut code) = (String::new(), String::new(), None);
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = lossy(field.value_bytes());
        match field.type_() {
            b'M' => text = value,
            b'D' => detail = format!(" ({value})"),
            b'C' => code = Some(value),
            _ => {}
        }
    }
    Error::Server { during, text: text + &detail, code }
}

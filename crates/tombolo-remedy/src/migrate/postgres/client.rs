//! One connection, as the simple protocol has it,
//! <https://www.postgresql.org/docs/current/protocol-flow.html>.

use crate::error::Error;
use crate::migrate::address::{Address, Way};
use bytes::{Buf as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Header, Message};
use postgres_protocol::message::frontend;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long a server may take to be reached.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest message that is taken in: no value of PostgreSQL is longer than 1 GB.
const MESSAGE_BYTES_MAX: i32 = 0x4000_0000;
/// Bytes of one read, and of rows that are sent at a time.
const PIECE_BYTES: usize = 256 * 1024;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection.
pub(in crate::migrate) struct Client {
    stream: Box<dyn Stream>,
    incoming: BytesMut,
    outgoing: BytesMut,
    piece: Vec<u8>,
}

impl Client {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Error::Server`]
    pub(in crate::migrate) fn connect(address: &Address) -> Result<Self, Error> {
        let during = "connecting";
        let stream: io::Result<Box<dyn Stream>> = match &address.way {
            Way::Tcp(ip, port) => TcpStream::connect_timeout(&(*ip, *port).into(), PATIENCE)
                .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
                .map(|stream| Box::new(stream) as Box<dyn Stream>),
            Way::Unix(path) => {
                UnixStream::connect(path).map(|stream| Box::new(stream) as Box<dyn Stream>)
            }
        };
        let mut client = Client {
            stream: stream.map_err(|error| lost(during, &error))?,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            piece: vec![0; PIECE_BYTES],
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

    /// Runs statements that give no rows.
    ///
    /// # Errors
    /// [`Error::Server`]
    pub(in crate::migrate) fn execute(
        &mut self,
        during: &'static str,
        sql: &str,
    ) -> Result<(), Error> {
        self.rows(during, sql).map(drop)
    }

    /// The first value of the first row.
    pub(in crate::migrate) fn one(
        &mut self,
        during: &'static str,
        sql: &str,
    ) -> Result<Option<String>, Error> {
        let rows = self.rows(during, sql)?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }

    /// All rows, as texts. For few of them only: they are kept in memory.
    pub(in crate::migrate) fn rows(
        &mut self,
        during: &'static str,
        sql: &str,
    ) -> Result<Vec<Vec<Option<String>>>, Error> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| lost(during, &error))?;
        self.flush(during)?;
        let mut rows = Vec::new();
        let mut error = None;
        loop {
            match self.message(during)? {
                Message::DataRow(body) => {
                    let buffer = body.buffer();
                    let text = |range: Option<std::ops::Range<usize>>| {
                        Ok(range.and_then(|range| buffer.get(range)).map(lossy))
                    };
                    let row = body.ranges().map(text).collect();
                    rows.push(row.map_err(|error| lost(during, &error))?);
                }
                Message::ErrorResponse(body) => error = Some(said(during, &body)),
                Message::ReadyForQuery(_) => return error.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    /// Begins to send rows.
    pub(in crate::migrate) fn copy_in(
        &mut self,
        during: &'static str,
        sql: &str,
    ) -> Result<(), Error> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| lost(during, &error))?;
        self.flush(during)?;
        loop {
            match self.message(during)? {
                Message::CopyInResponse(_) => return Ok(()),
                Message::ErrorResponse(body) => {
                    let error = said(during, &body);
                    self.finish(during)?;
                    return Err(error);
                }
                Message::ReadyForQuery(_) => return Err(refused(during, "no COPY began")),
                _ => {}
            }
        }
    }

    /// Sends rows, and leaves nothing of them.
    pub(in crate::migrate) fn send(
        &mut self,
        during: &'static str,
        rows: &mut Vec<u8>,
    ) -> Result<(), Error> {
        for piece in rows.chunks(PIECE_BYTES) {
            let data = frontend::CopyData::new(piece).map_err(|error| lost(during, &error))?;
            data.write(&mut self.outgoing);
            self.flush(during)?;
        }
        rows.clear();
        Ok(())
    }

    /// Ends the rows.
    pub(in crate::migrate) fn copy_done(&mut self, during: &'static str) -> Result<(), Error> {
        frontend::copy_done(&mut self.outgoing);
        self.flush(during)?;
        self.finish(during)
    }

    /// Reads rows, each as a line of the text form without its line feed.
    pub(in crate::migrate) fn copy_out(
        &mut self,
        during: &'static str,
        sql: &str,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        frontend::query(sql, &mut self.outgoing).map_err(|error| lost(during, &error))?;
        self.flush(during)?;
        let mut error = None;
        loop {
            match self.message(during)? {
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
            match self.message(during)? {
                Message::ErrorResponse(body) => error = error.or_else(|| Some(said(during, &body))),
                Message::ReadyForQuery(_) => return error.map_or(Ok(()), Err),
                _ => {}
            }
        }
    }

    fn flush(&mut self, during: &'static str) -> Result<(), Error> {
        let written = self.stream.write_all(&self.outgoing).and_then(|()| self.stream.flush());
        self.outgoing.clear();
        written.map_err(|error| lost(during, &error))
    }

    fn message(&mut self, during: &'static str) -> Result<Message, Error> {
        loop {
            let header = Header::parse(&self.incoming).map_err(|error| lost(during, &error))?;
            if header.is_some_and(|header| header.len() > MESSAGE_BYTES_MAX) {
                return Err(refused(during, "a message is longer than any value can be"));
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

fn lost(during: &'static str, error: &io::Error) -> Error {
    let code =
        error.raw_os_error().map(|raw| tombolo_core::errno::Errno::from_raw(raw).to_string());
    Error::Server { during, text: error.to_string(), code }
}

fn refused(during: &'static str, text: impl Into<String>) -> Error {
    Error::Server { during, text: text.into(), code: None }
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

//! One connection to an owner: a request, then its reply.

use crate::address::Owner;
use std::io;
use std::path::Path;
use std::time::Duration;
use tombolo_core::facade::Refusal;
use tombolo_core::owner::engine::PageNumber;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::address::NetworkAddress;
use tombolo_core::wire::frame::Frame;
use tombolo_core::wire::keys::{Credentials, FILE_BYTES_MAX};
use tombolo_core::wire::{FrameReader, Malformed, PROTOCOL, Reply, Request};
use tombolo_os::socket::Stream;
use tombolo_os::socket::stream::Arrival;
use tombolo_os::socket::tls::{DoorTls, TlsError};

/// How long an answer may take, beyond what the owner was allowed to wait.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// How long a connection over a network may take, and then the handshake of TLS.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the machine of the owner may be gone, or its owner take nothing, until the connection
/// ends.
const SILENCE: Duration = ANSWER_TIME;
/// Bytes that are received at a time, if there are not more to come of a reply.
const RECEIVE_BYTES: usize = 16 << 10;
/// Bytes of the buffer that is kept: a window of pages.
const KEPT_BYTES: usize = 1 << 20;

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The connection broke, or the answer did not come in time.
    #[error("the connection to the owner was lost: {0}")]
    Broken(#[from] io::Error),
    /// The owner closed it.
    #[error("the owner closed the connection")]
    Closed,
    /// What came is no message.
    #[error("the owner sent what is no message: {0}")]
    Malformed(#[from] Malformed),
}

impl Lost {
    pub(crate) fn refusal(&self) -> Refusal {
        if let Lost::Broken(error) = self
            && let Some(TlsError::NotAccepted) = TlsError::of(error)
        {
            let message = "the owner does not accept these credentials: they are another's, or old";
            return Refusal::new(ResultCode::CANTOPEN, message);
        }
        let errno = match self {
            Lost::Broken(error) => error.raw_os_error(),
            Lost::Closed | Lost::Malformed(_) => None,
        };
        Refusal { code: ResultCode::IOERR, errno, message: self.to_string() }
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    reader: FrameReader,
    out: Vec<u8>,
    /// The first page of a read that was asked for ahead, and not received.
    ahead: Option<PageNumber>,
}

impl Connection {
    /// Connects, and introduces itself.
    pub(crate) fn new(owner: &Owner) -> Result<Self, Refusal> {
        let stream = connect(owner)?;
        let reader = FrameReader::keeping(KEPT_BYTES);
        let mut connection = Connection { stream, reader, out: Vec::new(), ahead: None };
        let boot_id = tombolo_os::kernel::boot_id(Path::new("/")).unwrap_or_default();
        let program = program();
        let hello = Request::Hello {
            protocol: PROTOCOL,
            boot_id: boot_id.as_bytes(),
            process: std::process::id(),
            program: program.as_bytes(),
        };
        match connection.ask(&hello).map_err(|lost| lost.refusal())? {
            Reply::Welcome { protocol: PROTOCOL } => Ok(connection),
            Reply::Failed(error) => Err(error.into()),
            other => {
                let message = format!("the owner speaks another protocol: {other:?}");
                Err(Refusal::new(ResultCode::CANTOPEN, &message))
            }
        }
    }

    /// Sends a request that is not answered.
    pub(crate) fn tell(&mut self, request: &Request<'_>) -> Result<(), Lost> {
        // Who does not read what it asked for is not heard.
        if self.ahead.take().is_some() {
            self.receive()?;
        }
        self.out.clear();
        request.encode(&mut self.out);
        Ok(self.stream.send_all(&self.out)?)
    }

    /// Sends a request, and waits for its reply.
    pub(crate) fn ask(&mut self, request: &Request<'_>) -> Result<Reply, Lost> {
        self.tell(request)?;
        Ok(Reply::decode(self.receive()?)?)
    }

    /// Waits for a reply that somebody else's request brings.
    pub(crate) fn reply(&mut self) -> Result<Reply, Lost> {
        if self.ahead.take().is_some() {
            self.receive()?;
        }
        Ok(Reply::decode(self.receive()?)?)
    }

    /// As [`Connection::reply`], but waits for no longer than that.
    pub(crate) fn reply_within(&mut self, time: Duration) -> Result<Option<Reply>, Lost> {
        if self.reader.is_ready() || self.stream.wait_for_bytes(time)? == Arrival::Something {
            return self.reply().map(Some);
        }
        Ok(None)
    }

    /// Asks for pages, unless they were asked for ahead, and shows them as they came.
    pub(crate) fn read<T>(
        &mut self,
        (first, count): (PageNumber, u32),
        show: impl FnOnce(&[u8]) -> T,
    ) -> Result<Result<T, Reply>, Lost> {
        if self.ahead == Some(first) {
            self.ahead = None;
        } else {
            self.tell(&Request::Read { first, count })?;
        }
        let frame = self.receive()?;
        match Reply::pages(frame) {
            Some(bytes) => Ok(Ok(show(bytes))),
            None => Ok(Err(Reply::decode(frame)?)),
        }
    }

    /// Asks for pages that will be read next. The answer is left where it is until they are, or
    /// something else is asked.
    pub(crate) fn read_ahead(&mut self, first: PageNumber, count: u32) -> Result<(), Lost> {
        self.tell(&Request::Read { first, count })?;
        self.ahead = Some(first);
        Ok(())
    }

    fn receive(&mut self) -> Result<Frame<'_>, Lost> {
        while !self.reader.is_ready() {
            let count = self.stream.receive(self.reader.room(RECEIVE_BYTES))?;
            if count == 0 {
                return Err(Lost::Closed);
            }
            self.reader.arrived(count);
        }
        self.reader.next_frame()?.ok_or(Lost::Closed)
    }
}

fn connect(owner: &Owner) -> Result<Stream, Refusal> {
    let no_owner = |at: String| {
        move |error: io::Error| Refusal {
            code: ResultCode::CANTOPEN,
            errno: error.raw_os_error(),
            message: format!("no owner answers at {at}: {error}"),
        }
    };
    let call = |network: &NetworkAddress| {
        Stream::connect_network(network.endpoint, CONNECT_TIME, SILENCE)
            .map_err(no_owner(network.to_string()))
    };
    let (stream, at) = match owner {
        Owner::Unix(path) => {
            let at = path.display().to_string();
            (Stream::connect_unix(path).map_err(no_owner(at.clone()))?, at)
        }
        Owner::Bare(network) => (call(network)?, network.to_string()),
        Owner::Tls(network, file) => {
            let tls = credentials(file)?;
            let (mut stream, at) = (call(network)?, network.to_string());
            stream.secure_as_door(&tls, CONNECT_TIME).map_err(no_owner(at.clone()))?;
            (stream, at)
        }
    };
    stream.set_timeout(ANSWER_TIME).map_err(no_owner(at))?;
    Ok(stream)
}

/// Read each time: an owner may have made new ones.
fn credentials(file: &Path) -> Result<DoorTls, Refusal> {
    let refused = |why: &dyn std::fmt::Display| {
        let message = format!("the credentials in {}: {why}", file.display());
        Refusal::new(ResultCode::CANTOPEN, &message)
    };
    let opened = tombolo_os::read::open(file).map_err(|error| refused(&error))?;
    let text = opened.bytes_at(0, FILE_BYTES_MAX + 1).map_err(|error| refused(&error))?;
    let credentials = Credentials::parse(&text).map_err(|error| refused(&error))?;
    DoorTls::new(&credentials).map_err(|error| refused(&error))
}

/// The name of this program, for the owner's list of sessions.
fn program() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_owned();
    name.to_string_lossy().into_owned()
}

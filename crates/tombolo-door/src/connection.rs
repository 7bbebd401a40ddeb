//! One connection to an owner: a request, then its reply.

use crate::Address;
use std::io;
use std::path::Path;
use std::time::Duration;
use tombolo_core::facade::Refusal;
use tombolo_core::owner::engine::PageNumber;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::frame::Frame;
use tombolo_core::wire::{FrameReader, Malformed, PROTOCOL, Reply, Request};
use tombolo_os::socket::Stream;

/// How long an answer may take, beyond what the owner was allowed to wait.
const ANSWER_TIME: Duration = Duration::from_secs(60);
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
    pub(crate) fn new(address: &Address) -> Result<Self, Refusal> {
        let Address::Unix(path) = address;
        let stream = Stream::connect_unix(path)
            .and_then(|stream| stream.set_timeout(ANSWER_TIME).map(|()| stream))
            .map_err(|error| Refusal {
                code: ResultCode::CANTOPEN,
                errno: error.raw_os_error(),
                message: format!("no owner answers at {}: {error}", path.display()),
            })?;
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

/// The name of this program, for the owner's list of sessions.
fn program() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_owned();
    name.to_string_lossy().into_owned()
}

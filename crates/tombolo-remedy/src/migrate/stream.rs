//! The connection to a server, as a stream of bytes.

use super::address::Way;
use crate::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long a server may take to be reached.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server is talked to through.
pub(super) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Connects.
///
/// # Errors
/// [`Error::Server`]
pub(super) fn open(way: &Way) -> Result<Box<dyn Stream>, Error> {
    let stream: io::Result<Box<dyn Stream>> = match way {
        Way::Tcp(ip, port) => TcpStream::connect_timeout(&(*ip, *port).into(), PATIENCE)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map(|stream| Box::new(stream) as Box<dyn Stream>),
        Way::Unix(path) => {
            UnixStream::connect(path).map(|stream| Box::new(stream) as Box<dyn Stream>)
        }
    };
    stream.map_err(|error| lost("connecting", &error))
}

/// The connection failed.
pub(super) fn lost(during: &'static str, error: &io::Error) -> Error {
    let errno = error.raw_os_error().map(tombolo_core::errno::Errno::from_raw);
    let text = errno.map_or_else(|| error.to_string(), |errno| errno.to_string());
    Error::Server { during, text, code: None }
}

/// The server says what is of no use here.
pub(super) fn refused(during: &'static str, text: impl Into<String>) -> Error {
    Error::Server { during, text: text.into(), code: None }
}

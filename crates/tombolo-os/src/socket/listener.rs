//! Where connections come in.

use super::Stream;
use rustix::fs::{AtFlags, Mode};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted.
pub(super) const BACKLOG: i32 = 1024;
/// Bytes that the other side need not have read before more is sent (`SO_SNDBUF`, of which the
/// kernel reserves twice as much): a whole window of pages.
const SEND_BYTES: usize = 256 << 10;

/// A Unix socket in the file system, for its user alone (mode 0600).
///
/// 1. The name is removed when the listener ends, if it is still that of this socket.
#[derive(Debug)]
pub struct Listener {
    descriptor: OwnedFd,
    path: PathBuf,
    identity: (u64, u64),
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let at = rustix::fs::CWD;
    let stat = rustix::fs::statat(at, path, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((stat.st_dev, stat.st_ino))
}

impl Listener {
    /// Listens at a path. What a dead owner left there is removed; the caller has made sure that
    /// none is alive.
    ///
    /// # Errors
    /// `bind(2)`: `EADDRINUSE` where something else than a socket is there.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let descriptor =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let is_socket = std::fs::symlink_metadata(path)
            .is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()));
        if is_socket {
            std::fs::remove_file(path)?;
        }
        // Nobody can connect before `listen`, so the mode is in time.
        rustix::net::bind(&descriptor, &super::path::address(path)?.address)?;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::chmodat(rustix::fs::CWD, path, mode, AtFlags::empty())?;
        rustix::net::listen(&descriptor, BACKLOG)?;
        Ok(Listener { descriptor, path: path.to_owned(), identity: identity(path)? })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection, if one waits; calls on it do not wait.
    ///
    /// # Errors
    /// `accept(2)`.
    pub fn accept(&self) -> io::Result<Option<Stream>> {
        let Some(descriptor) = accept(&self.descriptor)? else { return Ok(None) };
        // Less room makes an answer slower, and not wrong.
        let _ = sockopt::set_socket_send_buffer_size(&descriptor, SEND_BYTES);
        Ok(Some(Stream::new(descriptor, None)))
    }
}

/// The next connection, if one waits.
pub(super) fn accept(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    loop {
        match rustix::net::accept_with(listener, flags) {
            Ok(descriptor) => return Ok(Some(descriptor)),
            Err(rustix::io::Errno::AGAIN) => return Ok(None),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

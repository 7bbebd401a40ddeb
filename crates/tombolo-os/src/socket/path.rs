//! Addresses of Unix sockets. An address holds 107 bytes (`unix(7)`), a path may be longer: then it
//! is spelled by way of a descriptor of its directory.

use rustix::fs::{Mode, OFlags};
use rustix::net::SocketAddrUnix;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

/// An address, good for as long as it lives.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) address: SocketAddrUnix,
    _directory: Option<OwnedFd>,
}

pub(super) fn address(path: &Path) -> io::Result<Address> {
    if let Ok(address) = SocketAddrUnix::new(path) {
        return Ok(Address { address, _directory: None });
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(parent, flags, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    let address = SocketAddrUnix::new(&short)?;
    Ok(Address { address, _directory: Some(directory) })
}

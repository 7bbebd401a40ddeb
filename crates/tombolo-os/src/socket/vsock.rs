//! Addresses of `vsock(7)`, which neither `std` nor `rustix` knows.
#![allow(unsafe_code)] // No safe form of these calls knows the address family.

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use tombolo_core::wire::address::Endpoint;

const ADDRESS_BYTES: libc::socklen_t = size_of::<libc::sockaddr_vm>() as libc::socklen_t;

/// Connects. The kernel gives up after two seconds (`SO_VM_SOCKETS_CONNECT_TIMEOUT`).
pub(super) fn connect(cid: u32, port: u32) -> io::Result<OwnedFd> {
    let descriptor = socket(SocketFlags::CLOEXEC)?;
    let address = address(cid, port);
    // SAFETY: the address is as long as is said, and lives until the call returns.
    let result = unsafe {
        libc::connect(descriptor.as_raw_fd(), (&raw const address).cast(), ADDRESS_BYTES)
    };
    succeeded(result).map(|()| descriptor)
}

/// Takes a port, of which 0 is any that is free.
pub(super) fn bind(cid: u32, port: u32) -> io::Result<OwnedFd> {
    let descriptor = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let address = address(cid, if port == 0 { libc::VMADDR_PORT_ANY } else { port });
    // SAFETY: the address is as long as is said, and lives until the call returns.
    let result =
        unsafe { libc::bind(descriptor.as_raw_fd(), (&raw const address).cast(), ADDRESS_BYTES) };
    succeeded(result).map(|()| descriptor)
}

/// Where a socket listens.
pub(super) fn own(descriptor: &OwnedFd) -> io::Result<Endpoint> {
    name(descriptor, libc::getsockname)
}

/// Who is at the other end.
pub(super) fn peer(descriptor: &OwnedFd) -> io::Result<Endpoint> {
    name(descriptor, libc::getpeername)
}

type Name = unsafe extern "C" fn(RawFd, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

fn name(descriptor: &OwnedFd, of: Name) -> io::Result<Endpoint> {
    let (mut address, mut length) = (address(0, 0), ADDRESS_BYTES);
    // SAFETY: there is room for as many bytes as is said, and both live until the call returns.
    let result = unsafe { of(descriptor.as_raw_fd(), (&raw mut address).cast(), &raw mut length) };
    succeeded(result)?;
    Ok(Endpoint::Vsock { cid: address.svm_cid, port: address.svm_port })
}

fn socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    let kind = SocketType::STREAM;
    Ok(rustix::net::socket_with(AddressFamily::VSOCK, kind, flags, None)?)
}

fn address(cid: u32, port: u32) -> libc::sockaddr_vm {
    // SAFETY: it is made of numbers alone, of which all may be zero.
    let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    address.svm_cid = cid;
    address.svm_port = port;
    address
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

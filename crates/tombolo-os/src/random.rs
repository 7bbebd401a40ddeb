//! Random bytes of the kernel.

use std::io;

/// Fills up to 256 bytes, which are given whole or not at all (`getrandom(2)`).
///
/// # Errors
/// Where the kernel has none to give.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let given = loop {
        match rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    if given == bytes.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

//! The network between guests: what one sends goes to all others, as in a hub.
//!
//! Datagrams through sockets in the lab's directory (QEMU's `-netdev dgram`, since 7.2): no ports,
//! no privileges, nothing that another lab or another user could hear or say.

use crate::error::LabError;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Larger than any frame with offloads.
const FRAME_BYTES_MAX: usize = 128 << 10;

/// Guests have the numbers from 1 to this.
pub(crate) const MEMBERS_MAX: u8 = 9;

/// The hub of one lab.
#[derive(Debug)]
pub(crate) struct Hub {
    directory: PathBuf,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    pub(crate) fn new(directory: &Path) -> Result<Self, LabError> {
        let path = directory.join("hub");
        let socket = UnixDatagram::bind(&path).map_err(LabError::call("bind", &path))?;
        let members: Vec<_> = (1..=MEMBERS_MAX).map(|of| member(directory, of)).collect();
        let thread = std::thread::Builder::new()
            .name("hub".to_owned())
            .spawn(move || forward(&socket, &members))
            .map_err(LabError::call("clone", &path))?;
        Ok(Hub { directory: directory.to_owned(), path, thread: Some(thread) })
    }

    /// Where guests send to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the guest with this number receives.
    pub(crate) fn member(&self, number: u8) -> PathBuf {
        member(&self.directory, number)
    }
}

fn member(directory: &Path, number: u8) -> PathBuf {
    directory.join(format!("card-{number}"))
}

/// Until an empty datagram comes, which no card sends.
fn forward(socket: &UnixDatagram, members: &[PathBuf]) {
    let mut frame = vec![0; FRAME_BYTES_MAX];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut frame) else { continue };
        if length == 0 {
            return;
        }
        for member in members.iter().filter(|member| Some(member.as_path()) != from.as_pathname()) {
            // A member that is not there, or whose queue is full, loses the frame, as on a cable.
            let _ = socket.send_to(&frame[..length], member);
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let stop = UnixDatagram::unbound().and_then(|socket| socket.send_to(&[], &self.path));
        // Without the datagram the thread would be waited for in vain.
        if let (Ok(_), Some(thread)) = (stop, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_one_sends_the_others_get_and_itself_not() {
        let place = tempfile::tempdir().expect("a directory");
        let hub = Hub::new(place.path()).expect("a hub");
        let members = [1, 2, 3].map(|number| {
            let socket = UnixDatagram::bind(hub.member(number)).expect("bound");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
            socket
        });
        members[0].send_to(b"frame", hub.path()).expect("sent");
        for member in &members[1..] {
            let mut buffer = [0; 16];
            let length = member.recv(&mut buffer).expect("received");
            assert_eq!(&buffer[..length], b"frame");
        }
        // Had the sender got its own, it would be there before what comes after.
        members[1].send_to(b"answer", hub.path()).expect("sent");
        let mut buffer = [0; 16];
        let length = members[0].recv(&mut buffer).expect("received");
        assert_eq!(&buffer[..length], b"answer");
    }
}

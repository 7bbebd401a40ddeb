//! The network between guests: what one sends goes to all others, as in a hub.
//!
//! Datagrams through sockets in the lab's directory (QEMU's `-netdev dgram`, since 7.2): no ports,
//! no privileges, nothing that another lab or another user could hear or say.

use crate::error::LabError;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Larger than any frame with offloads.
const FRAME_BYTES_MAX: usize = 128 << 10;

/// Guests have the numbers from 1 to this.
pub(crate) const MEMBERS_MAX: u8 = 9;

/// Frames that wait for one member: a paused guest takes none. More are lost, as on a cable.
const WAITING_FRAMES: usize = 512;

/// How long one frame is offered to a member before it is lost.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// The hub of one lab.
#[derive(Debug)]
pub(crate) struct Hub {
    directory: PathBuf,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

/// A member: where it receives, and the frames that wait for it.
struct Member {
    path: PathBuf,
    frames: SyncSender<Arc<[u8]>>,
}

impl Hub {
    pub(crate) fn new(directory: &Path) -> Result<Self, LabError> {
        let path = directory.join("hub");
        let socket = UnixDatagram::bind(&path).map_err(LabError::call("bind", &path))?;
        let members: Result<Vec<Member>, LabError> =
            (1..=MEMBERS_MAX).map(|number| Member::new(member(directory, number))).collect();
        let members = members?;
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

impl Member {
    /// A thread of its own waits for each, so that none waits for another one.
    fn new(path: PathBuf) -> Result<Self, LabError> {
        let socket = UnixDatagram::unbound().map_err(LabError::call("socket", &path))?;
        let timeout = socket.set_write_timeout(Some(SEND_TIMEOUT));
        timeout.map_err(LabError::call("setsockopt", &path))?;
        let (frames, queue): (_, Receiver<Arc<[u8]>>) = sync_channel(WAITING_FRAMES);
        let to = path.clone();
        let deliver = move || {
            while let Ok(frame) = queue.recv() {
                // Lost where there is no such guest, or where it takes nothing.
                let _ = socket.send_to(&frame, &to);
            }
        };
        let thread = std::thread::Builder::new().name("hub-member".to_owned()).spawn(deliver);
        thread.map_err(LabError::call("clone", &path))?;
        Ok(Member { path, frames })
    }
}

fn member(directory: &Path, number: u8) -> PathBuf {
    directory.join(format!("card-{number}"))
}

/// Until an empty datagram comes, which no card sends.
fn forward(socket: &UnixDatagram, members: &[Member]) {
    let mut buffer = vec![0; FRAME_BYTES_MAX];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        if length == 0 {
            return;
        }
        let frame: Arc<[u8]> = buffer[..length].into();
        for member in members.iter().filter(|of| Some(of.path.as_path()) != from.as_pathname()) {
            let _ = member.frames.try_send(Arc::clone(&frame));
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

    /// A hub with three members, which wait for what they receive.
    fn hub(place: &Path) -> (Hub, [UnixDatagram; 3]) {
        let hub = Hub::new(place).expect("a hub");
        let members = [1, 2, 3].map(|number| {
            let socket = UnixDatagram::bind(hub.member(number)).expect("bound");
            socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
            socket
        });
        (hub, members)
    }

    fn receive(member: &UnixDatagram) -> Vec<u8> {
        let mut buffer = [0; 16];
        let length = member.recv(&mut buffer).expect("received");
        buffer[..length].to_vec()
    }

    #[test]
    fn what_one_sends_the_others_get_and_itself_not() {
        let place = tempfile::tempdir().expect("a directory");
        let (hub, members) = hub(place.path());
        members[0].send_to(b"frame", hub.path()).expect("sent");
        for member in &members[1..] {
            assert_eq!(receive(member), b"frame");
        }
        // Had the sender got its own, it would be there before what comes after.
        members[1].send_to(b"answer", hub.path()).expect("sent");
        assert_eq!(receive(&members[0]), b"answer");
    }

    #[test]
    fn a_member_that_takes_nothing_holds_up_nobody() {
        let place = tempfile::tempdir().expect("a directory");
        let (hub, members) = hub(place.path());
        for number in 0..(3 * WAITING_FRAMES as u32) {
            members[0].send_to(&number.to_be_bytes(), hub.path()).expect("sent");
            assert_eq!(receive(&members[1]), number.to_be_bytes());
        }
        // It gets those that came first; the rest is lost.
        assert_eq!(receive(&members[2]), 0_u32.to_be_bytes());
    }
}

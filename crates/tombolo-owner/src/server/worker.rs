//! A thread that waits for the disk, so that a database need not.

use super::database::Event;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use tombolo_os::socket::Waker;

/// Does `work` for each order, and tells what came of it. It ends with the sender of its orders.
pub(super) fn start<Order: Send + 'static>(
    name: &str,
    events: Sender<Event>,
    waker: Waker,
    mut work: impl FnMut(Order) -> Event + Send + 'static,
) -> io::Result<(Sender<Order>, JoinHandle<()>)> {
    let (sender, orders) = channel();
    let builder = std::thread::Builder::new().name(name.to_owned());
    let thread = builder.spawn(move || {
        while let Ok(order) = orders.recv() {
            if events.send(work(order)).is_err() {
                return;
            }
            waker.wake();
        }
    })?;
    Ok((sender, thread))
}

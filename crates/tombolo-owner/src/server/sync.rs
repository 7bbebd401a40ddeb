//! A thread that waits for the disk, so that nobody else has to.

use super::database::Event;
use std::fs::File;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tombolo_core::owner::engine::Version;
use tombolo_os::socket::Waker;

/// The log is to be synced: it holds all commits up to a version.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) log: File,
    pub(super) until: Version,
}

/// Syncs what it is told to. It ends with the sender of its orders.
pub(super) fn start(
    events: Sender<Event>,
    waker: Waker,
) -> std::io::Result<(Sender<Order>, JoinHandle<()>)> {
    let (sender, orders) = channel();
    let builder = std::thread::Builder::new().name("tombolo-sync".into());
    let thread = builder.spawn(move || run(&orders, &events, &waker))?;
    Ok((sender, thread))
}

fn run(orders: &Receiver<Order>, events: &Sender<Event>, waker: &Waker) {
    while let Ok(Order { log, until }) = orders.recv() {
        let event = match log.sync_data() {
            Ok(()) => Event::Synced(until),
            Err(error) => Event::SyncFailed(error),
        };
        if events.send(event).is_err() {
            return;
        }
        waker.wake();
    }
}

//! A thread that copies the log into the database, so that nobody else has to wait for it.

use super::database::Event;
use crate::engine::Checkpointer;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tombolo_core::owner::engine::CheckpointMode;
use tombolo_os::socket::Waker;

/// A checkpoint is to be made.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) checkpointer: Checkpointer,
    pub(super) mode: CheckpointMode,
    /// How long it may wait for readers and writers.
    pub(super) wait: Duration,
}

/// Does what it is told to. It ends with the sender of its orders.
pub(super) fn start(
    events: Sender<Event>,
    waker: Waker,
) -> std::io::Result<(Sender<Order>, JoinHandle<()>)> {
    let (sender, orders) = channel();
    let builder = std::thread::Builder::new().name("tombolo-checkpoints".into());
    let thread = builder.spawn(move || run(&orders, &events, &waker))?;
    Ok((sender, thread))
}

fn run(orders: &Receiver<Order>, events: &Sender<Event>, waker: &Waker) {
    while let Ok(Order { checkpointer, mode, wait }) = orders.recv() {
        let ended = checkpointer.run(mode, wait);
        // The engine may want to close it while nothing is to be done.
        drop(checkpointer);
        if events.send(Event::Checkpointed(ended)).is_err() {
            return;
        }
        waker.wake();
    }
}

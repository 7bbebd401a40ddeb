//! The thread that copies the log into the database.

use super::database::Event;
use super::worker;
use crate::engine::Checkpointer;
use std::sync::mpsc::Sender;
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

/// Makes the checkpoints that it is told to.
pub(super) fn start(
    events: Sender<Event>,
    waker: Waker,
) -> std::io::Result<(Sender<Order>, JoinHandle<()>)> {
    worker::start("tombolo-checkpoints", events, waker, |order: Order| {
        let Order { checkpointer, mode, wait } = order;
        let ended = checkpointer.run(mode, wait);
        // The engine may want to close it while nothing is to be done.
        drop(checkpointer);
        Event::Checkpointed(ended)
    })
}

//! The thread that syncs the log.

use super::database::Event;
use super::worker;
use crate::engine::LogFile;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use tombolo_core::owner::engine::Version;
use tombolo_os::socket::Waker;

/// The log is to be synced: it holds all commits up to a version.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) log: Arc<LogFile>,
    pub(super) until: Version,
}

/// Syncs what it is told to.
pub(super) fn start(
    events: Sender<Event>,
    waker: Waker,
) -> std::io::Result<(Sender<Order>, JoinHandle<()>)> {
    worker::start("tombolo-sync", events, waker, |Order { log, until }| match log.sync() {
        Ok(()) => Event::Synced(until),
        Err(error) => Event::SyncFailed(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineKind, StockEngine};
    use std::sync::mpsc::channel;
    use tombolo_os::socket::Poller;

    #[test]
    fn a_log_that_was_renamed_meanwhile_is_not_synced() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("app.db");
        let engine = StockEngine::open(&database, EngineKind::Shared, 4096).unwrap();
        let (events, happened) = channel();
        let poller = Poller::new().unwrap();
        let (orders, thread) = start(events, poller.waker()).unwrap();
        let order = |number| Order { log: engine.log_file(), until: Version(number) };
        orders.send(order(1)).unwrap();
        assert!(matches!(happened.recv(), Ok(Event::Synced(Version(1)))));
        let log = directory.path().join("app.db-wal");
        std::fs::rename(&log, directory.path().join("aside")).unwrap();
        std::fs::write(&log, b"").unwrap();
        orders.send(order(2)).unwrap();
        assert!(matches!(happened.recv(), Ok(Event::SyncFailed(_))));
        drop(orders);
        thread.join().unwrap();
    }
}

//! The host's disk is full while a program of a guest commits, and has room again later.
//!
//! The error reaches the guest under its own name, the transaction is undone, and nothing that was
//! acknowledged is touched. The program goes on by itself when there is room.

use crate::common::Connection as _;
use crate::share::Shared;
use tombolo_lab::{Disk, Filling, Mounted, Namespace};

const DATABASE: &str = "app.db";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_full_disk_of_the_host_undoes_one_transaction_and_no_other() {
    Namespace::run(|namespace| {
        let disk = Mounted::disk(namespace, Disk::Ext4).expect("mounted");
        let shared = Shared::at(disk.path());
        shared.database(DATABASE);
        let mut connection = shared.session(DATABASE);
        assert_eq!(connection.run("BEGIN IMMEDIATE").outcome(), "ok");
        assert_eq!(connection.increment("guest", 0), "ok");

        let filling = Filling::new(disk.path(), 64 << 20).expect("filled");
        let statements = [
            "BEGIN IMMEDIATE",
            "UPDATE counter SET n = n + 1",
            "INSERT INTO entry VALUES('guest', 1, randomblob(99000))",
            "COMMIT",
        ];
        assert_eq!(connection.run_all(&statements), "SQLITE_FULL");
        // Whether SQLite has rolled back already depends on the statement that failed.
        connection.run("ROLLBACK");
        drop(filling);

        assert_eq!(connection.run("BEGIN IMMEDIATE").outcome(), "ok");
        assert_eq!(connection.increment("guest", 2), "ok");
        shared.acknowledge(DATABASE, "guest 0\nguest 2\n");
        let verdict = shared.judge(DATABASE);
        assert!(verdict.is_clean() && verdict.unacknowledged.is_empty(), "{verdict:?}");
    });
}

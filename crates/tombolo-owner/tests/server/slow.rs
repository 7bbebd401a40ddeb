//! A database that takes its time to open, or does not. On a FUSE mount: these tests need root.

use crate::harness::{Owner, stock};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::Reply;
use tombolo_core::wire::request::{Access, Request, TurnWish};
use tombolo_lab::{Faults, FaultyMount, Namespace, Operation};

const TABLE: &str = "PRAGMA journal_mode=WAL; CREATE TABLE t(a);";

#[test]
fn a_database_that_does_not_come_to_open_holds_nobody_up() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let served = mount.path().parent().expect("it has one");
        let slow = mount.path().join("slow.db");
        stock(&mount.behind().join("slow.db"), TABLE);
        let quick = served.join("quick.db");
        stock(&quick, TABLE);
        let owner = Owner::elsewhere(served);
        let mut waiting = [owner.known(), owner.known()];
        mount.hang(&[Operation::Data]);
        let path = slow.as_os_str().as_bytes();
        for client in &mut waiting {
            client.tell(&Request::Open { path, access: Access::Write });
        }
        assert!(mount.wait_until_one_hangs(Duration::from_secs(30)), "it is being opened");
        let mut client = owner.known();
        assert!(matches!(client.open(&quick), Some(Reply::Opened { .. })));
        assert_eq!(client.begin(TurnWish::IfFree).shape.size_pages, 2);
        // What hung ends with an error, of which SQLite may make nothing.
        mount.answer();
        for client in &mut waiting {
            let reply = client.heard();
            assert!(matches!(reply, Some(Reply::Opened { .. } | Reply::Failed(_))), "{reply:?}");
        }
        let mut client = owner.known();
        assert!(matches!(client.open(&slow), Some(Reply::Opened { .. })), "it opens after all");
    });
}

#[test]
fn what_is_no_database_is_refused_to_each_who_wants_it() {
    let owner = Owner::new(crate::harness::Serving::Directory, Default::default());
    let path = owner.directory.path().join("no.db");
    std::fs::write(&path, vec![b'x'; 8192]).expect("written");
    for _ in 0..3 {
        let reply = owner.known().open(&path);
        let Some(Reply::Failed(error)) = reply else { panic!("{reply:?}") };
        assert_eq!(error.code, ResultCode::NOTADB, "{error}");
    }
    assert_eq!(owner.session().begin(TurnWish::None).shape.size_pages, 2);
}

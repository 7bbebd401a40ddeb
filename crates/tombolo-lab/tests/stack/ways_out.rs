//! Each way out that the doctor recommends, tried there and then.

use crate::app::assert_whole;
use crate::arrangements::{database_per_kernel, one_kernel};
use crate::besides::Besides;
use crate::common::Connection as _;
use crate::container::{Container, IN_CONTAINER};
use crate::doctor::judgement;
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST, Stack};
use crate::storage::Storage;
use crate::tool::{doctor_json, each};

/// A way out: gets a database with three items working, and adds two.
type Way = fn(&Stack, &Container<'_>, &str) -> Vec<String>;

/// Ways of the same kind stand together.
const TRIED: &[(&[&str], Way)] = &[
    (&["ONE_PROCESS_WAL"], one_process),
    (&["LEAVE_WAL"], leave_wal),
    (&["OTHER_PROTOCOL"], virtiofs),
    (&["MOVE_LOCAL", "NAMED_VOLUME", "BLOCK_VOLUME", "SPLIT_DB_FROM_MEDIA"], local_disk),
    (&["ONE_KERNEL"], one_kernel),
    (&["DATABASE_PER_KERNEL"], database_per_kernel),
    (&["RUN_WHERE_FILE_LIVES"], on_the_host),
    // The last, as it takes the mount away from under the first container.
    (&["9P_CACHE_MMAP"], cache_mmap),
];

/// What has no database in the end that SQLite could judge: `server.rs`; and an owner of the host
/// with guests at its door: `../scenarios/owner.rs`.
const TRIED_ELSEWHERE: &[&str] = &["SERVER_DB", "SERVE"];

/// Where a disk of the guest is mounted.
pub(crate) const LOCAL_DISK: &str = "/srv/local";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn every_way_out_that_the_doctor_recommends_works_from_one_kernel() {
    Stack::run(Storage::Zfs, Besides::VirtiofsAndDisk, |stack| {
        stack.app_on_host("library.db", &["--add", "3"]);
        stack.mount(DEFAULT_OPTIONS);
        let container = stack.container(IN_GUEST);
        let failed = container.app("library.db", &[]);
        assert!(failed.error_text().contains("5386"), "{failed:?}");
        let report = doctor_json(&container, &format!("{IN_CONTAINER}/library.db"), 1);
        let recommended = each(&report, "remedies", "id");
        for id in &recommended {
            let tried = TRIED.iter().any(|(ids, _)| ids.contains(id));
            assert!(
                tried || TRIED_ELSEWHERE.contains(id),
                "{id} is recommended and was never tried"
            );
        }
        for (ids, way) in TRIED {
            assert!(ids.iter().any(|id| recommended.contains(id)), "{ids:?} in {recommended:?}");
            let database = format!("{}.db", ids[0].to_lowercase());
            let items = stack.app_on_host(&database, &["--add", "3"]);
            let more = way(stack, &container, &database);
            assert_eq!(more.len(), 2, "{ids:?}");
            assert_whole(&stack.judge(&database, &[items, more].concat()), 5);
        }
    });
}

/// The wal-index in the heap of the one process, by each of two ways.
fn one_process(_: &Stack, container: &Container<'_>, database: &str) -> Vec<String> {
    // With two connections at work in it.
    let by_vfs = container.working_app(database, &["--add", "1", "--vfs", "unix-excl"]);
    let first = ["--first", "PRAGMA locking_mode=EXCLUSIVE", "--one-connection"];
    let by_pragma = container.working_app(database, &[&first[..], &["--add", "1"]].concat());
    [by_vfs, by_pragma].concat()
}

/// Out of WAL mode, by the way that works.
fn leave_wal(_: &Stack, container: &Container<'_>, database: &str) -> Vec<String> {
    let mut connection = container.session(database, None);
    assert_eq!(connection.run("PRAGMA locking_mode=EXCLUSIVE").value(), Some("exclusive"));
    assert_eq!(connection.run("PRAGMA journal_mode=DELETE").value(), Some("delete"));
    drop(connection);
    // As the user starts it always.
    container.working_app(database, &["--add", "2"])
}

fn virtiofs(stack: &Stack, _: &Container<'_>, database: &str) -> Vec<String> {
    let place = "/srv/virtiofs";
    stack.shell(&format!("mkdir {place}; mount -t virtiofs media-virtiofs {place}"));
    works_in_wal_mode(stack, place, database, 1)
}

/// The database on a disk of the guest. Copied back in the end, for the judge.
fn local_disk(stack: &Stack, _: &Container<'_>, database: &str) -> Vec<String> {
    let place = LOCAL_DISK;
    stack.shell(&format!(
        "modprobe -a virtio_blk ext4; mkdir {place}; mount /dev/vda {place}; \
         cp -p {IN_GUEST}/{database}* {place}/"
    ));
    let items = works_in_wal_mode(stack, place, database, 0);
    stack.shell(&format!("rm {IN_GUEST}/{database}*; cp -p {place}/{database}* {IN_GUEST}/"));
    items
}

fn on_the_host(stack: &Stack, _: &Container<'_>, database: &str) -> Vec<String> {
    stack.app_on_host(database, &["--add", "2"])
}

fn cache_mmap(stack: &Stack, container: &Container<'_>, database: &str) -> Vec<String> {
    container.delete();
    stack.unmount();
    stack.mount(&format!("{DEFAULT_OPTIONS},cache=mmap"));
    works_in_wal_mode(stack, IN_GUEST, database, 1)
}

/// The app as it is, in a container on another mount; another program reads beside it, and the
/// doctor agrees. It has findings where another kernel can come in.
fn works_in_wal_mode(stack: &Stack, place: &str, database: &str, findings: i32) -> Vec<String> {
    let container = stack.container(place);
    let mut reader = container.session(database, None);
    assert_eq!(reader.run("PRAGMA journal_mode").value(), Some("wal"));
    let items = container.working_app(database, &["--add", "2"]);
    assert_eq!(reader.run("SELECT count(*) FROM Items").value(), Some("5"));
    let report = doctor_json(&container, &format!("{IN_CONTAINER}/{database}"), findings);
    assert_eq!(judgement(&report, "wal", "one_kernel"), "safe");
    if findings == 1 {
        assert_eq!(judgement(&report, "wal", "several_kernels"), "unsafe");
    }
    drop(reader);
    container.delete();
    items
}

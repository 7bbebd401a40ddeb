//! What users see, and why.

use crate::app::assert_whole;
use crate::besides::Besides;
use crate::common::Connection as _;
use crate::container::Container;
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST, Stack};
use crate::storage::Storage;
use tombolo_lab::Answer;

const FAILED: &str = "SQLITE_IOERR_SHMMAP";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn the_app_fails_in_the_container_and_works_on_the_host() {
    Stack::run(Storage::Zfs, Besides::Nothing, fails_in_the_container_and_works_on_the_host);
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn zfs_is_not_to_blame() {
    Stack::run(Storage::Ext4, Besides::Nothing, fails_in_the_container_and_works_on_the_host);
}

fn fails_in_the_container_and_works_on_the_host(stack: &Stack) {
    let items = stack.app_on_host("library.db", &["--add", "3"]);
    assert_eq!(items.len(), 3);
    let mounted = stack.mount(DEFAULT_OPTIONS);
    assert!(mounted.starts_with("media ") && !mounted.contains("cache="), "{mounted}");
    let container = stack.container(IN_GUEST);
    assert_layers(stack, &container);

    let failed = container.app("library.db", &["--add", "1"]);
    assert!(!failed.success() && failed.text().is_empty(), "{failed:?}");
    let log = failed.error_text();
    assert!(log.contains("SQLite error 5386 (SQLITE_IOERR_SHMMAP)"), "{log}");
    assert!(log.ends_with("sqlite3.OperationalError: disk I/O error"), "{log}");

    let trace = container.traced_app("library.db");
    let calls: Vec<&str> = trace.lines().filter(|line| line.contains("-shm")).collect();
    let refused = |call: &&str| call.contains("MAP_SHARED") && call.contains("EINVAL");
    assert!(calls.iter().any(refused), "{trace}");
    // It has cut the file before it tried to map it: what makes a failed open harmful.
    assert!(calls.iter().any(|call| call.contains("-shm>, 3)")), "{trace}");

    // The advice that is usually given fails alike.
    let mut connection = container.session("library.db", None);
    for statement in ["PRAGMA journal_mode=DELETE", "SELECT count(*) FROM Items"] {
        let answer = connection.run(statement);
        let Answer::Failed { name, text } = &answer else { panic!("{answer:?}") };
        assert_eq!((name.as_str(), text.as_str()), (FAILED, "disk I/O error"));
    }
    // On a fresh database WAL mode is reported, and fails with the first access after that.
    let mut connection = container.session("fresh.db", None);
    assert_eq!(connection.run("CREATE TABLE t(x)").outcome(), "ok");
    assert_eq!(connection.run("PRAGMA journal_mode=WAL").value(), Some("wal"));
    assert_eq!(connection.run("INSERT INTO t VALUES(1)").outcome(), FAILED);

    // Nothing of it is the database's fault.
    assert_whole(&stack.judge("library.db", &items), 3);
    let more = stack.app_on_host("library.db", &["--add", "1"]);
    assert_whole(&stack.judge("library.db", &[items, more].concat()), 4);
}

/// Three worlds: the host, a kernel of its own, and namespaces of their own.
fn assert_layers(stack: &Stack, container: &Container<'_>) {
    let boot_id = "/proc/sys/kernel/random/boot_id";
    let of_host = std::fs::read_to_string(boot_id).expect("readable");
    let of_guest = stack.shell(&format!("cat {boot_id}"));
    let kinds = "pid net ipc uts mnt";
    let names = format!("for kind in {kinds}; do readlink /proc/self/ns/$kind; done");
    let inside = container.exec(&["sh", "-c", &format!("cat {boot_id}; {names}")]).text();
    let mut inside = inside.lines();
    assert_ne!(of_host.trim(), of_guest);
    assert_eq!(inside.next(), Some(of_guest.as_str()));
    let outside = stack.shell(&names);
    let (inside, outside): (Vec<_>, Vec<_>) = (inside.collect(), outside.lines().collect());
    assert_eq!((inside.len(), outside.len()), (5, 5));
    assert!(inside.iter().all(|name| !outside.contains(name)), "{inside:?} {outside:?}");
}

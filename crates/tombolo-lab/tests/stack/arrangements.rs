//! Ways out that leave the share as it is: who opens what, and under which kernel.

use crate::app::assert_whole;
use crate::besides::Besides;
use crate::common::{Connection as _, PATIENCE};
use crate::container::{Container, IN_CONTAINER};
use crate::dangers::{assert_lost_in_silence, database, host, verdict};
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST, Stack};
use crate::storage::Storage;
use crate::ways_out::LOCAL_DISK;

/// Two containers of the guest on a disk of the guest, at once.
pub(crate) fn one_kernel(stack: &Stack, _: &Container<'_>, database: &str) -> Vec<String> {
    let place = format!("{LOCAL_DISK}/one-kernel");
    stack.shell(&format!("mkdir {place}; cp -p {IN_GUEST}/{database}* {place}/"));
    let [one, two] = ["one", "two"].map(|name| stack.named_container(name, &place));
    assert_second_waits(&one, &two, database);
    let path = format!("{IN_CONTAINER}/{database}");
    let other = two.start_app(&path, &["--add", "1", "--folder", "Series"]);
    let items = one.working_app(database, &["--add", "1"]);
    let output = other.wait(PATIENCE).and_then(tombolo_lab::Output::require_success);
    let more = crate::app::added(&output.expect("it works").text());
    one.delete();
    two.delete();
    stack.shell(&format!("rm {IN_GUEST}/{database}*; cp -p {place}/{database}* {IN_GUEST}/"));
    [items, more].concat()
}

/// What one of them has locked, the other cannot lock.
fn assert_second_waits(one: &Container<'_>, two: &Container<'_>, database: &str) {
    let [mut one, mut two] = [one, two].map(|container| container.session(database, None));
    assert_eq!(one.run("BEGIN IMMEDIATE").outcome(), "ok");
    assert_eq!(two.run("BEGIN IMMEDIATE").outcome(), "SQLITE_BUSY");
    assert_eq!(one.run("ROLLBACK").outcome(), "ok");
    assert_eq!(two.run("BEGIN IMMEDIATE").outcome(), "ok");
}

/// The old database is the host's. The guest has one of its own in a directory of its own.
pub(crate) fn database_per_kernel(
    stack: &Stack,
    container: &Container<'_>,
    database: &str,
) -> Vec<String> {
    let own = "by-host/guest";
    stack.shell(&format!(
        "mkdir -p {IN_GUEST}/{own}; cp -p {IN_GUEST}/{database}* {IN_GUEST}/{own}/"
    ));
    let of_guest = format!("{own}/{database}");
    let path = format!("{IN_CONTAINER}/{of_guest}");
    let arguments = ["--add", "2", "--vfs", "unix-excl", "--folder", "Series"];
    let other = container.start_app(&path, &arguments);
    let items = stack.app_on_host(database, &["--add", "2"]);
    let output = other.wait(PATIENCE).and_then(tombolo_lab::Output::require_success);
    let of_others = crate::app::added(&output.expect("it works").text());
    // What it does not do: each has what it had before and its own, and nothing of the other.
    let before: Vec<String> = (0..3).map(|number| format!("Films/{number:05}.mkv")).collect();
    assert_whole(&stack.judge(&of_guest, &[before, of_others.clone()].concat()), 5);
    assert!(of_others.iter().all(|item| !items.contains(item)), "{items:?}");
    items
}

/// "One kernel" is a promise for every moment: here a program is started elsewhere before the old
/// one has ended, as a fail-over does.
#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_program_that_moves_to_another_kernel_before_the_old_one_ends_loses_what_that_was_promised() {
    Stack::run(Storage::Zfs, Besides::Nothing, |stack| {
        stack.mount(DEFAULT_OPTIONS);
        let path = database(stack, "moved.db", "delete");
        let [one, two] = ["one", "two"].map(|name| stack.named_container(name, IN_GUEST));
        // Within one kernel this share is good for it.
        assert_second_waits(&one, &two, "moved.db");
        let (mut old, mut new) = (one.session("moved.db", None), host(&path));
        let insert = "INSERT INTO entry(client, number) VALUES('unfinished', 0)";
        assert_eq!(old.run_all(&["BEGIN EXCLUSIVE", insert]), "ok");
        assert_eq!(new.run("BEGIN EXCLUSIVE").outcome(), "ok");
        assert_eq!(new.increment("host", 0), "ok");
        assert_eq!(old.run("COMMIT").outcome(), "SQLITE_IOERR_DELETE_NOENT");
        assert_lost_in_silence(&verdict(&path, &["host 0"]), "host 0");
    });
}

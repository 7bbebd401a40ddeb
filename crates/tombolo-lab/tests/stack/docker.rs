//! The stack with Docker, which is what most people have in it.

use crate::app::{assert_whole, judge_app};
use crate::besides::Besides;
use crate::common::Connection as _;
use crate::container::{Container, IN_CONTAINER};
use crate::docker_engine::Docker;
use crate::doctor::{assert_cause, judgement};
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST, Stack};
use crate::storage::Storage;
use crate::tool::{doctor_json, doctor_of_container};

const REQUIRED: &[&str] = &["dockerd", "/usr/bin/docker"];

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn in_a_container_of_docker_it_fails_alike_and_the_ways_out_work() {
    Stack::run_with(REQUIRED, Storage::Zfs, Besides::VirtiofsAndDisk, |stack| {
        let items = stack.app_on_host("library.db", &["--add", "3"]);
        stack.mount(DEFAULT_OPTIONS);
        let docker = Docker::start(stack);
        let container = docker.container("media", IN_GUEST);

        let failed = container.app("library.db", &["--add", "1"]);
        assert!(failed.error_text().contains("5386 (SQLITE_IOERR_SHMMAP)"), "{failed:?}");
        let mut connection = container.session("library.db", None);
        let left = connection.run("PRAGMA journal_mode=DELETE");
        assert_eq!(left.outcome(), "SQLITE_IOERR_SHMMAP");
        drop(connection);

        says_the_same_inside_and_by_name(stack, &container);

        // The bind mount stays, one process has the wal-index in its heap.
        let more = container.working_app("library.db", &["--add", "2", "--vfs", "unix-excl"]);
        assert_whole(&stack.judge("library.db", &[items, more].concat()), 5);
        on_a_named_volume(stack, &docker);
    });
}

/// The doctor in the container, and in the guest with nothing but the container's name.
fn says_the_same_inside_and_by_name(stack: &Stack, container: &Container<'_>) {
    let path = format!("{IN_CONTAINER}/library.db");
    let inside = doctor_json(container, &path, 1);
    assert_cause(&inside);
    assert_eq!(inside["topology"]["container"]["runtime"], "docker", "{}", inside["topology"]);
    let by_name = doctor_of_container(&stack.guest, "media", &path);
    assert_cause(&by_name);
    let seen_by = &by_name["target"]["seen_by"];
    assert_eq!(seen_by["pid"].to_string(), container.pid, "{seen_by}");
    assert_eq!(seen_by["container"]["runtime"], "docker", "{seen_by}");
    assert_eq!(seen_by["container"]["name"], "media", "{seen_by}");
}

/// Docker keeps it on the guest's own file system: everything works, and the host has no part in
/// it, be it for better or worse.
fn on_a_named_volume(stack: &Stack, docker: &Docker<'_>) {
    let container = docker.container("media-local", "media-data");
    let items = container.working_app("library.db", &["--add", "3"]);
    let mut reader = container.session("library.db", None);
    assert_eq!(reader.run("PRAGMA journal_mode").value(), Some("wal"));
    let report = doctor_json(&container, &format!("{IN_CONTAINER}/library.db"), 0);
    assert_eq!(judgement(&report, "wal", "one_kernel"), "safe");
    let volume = "/var/lib/docker/volumes/media-data/_data/library.db";
    let copy = tempfile::tempdir().expect("a directory");
    stack.shell(&format!("sqlite3 {volume} '.backup /tmp/library.db'"));
    let content = stack.guest.get("/tmp/library.db").expect("there");
    let path = copy.path().join("library.db");
    std::fs::write(&path, content).expect("written");
    assert_whole(&judge_app(&path, &items), 3);
    // What is on the share is another database now.
    assert_eq!(reader.run("SELECT count(*) FROM Items").value(), Some("3"));
}

//! The file systems of the kernel.

use super::witness::xfs_io;
use std::path::Path;
use tombolo_lab::{Disk, Mounted, Namespace, sqlite};

fn type_of(path: &Path) -> String {
    let table = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("readable");
    let name = path.to_str().expect("UTF-8");
    let line = table.lines().find(|line| line.split(' ').nth(4) == Some(name)).expect("mounted");
    let (_, after) = line.split_once(" - ").expect("a separator");
    after.split(' ').next().expect("a type").to_owned()
}

#[test]
fn disks_are_what_they_are_called_and_take_their_loop_device_along() {
    for (disk, name) in [(Disk::Ext4, "ext4"), (Disk::Xfs, "xfs"), (Disk::Btrfs, "btrfs")] {
        Namespace::run(|namespace| {
            let mounted = Mounted::disk(namespace, disk).expect("the test's disk");
            assert_eq!(type_of(mounted.path()), name);
            let said = sqlite(
                &mounted.path().join("app.db"),
                "PRAGMA journal_mode=WAL; CREATE TABLE t(x); PRAGMA integrity_check;",
            );
            assert_eq!(said, "wal\nok\n", "{name}");
        });
    }
}

#[test]
fn memory_and_overlay_can_be_written() {
    Namespace::run(|namespace| {
        let memory = Mounted::memory(namespace).expect("the test's mount");
        assert_eq!(type_of(memory.path()), "tmpfs");
        let lower = namespace.directory("lower").expect("a directory");
        std::fs::write(lower.join("f"), "lower").expect("written");
        let overlay = Mounted::overlay(namespace, &lower).expect("the test's mount");
        assert_eq!(type_of(overlay.path()), "overlay");
        std::fs::write(overlay.path().join("f"), "upper").expect("written");
        assert_eq!(std::fs::read(lower.join("f")).expect("read"), b"lower");
    });
}

#[test]
fn a_read_only_mount_and_a_full_one_say_so() {
    Namespace::run(|namespace| {
        let directory = namespace.directory("behind").expect("a directory");
        let read_only = Mounted::read_only(namespace, &directory).expect("the test's mount");
        let error = std::fs::create_dir(read_only.path().join("d")).expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(nix::libc::EROFS));
        let full = Mounted::full(namespace, |path| {
            std::fs::write(path.join("f"), "before").expect("written");
        });
        let full = full.expect("the test's mount");
        assert_eq!(std::fs::read(full.path().join("f")).expect("read"), b"before");
        let said = xfs_io(&full.path().join("f"), &["pwrite 1m 4k"]);
        assert!(said.contains("No space left on device"), "{said}");
    });
}

#[test]
fn a_file_and_a_directory_can_be_shown_at_a_second_place() {
    Namespace::run(|namespace| {
        let directory = namespace.directory("source").expect("a directory");
        std::fs::write(directory.join("f"), "x").expect("written");
        let file = Mounted::file(namespace, &directory.join("f")).expect("the test's mount");
        assert_eq!(std::fs::read(file.path()).expect("read"), b"x");
        assert_eq!(type_of(file.path()), "tmpfs");
        let bind = Mounted::bind(namespace, &directory).expect("the test's mount");
        std::fs::write(bind.path().join("f"), "y").expect("written");
        assert_eq!(std::fs::read(file.path()).expect("read"), b"y");
    });
}

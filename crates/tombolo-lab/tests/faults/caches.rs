//! What one mount believes while the other changes it. Where a mount keeps something, it keeps it
//! for a day, so that no test depends on how long it takes.

use super::open;
use super::witness::lock;
use nix::libc::{ENOENT, F_RDLCK, F_UNLCK};
use rustix::io::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tombolo_lab::{Faults, Gone, Kept, Locks, Maps, Namespace, Pages, TwoMounts};

/// Runs `test` in the directory as the two mounts see it.
fn with(faults: Faults, test: impl FnOnce(&Path, &Path) + Send) {
    Namespace::run(|namespace| {
        let mounts = TwoMounts::new(namespace, faults).expect("the test's mounts");
        test(mounts.first().path(), mounts.second().path());
    });
}

fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|status| status.len())
}

#[test]
fn sizes_and_names_are_kept_by_the_mount_that_did_not_change_them() {
    for (attributes, seen) in [(Kept::Never, (8, None)), (Kept::ForADay, (4, Some(4)))] {
        with(Faults { attributes, ..Faults::default() }, |first, second| {
            let [ours, theirs] = [first, second].map(|root| root.join("f"));
            std::fs::write(&ours, "four").expect("written");
            assert_eq!(size(&theirs), Some(4));
            let reader = File::open(&theirs).expect("opened");
            open(&ours).write_all_at(b"four", 4).expect("written");
            assert_eq!(size(&ours), Some(8));
            assert_eq!(reader.metadata().expect("stat").len(), seen.0, "{attributes:?}");
            std::fs::remove_file(&ours).expect("removed");
            assert_eq!(size(&ours), None);
            assert_eq!(size(&theirs), seen.1, "{attributes:?}");
        });
    }
}

const SOON: Duration = Duration::from_secs(10);

#[test]
fn the_server_forgets_what_the_kernel_forgets_and_nothing_else() {
    Namespace::run(|namespace| {
        let faults = Faults { attributes: Kept::ForADay, ..Faults::default() };
        let mounts = TwoMounts::new(namespace, faults).expect("the test's mounts");
        let [first, second] = [mounts.first(), mounts.second()];
        let name = |root: &Path, number: u32| root.join(format!("f{number}"));
        for number in 0..50 {
            std::fs::write(name(first.path(), number), "four").expect("written");
            // Looked up twice: remembered until both are forgotten.
            std::fs::hard_link(name(first.path(), number), name(first.path(), number + 100))
                .expect("linked");
            assert_eq!(size(&name(second.path(), number)), Some(4));
        }
        assert_eq!([first.inodes(), second.inodes()], [51, 51], "and the root");
        let kept = File::open(name(first.path(), 0)).expect("opened");
        (0..50).for_each(|number| {
            std::fs::remove_file(name(first.path(), number)).expect("removed");
        });
        assert!(!first.remembers_few(50, Duration::from_millis(100)), "each has another name");
        (100..150).for_each(|number| {
            std::fs::remove_file(name(first.path(), number)).expect("removed");
        });
        assert!(first.remembers_few(2, SOON), "{} are remembered", first.inodes());
        assert_eq!(kept.metadata().expect("stat").len(), 4, "an open file is not forgotten");
        drop(kept);
        assert!(first.remembers_few(1, SOON), "{} are remembered", first.inodes());
        assert_eq!([first.inodes_peak(), second.inodes_peak()], [51, 51]);
        assert_eq!(second.inodes(), 51, "it has not been told");
    });
}

#[test]
fn a_mount_learns_a_size_by_a_change_of_its_own() {
    with(Faults { attributes: Kept::ForADay, ..Faults::default() }, |first, second| {
        std::fs::write(first.join("f"), "four").expect("written");
        assert_eq!(size(&second.join("f")), Some(4));
        open(&first.join("f")).write_all_at(b"four", 4).expect("written");
        open(&second.join("f")).write_all_at(b"F", 0).expect("written");
        assert_eq!(size(&second.join("f")), Some(8));
    });
}

#[test]
fn a_name_that_was_missing_stays_missing() {
    for (missing_names, seen) in [(Kept::Never, Some(1)), (Kept::ForADay, None)] {
        with(Faults { missing_names, ..Faults::default() }, |first, second| {
            assert_eq!(size(&second.join("f")), None);
            std::fs::write(first.join("f"), "x").expect("written");
            assert_eq!(size(&second.join("f")), seen, "{missing_names:?}");
        });
    }
}

/// What the second mount reads after the first has changed three bytes: through the file that it
/// had open before, through one that it opens then, and after a lock.
fn reads(faults: Faults, writable: bool) -> [String; 3] {
    let mut said = Default::default();
    with(faults, |first, second| {
        let [ours, theirs] = [first, second].map(|root| root.join("f"));
        std::fs::write(&ours, "old").expect("written");
        let open_theirs = || File::options().read(true).write(writable).open(&theirs);
        let held = open_theirs().expect("opened");
        let read = |file: &File| {
            let mut bytes = [0; 3];
            file.read_exact_at(&mut bytes, 0).expect("read");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        assert_eq!(read(&held), "old");
        let writer = open(&ours);
        writer.write_all_at(b"new", 0).expect("written");
        // Clocks of file systems are coarse; what is meant here is a time that differs.
        let later = SystemTime::now() + Duration::from_secs(10);
        writer.set_modified(later).expect("utimens");
        let through_held = read(&held);
        let through_fresh = read(&open_theirs().expect("opened"));
        lock(&held, F_RDLCK, 0).expect("locked");
        let after_lock = read(&held);
        lock(&held, F_UNLCK, 0).expect("unlocked");
        said = [through_held, through_fresh, after_lock];
    });
    said
}

#[test]
fn pages_are_kept_for_as_long_as_was_asked_for() {
    let kept = |pages| Faults {
        pages,
        locks: Locks::Server,
        attributes: Kept::ForADay,
        ..Faults::default()
    };
    let now = |pages| Faults { attributes: Kept::Never, ..kept(pages) };
    let direct = Faults { maps: Maps::Refused, ..kept(Pages::Kept) };
    for (faults, writable, expected) in [
        (direct, true, ["new", "new", "new"]),
        (kept(Pages::UntilOpened), true, ["old", "new", "new"]),
        (kept(Pages::UntilChanged), true, ["old", "new", "new"]),
        (now(Pages::UntilChanged), true, ["new", "new", "new"]),
        (now(Pages::UntilOpened), true, ["old", "new", "new"]),
        (kept(Pages::Kept), true, ["old", "old", "old"]),
        (now(Pages::Kept), true, ["old", "old", "old"]),
        (kept(Pages::UntilLocked), false, ["old", "new", "new"]),
        (kept(Pages::UntilLocked), true, ["old", "old", "new"]),
    ] {
        assert_eq!(reads(faults, writable), expected, "{writable} {faults:?}");
    }
}

#[test]
fn a_name_that_is_remembered_and_gone_is_opened_or_not() {
    let by_path = Gone::Refused(Errno::NOENT);
    let by_number = Gone::Refused(Errno::STALE);
    for (gone, error, still_named) in [
        (Gone::Opened, None, true),
        (by_path, Some(ENOENT), true),
        (by_number, Some(ENOENT), false),
    ] {
        with(Faults { gone, attributes: Kept::ForADay, ..Faults::default() }, |first, second| {
            std::fs::write(first.join("f"), "x").expect("written");
            assert_eq!(size(&second.join("f")), Some(1));
            std::fs::remove_file(first.join("f")).expect("removed");
            let opened = File::open(second.join("f"));
            assert_eq!(opened.err().and_then(|e| e.raw_os_error()), error, "{gone:?}");
            assert_eq!(size(&second.join("f")).is_some(), still_named, "{gone:?}");
        });
    }
}

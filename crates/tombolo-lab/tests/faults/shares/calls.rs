//! What one mount sees of what the other does, call by call.

use super::Rig;
use crate::open;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};
use tombolo_lab::Share;

use Share::{
    NinePLoose, NinePMmap, NinePNone, SmbStrict, VirtiofsAlways, VirtiofsAuto, VirtiofsNever,
};

/// When a change is seen through a file that was open before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    AtOnce,
    /// When caches have had their time. That it takes some is not looked at.
    InTime,
    /// Not for a day.
    Late,
}

use Seen::{AtOnce, InTime, Late};

#[track_caller]
fn assert_seen(expected: Seen, share: Share, sees: impl Fn() -> bool) {
    let start = Instant::now();
    match expected {
        AtOnce => assert!(sees(), "{}", share.name()),
        Late => assert!(!sees(), "{}", share.name()),
        InTime => {
            while !sees() {
                assert!(start.elapsed() < Duration::from_secs(60), "{}", share.name());
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn contents_and_sizes_are_seen_as_on_the_real_share() {
    for (share, contents, size) in [
        (NinePNone, AtOnce, AtOnce),
        (NinePMmap, AtOnce, AtOnce),
        (NinePLoose, Late, Late),
        (VirtiofsNever, AtOnce, AtOnce),
        (VirtiofsAuto, InTime, InTime),
        (VirtiofsAlways, Late, Late),
        (SmbStrict, AtOnce, InTime),
    ] {
        Rig::with(share, "delete", |rig| {
            let [ours, theirs] = rig.both("file");
            std::fs::write(&ours, [b'A'; 8192]).expect("written");
            let writer = open(&ours);
            let reader = open(&theirs);
            let first_byte = || {
                let mut byte = [0];
                reader.read_exact_at(&mut byte, 0).expect("read");
                byte[0]
            };
            assert_eq!(first_byte(), b'A');
            assert_eq!(reader.metadata().expect("stat").len(), 8192);
            // Clocks of file systems are coarse; what is meant is a time that differs.
            let later = std::time::SystemTime::now() + Duration::from_secs(10);
            writer.write_all_at(b"B", 0).expect("written");
            writer.set_modified(later).expect("utimens");
            writer.sync_all().expect("synced");
            assert_seen(contents, share, || first_byte() == b'B');
            writer.write_all_at(b"B", 8192).expect("written");
            writer.sync_all().expect("synced");
            assert_seen(size, share, || reader.metadata().expect("stat").len() == 8193);
        });
    }
}

#[test]
fn a_file_is_made_once_and_an_old_holder_writes_to_the_old_file() {
    for &share in Share::ALL {
        Rig::with(share, "delete", |rig| {
            let name = share.name();
            let [ours, theirs] = rig.both("file");
            let make = |path| File::options().write(true).create_new(true).open(path);
            assert!(!theirs.exists());
            make(&ours).expect("made").write_all_at(b"old", 0).expect("written");
            make(&theirs).expect_err(name);
            let holder = File::options().write(true).open(&theirs).expect(name);
            std::fs::write(ours.with_extension("new"), "new").expect("written");
            std::fs::rename(ours.with_extension("new"), &ours).expect("renamed");
            holder.write_all_at(b"OLD", 0).expect(name);
            holder.sync_all().expect(name);
            assert_eq!(std::fs::read(rig.mounts.behind().join("file")).expect("read"), b"new");
        });
    }
}

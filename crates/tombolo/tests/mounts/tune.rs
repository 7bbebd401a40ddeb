//! `tombolo fix PATH mount --tune` where there is nothing to try, and what it says then.

use std::path::Path;
use std::process::Command;
use tombolo_lab::{Disk, Faults, FaultyMount, Mounted, Namespace};

fn tune(path: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("fix").arg(path).args(["mount", "--tune"]).args(arguments);
    let output = command.output().expect("it runs");
    let both = [&*output.stdout, &*output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&both).into_owned())
}

#[test]
fn a_file_system_without_such_options_says_so() {
    Namespace::run(|namespace| {
        let disk = Mounted::disk(namespace, Disk::Ext4).expect("the test's disk");
        let fuse = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        for (directory, words) in [
            (disk.path(), "it is a local file system"),
            (fuse.path(), "when its server is started"),
        ] {
            let (exit, said) = tune(&directory.join("app.db"), &[]);
            assert!(said.contains(words), "{said}");
            assert_eq!(exit, Some(1), "{said}");
        }
        let file = disk.path().join("credentials");
        std::fs::write(&file, "password=a\nhunter2").expect("written");
        let file = file.to_str().expect("UTF-8");
        let (exit, said) = tune(&disk.path().join("app.db"), &["--credentials", file]);
        assert!(said.contains("line 2") && !said.contains("hunter2"), "{said}");
        assert_eq!(exit, Some(2), "{said}");
        let (exit, said) = tune(&disk.path().join("app.db"), &["--credentials", "/dev/null"]);
        assert_eq!(exit, Some(2), "{said}");
        let (exit, said) = tune(&disk.path().join("app.db"), &["--apply"]);
        assert!(said.contains("no file that this would change"), "{said}");
        assert_eq!(exit, Some(3), "{said}");
        let (exit, said) = tune(&disk.path().join("app.db"), &["--set", "cache=mmap"]);
        assert_eq!(exit, Some(3), "{said}");
    });
}

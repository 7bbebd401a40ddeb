use super::*;
use crate::testing::Namespace;
use std::os::unix::fs::PermissionsExt;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn names_in(parent: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(parent).expect("readable").filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A name of this kernel whose maker is in no namespace that exists.
fn left_name() -> String {
    let name = Maker::here().fresh_name();
    let fields: Vec<&str> = name.strip_prefix(PREFIX).expect("ours").split('-').collect();
    format!("{PREFIX}{}-7-1-1-0", fields[0])
}

fn sweep_now(parent: &Path) -> usize {
    sweep(parent, &Maker::here(), rustix::process::geteuid().as_raw(), &|| true)
}

#[test]
fn it_is_removed_with_its_files_and_a_live_one_is_never_swept() {
    let parent = tempfile::tempdir().expect("a directory");
    let scratch = Scratch::new(parent.path(), Viewer::Own, soon()).expect("a scratch directory");
    create(&scratch.path().join("probe.file")).expect("a file");
    assert_eq!(sweep_now(parent.path()), 0);
    assert!(scratch.path().join("probe.file").exists());
    assert_eq!(scratch.remove(soon()), Removal::Gone);
    assert!(names_in(parent.path()).is_empty());
    let scratch = Scratch::new(parent.path(), Viewer::Own, soon()).expect("a scratch directory");
    create(&scratch.path().join("probe.file")).expect("a file");
    drop(scratch);
    assert!(names_in(parent.path()).is_empty());
}

#[test]
fn what_a_killed_run_left_is_swept_and_what_another_kernel_made_today_is_not() {
    let parent = tempfile::tempdir().expect("a directory");
    let left = parent.path().join(left_name());
    let foreign = parent.path().join(format!("{PREFIX}gggggggg-7-1-1-0"));
    for path in [&left, &foreign] {
        std::fs::create_dir(path).expect("created");
        std::fs::write(path.join("session.x.db"), b"x").expect("written");
    }
    let scratch = Scratch::new(parent.path(), Viewer::Own, soon()).expect("a scratch directory");
    assert!(!left.exists() && foreign.exists() && scratch.path().exists());
}

#[test]
fn links_are_not_followed_and_directories_are_left_alone() {
    let parent = tempfile::tempdir().expect("a directory");
    let precious = parent.path().join("precious");
    std::fs::write(&precious, b"data").expect("written");
    let left = parent.path().join(left_name());
    std::fs::create_dir_all(left.join("below")).expect("created");
    std::os::unix::fs::symlink(&precious, left.join("probe.link")).expect("linked");
    assert_eq!(sweep_now(parent.path()), 0);
    assert!(precious.exists() && left.join("below").exists());
}

#[test]
fn a_directory_that_took_the_name_of_ours_keeps_its_files() {
    let parent = tempfile::tempdir().expect("a directory");
    let precious = parent.path().join(left_name());
    std::fs::create_dir(&precious).expect("created");
    for name in ["app.db", "app.db-wal", "probe.file"] {
        std::fs::write(precious.join(name), b"data").expect("written");
    }
    assert_eq!(sweep_now(parent.path()), 0);
    let mut left = names_in(&precious);
    left.sort();
    assert_eq!(left, ["app.db", "app.db-wal"]);
}

#[test]
fn another_directory_or_a_link_at_its_name_is_not_entered() {
    let parent = tempfile::tempdir().expect("a directory");
    let scratch = Scratch::new(parent.path(), Viewer::Own, soon()).expect("a scratch directory");
    let (name, away) = (scratch.path(), parent.path().join("away"));
    std::fs::rename(name, &away).expect("renamed");
    std::os::unix::fs::symlink(&away, name).expect("linked");
    let refused = scratch.place().enter().expect_err("a link");
    assert_eq!(refused.errno, Errno::ENOTDIR);
    std::fs::remove_file(name).expect("removed");
    std::fs::create_dir(name).expect("created");
    let refused = scratch.place().enter().expect_err("another directory");
    assert_eq!(refused.errno, Errno::EEXIST);
}

#[test]
fn a_directory_of_another_user_is_not_taken_for_ours_root_needed() {
    let parent = tempfile::tempdir().expect("a directory");
    let set_mode = |mode| {
        std::fs::set_permissions(parent.path(), PermissionsExt::from_mode(mode)).expect("chmod");
    };
    let held = open_directory(parent.path()).expect("opened");
    set_mode(0o700);
    let ours = || is_ours(&held, &rustix::fs::fstat(&held).expect("its status"));
    assert!(ours());
    std::os::unix::fs::chown(parent.path(), Some(12_345), None).expect("this test needs root");
    assert!(!ours());
    std::os::unix::fs::chown(parent.path(), Some(0), None).expect("chown");
    set_mode(0o777);
    assert!(!ours());
    assert!(names_in(parent.path()).is_empty());
}

#[test]
fn a_refusal_keeps_its_errno() {
    let error = Scratch::new(Path::new("/nonexistent/tombolo"), Viewer::Own, soon());
    let Err(Error::Refused { text, errno }) = error else { panic!("{error:?}") };
    assert_eq!(errno, Errno::ENOENT);
    assert!(text.starts_with("mkdir(/nonexistent/tombolo/"), "{text}");
    let error = Scratch::new(Path::new("/"), Viewer::Process(i32::MAX), soon());
    assert!(matches!(error, Err(Error::Refused { errno: Errno::ENOENT, .. })), "{error:?}");
}

#[test]
fn it_is_made_where_another_process_sees_the_path_root_needed() {
    let parent = tempfile::tempdir().expect("a directory");
    let path = parent.path().to_str().expect("UTF-8");
    let namespace = Namespace::with(&format!("mount -t tmpfs t {path}"));
    let viewer = Viewer::Process(namespace.pid());
    let scratch = Scratch::new(parent.path(), viewer, soon()).expect("a scratch directory");
    assert!(names_in(parent.path()).is_empty(), "it must not be made out here");
    let inside = namespace.seen_from_outside(path);
    assert_eq!(names_in(&inside).len(), 1);
    // What a killed run left in there is found by the clock and the locks of this kernel.
    let left = inside.join(left_name());
    std::fs::create_dir(&left).expect("created");
    assert_eq!(scratch.remove(soon()), Removal::Gone);
    drop(Scratch::new(parent.path(), viewer, soon()).expect("a scratch directory"));
    assert!(names_in(&inside).is_empty());
}

const CODE: &str = "k3v9x0q27d";

#[test]
fn a_meeting_is_found_by_its_code_alone_and_removed_by_who_made_it() {
    let parent = tempfile::tempdir().expect("a directory");
    let meeting = Scratch::meeting(parent.path(), Viewer::Own, CODE, soon()).expect("a directory");
    assert!(is_scratch_name(meeting.path().file_name().expect("a name").as_encoded_bytes()));
    let found = find_meeting(parent.path(), CODE, soon()).expect("found");
    assert_eq!(&found, meeting.place());
    let name = meeting.path().file_name().expect("a name").to_str().expect("text");
    assert_eq!(find_named_meeting(parent.path(), name, CODE, soon()).expect("found"), found);
    let now = Instant::now();
    let wrong = find_meeting(parent.path(), "0000000000", now).expect_err("another code");
    assert_eq!(wrong.errno(), Errno::ENOENT);
    for name in ["..", "x", &format!("{MEETING_PREFIX}../../x-{CODE}"), &name[..name.len() - 1]] {
        let wrong =
            find_named_meeting(parent.path(), name, CODE, now).expect_err("no name of ours");
        assert_eq!(wrong.errno(), Errno::EINVAL, "{name}");
    }
    let absent = format!("{MEETING_PREFIX}0-{CODE}");
    let wrong = find_named_meeting(parent.path(), &absent, CODE, now).expect_err("not there");
    assert_eq!(wrong.errno(), Errno::ENOENT);
    std::fs::create_dir(meeting.path().join("probe.7")).expect("made");
    create(&meeting.path().join("probe.7/probe.8")).expect("made");
    create(&meeting.path().join("peer.1.2.3.0.0.0.1.00")).expect("made");
    assert_eq!(sweep_now(parent.path()), 0, "it is alive");
    assert_eq!(meeting.remove(soon()), Removal::Gone);
    assert!(names_in(parent.path()).is_empty());
}

#[test]
fn a_meeting_of_a_killed_run_is_swept_and_one_of_another_kernel_only_when_it_is_old() {
    let parent = tempfile::tempdir().expect("a directory");
    let left = left_name().replacen(PREFIX, MEETING_PREFIX, 1);
    std::fs::create_dir(parent.path().join(&left)).expect("created");
    let foreign = parent.path().join(format!("{MEETING_PREFIX}gggggggg-7-1-1-{CODE}"));
    std::fs::create_dir(&foreign).expect("created");
    assert_eq!(sweep_now(parent.path()), 1);
    assert!(foreign.exists());
    let old = std::time::SystemTime::now() - Duration::from_secs(3 * 24 * 60 * 60);
    std::fs::File::open(&foreign).expect("opened").set_modified(old).expect("dated");
    assert_eq!(sweep_now(parent.path()), 1);
    assert!(names_in(parent.path()).is_empty());
}

//! Two sides that run as different users: what one makes the other could not open, and a directory
//! of another user is no place for root to write.

use crate::{ONE, TWO, answer, assert_empty, doctor, send, sides};
use rustix::process::Signal;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// As everybody knows him.
const NOBODY: &str = "65534";

/// The same program as user nobody.
fn as_nobody(doctor: &Command) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]);
    command.arg(doctor.get_program()).args(doctor.get_args());
    for (name, value) in doctor.get_envs() {
        command.env(name, value.expect("set, not removed"));
    }
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command
}

#[test]
fn sides_of_different_users_are_refused_by_name_with_what_to_do() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root");
    for root_leads in [true, false] {
        for way in [None, Some(sides::LOOPBACK)] {
            let directory = tempfile::tempdir().expect("a directory");
            let all = Permissions::from_mode(0o777);
            std::fs::set_permissions(directory.path(), all).expect("changed");
            let mut leader = doctor(directory.path(), ONE);
            leader.args(way);
            let mut follower = doctor(directory.path(), TWO);
            let mut leader = if root_leads { leader } else { as_nobody(&leader) };
            let (first, _, code) = sides::lead(&mut leader, 1);
            follower.args(["--join", &code]);
            let mut follower = if root_leads { as_nobody(&follower) } else { follower };
            let second = answer(follower.spawn().expect("started"));
            let missing = second.missing();
            let (owner, own) = if root_leads {
                ("root (0)", "nobody (65534)")
            } else {
                ("nobody (65534)", "root (0)")
            };
            for wanted in [
                format!("belongs to user {owner}"),
                format!("this side works as user {own}"),
                "--reuid=".to_owned(),
            ] {
                assert!(missing.contains(&wanted), "{wanted:?} in {missing}");
            }
            assert_eq!(second.exit, Some(2));
            send(&[first.id()], Signal::INT);
            let first = answer(first);
            assert_eq!(
                way.is_some(),
                first.missing().contains("another user"),
                "over TCP it is told"
            );
            assert_empty(directory.path());
        }
    }
}

#[test]
fn two_sides_of_one_user_who_is_not_root_work_together() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).expect("changed");
    let (first, _, code) = sides::lead(&mut as_nobody(&doctor(directory.path(), ONE)), 1);
    let mut second = doctor(directory.path(), TWO);
    let second = as_nobody(second.args(["--join", &code])).spawn().expect("started");
    for answer in [answer(first), answer(second)] {
        assert_eq!(answer.several("rollback"), "safe", "{:#}", answer.report["verdicts"]);
    }
    assert_empty(directory.path());
}

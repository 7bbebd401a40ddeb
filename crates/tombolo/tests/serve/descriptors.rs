//! An owner that has no descriptor left.

use crate::harness::{Owner, printed};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

/// Ticks of processor time that the first thread of a process has used, which accepts connections
/// (proc_pid_stat(5)); 100 are a second.
fn ticks(process: u32) -> u64 {
    let path = format!("/proc/{process}/task/{process}/stat");
    let stat = std::fs::read_to_string(path).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let used = fields.split_whitespace().skip(11).take(2);
    used.map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Sets how many descriptors a running process may have; what it may set itself stays.
fn limit(process: u32, count: usize) {
    let (process, limit) = (process.to_string(), format!("--nofile={count}:"));
    let status = Command::new("prlimit").args(["--pid", &process, &limit]).status();
    assert!(status.expect("util-linux is installed").success());
}

#[test]
fn who_finds_no_descriptor_waits_and_the_owner_does_not_spin() {
    let mut owner = Owner::new();
    printed(&owner.door("CREATE TABLE entry(who TEXT, number INTEGER, UNIQUE(who, number));"));
    let open = std::fs::read_dir(format!("/proc/{}/fd", owner.id())).expect("it runs").count();
    // Room for one session and what SQLite takes for it.
    limit(owner.id(), open + 24);
    let mut busy = owner.program("counter.py", &["door", "busy", "5"]);
    let mut lines = BufReader::new(busy.stdout.take().expect("piped")).lines();
    lines.next().expect("it has a session").expect("text");
    let socket = owner.database().with_extension("db-tombolo").join("owner.sock");
    let connect = |_| UnixStream::connect(&socket).expect("it waits to be accepted");
    let strangers: Vec<_> = (0..100).map(connect).collect();
    let before = ticks(owner.id());
    #[expect(clippy::disallowed_methods, reason = "time has to pass in which it could spin")]
    std::thread::sleep(Duration::from_secs(2));
    let used = ticks(owner.id()) - before;
    assert!(used < 40, "{used} ticks in two seconds");
    let count = lines.count();
    assert!(busy.wait().expect("waited for").success());
    assert!(count > 5, "a session was served: {count}");
    drop(strangers);
    limit(owner.id(), 1024);
    assert_eq!(printed(&owner.door("SELECT count(*) > 5 FROM entry;")), "1");
    assert_eq!(owner.stop().code(), Some(0));
    let said = owner.said();
    let told = said.matches("no further connection can be accepted").count();
    assert!((1..=5).contains(&told), "it is not said with each attempt: {said}");
    assert!(said.contains("connections are accepted again"), "{said}");
}

#[test]
fn the_last_descriptors_are_left_to_the_databases() {
    let owner = Owner::with_descriptors(64);
    printed(&owner.door("CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
    let socket = owner.database().with_extension("db-tombolo").join("owner.sock");
    let mut strangers: Vec<_> =
        (0..200).map(|_| UnixStream::connect(&socket).expect("it is accepted or waits")).collect();
    // One of them was accepted with one of the last descriptors, and turned away.
    let ended = strangers.iter_mut().any(|stranger| {
        stranger.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
        matches!(stranger.read(&mut [0]), Ok(0))
    });
    assert!(ended, "no connection was turned away");
    let open = std::fs::read_dir(format!("/proc/{}/fd", owner.id())).expect("it runs").count();
    assert!(open <= 64 - 12, "{open} of 64 are open");
}

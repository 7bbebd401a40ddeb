use super::*;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, getpid, kill_process};
use std::os::fd::AsRawFd as _;
use std::path::Path;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn sleep_for_ever() {
    sleep(u32::MAX);
}

fn sleep(seconds: u32) {
    for _ in 0..seconds {
        let _ = poll(&mut [], Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
    }
}

/// Runs a body and collects what it says.
fn hear(deadline: Instant, body: impl FnOnce(&mut Outbox)) -> (End, Vec<Vec<u8>>) {
    let mut seen = Vec::new();
    let end = run(deadline, body, &mut |message| seen.push(message.to_vec()));
    (end.expect("a child"), seen)
}

#[test]
fn messages_of_any_bytes_arrive_in_order_and_the_end_is_told() {
    let (end, seen) = hear(soon(), |outbox| {
        outbox.send(b"one");
        outbox.send(b"two\nlines");
        outbox.send(b"");
        outbox.send(&vec![b'x'; 300_000]);
    });
    assert_eq!(end, End::Finished);
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [3, 9, 0, 300_000]);
}

#[test]
fn a_message_that_is_too_long_is_dropped_whole_and_missed() {
    let (end, seen) = hear(soon(), |outbox| {
        outbox.send(&vec![b'x'; MESSAGE_BYTES_MAX + 1]);
        outbox.send(&vec![b'y'; MESSAGE_BYTES_MAX]);
        outbox.send(b"after");
    });
    assert_eq!(end, End::MessageLost);
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [MESSAGE_BYTES_MAX, 5]);
}

#[test]
fn a_message_cut_off_by_death_is_not_delivered() {
    let (end, seen) = hear(soon(), |outbox| {
        outbox.send(b"whole");
        let header = inbox::Tag::Message.header(100);
        outbox.raw(&[header.as_slice(), b"half"].concat());
    });
    assert_eq!((end, seen.len()), (End::Finished, 1));
}

#[test]
fn a_child_that_never_stops_talking_is_stopped() {
    let mut count = 0;
    let deadline = Instant::now() + Duration::from_secs(60);
    let talk = |outbox: &mut Outbox| loop {
        outbox.send(b"and another thing");
    };
    let end = run(deadline, talk, &mut |_| count += 1);
    assert_eq!((end.expect("a child"), count), (End::TooManyMessages, MESSAGES_MAX));
}

#[test]
fn a_child_that_hangs_is_abandoned_at_the_deadline_and_what_it_said_is_kept() {
    let start = Instant::now();
    let (end, seen) = hear(start + Duration::from_millis(200), |outbox| {
        outbox.send(b"before");
        sleep_for_ever();
    });
    assert_eq!((end, seen.len()), (End::DeadlinePassed { call: None }, 1));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn of_a_child_that_hangs_in_a_call_on_a_file_the_call_is_named() {
    let file = tempfile::tempfile().expect("a file");
    let locked = flock(&file, FlockOperation::LockExclusive);
    locked.expect("a lock");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let hang = |_: &mut Outbox| {
        // Another open file description of the same file, so that the lock is in its way.
        if let Ok(again) = std::fs::File::open(&path) {
            let _ = flock(&again, FlockOperation::LockExclusive);
        }
    };
    let brief = || Instant::now() + Duration::from_millis(200);
    let (end, _) = hear(brief(), hang);
    assert_eq!(end, End::DeadlinePassed { call: Some("flock") });
    let (end, _) = hear(brief(), |_| {
        let _ = run(soon(), hang, &mut |_| {});
    });
    assert_eq!(end, End::DeadlinePassed { call: Some("flock") }, "in a child of the child");
    assert!(end.to_string().contains("the call flock did not return"), "{end}");
}

#[test]
fn a_signal_and_a_panic_are_told_apart_and_the_panic_is_quoted() {
    let (end, _) = hear(soon(), |_| {
        let _ = kill_process(getpid(), Signal::KILL);
    });
    assert_eq!(end, End::Signalled(libc::SIGKILL));
    let (end, _) = hear(soon(), |_| panic!("a fault in {}", "the probe"));
    let End::Panicked(text) = end else { panic!("{end:?}") };
    assert!(text.contains("a fault in the probe") && text.contains("tests.rs"), "{text}");
    let (end, _) = hear(soon(), |_| panic!("{}", "long".repeat(100_000)));
    let End::Panicked(text) = end else { panic!("{end:?}") };
    assert!(text.len() <= PANIC_BYTES_MAX && text.contains("longlong"));
}

#[test]
fn a_child_of_a_child_does_not_keep_the_parent_waiting() {
    let start = Instant::now();
    let (end, _) = hear(soon(), |outbox| {
        // Lives on when the body has returned, as a peer that sleeps in the kernel does.
        let peer = Companion::start(|_, _| sleep(2));
        outbox.send(b"done");
        std::mem::forget(peer);
    });
    assert_eq!(end, End::Finished);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn a_child_that_is_killed_takes_its_own_children_with_it() {
    let mut peer = 0;
    let end = run(
        Instant::now() + Duration::from_millis(300),
        |outbox| {
            let inner = |inner: &mut Outbox| {
                inner.send(getpid().as_raw_nonzero().to_string().as_bytes());
                sleep_for_ever();
            };
            let _ = run(soon(), inner, &mut |pid| outbox.send(pid));
        },
        &mut |pid| peer = String::from_utf8_lossy(pid).parse().unwrap_or(0),
    );
    assert_eq!(end.expect("a child"), End::DeadlinePassed { call: None });
    assert!(peer > 0);
    let is_dead = || {
        let stat = std::fs::read_to_string(format!("/proc/{peer}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ")
    };
    let deadline = soon();
    while !is_dead() && Instant::now() < deadline {
        pause(Duration::from_millis(1));
    }
    assert!(is_dead());
}

#[test]
fn a_child_holds_nothing_that_others_wait_for() {
    let ours = std::fs::read_link("/proc/self/fd/1").expect("standard output");
    let (end, seen) = hear(soon(), |outbox| {
        for number in 0..3 {
            let link = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_default();
            outbox.send(link.as_os_str().as_encoded_bytes());
        }
    });
    assert_eq!((end, seen.len()), (End::Finished, 3));
    assert!(seen.iter().all(|link| link != ours.as_os_str().as_encoded_bytes()));
}

#[test]
fn a_companion_tidies_up_when_let_go_and_when_its_parent_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let at_work = |path: &Path| {
        let path = path.to_owned();
        move |outbox: &mut Outbox, lifeline: &Lifeline| {
            let _ = std::fs::write(&path, b"x");
            outbox.send(b"made");
            lifeline.wait();
            let _ = std::fs::remove_file(&path);
        }
    };
    let path = directory.path().join("first");
    let mut companion = Companion::start(at_work(&path)).expect("a companion");
    assert_eq!(companion.message(soon()), Ok(b"made".to_vec()));
    assert!(path.exists());
    assert_eq!(companion.release(soon()), End::Finished);
    assert!(!path.exists());

    let path = directory.path().join("second");
    let (end, _) = hear(soon(), |_| {
        let mut companion = Companion::start(at_work(&path)).expect("a companion");
        assert_eq!(companion.message(soon()), Ok(b"made".to_vec()));
        assert!(path.exists());
        let _ = kill_process(getpid(), Signal::KILL);
    });
    assert_eq!(end, End::Signalled(libc::SIGKILL));
    let deadline = soon();
    while path.exists() && Instant::now() < deadline {
        pause(Duration::from_millis(1));
    }
    assert!(!path.exists());
}

#[test]
fn a_companion_that_dies_says_how() {
    let mut companion = Companion::start(|_, _| panic!("no luck")).expect("a companion");
    let Err(End::Panicked(text)) = companion.message(soon()) else { panic!("no panic") };
    assert!(text.contains("no luck"));
}

#[test]
fn a_companion_that_hangs_is_left_behind() {
    let mut companion = Companion::start(|_, _| sleep(2)).expect("a companion");
    let brief = Instant::now() + Duration::from_millis(100);
    assert_eq!(companion.message(brief), Err(End::DeadlinePassed { call: None }));
    let start = Instant::now();
    drop(companion);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_wish_to_stop_is_handed_on_and_the_child_has_time_to_say_goodbye() {
    // In a process of its own, which the wish is for.
    let (end, seen) = hear(soon(), |outbox| {
        crate::signal::catch_stop();
        let mut said = Vec::new();
        let body = |inner: &mut Outbox| {
            inner.send(b"here");
            while !crate::signal::stop_wanted() {
                pause(Duration::from_millis(1));
            }
            inner.send(b"goodbye");
        };
        let end = run_with_grace(soon(), Duration::from_secs(4), body, &mut |message| {
            said.extend_from_slice(message);
            let _ = kill_process(getpid(), Signal::TERM);
        });
        outbox.send(format!("{end:?}").as_bytes());
        outbox.send(&said);
    });
    assert_eq!(end, End::Finished);
    assert_eq!(seen, [b"Ok(StopWanted)".to_vec(), b"heregoodbye".to_vec()]);
}

#[test]
fn a_child_that_heeds_no_wish_to_stop_is_killed_when_its_time_is_over() {
    let (end, seen) = hear(soon(), |outbox| {
        crate::signal::catch_stop();
        let body = |inner: &mut Outbox| {
            inner.send(b"here");
            sleep_for_ever();
        };
        let start = Instant::now();
        let grace = Duration::from_millis(300);
        let end = run_with_grace(soon(), grace, body, &mut |_| {
            let _ = kill_process(getpid(), Signal::TERM);
        });
        let in_time = (grace..grace * 8).contains(&start.elapsed());
        outbox.send(format!("{end:?} {in_time}").as_bytes());
    });
    assert_eq!(end, End::Finished);
    assert_eq!(seen, [b"Ok(StopWanted) true".to_vec()]);
}

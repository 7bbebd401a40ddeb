//! Sides that talk over TCP, and whoever else calls at their port.

use crate::{Answer, END, MOMENTS_MS, ONE, THREE, TWO, answer, assert_empty, at_work_by, doctor};
use crate::{join, sides};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn lead(path: &Path, others: usize) -> (Child, String) {
    let (child, _, code) = sides::lead(doctor(path, ONE).arg(sides::LOOPBACK), others);
    (child, code)
}

fn address(code: &str) -> SocketAddr {
    code.split_once('@').expect("an address").1.parse().expect("an address")
}

#[track_caller]
fn assert_measured(answer: &Answer) {
    assert_eq!(answer.several("rollback"), "safe", "{:#}", answer.report["verdicts"]);
    let kernels = answer.of_kind("peer.kernels");
    assert_eq!(kernels[0]["values"]["messages_by"], "TCP");
}

#[test]
fn three_sides_over_tcp_measure_what_they_do_by_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, code) = lead(directory.path(), 2);
    let others = [TWO, THREE].map(|boot_id| join(directory.path(), boot_id, &code));
    for answer in std::iter::once(first).chain(others).map(answer) {
        assert_measured(&answer);
        assert_eq!(answer.of_kind("peer.posix-locks").len(), 6, "{}", answer.missing());
    }
    assert_empty(directory.path());
}

/// Calls again and again, with garbage, with silence, and with what looks like a call.
fn vandal(address: SocketAddr, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<(u32, u32)> {
    let stop = stop.clone();
    std::thread::spawn(move || {
        let (mut calls, mut answers, mut held) = (0, 0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut stream) = TcpStream::connect(address) else { break };
            calls += 1;
            let garbage = [b"tombolo1".as_slice(), &[calls as u8; 4000]].concat();
            if calls % 3 == 0 {
                held.push(stream);
                held.truncate(100);
                continue;
            }
            let _ = stream.write_all(&garbage);
            let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
            if matches!(stream.read(&mut [0; 64]), Ok(count) if count > 0) {
                answers += 1;
            }
        }
        (calls, answers)
    })
}

#[test]
fn whoever_calls_without_the_secret_is_told_nothing_and_ends_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, code) = lead(directory.path(), 1);
    let stop = Arc::new(AtomicBool::new(false));
    let vandals = [(); 2].map(|()| vandal(address(&code), &stop));
    let second = join(directory.path(), TWO, &code);
    for answer in [answer(first), answer(second)] {
        assert_measured(&answer);
    }
    stop.store(true, Ordering::Relaxed);
    for vandal in vandals {
        let (calls, answers) = vandal.join().expect("ended");
        assert!(calls > 20 && answers == 0, "{answers} answers to {calls} calls");
    }
    assert_empty(directory.path());
}

#[test]
fn a_wrong_secret_is_no_code_and_the_right_one_still_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, code) = lead(directory.path(), 1);
    let (words, rest) = code.split_once('@').expect("an address");
    // The last letter of a secret holds three bits.
    let other = if words.ends_with('0') { '4' } else { '0' };
    let wrong = format!("{}{other}@{rest}", &words[..words.len() - 1]);
    let answer_to_wrong = answer(join(directory.path(), TWO, &wrong));
    let missing = answer_to_wrong.missing();
    assert!(missing.contains("does not know this code"), "{missing}");
    assert_eq!(answer_to_wrong.exit, Some(2));
    let second = join(directory.path(), TWO, &code);
    for answer in [answer(first), answer(second)] {
        assert_measured(&answer);
    }
}

#[test]
fn a_side_that_sees_another_directory_says_so_and_so_does_the_one_that_waits() {
    let [directory, elsewhere] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let (first, code) = lead(directory.path(), 1);
    let lost = answer(join(elsewhere.path(), TWO, &code)).missing();
    assert!(lost.contains("was reached, but not the directory"), "{lost}");
    let second = join(directory.path(), TWO, &code);
    let (first, second) = (answer(first), answer(second));
    assert!(first.missing().contains("does not find the directory"), "{}", first.missing());
    assert_measured(&second);
    assert_empty(directory.path());
    assert_empty(elsewhere.path());
}

#[test]
fn either_side_that_is_killed_is_missed_over_tcp_too() {
    for (moment_ms, leader_dies) in MOMENTS_MS.into_iter().zip([true, false, true]) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut leader = doctor(directory.path(), ONE);
        let leader = leader.arg(sides::LOOPBACK);
        let (first, second) = at_work_by(leader, directory.path(), moment_ms);
        let (mut dies, lives) = if leader_dies { (first, second) } else { (second, first) };
        dies.kill().expect("killed");
        dies.wait().expect("ended");
        let lost = Instant::now();
        let answer = answer(lives);
        assert!(lost.elapsed() < END, "after {:?}", lost.elapsed());
        assert!(answer.missing().contains("not everything was measured"), "{}", answer.missing());
        assert_ne!(answer.several("rollback"), "safe");
        assert_empty(directory.path());
    }
}

#[test]
fn an_address_where_nobody_listens_or_nobody_can_is_said_with_what_the_kernel_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let free = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address");
    let code = format!("k3v9-x0q2-7d-{}@{free}", "0".repeat(26));
    let missing = answer(join(directory.path(), ONE, &code)).missing();
    assert!(missing.contains("ECONNREFUSED"), "{missing}");
    // TEST-NET-1 is nobody's (RFC 5737).
    let foreign = doctor(directory.path(), ONE).args(["--peer", "--peer-listen=192.0.2.7"]).spawn();
    let missing = answer(foreign.expect("started")).missing();
    assert!(missing.contains("EADDRNOTAVAIL"), "{missing}");
    assert_empty(directory.path());
}

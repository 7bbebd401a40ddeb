//! What is done to guests.

use super::{PATIENCE, at_last, guest, lab};
use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tombolo_lab::{Guest, GuestEnd, GuestSpec, LabError, Output};

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_panic_is_reported_with_its_console() {
    let lab = lab();
    let guest = guest(&lab);
    let output = guest.shell("echo 'the last words' > /dev/console; echo c > /proc/sysrq-trigger");
    let Err(LabError::GuestEnded { how, console, .. }) = &output else { panic!("{output:?}") };
    assert_eq!(*how, GuestEnd::Panicked);
    assert!(console.contains("the last words"), "{console}");
    assert!(console.contains("sysrq triggered crash"), "{console}");
    assert!(output.expect_err("as above").to_string().contains("guest a panicked"));
    assert!(!guest.is_alive());
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_kill_ends_a_guest_at_once_and_is_told_from_a_panic() {
    let lab = lab();
    let guest = guest(&lab);
    let command = guest.spawn(&["sleep", "1000"]).expect("started");
    guest.kill().expect("killed");
    assert_eq!(guest.wait_for_end(PATIENCE).expect("it ended"), GuestEnd::Killed);
    let afterwards =
        [command.wait(PATIENCE).map(drop), guest.run(&["true"]).map(drop), guest.pause()];
    for ended in afterwards {
        assert!(
            matches!(ended, Err(LabError::GuestEnded { how: GuestEnd::Killed, .. })),
            "{ended:?}"
        );
    }
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_paused_guest_stands_still_and_goes_on() {
    let lab = lab();
    let guest = guest(&lab);
    let counter = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";
    let counting = guest.spawn(&["sh", "-c", counter]).expect("started");
    counting.wait_for_text("3\n", PATIENCE).expect("it counts");
    let uptime = || {
        let text = guest.get("/proc/uptime").expect("got");
        let text = String::from_utf8_lossy(&text).into_owned();
        text.split(' ').next().and_then(|of| of.parse::<f64>().ok()).expect("seconds")
    };
    let (begun, before_pause) = (Instant::now(), uptime());
    guest.pause().expect("paused");
    let late = guest.command(&["true"]).spawn().expect("asked").wait(Duration::from_secs(2));
    assert!(matches!(late, Err(LabError::Late { .. })), "{late:?}");
    let before = counting.stdout_so_far().len();
    let late = counting.wait(Duration::from_secs(1));
    assert!(matches!(late, Err(LabError::Late { .. })), "{late:?}");
    assert_eq!(counting.stdout_so_far().len(), before);
    guest.resume().expect("resumed");
    // Three seconds and more of the host's are missing in the guest.
    let (of_guest, of_host) = (uptime() - before_pause, begun.elapsed().as_secs_f64());
    assert!(of_host - of_guest > 2.5, "{of_guest} of {of_host} s");
    let next = counting.stdout_so_far();
    let next = String::from_utf8_lossy(&next).lines().count() + 5;
    counting.wait_for_text(&format!("\n{next}\n"), PATIENCE).expect("it counts on");
}

/// What `ping` says; it waits for the answer to one packet.
fn ping(guest: &Guest, address: &str, seconds: u8) -> Output {
    let seconds = seconds.to_string();
    let ping = guest.run(&["busybox", "ping", "-c", "1", "-W", &seconds, address]);
    ping.expect("it ran (package busybox-static)")
}

/// The time of one packet and its answer; `None` without an answer.
fn round_trip_ms(guest: &Guest, address: &str) -> Option<f64> {
    let said = ping(guest, address, 10).text();
    said.split("time=").nth(1)?.split(' ').next()?.parse().ok()
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn guests_reach_each_other_until_the_network_is_cut() {
    let lab = lab();
    let specs = ["a", "b"].map(GuestSpec::new).to_vec();
    let guests = lab.guests(specs).expect("two guests");
    let [a, b] = guests.as_slice() else { panic!("two were asked for") };
    let of_b = b.address().to_string();
    // A network needs a moment after a change, the host as well.
    assert!(at_last(|| round_trip_ms(a, &of_b).is_some()));
    b.network().cut().expect("cut");
    let unanswered = ping(a, &of_b, 2);
    assert!(!unanswered.success(), "{}", unanswered.text());
    // The lab still reaches it.
    assert!(b.run(&["true"]).expect("it ran").success());
    b.network().restore().expect("restored");
    assert!(at_last(|| round_trip_ms(a, &of_b).is_some()));
    a.network().delay(Duration::from_millis(700)).expect("delayed");
    let delayed = round_trip_ms(a, &of_b).expect("an answer");
    assert!(delayed >= 700.0, "{delayed} ms");
    a.network().delay(Duration::ZERO).expect("not delayed");
    assert!(at_last(|| round_trip_ms(a, &of_b).is_some_and(|time| time < 700.0)));
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_guest_reaches_services_of_the_host_until_they_are_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.map(|mut stream| stream.write_all(b"from the host\n"));
        }
    });
    let lab = lab();
    let guest = guest(&lab);
    let ask = |limit| {
        let command = guest.command(&["busybox", "nc", "10.0.2.2", &port]).timeout(limit);
        command.run().expect("it ran (package busybox-static)").text()
    };
    assert_eq!(ask(PATIENCE), "from the host");
    guest.host_network().cut().expect("cut");
    assert_eq!(ask(Duration::from_secs(4)), "");
    guest.host_network().restore().expect("restored");
    // The guest learns of its card a moment later.
    assert!(at_last(|| ask(PATIENCE) == "from the host"));
}

//! Two ends on the loopback, and whoever else calls there.

use super::*;
use crate::error::errno_of;
use crate::worker::pause;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::peer::channel::{ANSWER_BYTES, CALL_BYTES, Call};
use tombolo_core::peer::invitation::Endpoint;
use tombolo_core::peer::link::Link;
use tombolo_core::peer::part::{LEADER, Part, PeerId};

const OWN: PeerId = PeerId(7);
const SOON: Duration = Duration::from_secs(5);

fn secret() -> Secret {
    Secret::from_bytes([3; SECRET_BYTES])
}

fn listener() -> Listener {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Listener::bind(anywhere, secret(), b"greeting", 2).expect("bound")
}

fn endpoint(listener: &Listener, secret: Secret) -> Endpoint {
    Endpoint::new(listener.address(), secret).expect("can be called")
}

/// Calls in a thread of its own while the listener answers.
fn meet(listener: &mut Listener, secret: Secret) -> Result<(Caller, Vec<u8>), NotMet> {
    let endpoint = endpoint(listener, secret);
    let call = std::thread::spawn(move || Caller::call(endpoint, SOON));
    while !call.is_finished() {
        assert!(listener.list().is_empty(), "nobody has said anything");
        pause(Duration::from_millis(1));
    }
    call.join().expect("ended")
}

fn names(from: PeerId, to: PeerId, text: &[u8]) -> Vec<String> {
    Link::new(from, to, 0).say(text, 0).expect("fits")
}

#[track_caller]
fn hear(mut list: impl FnMut() -> Vec<Part>) -> Vec<String> {
    let end = Instant::now() + SOON;
    loop {
        let heard = list();
        if !heard.is_empty() {
            return heard.iter().map(Part::name).collect();
        }
        assert!(Instant::now() < end, "nothing is heard");
        pause(Duration::from_millis(1));
    }
}

fn hear_caller(caller: &mut Caller) -> Vec<String> {
    hear(|| caller.list().expect("somebody listens"))
}

/// Whether the other end is closed, with nothing sent before.
fn is_turned_away(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SOON)).expect("set");
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => errno_of(&error) == Errno::ECONNRESET,
    }
}

fn is_turned_away_by_now(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("set");
    let seen = stream.peek(&mut [0; 1]);
    stream.set_nonblocking(false).expect("set");
    seen.map_or_else(|error| errno_of(&error) == Errno::ECONNRESET, |count| count == 0)
}

#[test]
fn names_cross_in_both_directions_and_the_greeting_comes_first() {
    let mut listener = listener();
    let (mut caller, greeting) = meet(&mut listener, secret()).expect("met");
    assert_eq!(greeting, b"greeting");
    let there = names(OWN, LEADER, b"there");
    caller.put(&there[0]);
    assert_eq!(hear(|| listener.list()), there);
    let back = names(LEADER, OWN, b"back");
    listener.put(PeerId(8), "peer.0.8.1.0.0.0.1.00");
    listener.put(OWN, &back[0]);
    assert_eq!(hear_caller(&mut caller), back);
}

#[test]
fn who_does_not_know_the_secret_is_told_so_by_silence() {
    let mut listener = listener();
    let address = listener.address();
    let other = Secret::from_bytes([4; SECRET_BYTES]);
    assert_eq!(meet(&mut listener, other).err(), Some(NotMet::Stranger { address }));
    assert_eq!(listener.strangers(), 0);
}

#[test]
fn what_listens_and_does_not_know_the_secret_is_not_talked_to() {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let address = socket.local_addr().expect("an address");
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().expect("called");
        let mut call = [0; CALL_BYTES];
        stream.read_exact(&mut call).expect("a call");
        stream.write_all(&[0; ANSWER_BYTES]).expect("sent");
        is_turned_away(&mut stream)
    });
    let endpoint = Endpoint::new(address, secret()).expect("can be called");
    assert_eq!(Caller::call(endpoint, SOON).err(), Some(NotMet::Stranger { address }));
    assert!(answers.join().expect("ended"));
}

#[test]
fn nobody_at_an_address_is_told_with_the_errno() {
    let gone = listener();
    let (address, endpoint) = (gone.address(), endpoint(&gone, secret()));
    drop(gone);
    let errno = Errno::ECONNREFUSED;
    assert_eq!(Caller::call(endpoint, SOON).err(), Some(NotMet::NotConnected { address, errno }));
}

#[test]
fn garbage_ends_its_own_connection_and_no_other() {
    let mut listener = listener();
    let (mut caller, _) = meet(&mut listener, secret()).expect("met");
    caller.put(&names(OWN, LEADER, b"x")[0]);
    hear(|| listener.list());
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[0; CALL_BYTES]] {
        let mut stream = TcpStream::connect(listener.address()).expect("connected");
        stream.write_all(garbage).expect("sent");
        if garbage.len() < CALL_BYTES {
            stream.shutdown(std::net::Shutdown::Write).expect("shut");
        }
        let end = Instant::now() + SOON;
        let mut called = false;
        while !called || listener.strangers() > 0 {
            listener.list();
            called = called || listener.strangers() > 0 || is_turned_away_by_now(&stream);
            assert!(Instant::now() < end, "a stranger stays");
        }
        assert!(is_turned_away(&mut stream), "{garbage:?}");
    }
    let back = names(LEADER, OWN, b"back");
    listener.put(OWN, &back[0]);
    assert_eq!(hear_caller(&mut caller), back);
}

/// A call that somebody has recorded gets an answer, and nothing that follows it counts.
#[test]
fn a_call_that_is_sent_again_says_nothing() {
    let mut listener = listener();
    let call = Call::new(&secret(), [1; NONCE_BYTES]).bytes();
    let mut replayed = TcpStream::connect(listener.address()).expect("connected");
    replayed.write_all(&call).expect("sent");
    replayed.set_nonblocking(true).expect("set");
    let end = Instant::now() + SOON;
    let mut answer = [0; ANSWER_BYTES];
    while replayed.read(&mut answer).is_err() {
        assert!(listener.list().is_empty() && Instant::now() < end);
    }
    replayed.write_all(&[5; 400]).expect("sent");
    while listener.strangers() > 0 {
        assert!(listener.list().is_empty() && Instant::now() < end);
    }
}

#[test]
fn a_crowd_that_says_nothing_takes_few_places_and_keeps_nobody_out() {
    let mut listener = listener();
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(listener.address()).expect("connected"));
        listener.list();
    }
    assert!(listener.strangers() <= 32, "{}", listener.strangers());
    let (mut caller, _) = meet(&mut listener, secret()).expect("met");
    let there = names(OWN, LEADER, b"there");
    caller.put(&there[0]);
    assert_eq!(hear(|| listener.list()), there);
}

#[test]
fn a_side_whose_connection_broke_calls_again_and_is_known_again() {
    let mut listener = listener();
    let (mut caller, _) = meet(&mut listener, secret()).expect("met");
    let there = names(OWN, LEADER, b"there");
    caller.put(&there[0]);
    assert_eq!(hear(|| listener.list()), there);
    caller.cut();
    let end = Instant::now() + SOON;
    let (said, heard) = std::sync::mpsc::channel();
    let calls = std::thread::spawn(move || {
        while heard.try_recv().is_err() && Instant::now() < end {
            caller.list().expect("somebody listens");
            caller.put(&there[0]);
            pause(Duration::from_millis(1));
        }
        caller
    });
    assert_eq!(hear(|| listener.list())[0], names(OWN, LEADER, b"there")[0]);
    said.send(()).expect("heard");
    let mut caller = calls.join().expect("ended");
    drop(listener);
    let end = Instant::now() + SOON;
    while caller.list() != Err(Errno::ECONNREFUSED) {
        assert!(Instant::now() < end, "the end is not noticed");
        pause(Duration::from_millis(1));
    }
}

#[test]
fn no_more_sides_are_listened_to_than_were_wanted_and_none_speaks_for_another() {
    let mut listener = listener();
    let mut callers: Vec<Caller> =
        (0..3).map(|_| meet(&mut listener, secret()).expect("met").0).collect();
    for (number, caller) in (7..).zip(&mut callers).take(2) {
        caller.put(&names(PeerId(number), LEADER, b"x")[0]);
        hear(|| listener.list());
    }
    callers[0].put(&names(PeerId(8), LEADER, b"as another")[0]);
    callers[2].put(&names(PeerId(9), LEADER, b"one too many")[0]);
    let own = names(PeerId(7), LEADER, b"y");
    pause(Duration::from_millis(50));
    callers[0].put(&own[0]);
    assert_eq!(hear(|| listener.list()), own);
}

#[test]
fn a_side_that_does_not_read_takes_no_memory_without_bound() {
    let mut listener = listener();
    let (mut caller, _) = meet(&mut listener, secret()).expect("met");
    caller.put(&names(OWN, LEADER, b"x")[0]);
    hear(|| listener.list());
    let name = &names(LEADER, OWN, &[0xff; 54])[0];
    for _ in 0..200_000 {
        listener.put(OWN, name);
    }
    let mut heard = 0;
    loop {
        let parts = caller.list().expect("somebody listens").len();
        heard += parts;
        if parts == 0 && heard > 0 && caller.is_cut() {
            break;
        }
        assert!(heard < 200_000, "all of it was kept");
    }
}

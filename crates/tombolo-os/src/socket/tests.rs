use super::*;
use crate::socket::poll::Interest;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tombolo_core::wire::address::{CID_ANY, Endpoint};
use tombolo_core::wire::keys::{Credentials, OwnerKeys, Secret};

#[test]
fn bytes_go_both_ways_at_a_path_of_any_length() {
    for depth in [0, 6] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut path = directory.path().to_owned();
        for _ in 0..depth {
            path.push("a-name-of-thirty-characters-xx");
        }
        std::fs::create_dir_all(&path).expect("made");
        path.push("owner.sock");
        let listener = Listener::unix(&path).expect("listens");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(listener.accept().expect("looks").is_none());

        let mut client = Stream::connect_unix(&path).expect("connects");
        let poller = Poller::new().expect("a poller");
        poller.add(&listener, 7, Interest::Receive).expect("added");
        let events = poller.wait(None).expect("waits");
        assert_eq!(events.first().map(|event| event.key), Some(7));
        let mut server = listener.accept().expect("looks").expect("one waits");
        client.send_all(b"to the owner").expect("sent");
        let mut buffer = [0; 64];
        assert_eq!(server.receive(&mut buffer).expect("received"), 12);
        assert_eq!(server.receive(&mut buffer).expect_err("no more").kind(), ErrorKind::WouldBlock);
        server.send_all(b"back").expect("sent");
        assert_eq!(client.receive(&mut buffer).expect("received"), 4);

        drop(server);
        assert_eq!(client.receive(&mut buffer).expect("the end"), 0);
        let gone = (0..2).map(|_| client.send_all(b"x")).find_map(Result::err);
        assert_eq!(gone.expect("no signal, an error").kind(), ErrorKind::BrokenPipe);
        drop(listener);
        assert!(!path.exists(), "the name is gone with the listener");
    }
}

#[test]
fn what_a_dead_owner_left_is_taken_over_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("owner.sock");
    let first = Listener::unix(&path).expect("listens");
    let second = Listener::unix(&path).expect("takes over");
    drop(first);
    assert!(path.exists(), "the name is the second's now");
    drop(second);
    std::fs::write(&path, b"a file").expect("written");
    let error = Listener::unix(&path).expect_err("a file is in the way");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn who_is_left_to_read_first_is_not_listened_to_until_it_has_ended() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("owner.sock");
    let listener = Listener::unix(&path).expect("listens");
    let mut client = Stream::connect_unix(&path).expect("connects");
    let mut server = listener.accept().expect("looks").expect("one waits");
    let poller = Poller::new().expect("a poller");
    poller.add(&server, 7, Interest::Send).expect("added");
    let filling = [0; 4096];
    while server.send(&filling).is_ok() {}
    client.send_all(b"and another thing").expect("sent");
    let soon = Some(Duration::from_millis(20));
    assert_eq!(poller.wait(soon).expect("waits"), [], "there is something to receive");
    poller.modify(&server, 7, Interest::Receive).expect("modified");
    let events = poller.wait(None).expect("waits");
    assert!(events.iter().all(|event| event.is_readable && !event.is_writable), "{events:?}");
    poller.modify(&server, 7, Interest::Send).expect("modified");
    drop(client);
    let events = poller.wait(None).expect("waits");
    assert!(events.iter().any(|event| event.key == 7 && event.is_readable), "{events:?}");
}

#[test]
fn a_poller_is_woken_and_times_out() {
    let poller = Poller::new().expect("a poller");
    poller.waker().wake();
    assert_eq!(poller.wait(None).expect("woken"), []);
    assert_eq!(poller.wait(Some(Duration::from_millis(1))).expect("timed out"), []);
}

/// Two ends of a connection over TCP, of which the first is never waited for.
fn over_tcp() -> (Stream, Stream) {
    let any = Endpoint::Tcp((std::net::Ipv4Addr::LOCALHOST, 0).into());
    let listener = NetworkListener::bind(any).expect("listens");
    let patience = Duration::from_secs(30);
    assert!(listener.accept(patience).expect("looks").is_none());
    let client =
        Stream::connect_network(listener.endpoint(), patience, patience).expect("connects");
    client.set_timeout(patience).expect("set");
    let poller = Poller::new().expect("a poller");
    poller.add(&listener, 1, Interest::Receive).expect("added");
    assert_eq!(poller.wait(None).expect("waits").len(), 1);
    let server = listener.accept(patience).expect("looks").expect("one waits");
    assert!(matches!(server.peer(), Some(Endpoint::Tcp(address)) if address.port() != 0));
    (server, client)
}

fn keys(byte: u8) -> OwnerKeys {
    OwnerKeys { owner: Secret::new([byte; 32]), door: Secret::new([byte + 1; 32]) }
}

fn credentials(keys: &OwnerKeys) -> Credentials {
    let owner = tls::public_key(&keys.owner).expect("a key");
    Credentials { owner, door: keys.door.clone() }
}

/// Receives on the side that is not waited for, until something other than "nothing" is to be said.
fn heard(server: &mut Stream, into: &mut [u8]) -> std::io::Result<usize> {
    let poller = Poller::new().expect("a poller");
    poller.add(&*server, 1, Interest::Receive).expect("added");
    loop {
        match server.receive(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poller.wait(None).expect("waits");
            }
            other => return other,
        }
    }
}

#[test]
fn what_is_encrypted_arrives_whole_both_ways() {
    let (mut server, mut client) = over_tcp();
    let ours = keys(1);
    server.secure_as_owner(&tls::OwnerTls::new(&ours).expect("keys")).expect("set up");
    let long: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
    let expected = long.clone();
    let door = tls::DoorTls::new(&credentials(&ours)).expect("keys");
    let calling = std::thread::spawn(move || {
        client.secure_as_door(&door, Duration::from_secs(30)).expect("shown");
        client.send_all(b"to the owner").expect("sent");
        let (mut back, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        while back.len() < long.len() {
            let count = client.receive(&mut buffer).expect("received");
            assert!(count > 0, "{} bytes came", back.len());
            back.extend_from_slice(&buffer[..count]);
        }
        assert!(back == long, "it came back as it was");
        client.send_all(&long).expect("sent");
    });
    let mut buffer = vec![0; 64 << 10];
    let count = heard(&mut server, &mut buffer[..6]).expect("heard");
    assert_eq!(buffer.get(..count), Some(&b"to the"[..]));
    assert!(server.is_encrypted(), "so there may be more of it");
    let count = server.receive(&mut buffer).expect("without waiting");
    assert_eq!(buffer.get(..count), Some(&b" owner"[..]));
    let poller = Poller::new().expect("a poller");
    poller.add(&server, 1, Interest::Send).expect("added");
    let mut sent = 0;
    loop {
        let step = match expected.get(sent..).filter(|rest| !rest.is_empty()) {
            Some(rest) => server.send(rest).map(|count| sent += count),
            None => server.flush(),
        };
        match step {
            Ok(()) if sent == expected.len() && server.flush().is_ok() => break,
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                poller.wait(None).expect("waits");
            }
        }
    }
    let mut arrived = 0;
    while arrived < expected.len() {
        let count = heard(&mut server, &mut buffer).expect("heard");
        assert!(count > 0 && buffer[..count] == expected[arrived..arrived + count]);
        arrived += count;
    }
    calling.join().expect("no panic");
    assert_eq!(heard(&mut server, &mut buffer).expect("the end"), 0);
}

/// What an owner with the first keys and a door with the second say of each other.
fn between(owner: &OwnerKeys, door: &Credentials) -> [Option<tls::TlsError>; 2] {
    let (mut server, mut client) = over_tcp();
    server.secure_as_owner(&tls::OwnerTls::new(owner).expect("keys")).expect("set up");
    let door = tls::DoorTls::new(door).expect("keys");
    let calling = std::thread::spawn(move || {
        let shown = client.secure_as_door(&door, Duration::from_secs(30));
        let told = shown
            .and_then(|()| client.send_all(b"x"))
            .and_then(|()| client.receive(&mut vec![0; 64 << 10]).map(|_| ()));
        told.err().and_then(|error| tls::TlsError::of(&error).cloned())
    });
    let heard = heard(&mut server, &mut vec![0; 64 << 10]);
    drop(server);
    let said = heard.err().and_then(|error| tls::TlsError::of(&error).cloned());
    [said, calling.join().expect("no panic")]
}

#[test]
fn whoever_has_another_key_is_told_nothing() {
    use tls::TlsError::{NotAccepted, Stranger};
    let (ours, others) = (keys(1), keys(9));
    assert_eq!(between(&ours, &credentials(&ours)), [None, None]);
    let wrong_door = Credentials { door: others.door.clone(), ..credentials(&ours) };
    assert_eq!(between(&ours, &wrong_door), [Some(Stranger), Some(NotAccepted)]);
    let wrong_owner = Credentials { door: ours.door.clone(), ..credentials(&others) };
    assert_eq!(between(&ours, &wrong_owner)[1], Some(Stranger));
}

#[test]
fn who_speaks_no_tls_is_refused() {
    let (mut server, mut client) = over_tcp();
    server.secure_as_owner(&tls::OwnerTls::new(&keys(1)).expect("keys")).expect("set up");
    client.send_all(&[17; 300]).expect("sent");
    let error = heard(&mut server, &mut vec![0; 64 << 10]).expect_err("it is none");
    assert_eq!(tls::TlsError::of(&error), Some(&tls::TlsError::NotTls));

    let (mut server, mut client) = over_tcp();
    let door = tls::DoorTls::new(&credentials(&keys(1))).expect("keys");
    server.send_all(&[17; 300]).expect("sent");
    let error = client.secure_as_door(&door, Duration::from_secs(30)).expect_err("it is none");
    assert_eq!(tls::TlsError::of(&error), Some(&tls::TlsError::NotTls));
}

#[test]
fn a_public_key_is_that_of_the_standard() {
    // RFC 8032, section 7.1, test 1.
    let secret = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ];
    let public = tls::public_key(&Secret::new(secret)).expect("a key");
    assert_eq!(public.0[..4], [0xd7, 0x5a, 0x98, 0x01]);
    assert_eq!(public.0[28..], [0xf7, 0x07, 0x51, 0x1a]);
}

#[test]
fn a_machine_that_is_gone_is_noticed_and_nothing_is_gathered() {
    use rustix::net::sockopt;
    let (server, client) = over_tcp();
    for stream in [&server, &client] {
        assert!(sockopt::tcp_nodelay(stream).expect("told"));
        assert!(sockopt::socket_keepalive(stream).expect("told"));
        assert_eq!(sockopt::tcp_user_timeout(stream).expect("told"), 30_000);
        let idle = sockopt::tcp_keepidle(stream).expect("told");
        let pause = sockopt::tcp_keepintvl(stream).expect("told");
        let count = sockopt::tcp_keepcnt(stream).expect("told");
        assert!(idle + pause * count <= Duration::from_secs(30), "{idle:?} {pause:?} {count}");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that did not run says so")]
fn a_vsock_listener_has_a_port() {
    let any = Endpoint::Vsock { cid: CID_ANY, port: 0 };
    match NetworkListener::bind(any) {
        Ok(listener) => {
            let Endpoint::Vsock { cid: CID_ANY, port } = listener.endpoint() else {
                panic!("{:?}", listener.endpoint());
            };
            assert!(port != 0 && port != u32::MAX);
            assert!(listener.accept(Duration::from_secs(1)).expect("looks").is_none());
        }
        Err(error) => eprintln!("NOT RUN: this kernel has no vsock: {error}"),
    }
}

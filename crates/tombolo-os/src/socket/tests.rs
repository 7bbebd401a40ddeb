use super::*;
use crate::socket::poll::Interest;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

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

        let client = Stream::connect_unix(&path).expect("connects");
        let poller = Poller::new().expect("a poller");
        poller.add(&listener, 7, Interest::Receive).expect("added");
        let events = poller.wait(None).expect("waits");
        assert_eq!(events.first().map(|event| event.key), Some(7));
        let server = listener.accept().expect("looks").expect("one waits");
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
    let client = Stream::connect_unix(&path).expect("connects");
    let server = listener.accept().expect("looks").expect("one waits");
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

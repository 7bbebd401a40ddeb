//! Ten thousand idle sessions, and 64 that are not.

use crate::harness::{Owner, printed};
use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;
use tombolo_core::wire::reply::{Begun, Outcome, Reservation, Turn};
use tombolo_core::wire::request::{
    Access, Commit, CommitId, Durability, Ending, Pages, Request, TurnWish,
};
use tombolo_core::wire::{FrameReader, PROTOCOL, Reply};
use tombolo_os::socket::Stream;

const IDLE: usize = 10_000;
const BUSY: usize = 64;
const ROUNDS: usize = 30;
const RESIDENT_MAX_KIB: u64 = 300 * 1024;

struct Session {
    stream: Stream,
    reader: FrameReader,
}

impl Session {
    fn open(socket: &Path, database: &Path) -> Self {
        let stream = Stream::connect_unix(socket).expect("it listens");
        stream.set_timeout(Duration::from_secs(120)).expect("set");
        let mut session = Session { stream, reader: FrameReader::default() };
        let (boot_id, program) = (b"elsewhere", b"many");
        let hello = Request::Hello { protocol: PROTOCOL, boot_id, process: 1, program };
        assert!(matches!(session.ask(&hello), Reply::Welcome { .. }));
        let path = database.as_os_str().as_bytes();
        let reply = session.ask(&Request::Open { path, access: Access::Write });
        assert!(matches!(reply, Reply::Opened { .. }), "{reply:?}");
        session
    }

    fn tell(&mut self, request: &Request<'_>) {
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.stream.send_all(&bytes).expect("sent");
    }

    fn ask(&mut self, request: &Request<'_>) -> Reply {
        self.tell(request);
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(frame) = self.reader.next_frame().expect("frames") {
                return Reply::decode(frame).expect("a reply");
            }
            let count = self.stream.receive(&mut buffer).expect("an answer in time");
            assert!(count > 0, "the owner ended the connection");
            self.reader.push(buffer.get(..count).expect("as many"));
        }
    }

    /// Reads the first pages in a transaction, and writes them again as they are. How often it had
    /// to begin before it did.
    fn work(&mut self, id: u128) -> usize {
        for attempts in 1.. {
            let wish = TurnWish::IfFree;
            let Reply::Begun(begun) = self.ask(&Request::Begin { seen: None, wish }) else {
                panic!("no transaction")
            };
            let has_turn = begun.turn == Turn::Granted
                || self.ask(&Request::Reserve { wait_ms: 60_000 })
                    == Reply::Reserved(Reservation::Granted);
            if has_turn {
                self.commit(&begun, id);
            }
            self.tell(&Request::End(Ending::Transaction));
            if has_turn {
                return attempts;
            }
        }
        unreachable!("it goes on until it has the turn")
    }

    fn commit(&mut self, begun: &Begun, id: u128) {
        let Reply::Pages(read) = self.ask(&Request::Read { first: 1, count: 4 }) else {
            panic!("no pages")
        };
        let size = begun.shape.page_size_bytes;
        let mut pages = Vec::new();
        for (number, page) in (1..).zip(read.chunks(size as usize)) {
            Pages::append(&mut pages, number, page);
        }
        let commit = Commit {
            id: CommitId(id),
            base: begun.version,
            size_pages: begun.shape.size_pages,
            durability: Durability::Power,
            pieces: 0,
            pages: Pages::new(size, &pages).expect("whole pages"),
        };
        let reply = self.ask(&Request::Commit(commit));
        assert!(matches!(reply, Reply::Outcome(Outcome::Committed(_))), "{reply:?}");
    }
}

/// KiB that a process has resident, and had at most (proc_pid_status(5)).
fn resident_kib(process: u32) -> [u64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    ["VmRSS:", "VmHWM:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        let number = line.trim().split(' ').next().expect("a number");
        number.parse().expect("a number")
    })
}

/// `cargo test -p tombolo --test serve -- --ignored ten_thousand --nocapture` tells the figures.
#[test]
#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
#[ignore = "takes twenty thousand descriptors and a minute"]
fn ten_thousand_idle_sessions_and_64_busy_ones_fit_in_300_mib() {
    let limit = tombolo_os::descriptors::raise_limit().expect("raised");
    assert!(limit > 11_000, "the test did not run: it may have {limit} descriptors only");
    let owner = Owner::new();
    printed(&owner.door(
        "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n
             WHERE i < 2000) INSERT INTO t SELECT randomblob(500) FROM n;",
    ));
    let socket = owner.database().with_extension("db-tombolo").join("owner.sock");
    let database = owner.database();
    let before = resident_kib(owner.id());
    let mut idle: VecDeque<_> = (0..IDLE).map(|_| Session::open(&socket, &database)).collect();
    let with_idle = resident_kib(owner.id());
    let committed: usize = std::thread::scope(|scope| {
        let work = |number: usize| {
            let mut session = Session::open(&socket, &database);
            let id = |round: usize| (number * ROUNDS + round + 1) as u128;
            (0..ROUNDS).map(|round| session.work(id(round))).filter(|begins| *begins > 0).count()
        };
        let threads: Vec<_> = (0..BUSY).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    // Each of the idle ones is served when it wakes up.
    for _ in 0..IDLE / 10 {
        let mut session = idle.pop_front().expect("as many");
        let reply = session.ask(&Request::Begin { seen: None, wish: TurnWish::None });
        assert!(matches!(reply, Reply::Begun(_)), "{reply:?}");
        idle.push_back(session);
    }
    let [now, most] = resident_kib(owner.id());
    println!(
        "resident: {} KiB before, {} with {IDLE} idle sessions, {now} with {BUSY} busy ones that \
         made {committed} commits, {most} at most",
        before[0], with_idle[0]
    );
    assert_eq!(committed, BUSY * ROUNDS);
    assert!(most < RESIDENT_MAX_KIB, "{most} KiB");
    drop(idle);
    assert_eq!(printed(&owner.door("PRAGMA integrity_check; SELECT count(*) FROM t;")), "ok\n2000");
}

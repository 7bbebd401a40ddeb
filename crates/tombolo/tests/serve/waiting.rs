//! Programs that wait for the turn to write.

use crate::harness::{Owner, printed};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// An owner, a program that has written once, and one that has the turn since then.
struct Contended {
    owner: Owner,
    holder: Child,
    waiter: Child,
    said: Box<dyn Iterator<Item = String>>,
}

impl Contended {
    fn new(patience_ms: &str) -> Self {
        let owner = Owner::new();
        printed(&owner.door("CREATE TABLE entry(who TEXT, number INTEGER);"));
        let mut waiter = owner.program("waits.py", &[patience_ms]);
        let mut said = lines(&mut waiter);
        assert_eq!(said.next().as_deref(), Some("ready"));
        let mut holder = owner.program("hold.py", &["door"]);
        assert_eq!(lines(&mut holder).next().as_deref(), Some("1"));
        Contended { owner, holder, waiter, said: Box::new(said) }
    }

    /// Lets the program write once more.
    fn go(&self) {
        let go = self.owner.database().with_extension("db.go");
        std::fs::write(go, "").expect("written");
    }

    fn status(&self) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command.args(["status", "--format", "json"]).arg(self.owner.database());
        let text = printed(&command.output().expect("it runs"));
        let document: Value = serde_json::from_str(&text).expect("one document");
        document["databases"][0].clone()
    }

    /// Waits until somebody waits for the turn.
    #[expect(clippy::disallowed_methods, reason = "nothing tells that a place in a queue is taken")]
    fn until_queued(&self) {
        while self.status()["queue_length"] == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn end_holder(&mut self) {
        self.holder.kill().expect("killed");
        self.holder.wait().expect("waited for");
    }
}

impl Drop for Contended {
    fn drop(&mut self) {
        for child in [&mut self.holder, &mut self.waiter] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is to wait through many naps of SQLite's")]
fn however_long_it_waits_it_asks_once() {
    let mut contended = Contended::new("60000");
    contended.go();
    contended.until_queued();
    let begins = |contended: &Contended| contended.status()["counts"]["begins"].as_u64();
    let before = begins(&contended).expect("a number");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(begins(&contended), Some(before), "it waits, and does not begin again and again");
    contended.end_holder();
    assert_eq!(contended.said.next().as_deref(), Some("written"));
    assert_eq!(contended.said.next().as_deref(), Some("2"));
}

#[test]
fn a_program_whose_patience_ends_is_told_so_and_can_read() {
    let mut contended = Contended::new("300");
    let began = Instant::now();
    contended.go();
    assert_eq!(contended.said.next().as_deref(), Some("database is locked"));
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!(contended.said.next().as_deref(), Some("1"));
    contended.end_holder();
    // It has left the queue, and gets no turn that it would not use.
    printed(&contended.owner.door("INSERT INTO entry VALUES('other', 1);"));
    assert_eq!(printed(&contended.owner.door("SELECT count(*) FROM entry;")), "2");
}

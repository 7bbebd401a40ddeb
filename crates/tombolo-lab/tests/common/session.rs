//! A connection of stock SQLite in a guest that does one statement after the other.

use super::{PATIENCE, TURN};
use std::time::Instant;
use tombolo_lab::{Answer, Guest, LabError, Reply, Running, Session};

/// The same program that [`tombolo_lab::Session`] runs on the host.
const SESSION: &str = include_str!("../../workloads/session.py");

/// A connection, in whatever kernel it is.
pub(crate) trait Connection {
    /// Runs one statement, and waits for its answer.
    fn run(&mut self, statement: &str) -> Answer;

    /// Runs statements until one fails: `ok`, or the name of its error.
    fn run_all(&mut self, statements: &[&str]) -> String {
        let outcomes = statements.iter().map(|statement| self.run(statement).outcome().to_owned());
        outcomes.into_iter().find(|outcome| outcome != "ok").unwrap_or_else(|| "ok".to_owned())
    }

    /// Counts up and adds a row that names it, in a transaction that has begun, and commits.
    fn increment(&mut self, client: &str, number: u32) -> String {
        let insert = format!("INSERT INTO entry(client, number) VALUES('{client}', {number})");
        self.run_all(&["UPDATE counter SET n = n + 1", &insert, "COMMIT"])
    }
}

impl Connection for Session {
    fn run(&mut self, statement: &str) -> Answer {
        Session::run(self, statement)
    }
}

impl Connection for GuestSession {
    fn run(&mut self, statement: &str) -> Answer {
        let line = statement.replace('\n', " ") + "\n";
        match self.running.write(line.as_bytes()) {
            Ok(()) => self.answer(),
            Err(_) => Answer::Died,
        }
    }
}

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct GuestSession {
    pub(crate) running: Running,
    read_bytes: usize,
}

impl GuestSession {
    /// Starts the program; `within` is the command that leads into a container, or empty. The
    /// database is opened with the first statement.
    pub(crate) fn new(guest: &Guest, within: &[&str], database: &str, vfs: Option<&str>) -> Self {
        let python = ["/usr/bin/python3", "-I", "-c", SESSION, database];
        let argv: Vec<&str> = within.iter().copied().chain(python).chain(vfs).collect();
        GuestSession { running: guest.spawn(&argv).expect("the guest is there"), read_bytes: 0 }
    }

    fn answer(&mut self) -> Answer {
        let begun = Instant::now();
        loop {
            // Asked before the output is: what has ended has said all that it will.
            let ended = !matches!(self.running.wait(TURN), Err(LabError::Late { .. }));
            if let Some(answer) = self.next_answer() {
                return answer;
            }
            if ended {
                return Answer::Died;
            }
            assert!(begun.elapsed() < PATIENCE, "no answer: {:?}", self.running);
        }
    }

    fn next_answer(&mut self) -> Option<Answer> {
        let output = self.running.stdout_so_far();
        let text = String::from_utf8_lossy(&output[self.read_bytes..]).into_owned();
        let (mut reply, mut length) = (Reply::default(), 0);
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            length += line.len();
            if let Some(answer) = reply.take(line.trim_end_matches('\n')) {
                self.read_bytes += length;
                return Some(answer);
            }
        }
        None
    }
}

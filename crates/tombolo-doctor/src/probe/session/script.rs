//! What the users of a scratch database do, step by step, and what each must see.
//!
//! A script stops at the first error and at the first lie. Every row that was acknowledged stands
//! in the ledger, and every reader is held against it. Commits are few: each takes one sync in WAL
//! mode and about four with a rollback journal, of many milliseconds on some disks.

use super::actor::{Action, Answer, Hand, Manner, Wait};
use super::judge::{Cause, Failure, Ledger, Lie, Stop};
use std::path::{Path, PathBuf};
use tombolo_core::report::Outcome;

/// Transactions of the first user before anybody else comes.
const FIRST_WRITES: usize = 2;

/// The state of one session.
pub(super) struct Course {
    path: PathBuf,
    pub(super) ledger: Ledger,
    /// Whether a reader was refused while another was about to write.
    pub(super) readers_wait: bool,
}

/// What a reader may meet beside a writer that has not yet begun to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readers {
    /// Nothing: WAL mode promises that it reads.
    Read,
    /// BUSY, which every program must expect of a rollback journal.
    MayWait,
}

/// Two connections that share the database, and how each opens it.
pub(super) struct Pair<'a> {
    pub(super) first: &'a mut dyn Hand,
    pub(super) second: &'a mut dyn Hand,
    pub(super) first_manner: Manner,
    pub(super) second_manner: Manner,
}

impl Course {
    pub(super) fn new(path: &Path) -> Self {
        Self::of(path, Ledger::default())
    }

    /// A session with a database that holds what this ledger says.
    pub(super) fn of(path: &Path, ledger: Ledger) -> Self {
        Course { path: path.to_owned(), ledger, readers_wait: false }
    }

    /// Any number of processes, in WAL mode.
    pub(super) fn wal(&mut self, mut pair: Pair<'_>) -> Result<(), Stop> {
        self.shared_wal(&mut pair).map_err(|stop| self.and_unharmed(stop, pair))
    }

    fn shared_wal(&mut self, pair: &mut Pair<'_>) -> Result<(), Stop> {
        self.share(pair, Readers::Read)?;
        self.contend(pair.second, pair.first, Readers::Read)?;
        self.checkpoint(pair.first)?;
        self.write("write after the checkpoint", pair.first)?;
        self.read("second process's read after the checkpoint", pair.second)?;
        self.check("integrity check", pair.first)?;
        self.check("second process's integrity check", pair.second)?;
        close("close", pair.first)?;
        close("second process's close", pair.second)?;
        self.reopen(pair.second, Manner::Plain)?;
        close("last close", pair.second)
    }

    /// Whoever is refused must have harmed nobody: what the first has committed is there, beside
    /// the other and after the last close. A failed open in WAL mode can cut the `-shm` of a
    /// program at work.
    fn and_unharmed(&mut self, stop: Stop, pair: Pair<'_>) -> Stop {
        let Pair { first, second, .. } = pair;
        if self.ledger.len() == 0 || stop.outcome(self.ledger.len()) != Outcome::Refused {
            return stop;
        }
        match self.go_on_alone(first, second) {
            Err(later) if later.outcome(self.ledger.len()) == Outcome::Violated => later,
            _ => stop,
        }
    }

    fn go_on_alone(&mut self, first: &mut dyn Hand, second: &mut dyn Hand) -> Result<(), Stop> {
        self.write("write after another was refused", first)?;
        self.read("read after another was refused", first)?;
        close("close of the one that was refused", second)?;
        self.write("write after the other's close", first)?;
        self.check("integrity check after another was refused", first)?;
        close("close", first)?;
        self.reopen(second, Manner::Plain)
    }

    /// Any number of processes, with a rollback journal.
    pub(super) fn rollback(&mut self, mut pair: Pair<'_>) -> Result<(), Stop> {
        self.share(&mut pair, Readers::MayWait)?;
        self.shut_readers_out(pair.second, pair.first)?;
        self.check("integrity check", pair.first)?;
        self.check("second process's integrity check", pair.second)?;
        close("close", pair.first)?;
        close("second process's close", pair.second)?;
        self.reopen(pair.second, Manner::Plain)?;
        close("last close", pair.second)
    }

    /// Reads a database that a program has left in the middle of a commit.
    pub(super) fn recover(&mut self, hand: &mut dyn Hand) -> Result<(), Stop> {
        open("open after a crash", hand, Manner::Plain)?;
        self.read("read after a crash", hand)?;
        self.check("integrity check after a crash", hand)?;
        close("close after a crash", hand)
    }

    /// Two connections of one process by the VFS `unix-excl`, and an outsider.
    pub(super) fn one_process(
        &mut self,
        mut pair: Pair<'_>,
        outsider: &mut dyn Hand,
    ) -> Result<(), Stop> {
        self.share(&mut pair, Readers::Read)?;
        open("outsider's open", outsider, Manner::Plain)?;
        keep_out("outsider's read", outsider, Action::Read)?;
        self.checkpoint(pair.first)?;
        self.write("write after the checkpoint", pair.first)?;
        self.read("second connection's read after the checkpoint", pair.second)?;
        keep_out("outsider's write", outsider, Action::Begin)?;
        self.check("integrity check", pair.first)?;
        close("close", pair.first)?;
        close("second connection's close", pair.second)?;
        close("outsider's close", outsider)?;
        self.reopen(outsider, Manner::UnixExcl)?;
        close("last close", outsider)
    }

    /// One connection with `locking_mode=EXCLUSIVE`, and an outsider.
    pub(super) fn one_connection(
        &mut self,
        first: &mut dyn Hand,
        outsider: &mut dyn Hand,
    ) -> Result<(), Stop> {
        let manner = Manner::WalExclusive;
        self.begin(first, manner)?;
        open("outsider's open", outsider, Manner::Plain)?;
        keep_out("outsider's read", outsider, Action::Read)?;
        self.checkpoint(first)?;
        self.write("write after the checkpoint", first)?;
        keep_out("outsider's write", outsider, Action::Begin)?;
        self.read("read after the checkpoint", first)?;
        self.check("integrity check", first)?;
        close("close", first)?;
        close("outsider's close", outsider)?;
        self.reopen(outsider, manner)?;
        close("second process's close", outsider)?;
        // The way out of WAL mode where shared maps are refused.
        self.leave_wal(first, manner)
    }

    /// Creates the database and writes to it.
    fn begin(&mut self, first: &mut dyn Hand, manner: Manner) -> Result<(), Stop> {
        open("open", first, manner)?;
        done("first write", first, Action::Create)?;
        for _ in 0..FIRST_WRITES {
            self.write("write", first)?;
        }
        self.read("read of what was written", first)
    }

    /// What every mode for two connections must do.
    fn share(&mut self, pair: &mut Pair<'_>, readers: Readers) -> Result<(), Stop> {
        self.begin(pair.first, pair.first_manner)?;
        open("second open", pair.second, pair.second_manner)?;
        self.read("second user's read", pair.second)?;
        self.write("second user's write", pair.second)?;
        self.read("read of what the second user wrote", pair.first)?;
        self.contend(pair.first, pair.second, readers)
    }

    /// One holds a write transaction: the other may not begin one, and reads the state before it.
    fn contend(
        &mut self,
        holder: &mut dyn Hand,
        other: &mut dyn Hand,
        readers: Readers,
    ) -> Result<(), Stop> {
        let id = self.ledger.next();
        done("start of a write transaction", holder, Action::Begin)?;
        done("write in a transaction", holder, Action::Add(id))?;
        keep_out("start of a second writer beside the first", other, Action::Begin)?;
        match self.read("read beside a writer", other) {
            Err(stop) if readers == Readers::MayWait && stop.is_busy() => self.readers_wait = true,
            read => read?,
        }
        self.commit(id, holder)?;
        self.read("read after the writer's commit", other)
    }

    /// One holds the database exclusively, with a journal on the disk: the other may not even read,
    /// and above all must not play the journal back.
    fn shut_readers_out(
        &mut self,
        holder: &mut dyn Hand,
        other: &mut dyn Hand,
    ) -> Result<(), Stop> {
        let id = self.ledger.next();
        done("start of an exclusive transaction", holder, Action::BeginExclusive)?;
        done("write in an exclusive transaction", holder, Action::Add(id))?;
        keep_out("read beside an exclusive transaction", other, Action::Read)?;
        self.commit(id, holder)?;
        self.read("read after the exclusive transaction", other)
    }

    fn checkpoint(&mut self, hand: &mut dyn Hand) -> Result<(), Stop> {
        const STEP: &str = "checkpoint";
        done(STEP, hand, Action::Checkpoint)?;
        match self.wal_bytes() {
            None | Some(0) => Ok(()),
            Some(bytes) => Err(lied(STEP, Lie::WalNotCut { bytes })),
        }
    }

    fn reopen(&mut self, hand: &mut dyn Hand, manner: Manner) -> Result<(), Stop> {
        open("second process's open after the close", hand, manner)?;
        self.read("second process's read after the close", hand)?;
        self.check("second process's integrity check after the close", hand)
    }

    fn leave_wal(&mut self, hand: &mut dyn Hand, manner: Manner) -> Result<(), Stop> {
        const STEP: &str = "step out of WAL mode";
        open("open after the close", hand, manner)?;
        self.read("read after the close", hand)?;
        done(STEP, hand, Action::LeaveWal)?;
        if self.wal_bytes().is_some() {
            return Err(lied(STEP, Lie::WalLeft));
        }
        self.write("write with a rollback journal", hand)?;
        self.read("read with a rollback journal", hand)?;
        self.check("last integrity check", hand)?;
        close("last close", hand)
    }

    fn write(&mut self, step: &'static str, hand: &mut dyn Hand) -> Result<(), Stop> {
        let id = self.ledger.next();
        done(step, hand, Action::Write(id))?;
        self.ledger.acknowledge(id);
        Ok(())
    }

    fn commit(&mut self, id: i64, hand: &mut dyn Hand) -> Result<(), Stop> {
        done("commit", hand, Action::Commit)?;
        self.ledger.acknowledge(id);
        Ok(())
    }

    fn read(&mut self, step: &'static str, hand: &mut dyn Hand) -> Result<(), Stop> {
        match hand.ask(Action::Read, Wait::Briefly) {
            Ok(Answer::Seen(seen)) => self.ledger.compare(&seen).map_err(|lie| lied(step, lie)),
            other => unexpected(step, other),
        }
    }

    fn check(&mut self, step: &'static str, hand: &mut dyn Hand) -> Result<(), Stop> {
        match hand.ask(Action::Check, Wait::Briefly) {
            Ok(Answer::Words(words)) if words == "ok" => Ok(()),
            Ok(Answer::Words(words)) => Err(lied(step, Lie::Integrity(words))),
            other => unexpected(step, other),
        }
    }

    /// The size of the `-wal`; `None` if there is none.
    fn wal_bytes(&self) -> Option<u64> {
        // By `stat` alone: to close a descriptor of the database would drop SQLite's locks.
        let mut name = self.path.clone().into_os_string();
        name.push("-wal");
        std::fs::metadata(name).ok().map(|status| status.len())
    }
}

fn open(step: &'static str, hand: &mut dyn Hand, manner: Manner) -> Result<(), Stop> {
    done(step, hand, Action::Open(manner))
}

fn close(step: &'static str, hand: &mut dyn Hand) -> Result<(), Stop> {
    done(step, hand, Action::Close)
}

fn done(step: &'static str, hand: &mut dyn Hand, action: Action) -> Result<(), Stop> {
    match hand.ask(action, Wait::Briefly) {
        Ok(Answer::Done) => Ok(()),
        other => unexpected(step, other),
    }
}

/// Only BUSY keeps somebody out in order; another error is a failure, success a lie.
fn keep_out(step: &'static str, hand: &mut dyn Hand, action: Action) -> Result<(), Stop> {
    match hand.ask(action, Wait::Never) {
        Ok(_) => Err(lied(step, Lie::LetIn)),
        Err(failure) if failure.is_busy() => Ok(()),
        Err(failure) => Err(Stop { step, cause: Cause::Failed(failure) }),
    }
}

fn unexpected(step: &'static str, answer: Result<Answer, Failure>) -> Result<(), Stop> {
    let failure = match answer {
        Err(failure) => failure,
        Ok(_) => Failure::Gone,
    };
    Err(Stop { step, cause: Cause::Failed(failure) })
}

fn lied(step: &'static str, lie: Lie) -> Stop {
    Stop { step, cause: Cause::Lied(lie) }
}

//! A kernel's lock table, whole or with one of the faults that file systems have.

use super::*;
use std::collections::HashMap;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// Every call fails in this way: no lock service (ENOLCK), no locks (ENOSYS).
    Fails(Errno),
    /// Grants everything, records nothing, names a holder for everything: 9p without 9p2000.L.
    GrantsAll,
    /// The second process is not seen.
    Blind,
    /// A lock over one's own shared lock is refused: SMB.
    NoUpgrade,
    /// A refused upgrade takes the shared lock away.
    UpgradeDrops,
    /// Any unlock gives the whole file back: 9p by diod.
    UnlockDropsAll,
    /// Every range is the whole file.
    WholeFile,
    /// `F_GETLK` names nobody.
    QueryBlind,
    /// `F_GETLK` does not look at the range.
    QueryWholeFile,
    /// `F_GETLK` names one's own locks.
    QueryOwn,
    /// `F_GETLK` calls every lock exclusive.
    QueryExclusive,
    /// A lock once taken stays.
    NeverReleases,
}

pub(crate) struct Model {
    fault: Fault,
    held: HashMap<(Who, i64), Strength>,
}

impl Model {
    pub(crate) fn new(fault: Fault) -> Self {
        Model { fault, held: HashMap::new() }
    }

    /// What a script finds on such a file system.
    pub(crate) fn judges(fault: Fault, kind: EvidenceKind, script: &[Step]) -> Observation {
        let mut model = Model::new(fault);
        follow(kind, script, "sound", &mut |_, step| Ok(model.answer(step.who, step.call)))
            .expect("a model always answers")
    }

    pub(crate) fn answer(&mut self, who: Who, call: Call) -> Answer {
        if let Fault::Fails(errno) = self.fault {
            return Answer::Failed(errno);
        }
        match call {
            Call::Query(bytes) => self.query(who, bytes.range),
            Call::Set(_, strength, bytes) => self.set(who, strength, bytes.range),
            Call::Whole(strength) => self.set(who, strength, ALL.range),
        }
    }

    fn bytes(&self, range: Range) -> Vec<i64> {
        let all = (120..=128).chain(PENDING.range.start..PENDING.range.start + 512);
        let within = |byte: &i64| {
            range.length == 0 || (range.start..range.start + range.length).contains(byte)
        };
        all.filter(|byte| self.fault == Fault::WholeFile || within(byte)).collect()
    }

    fn conflict(&self, who: Who, strength: Strength, range: Range) -> Option<Strength> {
        let others = self.held.iter().filter(|((holder, _), _)| *holder != who);
        let bytes = self.bytes(range);
        let mut touching =
            others.filter(|((_, byte), _)| bytes.contains(byte)).map(|(_, held)| *held);
        touching.find(|held| *held == Strength::Exclusive || strength == Strength::Exclusive)
    }

    fn set(&mut self, who: Who, strength: Strength, range: Range) -> Answer {
        if self.fault == Fault::GrantsAll {
            return Answer::Done;
        }
        let bytes = self.bytes(range);
        if strength == Strength::None {
            match self.fault {
                Fault::NeverReleases => {}
                Fault::UnlockDropsAll => self.held.retain(|(holder, _), _| *holder != who),
                _ => self.held.retain(|(holder, byte), _| *holder != who || !bytes.contains(byte)),
            }
            return Answer::Done;
        }
        let upgrades = strength == Strength::Exclusive
            && bytes.iter().any(|byte| self.held.get(&(who, *byte)) == Some(&Strength::Shared));
        if upgrades && self.fault == Fault::NoUpgrade {
            return Answer::Failed(Errno::EACCES);
        }
        if self.fault != Fault::Blind && self.conflict(who, strength, range).is_some() {
            if upgrades && self.fault == Fault::UpgradeDrops {
                self.held.retain(|(holder, byte), _| *holder != who || !bytes.contains(byte));
            }
            return Answer::Failed(Errno::EAGAIN);
        }
        self.held.extend(bytes.into_iter().map(|byte| ((who, byte), strength)));
        Answer::Done
    }

    fn query(&self, who: Who, range: Range) -> Answer {
        let asked = if self.fault == Fault::QueryWholeFile { ALL.range } else { range };
        let other = if who == Who::First { Who::Second } else { Who::First };
        let seen = match self.fault {
            Fault::GrantsAll => Some(Strength::Exclusive),
            Fault::QueryBlind | Fault::Blind => None,
            Fault::QueryOwn => self
                .conflict(who, Strength::Exclusive, asked)
                .or_else(|| self.conflict(other, Strength::Exclusive, asked)),
            Fault::QueryExclusive => {
                self.conflict(who, Strength::Exclusive, asked).map(|_| Strength::Exclusive)
            }
            _ => self.conflict(who, Strength::Exclusive, asked),
        };
        match seen {
            None => Answer::Nobody,
            Some(Strength::Shared) => Answer::SharedBy(1),
            Some(_) => Answer::ExclusiveBy(1),
        }
    }
}

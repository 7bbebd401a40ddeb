//! What one side sees of what another does to files.

use super::clock::Clock;
use super::outcome::Fact;
use super::session::{Said, Session};
use crate::error::LabError;
use crate::side::Side;
use std::collections::BTreeSet;

/// How long something may take to be seen; what takes longer is called never.
const SEEN_WITHIN_MS: u32 = 2000;

/// How many names both sides try to make.
const NAMES: usize = 150;

/// The names of the experiments, as the tables call them.
pub(super) const SHARED_MAP: &str = "shared map";
pub(super) const NAMES_OF_FACTS: [&str; 10] = [
    SHARED_MAP,
    "map seen by map",
    "POSIX lock seen",
    "OFD lock seen",
    "flock seen",
    "write seen by open descriptor",
    "size seen by open descriptor",
    "new name seen",
    "exclusive creation",
    "rename fences old descriptor",
];

/// Two programs, one on each side, and the beginning of the names of their files.
struct Two {
    actor: Session,
    observer: Session,
    prefix: String,
    facts: Vec<Fact>,
    from: String,
    to: String,
}

/// Makes all experiments with one side that acts and one that looks.
///
/// # Errors
/// When a side does not answer.
pub(super) fn observe(from: &Side, to: &Side, clock: Clock) -> Result<Vec<Fact>, LabError> {
    let mut two = Two {
        actor: Session::files(from, clock)?,
        observer: Session::files(to, clock)?,
        prefix: format!("{}-{}", from.name(), to.name()),
        facts: Vec::new(),
        from: from.name().to_owned(),
        to: to.name().to_owned(),
    };
    two.maps()?;
    for (name, kind) in [(2, "posix"), (3, "ofd"), (4, "flock")] {
        two.lock(NAMES_OF_FACTS[name], kind)?;
    }
    two.write_and_size()?;
    two.new_name()?;
    two.exclusive_creation()?;
    two.rename()?;
    Ok(two.facts)
}

impl Two {
    fn note(&mut self, name: &str, seen: impl Into<String>) {
        let (name, from, to) = (name.to_owned(), self.from.clone(), self.to.clone());
        self.facts.push(Fact { name, from, to, seen: seen.into() });
    }

    fn name(&self, rest: &str) -> String {
        format!("{}-{rest}", self.prefix)
    }

    /// A file made by the actor, open on both sides under the key `f`; whether that worked.
    fn file(&mut self, rest: &str, content: &str) -> Result<Option<String>, LabError> {
        let name = self.name(rest);
        let made = self.actor.say(&format!("make\t{name}\t{content}"))?;
        let open = format!("open\tf\t{name}");
        let (here, there) = (self.actor.say(&open)?, self.observer.say(&open)?);
        let failed = [&made, &here, &there].into_iter().find(|said| !said.is_done());
        Ok(failed.map(|said| said.outcome().to_owned()))
    }

    /// Has the observer wait for an answer.
    fn awaited(&mut self, wanted: &str, call: &str) -> Result<String, LabError> {
        let said = self.observer.say(&format!("await\t{SEEN_WITHIN_MS}\t{wanted}\t{call}"))?;
        Ok(seen(&said))
    }

    fn maps(&mut self) -> Result<(), LabError> {
        if let Some(error) = self.file("map", &"a".repeat(4096))? {
            self.note(SHARED_MAP, error.clone());
            self.note(NAMES_OF_FACTS[1], error);
            return Ok(());
        }
        let there = self.observer.say("map\tf\t4096")?;
        self.note(SHARED_MAP, there.outcome());
        let here = self.actor.say("map\tf\t4096")?;
        if !here.is_done() || !there.is_done() {
            self.note(NAMES_OF_FACTS[1], "no map");
            return Ok(());
        }
        self.observer.say("peek\tf\t100\t1")?;
        let poked = self.actor.say("poke\tf\t100\tb")?;
        let seen = match poked {
            Said::Done(_) => self.awaited("b", "peek\tf\t100\t1")?,
            Said::Failed(name) => name,
        };
        self.note(NAMES_OF_FACTS[1], seen);
        Ok(())
    }

    fn lock(&mut self, name: &str, kind: &str) -> Result<(), LabError> {
        if let Some(error) = self.file(kind, "lock")? {
            self.note(name, error);
            return Ok(());
        }
        let call = format!("lock\tf\t{kind}");
        let seen = match (self.actor.say(&call)?, self.observer.say(&call)?) {
            (Said::Failed(error), _) => format!("refused: {error}"),
            (_, Said::Done(_)) => "no".to_owned(),
            (_, Said::Failed(error)) if error == "EAGAIN" => "yes".to_owned(),
            (_, Said::Failed(error)) => format!("yes ({error})"),
        };
        self.note(name, seen);
        Ok(())
    }

    fn write_and_size(&mut self) -> Result<(), LabError> {
        for (name, rest, change, wanted, call) in [
            (NAMES_OF_FACTS[5], "write", "write\tf\t0\tnew", "new", "read\tf\t0\t3"),
            (NAMES_OF_FACTS[6], "size", "write\tf\t3\tlonger", "9", "size\tf"),
        ] {
            if let Some(error) = self.file(rest, "old")? {
                self.note(name, error);
                continue;
            }
            // So that there is something to keep.
            self.observer.say(call)?;
            let seen = match self.actor.say(change)? {
                Said::Done(_) => self.awaited(wanted, call)?,
                Said::Failed(error) => error,
            };
            self.note(name, seen);
        }
        Ok(())
    }

    fn new_name(&mut self) -> Result<(), LabError> {
        let name = self.name("name");
        self.observer.say(&format!("exists\t{name}"))?;
        self.actor.say(&format!("make\t{name}\tnew"))?;
        let seen = self.awaited("yes", &format!("exists\t{name}"))?;
        self.note(NAMES_OF_FACTS[7], seen);
        Ok(())
    }

    fn exclusive_creation(&mut self) -> Result<(), LabError> {
        let call = format!("claim\t{}\t{NAMES}", self.name("claim-"));
        self.actor.send(&call);
        self.observer.send(&call);
        let said = [self.actor.answer(&call)?, self.observer.answer(&call)?];
        let seen = match said.iter().find(|said| !said.is_done()) {
            Some(said) => said.outcome().to_owned(),
            None => claims(said[0].word(), said[1].word()),
        };
        self.note(NAMES_OF_FACTS[8], seen);
        Ok(())
    }

    fn rename(&mut self) -> Result<(), LabError> {
        let (old, new) = (self.name("old"), self.name("new"));
        if let Some(error) = self.file("old", "old")? {
            self.note(NAMES_OF_FACTS[9], error);
            return Ok(());
        }
        self.actor.say(&format!("make\t{new}\tnew"))?;
        let renamed = self.actor.say(&format!("rename\t{new}\t{old}"))?;
        let written = self.observer.say("write\tf\t0\tBAD")?;
        let found = self.actor.say(&format!("cat\t{old}"))?;
        let seen = match (&renamed, found.word()) {
            (Said::Failed(error), _) => error.clone(),
            (_, "new") if written.is_done() => "yes".to_owned(),
            (_, "new") => format!("yes ({})", written.outcome()),
            (_, other) => format!("no: it holds {other}"),
        };
        self.note(NAMES_OF_FACTS[9], seen);
        Ok(())
    }
}

/// `at once`, `after N ms`, `never`, or an error.
fn seen(said: &Said) -> String {
    match said {
        Said::Done(_) if said.word() == "0" => "at once".to_owned(),
        Said::Done(_) if said.word() == "never" => "never".to_owned(),
        Said::Done(_) => format!("after {} ms", said.word()),
        Said::Failed(error) => error.clone(),
    }
}

/// What two lists of names say of exclusive creation.
fn claims(first: &str, second: &str) -> String {
    let set = |text: &str| -> BTreeSet<u32> {
        let numbers = text.split(' ').next().unwrap_or_default();
        numbers.split(',').filter_map(|number| number.parse().ok()).collect()
    };
    let error = [first, second].into_iter().find_map(|text| text.split_once(' '));
    let error = error.map_or(String::new(), |(_, error)| format!(" ({error})"));
    let (first, second) = (set(first), set(second));
    match first.intersection(&second).count() {
        0 if first.is_empty() && second.is_empty() => format!("nobody{error}"),
        0 => format!("one winner{error}"),
        twice => format!("{twice} of {NAMES} twice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_both_have_made_is_counted() {
        assert_eq!(claims("0,1,3", "2,4"), "one winner");
        assert_eq!(claims("0,1,3", "1,2,3"), "2 of 150 twice");
        assert_eq!(claims("0,1,3", "2 EPERM"), "one winner (EPERM)");
        assert_eq!(claims("none ENOENT", "none"), "nobody (ENOENT)");
    }

    #[test]
    fn times_are_told_from_errors() {
        let done = |word: &str| seen(&Said::Done(vec![word.to_owned()]));
        assert_eq!(done("0"), "at once");
        assert_eq!(done("991"), "after 991 ms");
        assert_eq!(done("never"), "never");
        assert_eq!(seen(&Said::Failed("EIO".to_owned())), "EIO");
    }
}

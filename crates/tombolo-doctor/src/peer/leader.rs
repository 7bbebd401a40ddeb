//! The side that began: waits for the others, leads the experiments, and sends what was learned.

use super::exchange::{Exchange, Lost};
use super::experiment::{self, Files, JOURNALS, Pair};
use super::follower::LEAVE;
use super::meeting::LISTEN;
use super::table::{Gone, Seat, Table, Trouble};
use super::{ACROSS_KERNELS, Plan, Said, name};
use std::time::{Duration, Instant};
use tombolo_core::peer::message::{Hello, Leaving, Message, PROTOCOL};
use tombolo_core::peer::part::PeerId;
use tombolo_core::peer::step::Journal;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::worker::pause;

/// Leads a conversation in the working directory.
pub(super) fn lead(own: &Hello, plan: Plan, mut exchange: Exchange, say: &mut dyn FnMut(Said)) {
    let (ids, hellos) = match gather(&mut exchange, own, plan, say) {
        Ok(gathered) => gathered,
        // Whoever sees to this process says so.
        Err(Lost::StopWanted) => return exchange.leave(Leaving::Interrupted, LEAVE),
        Err(lost) => return say(Said::Missing(lost.to_string())),
    };
    if ids.is_empty() {
        return say(Said::Missing(format!("no other side has come; {LISTEN}")));
    }
    if ids.len() < plan.others {
        let missing = plan.others - ids.len();
        say(Said::Missing(format!("{missing} of the other sides have not come")));
    }
    let mut session = Session {
        table: Table::new(exchange, &ids, plan.patience),
        names: hellos.iter().enumerate().map(|(number, hello)| name(number, hello)).collect(),
        hellos,
        files: Files::default(),
        say,
    };
    match session.run(plan.patience) {
        Ok(()) => {}
        Err(Lost::StopWanted) => session.table.exchange.leave(Leaving::Interrupted, LEAVE),
        Err(lost) => session.missing(format!("{lost}; not everything was measured")),
    }
}

type Gathered = (Vec<PeerId>, Vec<Hello>);

/// Waits until all are there. The first of the hellos is this side's own.
fn gather(
    exchange: &mut Exchange,
    own: &Hello,
    plan: Plan,
    say: &mut dyn FnMut(Said),
) -> Result<Gathered, Lost> {
    let end = Instant::now() + plan.wait;
    let (mut ids, mut hellos) = (Vec::new(), vec![own.clone()]);
    while ids.len() < plan.others && Instant::now() < end {
        for (id, message) in exchange.poll()? {
            match message {
                Message::Hello(hello) if hello.protocol != PROTOCOL => {
                    exchange.say(id, &Message::Leave(Leaving::OtherProtocol(PROTOCOL)))?;
                    let Hello { version, .. } = hello.bounded();
                    say(Said::Missing(format!(
                        "a side with tombolo {version} has come, which speaks another language: \
                         use the same version on all sides"
                    )));
                }
                Message::Hello(_) if ids.len() == plan.others => {
                    exchange.say(id, &Message::Leave(Leaving::Full))?;
                }
                Message::Hello(hello) if !ids.contains(&id) => {
                    let hello = hello.bounded();
                    say(Said::Progress(format!("{} has come", name(hellos.len(), &hello))));
                    ids.push(id);
                    hellos.push(hello);
                }
                Message::Leave(why) => {
                    if let Some(text) = turned_back(why) {
                        say(Said::Missing(text.to_owned()));
                    }
                    if let Some(index) = ids.iter().position(|known| *known == id) {
                        ids.remove(index);
                        hellos.remove(index + 1);
                    }
                    exchange.drop_link(id);
                }
                _ => {}
            }
        }
        pause(exchange.rest());
    }
    for (index, id) in ids.iter().enumerate() {
        let number = u8::try_from(index + 1).unwrap_or(u8::MAX);
        exchange.say(*id, &Message::Welcome(number, hellos.clone()))?;
    }
    Ok((ids, hellos))
}

/// What is to be said of a side that has called and could not take part.
fn turned_back(why: Leaving) -> Option<&'static str> {
    match why {
        Leaving::NotFound => Some(
            "a side has come that does not find the directory in which the sides work: its path is \
             another directory, or names that are made here do not appear there",
        ),
        Leaving::OtherUser => Some(
            "a side has come that runs as another user than this one, and may not work in the \
             directory that this one has made; run both as one user",
        ),
        Leaving::Finished | Leaving::Interrupted | Leaving::OtherProtocol(_) | Leaving::Full => {
            None
        }
    }
}

struct Session<'a> {
    table: Table,
    hellos: Vec<Hello>,
    names: Vec<String>,
    files: Files,
    say: &'a mut dyn FnMut(Said),
}

impl Session<'_> {
    fn run(&mut self, patience: Duration) -> Result<(), Lost> {
        self.tell(self.kernels())?;
        for one in 0..self.names.len() {
            for two in one + 1..self.names.len() {
                self.pair(one, two)?;
            }
        }
        for journal in JOURNALS {
            self.sqlite(journal)?;
        }
        self.table.tell_all(&Message::Over)?;
        let end = Instant::now() + patience;
        while !self.table.here().is_empty() && Instant::now() < end {
            self.table.hear()?;
            pause(self.table.exchange.rest());
        }
        self.table.exchange.leave(Leaving::Finished, Duration::ZERO);
        Ok(())
    }

    fn missing(&mut self, what: String) {
        (self.say)(Said::Missing(what.clone()));
        let _ = self.table.tell_all(&Message::Missing(what));
    }

    fn tell(&mut self, observation: Observation) -> Result<(), Lost> {
        let text = serde_json::to_string(&observation).unwrap_or_default();
        (self.say)(Said::Evidence(observation));
        self.table.tell_all(&Message::Evidence(text))
    }

    fn across(&self, seats: &[Seat]) -> bool {
        let ids: Vec<_> = seats.iter().map(|seat| self.hellos[*seat].boot_id.as_ref()).collect();
        let differ = |one: &Option<&String>, two: &Option<&String>| {
            one.is_some() && two.is_some() && one != two
        };
        ids.iter().any(|one| ids.iter().any(|two| differ(one, two)))
    }

    /// Which kernels are here.
    fn kernels(&self) -> Observation {
        let all: Vec<Seat> = (0..self.hellos.len()).collect();
        let across = self.across(&all);
        let sides = self.names.join(" and ");
        let summary = if across {
            format!("{sides} run under different kernels")
        } else if self.hellos.iter().any(|hello| hello.boot_id.is_none()) {
            format!("whether {sides} run under one kernel is not known: there is no boot id")
        } else {
            format!("{sides} run under one kernel")
        };
        let list = |of: fn(&Hello) -> String| self.hellos.iter().map(of).collect::<Vec<_>>();
        Observation::new(EvidenceKind::PeerKernels, Outcome::Noted, summary)
            .value(ACROSS_KERNELS, across)
            .value("sides", self.names.clone())
            .value("boot_ids", list(|hello| hello.boot_id.clone().unwrap_or_default()))
            .value("releases", list(|hello| hello.release.clone()))
            .value("versions", list(|hello| hello.version.clone()))
            .value("messages_by", self.table.exchange.way().to_owned())
    }

    fn pair(&mut self, one: Seat, two: Seat) -> Result<(), Lost> {
        if !self.table.is_here(one) || !self.table.is_here(two) {
            return Ok(());
        }
        let across = self.across(&[one, two]);
        let names = [self.names[one].clone(), self.names[two].clone()];
        let mut made = Vec::new();
        let say = &mut *self.say;
        let mut pair =
            Pair { hands: &mut self.table, seats: [one, two], names, files: &mut self.files };
        let ended = experiment::run(&mut pair, &mut |observation| {
            say(Said::Progress(format!("{}: {}", observation.kind.as_str(), observation.summary)));
            made.push(observation.value(ACROSS_KERNELS, across));
        });
        for observation in made {
            self.tell(observation)?;
        }
        self.go_on(ended)
    }

    fn sqlite(&mut self, journal: (EvidenceKind, Journal, u32)) -> Result<(), Lost> {
        let here: Vec<Seat> = (0..self.names.len()).filter(|n| self.table.is_here(*n)).collect();
        if here.len() < 2 {
            return Ok(());
        }
        let across = self.across(&here);
        (self.say)(Said::Progress(format!("{}: on all sides at once", journal.0.as_str())));
        let sides: Vec<_> = here.iter().map(|seat| (*seat, self.names[*seat].clone())).collect();
        match experiment::all_at_once(&mut self.table, &mut self.files, &sides, journal) {
            Ok(observation) => self.tell(observation.value(ACROSS_KERNELS, across)),
            Err(trouble) => {
                let summary = "not measured to the end: a side is gone";
                let unfinished = Observation::new(journal.0, Outcome::NotRun, summary);
                self.tell(unfinished.value(ACROSS_KERNELS, across))?;
                self.go_on(Err(trouble))
            }
        }
    }

    /// Without a side the rest goes on; without the directory nothing does.
    fn go_on(&mut self, ended: Result<(), Trouble>) -> Result<(), Lost> {
        match ended {
            Ok(()) | Err(Trouble::Hand(..)) => Ok(()),
            Err(Trouble::Lost(lost)) => Err(lost),
            Err(Trouble::Gone(seat)) => {
                let name = self.names[seat].clone();
                let how = match self.table.gone(seat) {
                    Some(Gone::Left(Leaving::Interrupted)) => "was interrupted",
                    Some(Gone::Left(_)) => "has left",
                    Some(Gone::Silent) | None => "is not heard of any more",
                };
                self.missing(format!("the side {name} {how}; not everything was measured with it"));
                Ok(())
            }
        }
    }
}

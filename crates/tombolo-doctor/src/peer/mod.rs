//! The two-sided doctor: what one kernel cannot see alone.
//!
//! One side makes a directory beside the target and waits there ([`Role::Lead`]); others join by a
//! code ([`Role::Join`]). They talk by the names of empty files ([`tombolo_core::peer`]). The side
//! that leads has steps done by all, draws up the evidence and sends it to the others, so that each
//! side concludes from the same.
//!
//! 1. The user's database is not touched, and SQLite sees scratch databases only.
//! 2. All talking and all steps are done in children. One that hangs is given up.
//! 3. A side that is not heard of for the patience of its plan is gone; the others end without it.
//! 4. The side that made the directory removes it, by a child that outlives it. If that side is
//!    gone, the others do.

mod exchange;
mod experiment;
mod follower;
mod hand;
mod leader;
mod sql;
mod table;
#[cfg(test)]
mod testing;
mod wire;

use crate::child::{self, Viewpoint};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
pub use tombolo_core::peer::alphabet::{Code, NoCode};
use tombolo_core::peer::message::{Hello, PROTOCOL, SIDES_MAX};
use tombolo_core::report::{EvidenceKind, Observation, Outcome, Value};
use tombolo_os::kernel;
use tombolo_os::scratch::{Removal, Scratch, find_meeting};
use tombolo_os::worker::End;

pub use wire::message;

/// Most other sides that one side can wait for.
pub const OTHERS_MAX: usize = SIDES_MAX - 1;

/// A value of peer evidence: whether kernels with different boot ids took part. What is not, says
/// nothing of several kernels.
pub(crate) const ACROSS_KERNELS: &str = "across_kernels";

/// See [`ACROSS_KERNELS`].
pub(crate) fn is_across(values: &BTreeMap<String, Value>) -> bool {
    values.get(ACROSS_KERNELS) == Some(&Value::Flag(true))
}

/// A value of `peer.map-coherence`: whether maps are refused on one of the sides only. A program
/// there cuts the `-shm` on which the other works.
pub(crate) const ONE_SIDED: &str = "one_sided";

/// How long a side waits for the others to come.
const WAIT: Duration = Duration::from_secs(15 * 60);

/// The least time that a side may be silent: a few of [`tombolo_core::peer::link::BEAT_MS`].
const PATIENCE_MIN: Duration = Duration::from_secs(5);

/// Longest conversation; one of two sides takes about a minute.
const TALK: Duration = Duration::from_secs(30 * 60);

/// How long the removal of the directory is waited for. It goes on without us.
const REMOVAL: Duration = Duration::from_secs(5);

/// What this side is.
#[derive(Clone, Debug)]
pub enum Role {
    /// Waits for so many others.
    Lead(usize),
    /// Joins the one that waits under this code.
    Join(Code),
}

/// What goes on, for those who wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    /// Others can join under this code now.
    Invitation(Code),
    /// A line for people.
    Progress(String),
    /// A result.
    Evidence(Observation),
    /// What was not examined.
    Missing(String),
}

/// What the child says.
#[derive(Deserialize, Serialize)]
enum Said {
    Progress(String),
    Evidence(Observation),
    Missing(String),
}

/// How a conversation is led.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// How many others are waited for.
    others: usize,
    /// How long they are waited for.
    wait: Duration,
    /// How long a side may be silent, and a call may take.
    patience: Duration,
}

/// Talks with the other sides at `directory`, as `viewpoint` sees it, and hands out what is
/// learned. `filesystem` is the type that the mount table has.
pub(crate) fn talk(
    role: &Role,
    directory: &Path,
    viewpoint: Viewpoint,
    filesystem: &str,
    patience: Duration,
    sink: &mut dyn FnMut(News),
) {
    let own = introduce(filesystem);
    let patience = patience.max(PATIENCE_MIN);
    match role {
        Role::Lead(others) => {
            let plan = Plan { others: *others, wait: WAIT, patience };
            lead(plan, &own, directory, viewpoint, sink);
        }
        Role::Join(code) => {
            let plan = Plan { others: 1, wait: WAIT, patience };
            join(plan, &own, code, directory, viewpoint, sink);
        }
    }
}

fn introduce(filesystem: &str) -> Hello {
    let kernel = kernel::identify(Path::new("/"));
    Hello {
        protocol: PROTOCOL,
        boot_id: kernel.boot_id,
        release: kernel.release,
        host: kernel::host_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        filesystem: filesystem.to_owned(),
    }
    .bounded()
}

fn lead(
    plan: Plan,
    own: &Hello,
    directory: &Path,
    viewpoint: Viewpoint,
    sink: &mut dyn FnMut(News),
) {
    let code = Code::from_bits(kernel::random_bits());
    let deadline = Instant::now() + plan.patience;
    let meeting = match Scratch::meeting(directory, viewpoint, code.letters(), deadline) {
        Ok(meeting) => meeting,
        Err(error) => {
            let why = format!("the sides cannot meet beside the target: {error}");
            return sink(News::Missing(why));
        }
    };
    sink(News::Invitation(code));
    let place = meeting.place().clone();
    run(viewpoint, sink, |say| {
        if let Err(error) = place.enter() {
            return say(Said::Missing(format!("the sides cannot meet: {error}")));
        }
        leader::lead(own, plan, say);
    });
    let path = meeting.path().to_owned();
    if meeting.remove(Instant::now() + REMOVAL) == Removal::Left {
        let summary = format!(
            "{} could not be removed yet; what is left of it goes when the mount answers, or with \
             a later run",
            path.display()
        );
        let left = Observation::new(EvidenceKind::ProbeScratch, Outcome::Noted, summary);
        sink(News::Evidence(left));
    }
}

fn join(
    plan: Plan,
    own: &Hello,
    code: &Code,
    directory: &Path,
    viewpoint: Viewpoint,
    sink: &mut dyn FnMut(News),
) {
    run(viewpoint, sink, |say| {
        let found =
            find_meeting(directory, code.letters()).and_then(|place| place.enter().map(|()| place));
        match found {
            Ok(place) => follower::follow(own, plan, &place, say),
            Err(error) => say(Said::Missing(format!(
                "nobody is met under the code {code} here: {error}; the path must be the same \
                 directory as on the other side, that side must still wait, and both doctors must \
                 run as the same user"
            ))),
        }
    });
}

/// Runs one side in a child.
fn run(viewpoint: Viewpoint, sink: &mut dyn FnMut(News), body: impl FnOnce(&mut dyn FnMut(Said))) {
    let deadline = Instant::now() + WAIT + TALK;
    let ended = child::run(
        viewpoint,
        deadline,
        |send: &mut dyn FnMut(&Said)| body(&mut |said| send(&said)),
        &mut |said| {
            sink(match said {
                Said::Progress(line) => News::Progress(line),
                Said::Evidence(observation) => News::Evidence(observation),
                Said::Missing(what) => News::Missing(what),
            });
        },
    );
    let why = match ended {
        Ok(End::Finished) => return,
        Ok(end) => end.to_string(),
        Err(error) => error.to_string(),
    };
    sink(News::Missing(format!("what several kernels do was not measured to the end: {why}")));
}

/// What a side is called in a report: a letter by its number, and where it is.
fn name(number: usize, hello: &Hello) -> String {
    let letter = char::from(b'A' + u8::try_from(number.min(25)).unwrap_or(0));
    format!("{letter} ({}, {})", hello.host, hello.filesystem)
}

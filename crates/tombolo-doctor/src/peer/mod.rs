//! The two-sided doctor: what one kernel cannot see alone.
//!
//! One side makes a directory beside the target and waits there ([`Role::Lead`]); others join by a
//! code ([`Role::Join`]). They talk by the names of empty files ([`tombolo_core::peer`]), or where
//! names do not cross over TCP; what is measured stays in the directory. The side that leads has
//! steps done by all, draws up the evidence and sends it to the others, so that each side concludes
//! from the same.
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
mod meeting;
mod post;
mod sql;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wire;

use crate::child::{self, Viewpoint};
use exchange::Exchange;
use post::Post;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::peer::alphabet::Code;
use tombolo_core::peer::invitation::Endpoint;
pub use tombolo_core::peer::invitation::{Invitation, NoInvitation};
use tombolo_core::peer::message::{Hello, PROTOCOL, SIDES_MAX};
use tombolo_core::peer::part::{LEADER, PeerId};
use tombolo_core::report::{EvidenceKind, Observation, Outcome, Value};
use tombolo_os::kernel;
use tombolo_os::scratch::{Place, Removal, Scratch};
use tombolo_os::tcp::{self, Listener};
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

/// How long a side that is interrupted may take to tell the others.
const GOODBYE: Duration = Duration::from_secs(3);

/// How long a side that has come to the directory waits for the first sign of the other one. A
/// directory may be cached for a minute (`acdirmax` of nfs(5)).
const FIRST_WORD: Duration = Duration::from_secs(70);

/// What this side is.
#[derive(Clone, Debug)]
pub enum Role {
    /// Waits for others.
    Lead {
        /// For so many.
        others: usize,
        /// Where to listen, if not in the directory; port 0 is any that is free.
        listen: Option<SocketAddr>,
    },
    /// Joins the one that waits.
    Join(Invitation),
}

/// What goes on, for those who wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    /// Others can join now.
    Invitation(Invitation),
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
    Invitation(Invitation),
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
    /// How long nothing at all may be heard of the side that waits.
    first_word: Duration,
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
    let plan = Plan { others: 1, wait: WAIT, patience, first_word: patience.max(FIRST_WORD) };
    match role {
        Role::Lead { others, listen } => {
            let plan = Plan { others: *others, ..plan };
            lead(plan, &own, *listen, (directory, viewpoint), sink);
        }
        Role::Join(invitation) => run(viewpoint, sink, |say| {
            say(Said::Progress("looking for the side that waits".to_owned()));
            // 0 is the leader's.
            let id = PeerId((kernel::random_bits() as u32).max(1));
            match meeting::meet(invitation.clone(), id, plan, directory) {
                Ok((exchange, place)) => follower::follow(&own, plan, exchange, &place, say),
                Err(why) => say(Said::Missing(why)),
            }
        }),
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
    listen: Option<SocketAddr>,
    (directory, viewpoint): (&Path, Viewpoint),
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
    let place = meeting.place().clone();
    run(viewpoint, sink, |say| {
        if let Err(error) = place.enter() {
            return say(Said::Missing(format!("the sides cannot meet: {error}")));
        }
        match open(code, listen, &place) {
            Ok((post, invitation)) => {
                say(Said::Invitation(invitation));
                leader::lead(own, plan, Exchange::new(LEADER, post), say);
            }
            Err(why) => say(Said::Missing(why)),
        }
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

/// Makes that by which the others come. The working directory must be `place`.
fn open(
    code: Code,
    listen: Option<SocketAddr>,
    place: &Place,
) -> Result<(Post, Invitation), String> {
    let Some(address) = listen else {
        let post = Post::make().map_err(|lost| lost.to_string())?;
        return Ok((post, Invitation { code, endpoint: None }));
    };
    let secret = tcp::fresh_secret().map_err(|error| format!("there is no secret: {error}"))?;
    let name = place.path().file_name().unwrap_or_default().as_encoded_bytes();
    let listener = Listener::bind(address, secret.clone(), name, exchange::LINKS_MAX)
        .map_err(|error| format!("the others cannot call: {error}"))?;
    let endpoint = Endpoint::new(listener.address(), secret)
        .ok_or_else(|| format!("the others cannot call {address}: name one address"))?;
    Ok((Post::Listener(Box::new(listener)), Invitation { code, endpoint: Some(endpoint) }))
}

/// Runs one side in a child.
fn run(viewpoint: Viewpoint, sink: &mut dyn FnMut(News), body: impl FnOnce(&mut dyn FnMut(Said))) {
    let deadline = Instant::now() + WAIT + TALK;
    let ended = child::run_with_grace(
        viewpoint,
        deadline,
        GOODBYE,
        |send: &mut dyn FnMut(&Said)| body(&mut |said| send(&said)),
        &mut |said| {
            sink(match said {
                Said::Invitation(invitation) => News::Invitation(invitation),
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

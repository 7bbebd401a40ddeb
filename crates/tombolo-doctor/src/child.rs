//! Children that see files as somebody else does, and speak in values.
//!
//! Whatever touches the user's path runs here: it may hang, and it may have to see the path as a
//! process in a container does.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_os::error::CallError;
use tombolo_os::namespace;
use tombolo_os::worker::{self, End};

pub use tombolo_os::mount_table::Viewer as Viewpoint;

/// Why nothing could be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct NotSeen {
    /// In words, with what to do about it.
    pub(crate) text: String,
    /// What the kernel said.
    pub(crate) errno: Errno,
}

impl From<CallError> for NotSeen {
    fn from(error: CallError) -> Self {
        NotSeen { text: error.to_string(), errno: error.errno }
    }
}

impl From<namespace::Error> for NotSeen {
    fn from(error: namespace::Error) -> Self {
        let hint = match error {
            namespace::Error::NoSuchProcess { .. } => {
                "; take the number from a list of processes made where tombolo runs"
            }
            namespace::Error::NotPermitted { .. } => "; run tombolo there as root",
            _ => "",
        };
        NotSeen { text: format!("{error}{hint}"), errno: error.errno() }
    }
}

/// What goes over the pipe.
#[derive(Deserialize, Serialize)]
enum Envelope<M> {
    /// The viewpoint could not be taken.
    NotSeen {
        text: String,
        errno: Errno,
    },
    Said(M),
}

/// Runs `body` in a child that sees files from `viewpoint`, and hands out what it sends, until it
/// ends or the deadline passes. What `body` needs of this process's own `/proc` must be read
/// before: inside, `/proc` is that of the other side.
///
/// # Errors
/// When no child could be made, or the viewpoint could not be taken.
pub(crate) fn run<M: Serialize + DeserializeOwned>(
    viewpoint: Viewpoint,
    deadline: Instant,
    body: impl FnOnce(&mut dyn FnMut(&M)),
    on_message: &mut dyn FnMut(M),
) -> Result<End, NotSeen> {
    run_with_grace(viewpoint, deadline, Duration::ZERO, body, on_message)
}

/// The same, but a wish to stop is the child's to act on for so long: see
/// [`worker::run_with_grace`].
///
/// # Errors
/// As [`run`].
pub(crate) fn run_with_grace<M: Serialize + DeserializeOwned>(
    viewpoint: Viewpoint,
    deadline: Instant,
    grace: Duration,
    body: impl FnOnce(&mut dyn FnMut(&M)),
    on_message: &mut dyn FnMut(M),
) -> Result<End, NotSeen> {
    let mut refused = None;
    let mut garbled = false;
    let end = worker::run_with_grace(
        deadline,
        grace,
        |outbox| {
            let mut post = |envelope: &Envelope<&M>| match serde_json::to_vec(envelope) {
                Ok(text) => outbox.send(&text),
                Err(_) => outbox.lose(),
            };
            if let Err(NotSeen { text, errno }) = take(viewpoint) {
                return post(&Envelope::NotSeen { text, errno });
            }
            body(&mut |message| post(&Envelope::Said(message)));
        },
        &mut |message| match serde_json::from_slice(message) {
            Ok(Envelope::Said(message)) => on_message(message),
            Ok(Envelope::NotSeen { text, errno }) => refused = Some(NotSeen { text, errno }),
            Err(_) => garbled = true,
        },
    )?;
    match (refused, end) {
        (Some(refused), _) => Err(refused),
        (None, End::Finished) if garbled => Ok(End::MessageLost),
        (None, end) => Ok(end),
    }
}

fn take(viewpoint: Viewpoint) -> Result<(), NotSeen> {
    match viewpoint {
        Viewpoint::Own => Ok(()),
        Viewpoint::Process(pid) => Ok(namespace::enter(Path::new("/proc"), pid)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn values_cross_and_the_end_is_told() {
        let mut seen = Vec::new();
        let body = |send: &mut dyn FnMut(&(u32, String))| send(&(7, "seven\n".to_owned()));
        let end = run(Viewpoint::Own, soon(), body, &mut |pair| seen.push(pair));
        assert_eq!(end, Ok(End::Finished));
        assert_eq!(seen, [(7, "seven\n".to_owned())]);
    }

    #[test]
    fn a_process_that_is_gone_keeps_its_errno_and_the_body_does_not_run() {
        let body = |send: &mut dyn FnMut(&u32)| send(&1);
        let refused = run(Viewpoint::Process(i32::MAX), soon(), body, &mut |_: u32| {
            panic!("nothing may be said");
        });
        let refused = refused.expect_err("no such process");
        assert_eq!(refused.errno, Errno::ENOENT);
        assert!(refused.text.contains("list of processes"), "{refused}");
    }
}

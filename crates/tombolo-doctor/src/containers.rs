//! The containers of this machine, by name.
//!
//! Their state is read in a child: it stands in home directories too, which may be on dead mounts.

use crate::child::{self, Viewpoint};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;
use tombolo_core::report::Container;
use tombolo_core::text::printable;
use tombolo_os::container::{self, Resolved};

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Found {
    /// A process inside.
    pub pid: i32,
    /// The tool that runs it, its id and its name.
    pub container: Container,
}

/// Why no container was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotFound(String);

/// Finds a running container by its name, its id, or the beginning of its id.
///
/// # Errors
///
/// When none is found, several fit, or the state of containers did not answer in time.
pub fn find(name: &str, deadline: Instant) -> Result<Found, NotFound> {
    ask(deadline, || match container::resolve(Path::new("/"), name) {
        Ok(resolved) => Ok(found(resolved)),
        Err(error) => Err(printable(error.to_string().as_bytes())),
    })
}

/// Every running container; none where their state did not answer in time.
#[must_use]
pub fn all(deadline: Instant) -> Vec<Found> {
    let list = || Ok(container::running(Path::new("/")).into_iter().map(found).collect());
    ask(deadline, list).unwrap_or_default()
}

fn found(resolved: Resolved) -> Found {
    let Resolved { pid, runtime, id, name } = resolved;
    let name = name.map(|name| printable(name.as_bytes()));
    Found { pid, container: Container { runtime, id, name } }
}

fn ask<T: Serialize + serde::de::DeserializeOwned>(
    deadline: Instant,
    look: impl FnOnce() -> Result<T, String>,
) -> Result<T, NotFound> {
    let mut answer = None;
    let end = child::run(
        Viewpoint::Own,
        deadline,
        |send: &mut dyn FnMut(&Result<T, String>)| send(&look()),
        &mut |message| answer = Some(message),
    );
    match answer {
        Some(answer) => answer.map_err(NotFound),
        None => {
            let why = end.map_or_else(|error| error.to_string(), |end| end.to_string());
            Err(NotFound(format!("the containers could not be looked at: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_not_there_is_said_and_what_does_not_answer_too() {
        let soon = Instant::now() + Duration::from_secs(10);
        let error = find("no-such-container-here", soon).expect_err("not there");
        assert!(error.to_string().contains("\"no-such-container-here\""), "{error}");
        let hung = ask(Instant::now() + Duration::from_millis(100), || -> Result<(), String> {
            loop {
                std::thread::park();
            }
        });
        assert!(hung.expect_err("no answer").to_string().contains("did not end in time"));
    }
}
